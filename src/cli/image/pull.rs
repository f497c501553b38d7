use serde::Serialize;

use super::asked::{self, ImageArguments};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::image::{AskedImage, ResolvedImage};

/// What `pull`, `build` and `lock` print for scripts.
#[derive(Debug, Serialize)]
pub(super) struct ResolvedView {
    reference: String,
    id: String,
    digest: Option<String>,
    policy: &'static str,
    done: &'static str,
}

impl ResolvedView {
    pub(super) fn of(image: &ResolvedImage) -> Self {
        Self {
            reference: image.reference.clone(),
            id: image.id.to_string(),
            digest: image.digest.clone(),
            policy: image.policy.as_str(),
            done: image.done.as_str(),
        }
    }
}

pub(super) async fn act(arguments: ImageArguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let asked = arguments.asked(home)?;
    if let AskedImage::Build { .. } = asked {
        return Err(Trouble::user(format!("the image of {} is built, not pulled", arguments.image))
            .hint(format!("longshore image build {}", arguments.image)));
    }
    let image = asked::ensure(&asked, home, printer).await?;
    printer.report(&ResolvedView::of(&image), || format!("{}\n", image.id))
}
