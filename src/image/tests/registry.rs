//! A registry that answers by a script, and remembers what it was asked.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";
/// Large enough that half of a layer is on its way before the rest.
const LAYER_BYTES: usize = 600 << 10;

#[derive(Debug, Clone)]
pub(super) enum Answer {
    Page {
        status: u16,
        /// Whole lines.
        headers: String,
        body: Vec<u8>,
    },
    /// Half of a body, then the end.
    Half(Vec<u8>),
    /// Half of a body, then silence.
    Stall(Vec<u8>),
}

pub(super) fn status(status: u16, headers: &str) -> Answer {
    Answer::Page { status, headers: headers.to_owned(), body: b"{}".to_vec() }
}

fn page(kind: &str, body: &[u8]) -> Answer {
    let headers = format!("Content-Type: {kind}\r\nDocker-Content-Digest: {}\r\n", sha256(body));
    Answer::Page { status: 200, headers, body: body.to_vec() }
}

/// What is answered to `METHOD path`, else to `path`: one after the other, the last for ever.
type Script = HashMap<String, VecDeque<Answer>>;

/// A registry on the loopback interface that lives as long as this value.
pub(super) struct Registry {
    pub(super) address: String,
    script: Arc<Mutex<Script>>,
    /// `METHOD path`, with ` as <Authorization>` where there is one.
    asked: Arc<Mutex<Vec<String>>>,
    _tasks: JoinSet<()>,
}

/// An image as a registry knows it.
pub(super) struct Pushed {
    pub(super) digest: String,
    pub(super) layer_path: String,
    pub(super) layer: Vec<u8>,
}

impl Registry {
    pub(super) async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (script, asked) = (Arc::new(Mutex::new(Script::new())), Arc::default());
        let mut tasks = JoinSet::new();
        let (pages, log) = (Arc::clone(&script), Arc::clone(&asked));
        tasks.spawn(async move {
            let mut calls = JoinSet::new();
            loop {
                let (connection, _peer) = listener.accept().await.unwrap();
                calls.spawn(serve(connection, Arc::clone(&pages), Arc::clone(&log)));
            }
        });
        let registry = Self { address, script, asked, _tasks: tasks };
        registry.say("/v2/", [status(200, "")]);
        registry
    }

    pub(super) fn say(&self, what: &str, answers: impl IntoIterator<Item = Answer>) {
        self.script.lock().unwrap().insert(what.to_owned(), answers.into_iter().collect());
    }

    /// Puts an image of one layer under a tag.
    pub(super) fn push(&self, repository: &str, tag: &str, content: &str) -> Pushed {
        let (manifest, config, layer) = tiny_image(&format!("{repository} {content}"));
        let path = |kind: &str, name: &str| format!("/v2/{repository}/{kind}/{name}");
        let digest = sha256(&manifest);
        self.say(&path("manifests", tag), [page(MANIFEST_TYPE, &manifest)]);
        self.say(&path("manifests", &digest), [page(MANIFEST_TYPE, &manifest)]);
        self.say(&path("blobs", &sha256(&config)), [page("application/octet-stream", &config)]);
        let layer_path = path("blobs", &sha256(&layer));
        self.say(&layer_path, [page("application/octet-stream", &layer)]);
        Pushed { digest, layer_path, layer }
    }

    /// All that was asked since the last time, without the engine's greetings.
    pub(super) fn asked(&self) -> Vec<String> {
        let asked = std::mem::take(&mut *self.asked.lock().unwrap());
        asked.into_iter().filter(|line| !line.starts_with("GET /v2/ ") && line != "GET /v2/").collect()
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// Manifest, configuration and layer of an image whose one file nobody else has.
fn tiny_image(unique: &str) -> (Vec<u8>, Vec<u8>, Vec<u8>) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut content = unique.as_bytes().to_vec();
    content.resize(LAYER_BYTES, b'.');
    let mut header = tar::Header::new_gnu();
    header.set_size(content.len() as u64);
    header.set_mode(0o644);
    header.set_cksum();
    archive.append_data(&mut header, "unique", content.as_slice()).unwrap();
    let layer = archive.into_inner().unwrap();
    let config = json!({
        "architecture": "amd64", "os": "linux",
        "config": {"Entrypoint": ["/run"], "Cmd": ["--now", "please"]},
        "rootfs": {"type": "layers", "diff_ids": [sha256(&layer)]},
    });
    let config = serde_json::to_vec(&config).unwrap();
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST_TYPE,
        "config": {
            "mediaType": "application/vnd.docker.container.image.v1+json",
            "size": config.len(), "digest": sha256(&config),
        },
        "layers": [{
            "mediaType": "application/vnd.docker.image.rootfs.diff.tar",
            "size": layer.len(), "digest": sha256(&layer),
        }],
    });
    (serde_json::to_vec(&manifest).unwrap(), config, layer)
}

async fn serve(mut connection: TcpStream, script: Arc<Mutex<Script>>, log: Arc<Mutex<Vec<String>>>) {
    let (reader, mut writer) = connection.split();
    let mut lines = BufReader::new(reader.take(64 << 10)).lines();
    // Whoever tries TLS first sends what is no request, and gets no answer.
    let Ok(Some(request)) = lines.next_line().await else {
        return;
    };
    let mut authorization = String::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
        if line.to_lowercase().starts_with("authorization:") {
            authorization = format!(" as {}", line.split_once(": ").unwrap().1);
        }
    }
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    log.lock().unwrap().push(format!("{method} {path}{authorization}"));
    let answer = next_answer(&mut script.lock().unwrap(), method, path);
    let is_head = method == "HEAD";
    // The engine may hang up on what it did not want to hear.
    match answer {
        Answer::Page { status, headers, body } => {
            let head = head(status, &headers, body.len());
            let body: &[u8] = if is_head { &[] } else { &body };
            drop(writer.write_all(&[head.as_bytes(), body].concat()).await);
        }
        Answer::Half(body) => drop(send_half(&mut writer, &body).await),
        Answer::Stall(body) => {
            drop(send_half(&mut writer, &body).await);
            std::future::pending::<()>().await;
        }
    }
}

async fn send_half(writer: &mut (impl AsyncWriteExt + Unpin), body: &[u8]) -> std::io::Result<()> {
    writer.write_all(head(200, "", body.len()).as_bytes()).await?;
    writer.write_all(&body[..body.len() / 2]).await?;
    writer.flush().await
}

fn head(status: u16, headers: &str, length: usize) -> String {
    format!("HTTP/1.1 {status} X\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n")
}

fn next_answer(script: &mut Script, method: &str, path: &str) -> Answer {
    let exact = format!("{method} {path}");
    let key = if script.contains_key(&exact) { exact } else { path.to_owned() };
    match script.get_mut(&key) {
        Some(answers) if answers.len() > 1 => answers.pop_front().unwrap(),
        Some(answers) => answers.front().unwrap().clone(),
        None => {
            let body = br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_vec();
            Answer::Page { status: 404, headers: "Content-Type: application/json\r\n".into(), body }
        }
    }
}
