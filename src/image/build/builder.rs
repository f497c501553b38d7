//! From a source to an image: which version, is it known, and only then fetch and build.

use std::path::PathBuf;
use std::sync::Arc;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::asked::{Asked, Version};
use super::context::{self, Context, ContextError, Written};
use super::git::{self, Git, Objects};
use super::key::Origin;
use super::turn::Turns;
use super::{BuildError, BuildSource, Built, GitOptions, bases, dockerfile};
use crate::component::{BuildContext, GitAddress, Policy};
use crate::image::Keeper;

/// Where and with what images are built.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BuildOptions {
    /// This worker's own folder: what is fetched lies below it while it is needed.
    pub(crate) work_dir: PathBuf,
    /// Shared by all processes of the project.
    pub(crate) locks_dir: PathBuf,
    pub(crate) git: GitOptions,
}

/// Builds images for one process. Whoever wants the same one at the same time gets the same build.
#[derive(Debug)]
pub(crate) struct Builds {
    options: BuildOptions,
    turns: Turns,
}

impl Builds {
    pub(crate) fn new(options: BuildOptions) -> Self {
        let turns = Turns::new(options.locks_dir.clone());
        Self { options, turns }
    }

    /// The image of a source. `known_commit` is what its branch or tag meant before: `release` keeps to it, `master`
    /// falls back on it when the repository does not answer. `say` hears the build, line by line.
    pub(crate) async fn ensure(
        &self,
        keeper: &Keeper,
        source: &BuildSource,
        policy: Policy,
        known_commit: Option<&str>,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Built, Arc<BuildError>> {
        let (version, trouble) = self.version(source, policy, known_commit).await?;
        let origin = Origin::new(source, version.as_str());
        let asked = Asked { keeper, source, origin, version };
        if let Some(found) = asked.find().await? {
            return Ok(Built { stale: trouble.map(|error| error.to_string()), ..found });
        }
        if let Some(error) = trouble {
            return Err(Arc::new(error));
        }
        let turn = self.turns.of(&asked.origin);
        let mut done = turn.lock().await;
        if let Some(done) = &*done {
            return done.clone().map(|built| Built { is_new: false, ..built });
        }
        let built = Box::pin(self.build(&asked, say)).await.map_err(Arc::new);
        *done = Some(built.clone());
        built
    }

    /// What the source means now, and why that could not be asked.
    async fn version(
        &self,
        source: &BuildSource,
        policy: Policy,
        known_commit: Option<&str>,
    ) -> Result<(Version, Option<BuildError>), BuildError> {
        let (url, reference, folder) = match &source.context {
            BuildContext::Folder { path } => {
                let path = source.spec_dir.clone().unwrap_or_default().join(path);
                let written = self.hash_folder(source, path.clone()).await?;
                return Ok((Version::Content { path, hash: written.hash }, None));
            }
            BuildContext::Git { url, reference, folder } => (url, reference.as_deref(), folder.clone()),
        };
        let address: GitAddress = url.parse().map_err(git::GitError::from)?;
        let scratch = self.scratch()?;
        // Before anything else, so that what the settings forbid is forbidden for known commits, too.
        let git = Git::new(&self.options.git, &address, scratch.path())?;
        let (commit, trouble) = match known_commit {
            Some(known) if policy == Policy::Release => (known.to_owned(), None),
            known => match (git::resolve(&git, reference).await, known) {
                (Ok(commit), _) => (commit, None),
                (Err(error), Some(known)) if error.is_unreachable() => (known.to_owned(), Some(error.into())),
                (Err(error), _) => return Err(error.into()),
            },
        };
        Ok((Version::Commit { address, commit, folder }, trouble))
    }

    /// Fetches and builds what nobody has built yet, in a turn of its own.
    async fn build(
        &self,
        asked: &Asked<'_>,
        say: &mut (dyn FnMut(String) + Send),
    ) -> Result<Built, BuildError> {
        let _lock = self.turns.lock(&asked.origin, say).await?;
        // Another process may have built it while we waited.
        if let Some(found) = asked.find().await? {
            return Ok(found);
        }
        let scratch = Arc::new(self.scratch()?);
        let archive = scratch.path().join("context.tar");
        let dockerfile = match &asked.version {
            Version::Commit { address, commit, folder } => {
                say(format!("fetching {} at {commit}", asked.source.reference()));
                let repository = scratch.path().join("repository");
                make_folder(&repository)?;
                git::fetch(&Git::new(&self.options.git, address, &repository)?, commit).await?;
                let environment = self.options.git.environment.clone();
                let objects = Objects { folder: repository, environment };
                let (commit, folder) = (commit.clone(), folder.clone());
                let (dockerfile, size_max) =
                    (asked.source.dockerfile.clone(), self.options.git.size_max_bytes);
                let open =
                    move || Context::of_commit(&objects, &commit, folder.as_deref(), &dockerfile, size_max);
                self.pack(asked.source, open, Arc::clone(&scratch), Some(archive.clone())).await?.0
            }
            Version::Content { path, hash } => {
                let (path, dockerfile) = (path.clone(), asked.source.dockerfile.clone());
                let size_max = self.options.git.size_max_bytes;
                let open = move || Context::of_folder(&path, &dockerfile, size_max);
                let (dockerfile, written) =
                    self.pack(asked.source, open, Arc::clone(&scratch), Some(archive.clone())).await?;
                if written.hash != *hash {
                    return Err(in_context(asked.source)(ContextError::Changed));
                }
                dockerfile
            }
        };
        let references = dockerfile::base_images(&dockerfile, &asked.source.args);
        let bases = bases::ensure(asked.keeper, asked.source, references, say).await?;
        asked.build(&archive, &bases, say).await
    }

    /// The hash of a local folder's files, which are read for it.
    async fn hash_folder(&self, source: &BuildSource, path: PathBuf) -> Result<Written, BuildError> {
        let (dockerfile, size_max) = (source.dockerfile.clone(), self.options.git.size_max_bytes);
        let open = move || Context::of_folder(&path, &dockerfile, size_max);
        let scratch = Arc::new(self.scratch()?);
        Ok(self.pack(source, open, scratch, None).await?.1)
    }

    /// Opens a context and writes it to a file, or only hashes it; gives the Dockerfile's text.
    async fn pack(
        &self,
        source: &BuildSource,
        open: impl FnOnce() -> Result<Context, ContextError> + Send + 'static,
        scratch: Arc<TempDir>,
        archive: Option<PathBuf>,
    ) -> Result<(String, Written), BuildError> {
        let called_off = CancellationToken::new();
        let _guard = called_off.clone().drop_guard();
        let deed = move || {
            // The folder lives as long as somebody writes to it.
            let _scratch = scratch;
            let mut context = open()?;
            let written = match archive {
                None => context::write(&mut context, std::io::sink(), &called_off)?,
                Some(path) => {
                    let file = std::fs::File::create(&path).map_err(|source| ContextError::Io {
                        action: "make",
                        path,
                        source,
                    })?;
                    context::write(&mut context, std::io::BufWriter::new(file), &called_off)?
                }
            };
            Ok((context.dockerfile, written))
        };
        match tokio::task::spawn_blocking(deed).await {
            Ok(packed) => packed.map_err(in_context(source)),
            Err(ended) => std::panic::resume_unwind(match ended.try_into_panic() {
                Ok(panic) => panic,
                Err(cancelled) => Box::new(cancelled.to_string()),
            }),
        }
    }

    /// A folder of our own that goes when it is dropped.
    fn scratch(&self) -> Result<TempDir, BuildError> {
        let made = tempfile::Builder::new().prefix("build-").tempdir_in(&self.options.work_dir);
        let path = self.options.work_dir.clone();
        made.map_err(|source| BuildError::Io { action: "make a folder in", path, source })
    }
}

fn in_context(source: &BuildSource) -> impl FnOnce(ContextError) -> BuildError {
    let source_name = source.reference();
    move |source| BuildError::Context { source_name, source }
}

fn make_folder(path: &std::path::Path) -> Result<(), BuildError> {
    std::fs::create_dir(path).map_err(|source| BuildError::Io {
        action: "make",
        path: path.to_owned(),
        source,
    })
}
