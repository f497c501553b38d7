//! Pulling an image, with what the engine tells on its way.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::plain::PlainAnswer;
use super::{Engine, EngineError};
use crate::job::Hidden;

/// A line of the engine's is some hundred bytes.
const LINE_BYTES_MAX: usize = 1 << 20;

/// How far a pull is, over all layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PullProgress {
    /// The layer that moved last; empty for the image as a whole.
    pub layer: String,
    /// The engine's words about it, such as `Downloading` or `Pull complete`.
    pub status: String,
    pub layers_done: usize,
    /// Known so far: the engine names them one after the other.
    pub layers_total: usize,
    /// Of what is downloaded; `None` until the engine says how much there is.
    pub bytes_done: Option<u64>,
    pub bytes_total: Option<u64>,
}

/// Who the engine is to be at the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum EngineLogin {
    Password {
        registry: String,
        username: String,
        password: Hidden,
    },
    /// What a registry gave instead of a password.
    IdentityToken {
        registry: String,
        token: Hidden,
    },
}

impl EngineLogin {
    /// Engines read the alphabet for URLs, padded.
    fn header(&self) -> String {
        let document = match self {
            Self::Password { registry, username, password } => json!({
                "username": username, "password": password.reveal(), "serveraddress": registry,
            }),
            Self::IdentityToken { registry, token } => {
                json!({ "identitytoken": token.reveal(), "serveraddress": registry })
            }
        };
        format!("X-Registry-Auth: {}\r\n", URL_SAFE.encode(document.to_string()))
    }
}

/// A pull under way. Dropping it asks the engine to stop; layers that are complete stay.
pub(crate) struct PullStream {
    answer: PlainAnswer,
    subject: String,
    stall_limit: Duration,
    progress: PullProgress,
    layers: HashMap<String, Layer>,
}

impl fmt::Debug for PullStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PullStream").field("subject", &self.subject).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Layer {
    status: String,
    current: u64,
    done: u64,
    total: u64,
    is_complete: bool,
}

impl Engine {
    /// Begins to pull `name:tag` or `name@digest`. A pull that makes no progress for `stall_limit` is given up; the
    /// whole may take as long as it takes.
    pub(crate) async fn pull_image(
        &self,
        reference: &str,
        login: Option<&EngineLogin>,
        stall_limit: Duration,
    ) -> Result<PullStream, EngineError> {
        let subject = format!("image {reference}");
        let target = format!("/images/create?fromImage={}", utf8_percent_encode(reference, NON_ALPHANUMERIC));
        let headers = login.map(EngineLogin::header).unwrap_or_default();
        let request = ("POST", target.as_str());
        let answer = self.speak_with("pull", subject.clone(), request, &headers, stall_limit).await?;
        let (progress, layers) = (PullProgress::default(), HashMap::new());
        Ok(PullStream { answer, subject, stall_limit, progress, layers })
    }
}

impl PullStream {
    /// Waits until the pull has come further; `None` when the engine says no more, which is no proof that the image is
    /// there. Errors after the answer began with success are found here.
    pub(crate) async fn next(&mut self) -> Result<Option<PullProgress>, EngineError> {
        let moved = tokio::time::timeout(self.stall_limit, async {
            loop {
                let Some(line) = self.next_line().await? else {
                    return Ok(None);
                };
                if self.take_line(&line)? {
                    return Ok(Some(self.progress.clone()));
                }
            }
        });
        match moved.await {
            Ok(moved) => moved,
            Err(_elapsed) => Err(EngineError::Silent {
                action: "get on with pulling",
                subject: self.subject.clone(),
                after: self.stall_limit,
            }),
        }
    }

    async fn next_line(&mut self) -> Result<Option<Vec<u8>>, EngineError> {
        let mut searched = 0;
        loop {
            let body = &mut self.answer.body;
            if let Some(end) = memchr::memchr(b'\n', body.get(searched..).unwrap_or_default()) {
                let rest = body.split_off(searched + end + 1);
                return Ok(Some(std::mem::replace(body, rest)));
            }
            searched = body.len();
            if searched > LINE_BYTES_MAX {
                return Err(self.answer.broken("a line of the pull is too long"));
            }
            if !self.answer.more().await? {
                let last = std::mem::take(&mut self.answer.body);
                return Ok((!last.is_empty()).then_some(last));
            }
        }
    }

