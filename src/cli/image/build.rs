use super::asked;
use super::pull::ResolvedView;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::image::AskedImage;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A component whose spec has `image.build`: a spec file, or an id from `component-specs/`
    component: String,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let asked = asked::asked(&arguments.component, None, home)?;
    if let AskedImage::Registry { .. } = asked {
        return Err(Trouble::user(format!("the image of {} is pulled, not built", arguments.component))
            .hint(format!("longshore image pull {}", arguments.component)));
    }
    let image = asked::ensure(&asked, home, printer).await?;
    printer.report(&ResolvedView::of(&image), || format!("{}\n", image.id))
}
