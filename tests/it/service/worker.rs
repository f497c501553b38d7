//! A worker process: what it says, and how it is frozen, killed and asked to leave.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};

use super::{PATIENCE, eventually};
use crate::house::House;

/// Lines of stderr so far, and the news that there are more.
#[derive(Default)]
struct Said {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

pub(crate) struct Worker {
    child: Child,
    said: Arc<Said>,
    /// The machine that goes with it, where it has one to itself.
    machine: Option<House>,
}

impl Worker {
    /// On a machine of its own.
    pub(crate) fn on(machine: House) -> Self {
        let mut worker = Self::start(&machine, &[]);
        worker.machine = Some(machine);
        worker
    }

    pub(crate) fn start(machine: &House, arguments: &[&str]) -> Self {
        let mut command = machine.command(&["worker"]);
        command.args(arguments).env("LONGSHORE_LOG", "info");
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let said = Arc::new(Said::default());
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let listener = Arc::clone(&said);
        // Ends with the worker's stderr.
        std::thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                listener.lines.lock().unwrap().push(line);
                listener.more.notify_all();
            }
        });
        Self { child, said, machine: None }
    }

    pub(crate) fn said(&self) -> String {
        // A wait that failed had the lines when it panicked, and they are wanted all the more.
        self.said.lines.lock().unwrap_or_else(PoisonError::into_inner).join("\n")
    }

    /// Waits until a line holds these words.
    pub(crate) fn says(&self, words: &str) {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.said.lines.lock().unwrap();
        while !lines.iter().any(|line| line.contains(words)) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "the worker did not say {words:?}:\n{}", lines.join("\n"));
            lines = self.said.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for the end that it comes to by itself.
    pub(crate) fn ended(&mut self) -> i32 {
        let child = &mut self.child;
        let status = eventually("the worker ends", || child.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended, by itself or by the test.
        self.child.kill().ok();
        self.child.wait().ok();
        if std::thread::panicking() {
            eprintln!("a worker had said:\n{}\n", self.said());
        }
    }
}
