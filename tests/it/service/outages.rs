//! What the workers lean on goes away and comes back: no job is lost, none published twice.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::server::Server;
use super::{HOLDS, Port, Proxy, Worker, append, eventually, is_served};

/// `host:port` of an address.
fn host_of(url: &str) -> &str {
    let rest = url.rsplit_once('@').map_or(url, |(_user, rest)| rest);
    rest.split('/').next().unwrap()
}

/// A worker that reaches one of its servers through a proxy only; everybody else reaches it directly.
fn behind_proxy(service: &Port, part: &str) -> (Proxy, Worker) {
    let url = service.settings[part]["url"].as_str().unwrap().to_owned();
    let proxy = Proxy::to(host_of(&url));
    let through = url.replace(host_of(&url), &proxy.address);
    let machine = service.machine(|settings| settings[part]["url"] = json!(through));
    (proxy, Worker::on(machine))
}

#[test]
fn a_broker_that_falls_silent_is_found_again_while_jobs_go_on() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, _worker) = behind_proxy(&port, "queue");
    port.orchestrator.publish(&[append("running", HOLDS, 1)]);
    port.hears("running", "begun");
    proxy.cut();
    port.orchestrator.publish(&[append("later", "true", 2)]);
    port.release();
    assert_eq!(port.comes_to("running", "success")["attempt"], 1);
    proxy.mend();
    assert_eq!(port.comes_to("later", "success")["attempt"], 1);
    assert_eq!(port.house.export("out.c-main.t"), "n\n1\n2\n");
}

#[test]
fn a_database_that_goes_down_is_found_again_and_its_jobs_end_once() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, _worker) = behind_proxy(&port, "catalog");
    port.orchestrator.publish(&[append("running", HOLDS, 1)]);
    port.hears("running", "begun");
    proxy.go_down();
    port.orchestrator.publish(&[append("later", "true", 2)]);
    port.release();
    // The component ends while nothing can be recorded: what it made is committed when the database is back.
    eventually("the component has ended", || port.house.containers().is_empty().then_some(()));
    proxy.mend();
    for job in ["running", "later"] {
        assert_eq!(port.comes_to(job, "success")["attempt"], 1, "{job}");
    }
    let table = port.house.export("out.c-main.t");
    let rows: BTreeSet<&str> = table.lines().skip(1).collect();
    assert_eq!((rows, table.lines().count()), (BTreeSet::from(["1", "2"]), 3));
}

#[test]
fn results_of_jobs_that_end_while_the_broker_is_away_arrive_when_it_is_back() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({}));
    let (proxy, worker) = behind_proxy(&port, "queue");
    let messages = [1, 2].map(|n| {
        let mut message = append(&n.to_string(), HOLDS, n);
        message["correlation_id"] = json!(n.to_string());
        message
    });
    let replies = std::thread::scope(|scope| {
        let calling = scope.spawn(|| port.orchestrator.call(&messages));
        port.hears("1", "begun");
        port.hears("2", "begun");
        proxy.cut();
        // Which takes two heartbeats.
        worker.says("the broker cannot be reached or the session broke");
        port.release();
        for job in ["1", "2"] {
            assert_eq!(port.comes_to(job, "success")["attempt"], 1);
        }
        proxy.mend();
        calling.join().unwrap()
    });
    // One each: there are two, and who waits takes no more.
    let of: BTreeSet<&str> = replies.iter().map(|reply| reply["correlation_id"].as_str().unwrap()).collect();
    assert_eq!(of, BTreeSet::from(["1", "2"]), "{replies:?}");
    assert!(replies.iter().all(|reply| reply["document"]["status"] == "success"), "{replies:?}");
    // The same messages once more, and one behind them.
    port.orchestrator.publish(&messages);
    port.orchestrator.publish(&[append("last", "true", 3)]);
    port.comes_to("last", "success");
    assert_eq!(port.house.versions("out.c-main.t"), [3, 2, 1]);
    assert_eq!(port.jobs().len(), 3);
}

/// A database server of a test's own, which may be restarted.
struct Postgres;

impl Postgres {
    fn start() -> Self {
        let server = Self;
        server.run("start");
        server
    }

    fn run(&self, verb: &str) -> String {
        let output = self.command().arg(verb).output().unwrap();
        assert!(output.status.success(), "{verb}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    #[expect(clippy::unused_self, reason = "only a server that was started has commands")]
    fn command(&self) -> Command {
        let mut command = Server::Postgres.command();
        command.env("LONGSHORE_POSTGRES_PORT", "15433");
        command
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // What does not end now is found by its port and ended by the next run.
        self.command().arg("stop").output().ok();
    }
}

/// Somebody who holds the line that all commits pass, until the server ends or this does.
struct Blocker(Child);

impl Blocker {
    fn of_commits(url: &str) -> Self {
        let mut child = Command::new("psql").args([url, "--quiet"]).stdin(Stdio::piped()).spawn().unwrap();
        let statement = b"BEGIN; UPDATE counters SET value = value WHERE name = 'commit_time';\n";
        std::io::Write::write_all(child.stdin.as_mut().unwrap(), statement).unwrap();
        Self(child)
    }
}

impl Drop for Blocker {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_job_is_published_once_when_its_database_restarts_in_the_middle_of_its_commit() {
    if !is_served() {
        return;
    }
    let postgres = Postgres::start();
    let catalog = json!({ "url": postgres.run("url") });
    let port = Port::between(catalog, Server::Rabbitmq.settings(), &json!({}));
    let _worker = port.worker(&[]);
    port.orchestrator.publish(&[append("job", HOLDS, 1)]);
    port.hears("job", "begun");
    let url = port.settings["catalog"]["url"].as_str().unwrap();
    let blocker = Blocker::of_commits(url);
    let waiting = |what: &str, state: &str| {
        let statement =
            format!("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND {state}");
        eventually(what, || {
            let asked = ["--tuples-only", "--no-align", "--command", &statement, url];
            let counted = Command::new("psql").args(asked).output().unwrap();
            (counted.status.success() && counted.stdout != b"0\n").then_some(())
        });
    };
    waiting("the line is held", "state = 'idle in transaction' AND query LIKE '%commit_time%'");
    port.release();
    waiting("the worker is in its commit", "wait_event_type = 'Lock'");
    postgres.run("stop");
    postgres.run("start");
    drop(blocker);

    assert_eq!(port.comes_to("job", "success")["attempt"], 1);
    port.orchestrator.publish(&[append("next", "true", 2)]);
    port.comes_to("next", "success");
    assert_eq!(port.house.export("out.c-main.t"), "n\n1\n2\n");
    assert_eq!(port.house.versions("out.c-main.t"), [2, 1]);
}
