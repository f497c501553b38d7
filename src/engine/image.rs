//! Images on the engine: look at one, name one.

use bollard::models::ImageInspect;
use bollard::query_parameters::TagImageOptions;

use super::{Engine, EngineError};

/// What the engine knows of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageFacts {
    pub id: String,
    /// `repository@sha256:…`, one for each registry it came from.
    pub repository_digests: Vec<String>,
    pub entrypoint: Vec<String>,
    pub command: Vec<String>,
    /// Folders that the image wants outside of its own files, in a volume each.
    pub volumes: Vec<String>,
}

impl Engine {
    /// `None` when the engine has no such image.
    pub(crate) async fn inspect_image(&self, reference: &str) -> Result<Option<ImageFacts>, EngineError> {
        let subject = format!("image {reference}");
        match self.ask("inspect", &subject, self.docker.inspect_image(reference)).await {
            Ok(inspect) => Ok(Some(facts(inspect))),
            Err(error) if error.status() == Some(404) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Names an image; whatever had the name before loses it.
    pub(crate) async fn tag_image(&self, image: &str, name: &str, tag: &str) -> Result<(), EngineError> {
        let subject = format!("image {image} as {name}:{tag}");
        let options = TagImageOptions { repo: Some(name.into()), tag: Some(tag.into()) };
        self.ask("name", &subject, self.docker.tag_image(image, Some(options))).await
    }
}

fn facts(inspect: ImageInspect) -> ImageFacts {
    let config = inspect.config.unwrap_or_default();
    ImageFacts {
        id: inspect.id.unwrap_or_default(),
        repository_digests: inspect.repo_digests.unwrap_or_default(),
        entrypoint: config.entrypoint.unwrap_or_default(),
        command: config.cmd.unwrap_or_default(),
        volumes: config.volumes.unwrap_or_default(),
    }
}
