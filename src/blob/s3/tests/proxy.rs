//! A proxy between a store and its server that fails as it is told, and remembers what was asked.

use std::io;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// What becomes of one request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Fault {
    /// An answer of the proxy's own.
    Answer { status: u16, code: &'static str },
    /// The connection is cut after so many bytes of the request's body.
    CutRequest { after: usize },
    /// The server does it, and the connection is cut after so many bytes of its answer.
    CutAnswer { after: usize },
    /// Nobody answers, until the other side has had enough.
    Hang,
    /// One byte of the answer, counted from its end, is another.
    Flip { from_end: usize },
}

struct Plan {
    /// What the request's first line must hold, all of them.
    holds: Vec<String>,
    fault: Fault,
    times: usize,
}

#[derive(Default)]
struct Script {
    plans: Mutex<Vec<Plan>>,
    /// First line and range of every request.
    seen: Mutex<Vec<String>>,
}

pub(super) struct Proxy {
    pub(super) endpoint: String,
    script: Arc<Script>,
    _serving: JoinSet<()>,
}

impl Proxy {
    /// Before the server at `endpoint`.
    pub(super) async fn before(endpoint: &str) -> Self {
        let upstream = endpoint.trim_start_matches("http://").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let script = Arc::new(Script::default());
        let mut serving = JoinSet::new();
        serving.spawn({
            let script = Arc::clone(&script);
            async move {
                let mut connections = JoinSet::new();
                while let Ok((client, _)) = listener.accept().await {
                    let (script, upstream) = (Arc::clone(&script), upstream.clone());
                    connections.spawn(async move {
                        // A connection that breaks is what this is for.
                        serve(client, &upstream, &script).await.ok();
                    });
                }
            }
        });
        Self { endpoint: own, script, _serving: serving }
    }

    /// The next `times` requests whose first line holds all of `holds` meet the fault.
    pub(super) fn fail(&self, holds: &[&str], fault: Fault, times: usize) {
        let holds = holds.iter().map(|&part| part.to_owned()).collect();
        self.script.plans.lock().unwrap().push(Plan { holds, fault, times });
    }

    /// `GET bytes=0-99` for every request whose first line holds `part`.
    pub(super) fn seen(&self, part: &str) -> Vec<String> {
        self.script.seen.lock().unwrap().iter().filter(|line| line.contains(part)).cloned().collect()
    }

    /// How many faults are still to come.
    pub(super) fn planned(&self) -> usize {
        self.script.plans.lock().unwrap().iter().map(|plan| plan.times).sum()
    }
}

struct Request {
    head: Vec<u8>,
    line: String,
    body_bytes: usize,
}

async fn serve(client: TcpStream, upstream: &str, script: &Script) -> io::Result<()> {
    let mut client = BufReader::new(client);
    // One request a connection: the answer ends with it.
    let request = read_head(&mut client).await?;
    let fault = script.meet(&request.line);
    match fault {
        None => relay(client, request, upstream, usize::MAX, None).await,
        Some(Fault::CutAnswer { after }) => relay(client, request, upstream, after, None).await,
        Some(Fault::Flip { from_end }) => relay(client, request, upstream, usize::MAX, Some(from_end)).await,
        Some(Fault::Hang) => {
            let mut ignored = vec![0; 1 << 16];
            while client.read(&mut ignored).await? > 0 {}
            Ok(())
        }
        Some(Fault::CutRequest { after }) => {
            let mut some = vec![0; after.min(request.body_bytes)];
            client.read_exact(&mut some).await?;
            // Unread bytes make the kernel say "reset" rather than "end".
            Ok(())
        }
        Some(Fault::Answer { status, code }) => {
            let mut body = vec![0; request.body_bytes];
            client.read_exact(&mut body).await?;
            let xml = format!("<Error><Code>{code}</Code><Message>as planned</Message></Error>");
            let answer = format!(
                "HTTP/1.1 {status} Planned\r\nconnection: close\r\ncontent-type: application/xml\r\ncontent-length: {}\r\n\r\n{xml}",
                xml.len()
            );
            client.write_all(answer.as_bytes()).await
        }
    }
}

impl Script {
    fn meet(&self, line: &str) -> Option<Fault> {
        self.seen.lock().unwrap().push(line.to_owned());
        let mut plans = self.plans.lock().unwrap();
        let plan = plans
            .iter_mut()
            .find(|plan| plan.times > 0 && plan.holds.iter().all(|part| line.contains(part.as_str())))?;
        plan.times -= 1;
        Some(plan.fault.clone())
    }
}

async fn read_head(client: &mut BufReader<TcpStream>) -> io::Result<Request> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(client.read_u8().await?);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| {
        text.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    };
    let body_bytes = header("content-length").map_or(0, |length| length.parse().unwrap());
    let first = text.lines().next().unwrap_or_default();
    let line = format!("{first} {}", header("range").unwrap_or_default());
    Ok(Request { head, line, body_bytes })
}

async fn relay(
    mut client: BufReader<TcpStream>,
    request: Request,
    upstream: &str,
    answer_bytes: usize,
    flip: Option<usize>,
) -> io::Result<()> {
    let mut server = TcpStream::connect(upstream).await?;
    let (head, end) = request.head.split_at(request.head.len() - 2);
    server.write_all(head).await?;
    server.write_all(b"connection: close\r\n").await?;
    server.write_all(end).await?;
    tokio::io::copy(&mut (&mut client).take(request.body_bytes as u64), &mut server).await?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer).await?;
    if let Some(from_end) = flip {
        let at = answer.len() - from_end;
        answer[at] ^= 1;
    }
    client.write_all(&answer[..answer.len().min(answer_bytes)]).await
}
