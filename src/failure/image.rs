//! Whose fault it is that there is no image.

use super::{Stop, chain};
use crate::image::{BuildTrouble, ImageError, ReferenceError};
use crate::job::{Failure, FailureCode};

impl From<ReferenceError> for Stop {
    fn from(error: ReferenceError) -> Self {
        Self::users(FailureCode::ConfigurationInvalid, error.to_string())
    }
}

impl From<ImageError> for Stop {
    fn from(error: ImageError) -> Self {
        let code = of_image(&error);
        if code == FailureCode::CatalogFailed {
            return Self::platform(code, &error);
        }
        // The image's name is the user's own, so the message may be shown, and so is what a Dockerfile said.
        Self::Failed(Failure { code, message: error.to_string(), detail: chain(&error) })
    }
}

/// A base image that cannot be had is told as any image that cannot be had.
fn of_image(error: &ImageError) -> FailureCode {
    match error {
        ImageError::NotFound { .. } | ImageError::Denied { .. } => FailureCode::ImageNotFound,
        ImageError::Engine { source, .. } if source.is_disk_full() => FailureCode::DiskFull,
        ImageError::Catalog(error) if error.is_disk_full() => FailureCode::DiskFull,
        ImageError::Catalog(_) => FailureCode::CatalogFailed,
        ImageError::Engine { .. }
        | ImageError::Registry { .. }
        | ImageError::Unfit { .. }
        | ImageError::Credentials { .. }
        | ImageError::Stale { .. }
        | ImageError::StaleBuild { .. }
        | ImageError::Vanished { .. }
        | ImageError::BrokenOff { .. }
        | ImageError::OddId { .. } => FailureCode::ImageUnavailable,
        ImageError::Build(error) => match error.trouble() {
            BuildTrouble::Source => FailureCode::ConfigurationInvalid,
            BuildTrouble::Missing => FailureCode::ImageNotFound,
            BuildTrouble::Dockerfile => FailureCode::ImageBuildFailed,
            BuildTrouble::Base(error) => of_image(error),
            BuildTrouble::DiskFull => FailureCode::DiskFull,
            BuildTrouble::Platform => FailureCode::ImageUnavailable,
        },
    }
}