    /// Whether the line says that something moved. An engine that waits before it tries a layer again speaks every
    /// second, and so does one that says the same twice.
    fn take_line(&mut self, line: &[u8]) -> Result<bool, EngineError> {
        let Ok(said) = serde_json::from_slice::<Value>(line) else {
            // An empty line, or half of one where the engine died: the image itself will tell.
            return Ok(false);
        };
        let text = |key: &str| said.get(key).and_then(Value::as_str).unwrap_or_default();
        if said.get("error").is_some() || said.get("errorDetail").is_some() {
            let detail = said.pointer("/errorDetail/message").and_then(Value::as_str);
            return Err(EngineError::Refused {
                action: "pull",
                subject: self.subject.clone(),
                status: 200,
                message: detail.unwrap_or_else(|| text("error")).trim().to_owned(),
            });
        }
        let (id, status) = (text("id"), text("status"));
        let count = |key: &str| said.pointer(&format!("/progressDetail/{key}")).and_then(Value::as_u64);
        let has_moved = match phase_of(status) {
            None => true,
            Some(phase) => self.layers.entry(id.to_owned()).or_default().moves(phase, status, count),
        };
        if has_moved {
            id.clone_into(&mut self.progress.layer);
            status.clone_into(&mut self.progress.status);
            self.add_up();
        }
        Ok(has_moved)
    }

    fn add_up(&mut self) {
        let layers = self.layers.values();
        let total: u64 = layers.clone().map(|layer| layer.total).sum();
        let done: u64 = layers.clone().map(|layer| layer.done).sum();
        self.progress.layers_total = layers.len();
        self.progress.layers_done = layers.filter(|layer| layer.is_complete).count();
        self.progress.bytes_total = (total > 0).then_some(total);
        self.progress.bytes_done = (total > 0).then_some(done);
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum LayerPhase {
    Begun,
    Downloading,
    Downloaded,
    Complete,
    /// The engine tries again by itself, and waits until then.
    Waiting,
    /// Verifying, extracting.
    Unpacking,
}

/// The engine's words; none of them is promised. `None`: the line is about the image, or new to us.
fn phase_of(status: &str) -> Option<LayerPhase> {
    Some(match status {
        "Pulling fs layer" | "Waiting" => LayerPhase::Begun,
        "Downloading" => LayerPhase::Downloading,
        "Download complete" => LayerPhase::Downloaded,
        "Pull complete" | "Already exists" => LayerPhase::Complete,
        _ if status.starts_with("Retrying in") => LayerPhase::Waiting,
        "Verifying Checksum" | "Extracting" => LayerPhase::Unpacking,
        _ => return None,
    })
}

impl Layer {
    fn moves(&mut self, phase: LayerPhase, status: &str, count: impl Fn(&str) -> Option<u64>) -> bool {
        let is_news = self.status != status;
        let current = count("current").unwrap_or(0);
        let has_grown = current > self.current;
        status.clone_into(&mut self.status);
        if is_news || has_grown {
            self.current = current;
        }
        match phase {
            LayerPhase::Downloading => {
                self.done = current;
                self.total = count("total").unwrap_or(self.total).max(current);
            }
            LayerPhase::Downloaded => self.done = self.total,
            LayerPhase::Complete => {
                self.done = self.total;
                self.is_complete = true;
            }
            LayerPhase::Begun | LayerPhase::Waiting | LayerPhase::Unpacking => {}
        }
        phase != LayerPhase::Waiting && (is_news || has_grown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_written_in_the_alphabet_of_urls_and_shown_to_nobody() {
        let login = EngineLogin::Password {
            registry: "r.example".into(),
            username: "alice".into(),
            password: Hidden::new("~~~???>>>"),
        };
        let header = login.header();
        let encoded = header.trim_end().strip_prefix("X-Registry-Auth: ").unwrap();
        assert!(!encoded.contains(['+', '/']), "{encoded}");
        let document: Value = serde_json::from_slice(&URL_SAFE.decode(encoded).unwrap()).unwrap();
        let expected = json!({ "username": "alice", "password": "~~~???>>>", "serveraddress": "r.example" });
        assert_eq!(document, expected);
        assert!(!format!("{login:?}").contains("~~~"));
    }

    #[test]
    fn a_layer_that_says_the_same_again_or_waits_has_not_moved() {
        let mut layer = Layer::default();
        let mut says = |status: &str, current: u64| {
            layer.moves(phase_of(status).unwrap(), status, |key| {
                Some(if key == "total" { 100 } else { current })
            })
        };
        assert!(says("Pulling fs layer", 0));
        assert!(says("Downloading", 10));
        assert!(!says("Downloading", 10));
        assert!(says("Downloading", 11));
        assert!(!says("Retrying in 5 seconds", 0));
        assert!(!says("Retrying in 4 seconds", 0));
        assert!(says("Pull complete", 0));
    }
}
