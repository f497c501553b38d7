//! The bench of the service: a database and queues of a test's own, machines, and workers on them that can be frozen
//! and killed.

mod again;
mod broker;
mod deaths;
mod disk;
mod engine;
mod faulty_store;
mod frozen;
mod leaving;
mod many;
mod orchestrator;
mod outages;
mod proxy;
mod room;
mod secrets;
mod server;
mod speaking;
mod steering;
mod store;
mod submitting;
mod worker;

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::house::{House, Ran, docker, fixture};
use orchestrator::Orchestrator;
use proxy::Proxy;
use server::{Database, Server};
pub(crate) use worker::Worker;

/// Longer than anything that is waited for takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(90);
/// Script of a component that says so and holds until the test lets it go on.
pub(crate) const HOLDS: &str = "echo begun; while [ ! -e /tmp/go ]; do sleep 0.1; done";
/// Components with the same image.
const COMPONENTS: [&str; 3] = ["raw-shell", "raw-two", "raw-three"];

/// A service of a test's own on the real servers.
pub(crate) struct Port {
    /// The project folder from which the test looks and submits, and in which workers run.
    pub(crate) house: House,
    pub(crate) orchestrator: Orchestrator,
    settings: Value,
    _database: Database,
}

impl Port {
    /// With settings for the workers of the test; the servers must be there.
    pub(crate) fn open(worker: &Value) -> Self {
        Self::at(Server::Rabbitmq.settings(), worker)
    }

    /// At a broker of the test's own.
    pub(crate) fn at(queue: Value, worker: &Value) -> Self {
        Self::between(Server::Postgres.settings(), queue, worker)
    }

    /// At a database and a broker that may be of the test's own.
    pub(crate) fn between(mut catalog: Value, mut queue: Value, worker: &Value) -> Self {
        let name = format!("t{}", uuid::Uuid::now_v7().simple());
        let mut blobs = Server::S3.settings();
        let database = Database::make(catalog["url"].as_str().unwrap(), &name);
        let url = queue["url"].as_str().unwrap().to_owned();
        catalog["url"] = json!(database.url);
        queue["prefix"] = json!(name);
        queue["heartbeat"] = json!("5s");
        blobs["s3"]["prefix"] = json!(name);
        let mut settings = json!({
            "sync": false,
            "stop_grace": "1s",
            "http": { "listen": "off" },
            "catalog": catalog,
            "queue": queue,
            "blobs": blobs,
            // Beats and leases as short as settings allow, so that a lost worker is found soon.
            "worker": {
                "slots": 2, "memory": "4g", "cpus": 8, "disk": "4g", "beat": "1s", "lease": "3s", "poll": "1s",
                "attempts_max": 3, "retry_delay": "1s", "retry_delay_max": "1s",
            },
        });
        for (key, value) in worker.as_object().unwrap() {
            settings["worker"][key] = value.clone();
        }
        let house = House::new();
        house.write("longshore.yaml", settings.to_string());
        let spec = std::fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
        for component in COMPONENTS {
            // A busy machine takes long for little; what is too long is not the matter here.
            let spec = spec
                .replace("id: raw-shell", &format!("id: {component}"))
                .replace("timeout: 30s", "timeout: 5m");
            house.write(&format!("component-specs/{component}.yaml"), spec);
        }
        house.call(&["queue", "setup"]).succeeded();
        Self { house, orchestrator: Orchestrator { url, prefix: name }, settings, _database: database }
    }

    /// A worker on the port's own machine.
    pub(crate) fn worker(&self, arguments: &[&str]) -> Worker {
        Worker::start(&self.house, arguments)
    }

    /// Another machine, with settings of its own.
    pub(crate) fn machine(&self, change: impl FnOnce(&mut Value)) -> House {
        let mut settings = self.settings.clone();
        settings["component_specs_dir"] = json!(self.house.path().join("component-specs"));
        change(&mut settings);
        let machine = House::new();
        machine.write("longshore.yaml", settings.to_string());
        machine
    }

    /// Jobs as `job ls` tells them, newest first.
    pub(crate) fn jobs(&self) -> Vec<Value> {
        let listed = self.house.call(&["job", "ls", "--limit", "10000", "--format", "json"]).succeeded();
        listed.document().as_array().unwrap().clone()
    }

    /// A job's result document; `name` is its id or its key.
    pub(crate) fn job(&self, name: &str) -> Ran {
        self.house.call(&["job", "show", name])
    }

    /// Waits until a job is `status`.
    pub(crate) fn comes_to(&self, job: &str, status: &str) -> Value {
        eventually(&format!("job {job} is {status}"), || {
            let shown = self.job(job);
            (shown.code == 0).then(|| shown.document()).filter(|document| document["status"] == status)
        })
    }

    /// Lets every component that holds go on; see [`HOLDS`].
    pub(crate) fn release(&self) {
        for container in self.house.containers() {
            // One that has not been started, or has ended, has nobody to tell.
            Command::new("docker").args(["exec", &container, "touch", "/tmp/go"]).output().unwrap();
        }
    }

    /// Waits until the runner or the component of a job has said these words.
    pub(crate) fn hears(&self, job: &str, words: &str) {
        eventually(&format!("job {job} says {words:?}"), || {
            let log = self.house.call(&["job", "log", job, "--events"]);
            log.stdout.contains(words).then_some(())
        });
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        self.orchestrator.clear_away();
        // What a test that failed leaves behind; the names of containers hold the ids of their jobs.
        if std::thread::panicking() {
            for container in self.house.containers() {
                docker(&["rm", "--force", &container]);
            }
        }
    }
}

/// A message for a job that runs a script and appends a row `n` to `out.c-main.t`.
pub(crate) fn append(key: &str, script: &str, n: u64) -> Value {
    let script = format!("{script}; printf 'n\\n{n}\\n' >out/tables/t.csv");
    let output = json!({ "source": "t.csv", "destination": "out.c-main.t", "incremental": true });
    let data = json!({ "parameters": { "script": script }, "storage": { "output": { "tables": [output] } } });
    json!({ "message_id": key, "request": { "version": 1, "component": "raw-shell", "data": data } })
}

/// Asks again until there is an answer.
pub(crate) fn eventually<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < deadline, "it never came: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Whether real servers and the engine are there for the tests of the service.
pub(crate) fn is_served() -> bool {
    if !Orchestrator::is_there() {
        server::skip("Python's pika is missing; scripts/setup.sh installs it");
        return false;
    }
    crate::house::has_engine() && Server::ALL.iter().all(|server| server.is_there())
}
