//! A place to run small containers in: an engine, a tiny image, a data folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::engine::{ContainerNetwork, Engine, EngineOptions};
use crate::job::{Exit, ImageId, JobId};
use crate::runtime::{
    ContainerPlan, DiskGuard, Ended, SpoolReader, SpoolRecord, SpoolWriter, Stream, create,
};

pub(super) const LABEL: &str = "longshore.test";

#[derive(Debug)]
pub(super) struct House {
    pub(super) engine: Engine,
    pub(super) folder: TempDir,
    /// Unique, so that tests side by side do not meet.
    pub(super) name: String,
}

/// A container that has ended, been removed, and everything it said.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) ended: Ended,
    pub(super) records: Vec<SpoolRecord>,
}

impl Story {
    pub(super) fn said(&self, stream: Stream) -> String {
        let bytes: Vec<u8> = self
            .records
            .iter()
            .filter(|record| record.stream == stream)
            .flat_map(|record| record.bytes.clone())
            .collect();
        String::from_utf8(bytes).unwrap()
    }

    pub(super) fn exit(&self) -> &Exit {
        &self.ended.exit
    }
}

impl House {
    /// Nothing when there is no engine.
    pub(super) async fn open(test: &str) -> Option<Self> {
        let engine = match Engine::connect(EngineOptions::default()).await {
            Ok(engine) => engine,
            Err(error) => {
                #[expect(
                    clippy::disallowed_methods,
                    reason = "whether a missing engine is a failure is the machine's setting"
                )]
                let must_run = std::env::var_os("CI").is_some();
                assert!(!must_run, "no Docker engine: {error}");
                eprintln!("SKIP (no Docker engine): {test}");
                return None;
            }
        };
        let folder = tempfile::tempdir().unwrap();
        for inner in ["in/tables", "in/files", "out/tables", "out/files"] {
            fs::create_dir_all(folder.path().join("data").join(inner)).unwrap();
        }
        Some(Self { engine, folder, name: format!("longshore-test-{}", JobId::fresh()) })
    }

    pub(super) fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A plan to run this shell script in the tiny image.
    pub(super) fn plan(&self, script: &str) -> ContainerPlan {
        fs::write(self.data().join("run.sh"), script).unwrap();
        self.plan_of(image("tiny", r#"["/bin/sh","/data/run.sh"]"#))
    }

    pub(super) fn plan_of(&self, image: ImageId) -> ContainerPlan {
        ContainerPlan {
            name: self.name.clone(),
            image,
            entrypoint: "the entrypoint".into(),
            labels: vec![(LABEL.into(), self.name.clone())],
            environment: vec![("GREETING".into(), "a=b \"c\" $d\n'e'".into())],
            data_folder: self.data(),
            read_only_inputs: true,
            memory_bytes: 64 << 20,
            nano_cpus: 1_000_000_000,
            pids: 64,
            tmp_bytes: 1 << 20,
            timeout: Some(Duration::from_secs(120)),
            grace: Duration::from_secs(1),
            engine_patience: Duration::from_secs(60),
            network: ContainerNetwork::Disabled,
            user: None,
            read_only_root: false,
            capabilities: Vec::new(),
            output_bytes_max: 16 << 20,
            output_files_max: 1000,
            file_bytes_max: 1 << 40,
            folder_depth_max: 64,
            disk_guard: DiskGuard::default(),
            log_bytes_max: 64 << 20,
        }
    }

    pub(super) async fn run(&self, plan: ContainerPlan) -> Story {
        self.run_until(plan, |_reader, _cancel| async {}).await
    }

    /// Runs a plan while `meanwhile` reads along and may cancel.
    pub(super) async fn run_until<F, M>(&self, plan: ContainerPlan, meanwhile: F) -> Story
    where
        F: FnOnce(SpoolReader, CancellationToken) -> M,
        M: Future<Output = ()> + Send + 'static,
    {
        let spool = SpoolWriter::create(&self.folder.path().join("spool")).await.unwrap();
        let reader = spool.reader().await.unwrap();
        let cancel = CancellationToken::new();
        let mut beside = JoinSet::new();
        beside.spawn(meanwhile(spool.reader().await.unwrap(), cancel.clone()));
        let mut container = create(&self.engine, plan).await.unwrap();
        let ended = container.run(spool, &cancel).await;
        container.remove().await.unwrap();
        while let Some(done) = beside.join_next().await {
            done.unwrap();
        }
        Story { ended: ended.unwrap(), records: read_all(reader).await }
    }
}

pub(super) async fn read_all(mut reader: SpoolReader) -> Vec<SpoolRecord> {
    let mut records = Vec::new();
    while let Some(record) = reader.next().await.unwrap() {
        records.push(record);
    }
    records
}

/// The id of `longshore-test/<name>:1`, made of nothing but busybox where the engine does not have it yet.
pub(super) fn image(name: &str, entrypoint: &str) -> ImageId {
    let reference = format!("longshore-test/{name}:1");
    let lock = fs::File::create(std::env::temp_dir().join("longshore-test-image.lock")).unwrap();
    lock.lock().unwrap();
    let known = docker(&["image", "inspect", "--format", "{{.Id}} {{json .Config.Entrypoint}}", &reference]);
    if let Some((id, found)) = known.as_deref().and_then(|line| line.trim().split_once(' '))
        && found == entrypoint
    {
        return ImageId::parse(id).unwrap();
    }
    let root = tempfile::tempdir().unwrap();
    let busybox = ["/bin/busybox", "/usr/bin/busybox"].into_iter().find(|path| Path::new(path).exists());
    for folder in ["bin", "etc", "tmp"] {
        fs::create_dir(root.path().join(folder)).unwrap();
    }
    fs::copy(busybox.expect("the tiny image is made of a static busybox"), root.path().join("bin/busybox"))
        .unwrap();
    for tool in [
        "sh", "cat", "cut", "echo", "grep", "head", "id", "ls", "readlink", "seq", "sleep", "tail", "touch",
        "tr", "yes",
    ] {
        std::os::unix::fs::symlink("busybox", root.path().join("bin").join(tool)).unwrap();
    }
    // A file that may be run but is no program for this machine.
    fs::write(root.path().join("bin/foreign"), b"\x7fELF\x02\x01\x01\0nothing").unwrap();
    fs::set_permissions(root.path().join("bin/foreign"), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let archive = root.path().with_extension("tar");
    let packed =
        Command::new("tar").arg("-C").arg(root.path()).arg("-cf").arg(&archive).arg(".").status().unwrap();
    assert!(packed.success());
    let change = format!("ENTRYPOINT {entrypoint}");
    let path = archive.to_str().unwrap();
    let id =
        docker(&["import", "-c", &change, "-c", "LABEL longshore.test=image", path, &reference]).unwrap();
    fs::remove_file(&archive).unwrap();
    ImageId::parse(id.trim()).unwrap()
}

/// What the command says, where it succeeds.
fn docker(arguments: &[&str]) -> Option<String> {
    let output = Command::new("docker").args(arguments).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap())
}
