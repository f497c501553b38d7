use jiff::Timestamp;

use super::asked::{self, ImageArguments};
use super::pull::ResolvedView;
use crate::catalog::ImageLock;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::component::{Policy, Stale};
use crate::image::AskedImage;

/// Asks the registry what the tag means now, as the policy master does, and lets the policy release run that.
pub(super) async fn act(arguments: ImageArguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let reference = match arguments.asked(home)? {
        AskedImage::Registry { reference, .. } => reference,
        AskedImage::Build { .. } => {
            return Err(Trouble::user(format!("the image of {} is built", arguments.image))
                .hint("a commit as `image.build.ref` fixes an image of a git repository; one of a folder follows its files"));
        }
    };
    let name = reference.complete();
    let newest = AskedImage::Registry { reference, policy: Policy::Master, stale: Stale::Forbid };
    let image = asked::ensure(&newest, home, printer).await?;
    let access = home.catalog.image_lock(&name, Policy::Master).await?.and_then(|lock| lock.access);
    let now = Timestamp::now();
    let lock = ImageLock {
        reference: name,
        policy: Policy::Release,
        digest: image.digest.clone(),
        image: image.id.clone(),
        access,
        resolved: now,
        last_used: now,
    };
    home.catalog.move_image_lock(&lock).await?;
    printer.report(&ResolvedView::of(&image), || {
        format!("{} is locked to {}\n", lock.reference, lock.digest.as_deref().unwrap_or(image.id.as_str()))
    })
}
