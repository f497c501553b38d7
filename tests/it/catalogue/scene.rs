//! A neighbour that works all the time, tricks beside it, and a look at the host afterwards.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use serde_json::{Value, json};

use crate::house::{House, Ran, docker, fixture, has_engine, ran};
use crate::running::Running;

/// Holds until the test makes the file, and publishes.
const NEIGHBOUR: &str = "echo neighbour begun; while [ ! -e out/files/go ]; do sleep 0.2; done; printf 'id\\n1\\n2\\n' >out/tables/t.csv";

pub(crate) struct Scene {
    pub(crate) house: House,
    work_dir: PathBuf,
    environment: Vec<(String, String)>,
    neighbour: Option<Running>,
}

/// What the hostile component does, and what it is given.
pub(crate) struct Trick<'a> {
    script: &'a str,
    resources: Value,
    more: Value,
    storage: Value,
}

/// How a trick ended.
pub(crate) struct Played {
    ran: Ran,
    log: String,
}

impl<'a> Trick<'a> {
    pub(crate) fn new(script: &'a str) -> Self {
        let resources =
            json!({ "preset": "xsmall", "memory": "64m", "timeout": "60s", "disk": "64MiB", "pids": 64 });
        let storage = json!({ "output": { "default_bucket": "out.c-main" } });
        Self { script, resources, more: json!({}), storage }
    }

    /// `resources.<key>` of the spec.
    pub(crate) fn limit(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.resources[key] = value.into();
        self
    }

    /// Another key of the spec.
    pub(crate) fn spec(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.more[key] = value.into();
        self
    }

    pub(crate) fn storage(mut self, storage: Value) -> Self {
        self.storage = storage;
        self
    }
}

impl Scene {
    /// With variables for the settings. `None` where there is no engine or no compiler.
    pub(crate) fn open(environment: &[(&str, &str)]) -> Option<Self> {
        Self::open_with(environment, |house| Some(house.path().join(".longshore/work")))
    }

    /// With a work folder somewhere else; `None` also where that cannot be made.
    pub(crate) fn open_with(
        environment: &[(&str, &str)],
        work_dir: impl FnOnce(&House) -> Option<PathBuf>,
    ) -> Option<Self> {
        if !has_engine() || !has_image() {
            return None;
        }
        let house = House::new();
        let work_dir = work_dir(&house)?;
        let own = [("LONGSHORE_WORK_DIR", work_dir.to_str().unwrap())];
        let environment = environment.iter().chain(&own);
        let environment =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let mut scene = Self { house, work_dir, environment, neighbour: None };
        let neighbour = Trick::new(NEIGHBOUR).limit("timeout", "600s");
        let mut running = Running::start(&mut scene.command("neighbour", &neighbour, &[]));
        running.wait_for("neighbour begun");
        scene.neighbour = Some(running);
        Some(scene)
    }

    /// The call that runs a trick under a name of its own.
    pub(crate) fn command(&self, name: &str, trick: &Trick<'_>, more: &[&str]) -> Command {
        let mut spec = json!({
            "id": name,
            "image": { "uri": "longshore-test/hostile", "tag": "1" },
            "network": "none",
            "resources": trick.resources,
        });
        for (key, value) in trick.more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        let configuration = json!({ "parameters": { "script": trick.script }, "storage": trick.storage });
        self.house.write(&format!("{name}.json"), spec.to_string());
        self.house.write(&format!("{name}-task.json"), configuration.to_string());
        let (spec, task) = (format!("{name}.json"), format!("{name}-task.json"));
        let spec = self.house.path().join(spec);
        let mut arguments = vec!["run", spec.to_str().unwrap(), "--config", &task, "--format", "json"];
        arguments.extend(more);
        let mut command = self.house.command(&arguments);
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    pub(crate) fn play(&self, trick: &Trick<'_>) -> Played {
        self.ended(ran(self.command("trick", trick, &[]).output().unwrap()))
    }

    /// A trick whose call has come back.
    pub(crate) fn ended(&self, ran: Ran) -> Played {
        let job = ran.job();
        let log = self.house.call(&["job", "log", &job]).succeeded().stdout;
        nothing_is_left(&job);
        Played { ran, log }
    }

    /// The data folders of all jobs under way.
    pub(crate) fn data_folders(&self) -> Vec<PathBuf> {
        let below = |folder: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).into_iter().flatten();
            entries.map(|entry| entry.unwrap().path()).collect()
        };
        let attempts = below(&self.work_dir).into_iter().flat_map(|worker| below(&worker));
        attempts.map(|attempt| attempt.join("data")).filter(|data| data.is_dir()).collect()
    }

    /// Lets the neighbour end: it must have come through, and with it the project must be clean.
    pub(crate) fn close(mut self) {
        let working = self.data_folders();
        assert_eq!(working.len(), 1, "the neighbour's and no other: {working:?}");
        fs::write(working[0].join("out/files/go"), "").unwrap();
        let ended = self.neighbour.take().unwrap().finish().succeeded();
        assert_eq!(ended.document()["output"]["tables"][0]["rows_total"], 2);
        nothing_is_left(&ended.job());
        self.house.is_clean();
    }
}

