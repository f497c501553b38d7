use serde::Serialize;

use super::asked::ImageArguments;
use super::shelf::build_reference;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::image::AskedImage;

#[derive(Debug, Serialize)]
struct UnlockView {
    reference: String,
    was_locked: bool,
}

pub(super) async fn act(arguments: ImageArguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let reference = match arguments.asked(home)? {
        AskedImage::Registry { reference, .. } => reference.complete(),
        AskedImage::Build { source, .. } => build_reference(&source.context),
    };
    let was_locked = home.catalog.unlock_image(&reference).await?;
    let view = UnlockView { reference, was_locked };
    printer.report(&view, || {
        let what = if was_locked { "is unlocked: the next run resolves it anew" } else { "was not locked" };
        format!("{} {what}\n", view.reference)
    })
}
