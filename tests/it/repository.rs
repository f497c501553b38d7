//! Git repositories for tests: one that somebody works in, and a server that shows it over HTTP and asks for a password.

use std::fs;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use tempfile::TempDir;

/// A repository in a folder of its own. The images built of it are removed with it.
pub(crate) struct Repository {
    folder: TempDir,
}

impl Repository {
    /// With one commit on `main` that holds these files.
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let repository = Self { folder: TempDir::new().unwrap() };
        repository.git(&["init", "--quiet", "--initial-branch=main", "."]);
        repository.commit(files);
        repository
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `file://…`
    pub(crate) fn url(&self) -> String {
        format!("file://{}", self.path().display())
    }

    /// Writes files and commits everything; gives the commit.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        for (name, text) in files {
            let path = self.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        self.git(&["add", "--all"]);
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "change"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=Test", "-c", "user.email=test@example.com"]);
        command.args(["-c", "protocol.file.allow=always"]).args(arguments).current_dir(self.path());
        // The person's own settings must not reach it.
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        let output = command.output().unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }
}

/// `git http-backend` behind a door that asks for a password.
pub(crate) struct GitServer {
    pub(crate) port: u16,
    is_closing: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
    thread: Option<JoinHandle<()>>,
}

impl GitServer {
    /// Shows the repositories below `root` to whoever comes with `user:password`.
    pub(crate) fn start(root: &Path, credential: &str) -> Self {
        Self::start_as(root, credential, Speech::Modern)
    }

    /// One that gives nothing but what its branches and tags point to.
    pub(crate) fn start_old(root: &Path, credential: &str) -> Self {
        Self::start_as(root, credential, Speech::Old)
    }

    fn start_as(root: &Path, credential: &str, speech: Speech) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let is_closing = Arc::new(AtomicBool::new(false));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let site = Site {
            root: root.to_owned(),
            authorization: format!("Basic {}", base64(credential)),
            requests: Arc::clone(&requests),
            speech,
        };
        let closing = Arc::clone(&is_closing);
        let thread = std::thread::spawn(move || {
            for connection in listener.incoming() {
                if closing.load(Ordering::SeqCst) {
                    return;
                }
                // A client that left is its own affair.
                site.answer(connection.unwrap()).ok();
            }
        });
        Self { port, is_closing, requests, thread: Some(thread) }
    }

    /// The lines of the requests so far.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

impl Drop for GitServer {
    fn drop(&mut self) {
        self.is_closing.store(true, Ordering::SeqCst);
        TcpStream::connect(("127.0.0.1", self.port)).ok();
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}

struct Site {
    root: PathBuf,
    authorization: String,
    requests: Arc<Mutex<Vec<String>>>,
    speech: Speech,
}

/// Which of git's protocols a server speaks.
#[derive(Clone, Copy)]
enum Speech {
    Modern,
    Old,
}

impl Site {
    fn answer(&self, mut connection: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(connection.try_clone()?);
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let (mut headers, mut header) = (Vec::new(), String::new());
        while reader.read_line(&mut header)? > 2 {
            let (name, value) = header.trim().split_once(':').unwrap();
            headers.push((name.to_lowercase(), value.trim().to_owned()));
            header.clear();
        }
        self.requests.lock().unwrap().push(line.trim().to_owned());
        let value =
            |name: &str| headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
        if value("authorization") != Some(self.authorization.clone()) {
            return connection.write_all(
                b"HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"git\"\r\n\
                  Content-Length: 0\r\nConnection: close\r\n\r\n",
            );
        }
        let length = value("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
        let mut body = Vec::new();
        reader.take(length).read_to_end(&mut body)?;
        let answer = self.backend(&line, &value, &body)?;
        connection.write_all(b"HTTP/1.1 ")?;
        let text = String::from_utf8_lossy(&answer);
        let status = text.strip_prefix("Status: ").and_then(|rest| rest.split("\r\n").next());
        connection.write_all(status.unwrap_or("200 OK").as_bytes())?;
        connection.write_all(b"\r\nConnection: close\r\n")?;
        connection.write_all(&answer)
    }

    fn backend(
        &self,
        line: &str,
        header: &dyn Fn(&str) -> Option<String>,
        body: &[u8],
    ) -> io::Result<Vec<u8>> {
        let mut words = line.split(' ');
        let (method, target) = (words.next().unwrap(), words.next().unwrap());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let protocol = match self.speech {
            Speech::Modern => header("git-protocol"),
            Speech::Old => None,
        };
        let mut child = Command::new("git")
            .args(["-c", "safe.directory=*", "http-backend"])
            .env("GIT_PROJECT_ROOT", &self.root)
            .env("GIT_HTTP_EXPORT_ALL", "1")
            .env("REQUEST_METHOD", method)
            .env("PATH_INFO", path)
            .env("QUERY_STRING", query)
            .env("CONTENT_TYPE", header("content-type").unwrap_or_default())
            .env("CONTENT_LENGTH", body.len().to_string())
            .env("HTTP_CONTENT_ENCODING", header("content-encoding").unwrap_or_default())
            .env("GIT_PROTOCOL", protocol.unwrap_or_default())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        child.stdin.take().unwrap().write_all(body)?;
        Ok(child.wait_with_output()?.stdout)
    }
}

/// Text of three bytes becomes one of four, filled up with `=`.
pub(crate) fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let byte = |index: usize| u32::from(chunk.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for index in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * index) & 63) as usize];
            out.push(if index <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}
