//! A keeper with a catalog of its own, the engine, and a repository whose images go when the test ends.

use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::catalog::Catalog;
use crate::component::{Policy, Stale};
use crate::engine::{Engine, EngineOptions, PullProgress};
use crate::image::patience::Patience;
use crate::image::{
    AskedImage, BuildOptions, GitOptions, ImageError, Keeper, KeeperOptions, RegistryAccess, RegistryOptions,
    ResolvedImage,
};
use crate::job::{Hidden, JobId};

pub(super) struct House {
    pub(super) keeper: Keeper,
    engine: Engine,
    folder: TempDir,
    /// A path in a registry that no other test uses.
    pub(super) repository: String,
}

impl House {
    /// `None`, and a word about it, where there is no engine.
    pub(super) async fn open() -> Option<Self> {
        let engine = match Engine::connect(EngineOptions::default()).await {
            Ok(engine) => engine,
            Err(error) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "whether a missing engine is a failure is the machine's setting"
                )]
                let must_run = std::env::var_os("CI").is_some();
                assert!(!must_run, "no Docker engine: {error}");
                eprintln!("SKIP (no Docker engine): {:?}", std::thread::current().name());
                return None;
            }
        };
        let folder = TempDir::new().unwrap();
        let keeper = keeper(&engine, &folder, RegistryAccess::default()).await;
        let repository = format!("longshore-test/{}", JobId::fresh());
        Some(Self { keeper, engine, folder, repository })
    }

    /// Another process' keeper, with credentials for a registry.
    pub(super) async fn keeper_as(&self, registry: &str, login: Option<(&str, &str)>) -> Keeper {
        let login = login.map(|(username, password)| (username.to_owned(), Hidden::new(password)));
        let options = RegistryOptions { registry: registry.to_owned(), login, ca_file: None };
        let access = RegistryAccess { registries: vec![options], docker_config_dir: None };
        keeper(&self.engine, &self.folder, access).await
    }
}

async fn keeper(engine: &Engine, folder: &TempDir, registries: RegistryAccess) -> Keeper {
    let catalog = Catalog::open_sqlite(&folder.path().join("catalog.sqlite")).await.unwrap();
    let pause = Duration::from_millis(10);
    let patience = Patience { tries_max: 4, pause, pause_max: Duration::from_secs(2) };
    let folder = folder.path().to_owned();
    let builds =
        BuildOptions { locks_dir: folder.join("builds"), work_dir: folder, git: GitOptions::default() };
    let options = KeeperOptions {
        patience,
        patience_with_copy: Patience { tries_max: 2, ..patience },
        stall_limit: Duration::from_secs(3),
        ..KeeperOptions::new(registries, builds)
    };
    Keeper::new(engine.clone(), catalog, options)
}

impl Drop for House {
    fn drop(&mut self) {
        let listed = docker(&["images", "--no-trunc", "--format", "{{.ID}} {{.Repository}}"]);
        for line in listed.lines().filter(|line| line.ends_with(&self.repository)) {
            let id = line.split(' ').next().unwrap();
            docker(&["rmi", "--force", id]);
        }
    }
}

/// What it printed; a failure is the caller's to see by that.
pub(super) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub(super) fn release(reference: &str) -> AskedImage {
    AskedImage::Registry {
        reference: reference.parse().unwrap(),
        policy: Policy::Release,
        stale: Stale::Allow,
    }
}

pub(super) fn master(reference: &str, stale: Stale) -> AskedImage {
    AskedImage::Registry { reference: reference.parse().unwrap(), policy: Policy::Master, stale }
}

pub(super) async fn ensured(keeper: &Keeper, asked: &AskedImage) -> Result<ResolvedImage, ImageError> {
    keeper.ensure(asked, &mut |_progress| {}).await
}

pub(super) async fn watched(
    keeper: &Keeper,
    asked: &AskedImage,
) -> (Result<ResolvedImage, ImageError>, Vec<PullProgress>) {
    let mut steps = Vec::new();
    let image = keeper.ensure(asked, &mut |step| steps.push(step)).await;
    (image, steps)
}