impl Played {
    /// The trick came to its end as a good component does.
    pub(crate) fn succeeds(self) -> Self {
        let ran = self.ran.succeeded();
        Self { ran, ..self }
    }

    /// The trick failed with this code and a message that says all of this.
    pub(crate) fn fails(self, code: &str, words: &[&str]) -> Self {
        let message = self.ran.message();
        assert_eq!(self.ran.error_code(), code, "{message}\n{}", self.ran.stderr);
        for word in words {
            assert!(message.contains(word), "{message:?} does not say {word:?}");
        }
        self
    }

    /// The job's log holds all of this.
    pub(crate) fn says(self, words: &[&str]) -> Self {
        for word in words {
            let said = format!("{}\n{}", self.log, self.ran.stderr);
            assert!(said.contains(word), "{word:?} is not in\n{said}");
        }
        self
    }

    pub(crate) fn log(&self) -> &str {
        &self.log
    }

    pub(crate) fn document(&self) -> Value {
        self.ran.document()
    }
}

/// Asserts that no process, container, cgroup or mount of a job is on this machine any more.
fn nothing_is_left(job: &str) {
    let containers = docker(&["ps", "--all", "--quiet", "--filter", &format!("label=longshore.job={job}")]);
    assert_eq!(containers, "", "containers of {job}");
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap();
    assert!(!mounts.contains(job), "{mounts}");
    assert_eq!(processes_with(job), Vec::<String>::new());
    let hierarchies = fs::read_dir("/sys/fs/cgroup").into_iter().flatten();
    for hierarchy in hierarchies {
        let parents = fs::read_dir(hierarchy.unwrap().path().join("longshore")).into_iter().flatten();
        let left = parents
            .filter_map(Result::ok)
            .filter(|parent| parent.file_name().to_string_lossy().contains(job));
        assert_eq!(left.count(), 0, "a cgroup of {job} stays");
    }
}

/// Processes whose cgroup or command line has this text.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let folder = entry.ok()?.path();
        let id = folder.file_name()?.to_str()?.to_owned();
        id.parse::<u32>().ok().filter(|_| id != own)?;
        // One that has ended meanwhile has none of these.
        let cgroup = fs::read_to_string(folder.join("cgroup")).ok()?;
        let words = fs::read(folder.join("cmdline")).ok()?;
        let words = String::from_utf8_lossy(&words).replace('\0', " ");
        (cgroup.contains(text) || words.contains(text)).then(|| format!("{id} {words}"))
    });
    processes.collect()
}

/// Whether the hostile image is there; it is built of `fixtures/hostile` once in a run of the tests, C programs first.
fn has_image() -> bool {
    static BUILT: Once = Once::new();
    let has_compiler =
        Command::new("gcc").arg("--version").output().is_ok_and(|output| output.status.success());
    if !has_compiler {
        #[expect(
            clippy::disallowed_methods,
            reason = "CI says by its environment that nothing may be skipped"
        )]
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "there is no gcc for the hostile programs");
        eprintln!("SKIP (no gcc for the hostile programs): {:?}", std::thread::current().name());
        return false;
    }
    BUILT.call_once(build_image);
    true
}

fn build_image() {
    let lock = fs::File::create(std::env::temp_dir().join("longshore-test-hostile.lock")).unwrap();
    lock.lock().unwrap();
    let source = fixture("hostile");
    let hash = hash_of(&source);
    let label = "{{index .Config.Labels \"longshore.test-hash\"}}";
    let known = Command::new("docker")
        .args(["image", "inspect", "--format", label, "longshore-test/hostile:1"])
        .output()
        .unwrap();
    if String::from_utf8_lossy(&known.stdout).trim() == hash {
        return;
    }
    let context = tempfile::tempdir().unwrap();
    let programs = context.path().join("bin");
    fs::create_dir(&programs).unwrap();
    fs::copy(source.join("Dockerfile"), context.path().join("Dockerfile")).unwrap();
    for entry in fs::read_dir(&source).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_owned();
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("c") => {
                let mut compiler = Command::new("gcc");
                compiler.args(["-static", "-O1", "-o"]).arg(programs.join(name)).arg(&path);
                assert!(compiler.status().unwrap().success(), "{}", path.display());
            }
            Some("sh") => drop(fs::copy(&path, programs.join(path.file_name().unwrap())).unwrap()),
            Some(_) | None => {}
        }
    }
    let folder = context.path().to_str().unwrap();
    let label = format!("longshore.test-hash={hash}");
    docker(&["build", "--quiet", "--label", &label, "--tag", "longshore-test/hostile:1", folder]);
}

/// Of the sources and of the image below, so that a change of either is noticed.
fn hash_of(folder: &Path) -> String {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let base = docker(&["image", "inspect", "--format", "{{.Id}}", "longshore-test/raw-shell:1"]);
    let mut bytes = base.into_bytes();
    for path in paths {
        bytes.extend(fs::read(path).unwrap());
    }
    format!("{:016x}", xxhash_rust::xxh3::xxh3_64(&bytes))
}
