//! What is to be run, and by whom.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::sync::OnceCell;

use super::examine::Examiner;
use super::retry::RetryDelay;
use crate::blob::BlobStore;
use crate::catalog::Catalog;
use crate::component::{Component, ImageSource};
use crate::configuration::{Configuration, Unit};
use crate::egress::EgressOptions;
use crate::engine::{Engine, EngineError, EngineOptions};
use crate::events::SpeechLimits;
use crate::failure::Stop;
use crate::image::{AskedImage, BuildSource, ImageReference, Keeper, KeeperOptions};
use crate::job::{FailureCode, JobId, JobRequest, OutputLimits, Phase, WorkerId};
use crate::runtime::DiskGuard;
use crate::secret::SecretRules;

/// One accepted job with everything it names, loaded and parsed.
#[derive(Debug)]
pub(crate) struct Order {
    pub(crate) job: JobId,
    pub(crate) request: JobRequest,
    pub(crate) component: Component,
    pub(crate) configuration: Configuration,
}

/// Runs jobs of one project, one at a time or several.
#[derive(Debug)]
pub(crate) struct Runner {
    pub(crate) catalog: Catalog,
    pub(crate) blobs: BlobStore,
    pub(crate) engine_options: EngineOptions,
    /// Connected when the first job needs it.
    pub(crate) engine: OnceCell<Engine>,
    pub(crate) keeper_options: KeeperOptions,
    /// Of that engine; all jobs of a process share it, and so their pulls.
    pub(crate) keeper: OnceCell<Keeper>,
    pub(crate) options: RunnerOptions,
    /// Looks closer at every run, where somebody asked for it.
    pub(crate) examiner: Option<Examiner>,
    pub(crate) secrets: SecretRules,
}

#[derive(Debug, Clone)]
pub(crate) struct RunnerOptions {
    pub(crate) worker: WorkerId,
    /// This worker's own folder; data folders lie below it.
    pub(crate) work_dir: PathBuf,
    pub(crate) quarantine_dir: PathBuf,
    /// Where `--mode input` leaves the data folder.
    pub(crate) staged_dir: PathBuf,
    pub(crate) project_id: String,
    /// Whom components run as that do not say: our own ids, or unprivileged ones when we are root.
    pub(crate) runner_user: (u32, u32),
    pub(crate) sanitize_column_names: bool,
    /// Between asking a container to stop and killing it.
    pub(crate) grace: Duration,
    /// How long an engine may be away while a container runs.
    pub(crate) engine_patience: Duration,
    pub(crate) log_bytes_max: u64,
    pub(crate) outputs: OutputLimits,
    pub(crate) disk_guard: DiskGuard,
    pub(crate) speech: SpeechLimits,
    pub(crate) egress: EgressOptions,
    pub(crate) retry_delay: RetryDelay,
    /// Waits at the beginning of this phase until cancelled: for looking into a running job, and for tests.
    pub(crate) hold_at: Option<Phase>,
}

impl Runner {
    pub(crate) async fn engine(&self) -> Result<&Engine, EngineError> {
        self.engine.get_or_try_init(|| Engine::connect(self.engine_options.clone())).await
    }

    pub(super) async fn keeper(&self) -> Result<&Keeper, EngineError> {
        let engine = self.engine().await?;
        let new = || {
            let (catalog, options) = (self.catalog.clone(), self.keeper_options.clone());
            std::future::ready(Keeper::new(engine.clone(), catalog, options))
        };
        Ok(self.keeper.get_or_init(new).await)
    }

    /// Makes the acquaintance of the engine, so that nobody waits for it later. What goes wrong is left to whoever
    /// needs the engine: asking again tells it.
    pub(super) async fn greet_engine(&self) {
        if let Ok(engine) = self.engine().await {
            drop(engine.facts().await);
        }
    }
}

impl Order {
    /// What was asked for, as the catalog keeps it.
    pub(super) fn request_document(&self) -> String {
        let document = serde_json::json!({
            "component": self.request.component.as_str(),
            "configuration": self.request.configuration.as_ref().map(ToString::to_string),
            "mode": self.request.mode.as_str(),
            "tag": self.request.tag,
            "spec_sha256": self.component.spec_hash.as_str(),
            "configuration_sha256": self.configuration.hash.as_str(),
        });
        document.to_string()
    }

    /// The spec's image with the tag that the request or the configuration asks for.
    pub(super) fn image_source(&self, unit: &Unit) -> Result<AskedImage, Stop> {
        let asked_tag = self.request.tag.as_ref().or(unit.image_tag.as_ref());
        match &self.component.image {
            ImageSource::Registry { uri, tag, digest, policy, stale } => {
                let reference = match (asked_tag.or(tag.as_ref()), digest) {
                    // A tag that was asked for takes the place of the spec's digest too.
                    (Some(tag), Some(digest)) if asked_tag.is_none() => format!("{uri}:{tag}@{digest}"),
                    (Some(tag), _) => format!("{uri}:{tag}"),
                    (None, Some(digest)) => format!("{uri}@{digest}"),
                    (None, None) => format!("{uri}:latest"),
                };
                let reference: ImageReference = reference.parse()?;
                Ok(AskedImage::Registry { reference, policy: *policy, stale: *stale })
            }
            ImageSource::Build { context, dockerfile, args, policy, stale } => {
                if let Some(tag) = asked_tag {
                    let id = &self.component.id;
                    return Err(Stop::users(
                        FailureCode::ConfigurationInvalid,
                        format!(
                            "the tag {tag} is asked for, but the image of {id} is built, and an image that is built has no tag (name the source in the spec: `image.build.ref` for a git repository)"
                        ),
                    ));
                }
                let source = BuildSource {
                    context: context.clone(),
                    dockerfile: dockerfile.clone(),
                    args: args.clone(),
                    spec_dir: self.component.spec_path.parent().map(Path::to_owned),
                    stale: *stale,
                };
                Ok(AskedImage::Build { source, policy: *policy })
            }
        }
    }
}
