//! What lies on the engine: all its images, which containers hold them, and how much room they take.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Duration;

use bollard::query_parameters::{ListContainersOptions, ListImagesOptions, RemoveImageOptions};
use jiff::Timestamp;
use serde_json::Value;
use tokio::time::sleep;

use super::client::WORK_LIMIT;
use super::{Engine, EngineError};

/// Until somebody else's measuring may have come to its end.
const MEASURING_PAUSE: Duration = Duration::from_millis(200);

/// An image as the engine lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HeldImage {
    pub id: String,
    /// `repository:tag`.
    pub tags: Vec<String>,
    /// `repository@sha256:…`.
    pub digests: Vec<String>,
    pub created: Timestamp,
    /// All layers, also those that other images have too.
    pub bytes: u64,
    pub labels: HashMap<String, String>,
}

/// What removing an image did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ImageRemoval {
    Removed,
    /// A container, another tag or a child image holds it.
    Held,
    /// It was gone.
    Missing,
}

/// How much room the images take.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageUsage {
    /// Of all images, each layer counted once.
    pub bytes: u64,
    /// By image id: what would be freed if this one alone went.
    pub own_bytes: HashMap<String, u64>,
}

impl Engine {
    /// Every image that is more than a layer of another one.
    pub(crate) async fn list_images(&self) -> Result<Vec<HeldImage>, EngineError> {
        let listed =
            self.ask("list", "the images", self.docker.list_images(None::<ListImagesOptions>)).await?;
        let named = |names: Vec<String>| names.into_iter().filter(|name| !name.contains("<none>")).collect();
        let held = listed.into_iter().map(|image| HeldImage {
            id: image.id,
            tags: named(image.repo_tags),
            digests: named(image.repo_digests),
            created: Timestamp::from_second(image.created).unwrap_or(Timestamp::UNIX_EPOCH),
            bytes: u64::try_from(image.size).unwrap_or(0),
            labels: image.labels,
        });
        Ok(held.collect())
    }

    /// Ids of the images that containers were made of, in whatever state those are.
    pub(crate) async fn used_images(&self) -> Result<Vec<String>, EngineError> {
        let options = ListContainersOptions { all: true, ..ListContainersOptions::default() };
        let containers =
            self.ask("list", "the containers", self.docker.list_containers(Some(options))).await?;
        Ok(containers.into_iter().filter_map(|container| container.image_id).collect())
    }

    /// The layers of an image, lowest first; none where there is no such image.
    pub(crate) async fn image_layers(&self, id: &str) -> Result<Vec<String>, EngineError> {
        match self.ask("inspect", &format!("image {id}"), self.docker.inspect_image(id)).await {
            Ok(image) => Ok(image.root_fs.and_then(|root| root.layers).unwrap_or_default()),
            Err(error) if error.status() == Some(404) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }

    /// Takes one name off an image, or the last name with the image; by id an image without names. Never by force: what
    /// is used stays.
    pub(crate) async fn remove_image(&self, name_or_id: &str) -> Result<ImageRemoval, EngineError> {
        let subject = format!("image {name_or_id}");
        let removed = self.docker.remove_image(name_or_id, None::<RemoveImageOptions>, None);
        match self.order("remove", &subject, removed).await {
            Ok(_deleted) => Ok(ImageRemoval::Removed),
            Err(error) if error.status() == Some(404) => Ok(ImageRemoval::Missing),
            Err(error) if error.status() == Some(409) => Ok(ImageRemoval::Held),
            Err(error) => Err(error),
        }
    }

    /// Measures the images. The engine walks through all of them, which may take some seconds.
    pub(crate) async fn image_usage(&self) -> Result<ImageUsage, EngineError> {
        let (action, subject) = ("measure", "the images".to_owned());
        let silent = EngineError::Silent { action, subject: subject.clone(), after: WORK_LIMIT };
        // The client library knows only the newest engines' form of this answer.
        let measured = tokio::time::timeout(WORK_LIMIT, async {
            let mut answer = loop {
                match self.speak(action, subject.clone(), "GET", "/system/df?type=image").await {
                    Err(error) if error.is_measuring() => sleep(MEASURING_PAUSE).await,
                    spoken => break spoken?,
                }
            };
            while answer.more().await? {}
            serde_json::from_slice::<Value>(&answer.body).map_err(|error| answer.broken(error))
        });
        let document = measured.await.unwrap_or(Err(silent))?;
        Ok(usage(&document))
    }

    /// Where the engine keeps its images, on the engine's machine.
    pub(crate) async fn root_dir(&self) -> Result<Option<PathBuf>, EngineError> {
        let info = self.ask("tell", "its configuration", self.docker.info()).await?;
        Ok(info.docker_root_dir.map(PathBuf::from))
    }
}

fn usage(document: &Value) -> ImageUsage {
    let count = |value: Option<&Value>| value.and_then(Value::as_u64);
    let newest = document.get("ImageUsage");
    let images = document.get("Images").or_else(|| newest?.get("Items")).and_then(Value::as_array);
    let own = images.into_iter().flatten().filter_map(|image| {
        let id = image.get("Id")?.as_str()?.to_owned();
        // -1 says that nobody counted.
        let shared = count(image.get("SharedSize")).unwrap_or(0);
        Some((id, count(image.get("Size"))?.saturating_sub(shared)))
    });
    ImageUsage {
        bytes: count(document.get("LayersSize")).or_else(|| count(newest?.get("TotalSize"))).unwrap_or(0),
        own_bytes: own.collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn old_and_new_engines_tell_the_same_in_their_own_ways() {
        let images = json!([{"Id": "sha256:a", "Size": 10, "SharedSize": 4}, {"Id": "sha256:b", "Size": 7, "SharedSize": -1}]);
        let expected = ImageUsage {
            bytes: 13,
            own_bytes: HashMap::from([("sha256:a".to_owned(), 6), ("sha256:b".to_owned(), 7)]),
        };
        assert_eq!(usage(&json!({"LayersSize": 13, "Images": images})), expected);
        assert_eq!(usage(&json!({"ImageUsage": {"TotalSize": 13, "Items": images}})), expected);
        assert_eq!(usage(&json!({})), ImageUsage::default());
    }
}
