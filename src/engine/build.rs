//! Building an image on the engine, by its own builder, from an archive of files.

use std::collections::HashMap;

use bollard::body_try_stream;
use bollard::models::BuildInfo;
use bollard::query_parameters::{BuildImageOptions, ListImagesOptions};
use futures_util::stream::StreamExt;
use tokio_util::io::ReaderStream;

use super::{Engine, EngineError};

/// What a build may use; the client library counts in 32 bits, and swap is included.
const MEMORY_BYTES: i32 = i32::MAX;
/// Of the archive, at once.
const PIECE_BYTES: usize = 256 << 10;

/// An image to be built. Whatever is not said here is fixed for all builds.
#[derive(Debug)]
pub(crate) struct NewBuild<'a> {
    /// `repository:tag` of the finished image.
    pub(crate) name: &'a str,
    /// Path in the archive.
    pub(crate) dockerfile: &'a str,
    /// Not for secrets: they can be read from the image.
    pub(crate) args: &'a [(String, String)],
    pub(crate) labels: &'a [(String, String)],
    /// A tar archive.
    pub(crate) context: tokio::fs::File,
}

/// An image that bears a label we asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LabelledImage {
    pub(crate) id: String,
    /// `repository:tag`, each.
    pub(crate) names: Vec<String>,
    pub(crate) labels: HashMap<String, String>,
}

impl Engine {
    /// Builds an image and hears what the builder says, piece by piece. A future that is dropped ends the build.
    ///
    /// A Dockerfile that fails is an [`EngineError::Refused`].
    pub(crate) async fn build_image(
        &self,
        new: NewBuild<'_>,
        hear: &mut (dyn FnMut(&str) + Send),
    ) -> Result<(), EngineError> {
        let subject = format!("image {}", new.name);
        let options = BuildImageOptions {
            dockerfile: new.dockerfile.into(),
            t: Some(new.name.into()),
            buildargs: Some(new.args.iter().cloned().collect()),
            labels: Some(new.labels.iter().cloned().collect()),
            memory: Some(MEMORY_BYTES),
            memswap: Some(MEMORY_BYTES),
            // Containers of steps go whatever comes of them; their images stay, and are the cache of the next build.
            rm: true,
            forcerm: true,
            ..BuildImageOptions::default()
        };
        let context = body_try_stream(ReaderStream::with_capacity(new.context, PIECE_BYTES));
        let mut steps = std::pin::pin!(self.docker.build_image(options, None, Some(context)));
        while let Some(step) = steps.next().await {
            let BuildInfo { stream, .. } = step.map_err(|error| self.sort("build", &subject, error))?;
            if let Some(piece) = stream {
                hear(&piece);
            }
            // A build that says much must not keep those from their turn who listen to it.
            tokio::task::yield_now().await;
        }
        Ok(())
    }

    /// The images with this label.
    pub(crate) async fn images_with_label(
        &self,
        name: &str,
        value: &str,
    ) -> Result<Vec<LabelledImage>, EngineError> {
        let label = format!("{name}={value}");
        let filters = HashMap::from([("label".to_owned(), vec![label.clone()])]);
        let options = ListImagesOptions { filters: Some(filters), ..ListImagesOptions::default() };
        let subject = format!("images with the label {label}");
        let found = self.ask("list", &subject, self.docker.list_images(Some(options))).await?;
        let image = |image: bollard::models::ImageSummary| LabelledImage {
            id: image.id,
            names: image.repo_tags,
            labels: image.labels,
        };
        Ok(found.into_iter().map(image).collect())
    }
}
