//! A call of the program that is still going on.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStderr, Command, Stdio};

use crate::house::Ran;

pub(crate) struct Running {
    child: Child,
    stderr: BufReader<ChildStderr>,
    said: String,
}

impl Running {
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Self { child, stderr, said: String::new() }
    }

    /// Reads on until the program has said this to people.
    pub(crate) fn wait_for(&mut self, words: &str) {
        while !self.said.contains(words) {
            let read = self.stderr.read_line(&mut self.said).unwrap();
            assert!(read > 0, "it ended before it said {words:?}:\n{}", self.said);
        }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The next bytes of its standard output.
    pub(crate) fn read_stdout(&mut self, buffer: &mut [u8]) {
        self.child.stdout.as_mut().unwrap().read_exact(buffer).unwrap();
    }

    pub(crate) fn finish(mut self) -> Ran {
        // Both at once: a pipe that nobody reads holds the program up.
        let mut data = self.child.stdout.take().unwrap();
        let reading = std::thread::spawn(move || {
            let mut stdout = String::new();
            data.read_to_string(&mut stdout).unwrap();
            stdout
        });
        let mut stderr = self.said;
        self.stderr.read_to_string(&mut stderr).unwrap();
        let stdout = reading.join().unwrap();
        Ran { code: self.child.wait().unwrap().code().unwrap_or(-1), stdout, stderr }
    }

    /// SIGKILL: it gets no word in.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}
