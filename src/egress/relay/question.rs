//! Where questions for names come in: datagrams, and streams of messages with their length before them (RFC 1035, 4.2).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::answer;
use super::judge::Judge;
use super::ledger::Ledger;

/// Questions under way; a further one is dropped, and its asker asks again.
const QUESTIONS_MAX: usize = 64;
const STREAMS_MAX: usize = 16;
/// A longer datagram is no question.
const DATAGRAM_BYTES_MAX: usize = 4 << 10;
/// For one message on a stream, its silence before it included.
const STREAM_LIMIT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);

pub(super) async fn answer_datagrams(socket: UdpSocket, judge: Arc<Judge>, ledger: Arc<Ledger>) {
    let socket = Arc::new(socket);
    let mut questions = JoinSet::new();
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((length, asker)) if questions.len() < QUESTIONS_MAX => {
                let question = buffer.get(..length).unwrap_or_default().to_vec();
                let (socket, judge, ledger) = (Arc::clone(&socket), Arc::clone(&judge), Arc::clone(&ledger));
                questions.spawn(async move { answer_one(&socket, asker, &question, &judge, &ledger).await });
            }
            Ok(_one_too_many) => {}
            Err(error) => {
                tracing::debug!(%error, "a component's question for a name was not heard");
                sleep(PAUSE).await;
            }
        }
        while questions.try_join_next().is_some() {}
    }
}

async fn answer_one(socket: &UdpSocket, asker: SocketAddr, question: &[u8], judge: &Judge, ledger: &Ledger) {
    if let Some(answer) = answer(question, judge, ledger).await
        && let Err(error) = socket.send_to(&answer, asker).await
    {
        tracing::debug!(%error, "a component's question for a name was not answered");
    }
}

pub(super) async fn answer_streams(listener: TcpListener, judge: Arc<Judge>, ledger: Arc<Ledger>) {
    let mut streams = JoinSet::new();
    loop {
        while streams.len() >= STREAMS_MAX {
            streams.join_next().await;
        }
        match listener.accept().await {
            Ok((stream, _container)) => {
                let (judge, ledger) = (Arc::clone(&judge), Arc::clone(&ledger));
                streams.spawn(async move { converse(stream, &judge, &ledger).await });
            }
            Err(error) => {
                tracing::debug!(%error, "a component could not ask for a name");
                sleep(PAUSE).await;
            }
        }
        while streams.try_join_next().is_some() {}
    }
}

/// Answers message after message, until the asker ends or is silent.
async fn converse(mut stream: TcpStream, judge: &Judge, ledger: &Ledger) {
    while let Ok(Some(())) = timeout(STREAM_LIMIT, exchange(&mut stream, judge, ledger)).await {}
}

/// One message and its answer. `None`: there is nothing more to be said.
async fn exchange(stream: &mut TcpStream, judge: &Judge, ledger: &Ledger) -> Option<()> {
    let length = stream.read_u16().await.ok()?;
    let mut question = vec![0; usize::from(length)];
    stream.read_exact(&mut question).await.ok()?;
    let answer = answer(&question, judge, ledger).await?;
    let length = u16::try_from(answer.len()).ok()?;
    stream.write_u16(length).await.ok()?;
    stream.write_all(&answer).await.ok()
}
