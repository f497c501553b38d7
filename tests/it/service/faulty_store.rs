//! An S3 server that fails as it is told, and does what it is asked otherwise.

use std::io::{BufRead, BufReader, Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What becomes of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    Answers(u16, &'static str),
    /// The connection is reset after so many bytes of the request's body, and without any answer where there is none.
    ResetsRequest(u64),
    /// The connection ends after so many bytes of the answer.
    CutsAnswer(usize),
    /// Nobody answers, until the other side has had enough.
    Hangs,
}

/// Requests whose first line holds all of these meet the fault.
#[derive(Debug, Clone, Copy)]
struct Plan {
    holds: [&'static str; 2],
    fault: Fault,
    times: usize,
}

pub(super) struct FaultyStore {
    pub(super) endpoint: String,
    plans: Arc<Mutex<Vec<Plan>>>,
}

impl FaultyStore {
    /// Before the server at `endpoint`.
    pub(super) fn before(endpoint: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let server = endpoint.trim_start_matches("http://").to_owned();
        let plans = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&plans);
        // The threads end with the process of the test.
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (server, plans) = (server.clone(), Arc::clone(&shared));
                // A connection that breaks is what this is for.
                std::thread::spawn(move || serve(client, &server, &plans).ok());
            }
        });
        Self { endpoint: own, plans }
    }

    pub(super) fn fail(&self, holds: [&'static str; 2], fault: Fault, times: usize) {
        self.plans.lock().unwrap().push(Plan { holds, fault, times });
    }

    pub(super) fn mend(&self) {
        self.plans.lock().unwrap().clear();
    }

    /// How many faults are still to come.
    pub(super) fn planned(&self) -> usize {
        self.plans.lock().unwrap().iter().map(|plan| plan.times).sum()
    }
}

/// One request a connection: the answer ends with it.
fn serve(client: TcpStream, server: &str, plans: &Mutex<Vec<Plan>>) -> Result<()> {
    let mut client = BufReader::new(client);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if client.read_line(&mut head)? == 0 {
            return Ok(());
        }
    }
    let length = head.lines().filter_map(|line| line.split_once(':'));
    let mut length = length.filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
    let body_bytes = length.next().map_or(0, |(_, bytes)| bytes.trim().parse().unwrap());
    match meet(head.lines().next().unwrap_or_default(), plans) {
        None => relay(client, &head, body_bytes, server, usize::MAX),
        Some(Fault::CutsAnswer(after)) => relay(client, &head, body_bytes, server, after),
        // Unread bytes make the kernel say "reset" rather than "end".
        Some(Fault::ResetsRequest(after)) => {
            std::io::copy(&mut client.by_ref().take(after.min(body_bytes)), &mut std::io::sink()).map(drop)
        }
        Some(Fault::Hangs) => std::io::copy(&mut client, &mut std::io::sink()).map(drop),
        Some(Fault::Answers(status, code)) => {
            std::io::copy(&mut client.by_ref().take(body_bytes), &mut std::io::sink())?;
            let xml = format!("<Error><Code>{code}</Code><Message>as planned</Message></Error>");
            let head =
                format!("HTTP/1.1 {status} Planned\r\nconnection: close\r\ncontent-type: application/xml");
            let answer = format!("{head}\r\ncontent-length: {}\r\n\r\n{xml}", xml.len());
            client.get_mut().write_all(answer.as_bytes())
        }
    }
}

fn meet(line: &str, plans: &Mutex<Vec<Plan>>) -> Option<Fault> {
    let mut plans = plans.lock().unwrap();
    let is_met = |plan: &&mut Plan| plan.times > 0 && plan.holds.iter().all(|part| line.contains(part));
    let plan = plans.iter_mut().find(is_met)?;
    plan.times -= 1;
    Some(plan.fault)
}

fn relay(
    mut client: BufReader<TcpStream>,
    head: &str,
    body_bytes: u64,
    server: &str,
    answer_bytes: usize,
) -> Result<()> {
    let mut server = TcpStream::connect(server)?;
    server.write_all(head.trim_end().as_bytes())?;
    server.write_all(b"\r\nconnection: close\r\n\r\n")?;
    std::io::copy(&mut client.by_ref().take(body_bytes), &mut server)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    client.get_mut().write_all(&answer[..answer.len().min(answer_bytes)])
}
