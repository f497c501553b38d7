//! The door, met as its senders meet it. They call from 127.0.0.2, as the door's own address is no container's.

use std::io::Write as _;
use std::net::SocketAddr;
use std::time::Duration;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Callers, GelfDoor, GelfEnd};
use crate::component::GelfTransport;
use crate::runtime::{SpoolError, SpoolReader, SpoolWriter};

/// A door with somebody behind it.
struct House {
    address: SocketAddr,
    reader: SpoolReader,
    ended: CancellationToken,
    hearing: JoinSet<Result<GelfEnd, SpoolError>>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn open(transport: GelfTransport) -> Self {
        Self::bounded(transport, u64::MAX).await
    }

    async fn bounded(transport: GelfTransport, bytes_max: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let spool = SpoolWriter::create(&folder.path().join("spool")).await.unwrap();
        let reader = spool.reader().await.unwrap();
        let callers = Callers { network: "127.0.0.0".parse().unwrap(), prefix: 8 };
        let door = GelfDoor::open(transport, "127.0.0.1".parse().unwrap(), callers).await.unwrap();
        let (address, ended) = (door.address(), CancellationToken::new());
        let mut hearing = JoinSet::new();
        hearing.spawn(door.hear(spool, bytes_max, ended.clone()));
        Self { address, reader, ended, hearing, _folder: folder }
    }

    async fn connect(&self, from: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// The next message, which is awaited.
    async fn next(&mut self) -> String {
        let next = tokio::time::timeout(Duration::from_secs(60), self.reader.next()).await;
        String::from_utf8_lossy(&next.expect("no message came").unwrap().unwrap().bytes).into_owned()
    }

    /// What was not read yet, after the container has ended.
    async fn end(mut self) -> (Vec<String>, GelfEnd) {
        self.ended.cancel();
        let end = self.hearing.join_next().await.unwrap().unwrap().unwrap();
        let mut messages = Vec::new();
        while let Some(record) = self.reader.next().await.unwrap() {
            messages.push(String::from_utf8_lossy(&record.bytes).into_owned());
        }
        (messages, end)
    }
}

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn messages_of_several_connections_at_once_are_kept_apart() {
    let mut house = House::open(GelfTransport::Tcp).await;
    let (mut one, mut two) = (house.connect("127.0.0.2").await, house.connect("127.0.0.2").await);
    one.write_all(b"{\"short_message\":\"on").await.unwrap();
    two.write_all(b"{\"short_message\":\"two\"}\0{\"short").await.unwrap();
    assert_eq!(house.next().await, "{\"short_message\":\"two\"}");
    one.write_all(b"e\"}\0").await.unwrap();
    assert_eq!(house.next().await, "{\"short_message\":\"one\"}");
    // What has no end when the connection ends has ended with it.
    two.write_all(b"_message\":\"last\"}").await.unwrap();
    drop((one, two));
    assert_eq!(house.end().await, (vec!["{\"short_message\":\"last\"}".to_owned()], GelfEnd::default()));
}

#[tokio::test]
async fn what_was_sent_before_the_end_is_heard_after_it() {
    let house = House::open(GelfTransport::Tcp).await;
    let mut senders = Vec::new();
    for n in 0..300 {
        let mut stream = house.connect("127.0.0.2").await;
        stream.write_all(format!("{{\"short_message\":\"{n}\"}}\0").as_bytes()).await.unwrap();
        senders.push(stream);
    }
    drop(senders);
    let (mut messages, end) = house.end().await;
    messages.sort_unstable();
    let mut expected: Vec<_> = (0..300).map(|n| format!("{{\"short_message\":\"{n}\"}}")).collect();
    expected.sort_unstable();
    assert_eq!((messages, end), (expected, GelfEnd::default()));
}

#[tokio::test]
async fn a_connection_that_nobody_closes_does_not_hold_up_the_end() {
    let house = House::open(GelfTransport::Tcp).await;
    let mut stream = house.connect("127.0.0.2").await;
    stream.write_all(b"{\"short_message\":\"half").await.unwrap();
    let (messages, _end) = house.end().await;
    assert_eq!(messages, ["{\"short_message\":\"half"]);
    drop(stream);
}

#[tokio::test]
async fn ten_megabytes_without_an_end_are_one_cut_message() {
    let mut house = House::open(GelfTransport::Tcp).await;
    let mut stream = house.connect("127.0.0.2").await;
    stream.write_all(&vec![b'x'; 10 << 20]).await.unwrap();
    stream.write_all(b"\0{\"short_message\":\"after\"}\0").await.unwrap();
    assert_eq!(house.next().await.len(), super::MESSAGE_BYTES_MAX);
    assert_eq!(house.next().await, "{\"short_message\":\"after\"}");
    drop(stream);
}

#[tokio::test]
async fn a_thousand_connections_wait_for_their_turn_and_none_is_lost() {
    let house = House::open(GelfTransport::Tcp).await;
    let address = house.address;
    let mut senders = JoinSet::new();
    for n in 0..1_000 {
        senders.spawn(async move {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.2:0".parse().unwrap()).unwrap();
            let mut stream = socket.connect(address).await.unwrap();
            stream.write_all(format!("{{\"short_message\":\"{n}\"}}\0").as_bytes()).await.unwrap();
        });
    }
    senders.join_all().await;
    assert_eq!(house.end().await.0.len(), 1_000);
}

#[tokio::test]
async fn somebody_else_is_refused_and_counted() {
    let house = House::open(GelfTransport::Tcp).await;
    let mut stranger = house.connect("127.0.0.1").await;
    // The door closes on it, before or after these bytes.
    drop(stranger.write_all(b"{\"short_message\":\"from the host\"}\0").await);
    drop(stranger.read(&mut [0; 1]).await);
    let (messages, end) = house.end().await;
    assert_eq!((messages, end.refused), (vec![], 1));

    let house = House::open(GelfTransport::Udp).await;
    let stranger = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    stranger.send_to(b"{\"short_message\":\"from the host\"}", house.address).await.unwrap();
    let (messages, end) = house.end().await;
    assert_eq!((messages, end.refused), (vec![], 1));
}

#[tokio::test]
async fn datagrams_come_plain_compressed_and_in_chunks_out_of_order() {
    let house = House::open(GelfTransport::Udp).await;
    let sender = UdpSocket::bind("127.0.0.2:0").await.unwrap();
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::fast());
    zlib.write_all(b"{\"short_message\":\"zlib\"}").unwrap();
    let message =
        gzip(format!("{{\"short_message\":\"chunked\",\"_more\":\"{}\"}}", "é".repeat(500)).as_bytes());
    let parts: Vec<&[u8]> = message.chunks(20).collect();
    let count = u8::try_from(parts.len()).unwrap();
    let chunk = |number: u8, part: &[u8]| [&[0x1e, 0x0f], &b"messagid"[..], &[number, count], part].concat();
    let mut chunks: Vec<_> = (0..).zip(&parts).map(|(number, part)| chunk(number, part)).collect();
    chunks.reverse();
    let lost = [&[0x1e, 0x0f], &b"never on"[..], &[0, 2], b"{\"short_"].concat();
    let whole = [
        b"{\"short_message\":\"plain\"}".to_vec(),
        zlib.finish().unwrap(),
        gzip(b"{\"short_message\":\"gzip\"}"),
    ];
    for datagram in whole.into_iter().chain([lost]).chain(chunks) {
        sender.send_to(&datagram, house.address).await.unwrap();
    }
    let (messages, end) = house.end().await;
    assert_eq!(
        messages[..3],
        ["plain", "zlib", "gzip"].map(|word| format!("{{\"short_message\":\"{word}\"}}"))
    );
    assert!(messages[3].contains("chunked") && messages[3].contains(&"é".repeat(500)), "{}", messages[3]);
    assert_eq!((messages.len(), end), (4, GelfEnd { incomplete: 1, ..GelfEnd::default() }));
}

#[tokio::test]
async fn http_takes_post_only_and_answers_when_the_message_is_kept() {
    let mut house = House::open(GelfTransport::Http).await;
    let ask = async |head: &str, body: &[u8]| {
        let mut stream = house.connect("127.0.0.2").await;
        let request = [head.as_bytes(), b"\r\nhost: x\r\nconnection: close\r\n", body].concat();
        // Who is answered early need not be able to say everything.
        drop(stream.write_all(&request).await);
        let mut answer = Vec::new();
        drop(stream.read_to_end(&mut answer).await);
        String::from_utf8_lossy(&answer).split(' ').nth(1).unwrap_or("none").to_owned()
    };
    let message = b"{\"short_message\":\"plain\"}";
    let body = |bytes: &[u8]| [format!("content-length: {}\r\n\r\n", bytes.len()).as_bytes(), bytes].concat();
    assert_eq!(ask("POST /gelf HTTP/1.1", &body(message)).await, "202");
    assert_eq!(ask("POST /gelf HTTP/1.1", &body(&gzip(message))).await, "202");
    assert_eq!(
        ask("POST /gelf HTTP/1.1", b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n").await,
        "202"
    );
    assert_eq!(ask("GET /gelf HTTP/1.1", b"\r\n").await, "405");
    assert_eq!(ask("POST /other HTTP/1.1", &body(message)).await, "404");
    assert_eq!(ask("POST /gelf HTTP/1.1", b"content-length: 99999999\r\n\r\n").await, "413");
    assert_eq!(ask("complete garbage", b"\r\n").await, "400");
    for expected in ["{\"short_message\":\"plain\"}", "{\"short_message\":\"plain\"}", "{}"] {
        assert_eq!(house.next().await, expected);
    }
    assert_eq!(house.end().await, (vec![], GelfEnd::default()));
}

#[tokio::test]
async fn a_flood_ends_at_the_limit_of_the_log() {
    let mut house = House::bounded(GelfTransport::Tcp, 1_000).await;
    let mut stream = house.connect("127.0.0.2").await;
    // The door closes in the middle of it.
    drop(stream.write_all(&b"{\"short_message\":\"again\"}\0".repeat(100_000)).await);
    let end = house.hearing.join_next().await.unwrap().unwrap().unwrap();
    assert_eq!(end, GelfEnd { excess: Some(1_025), ..GelfEnd::default() });
}

#[tokio::test]
async fn an_heir_opens_the_same_door_and_keeps_what_only_the_dead_had_heard() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spool");
    let dead = SpoolWriter::create(&path).await.unwrap();
    let record = |stream, text: &str| crate::runtime::SpoolRecord {
        stream,
        time: jiff::Timestamp::UNIX_EPOCH,
        bytes: text.as_bytes().to_vec(),
    };
    let heard = [
        record(crate::runtime::Stream::Stdout, "the engine has it\n"),
        record(crate::runtime::Stream::Gelf, "{}"),
    ];
    dead.append(&heard).await.unwrap();
    drop(dead);
    let mut torn = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    torn.write_all(&[3, 0, 0]).unwrap();
    let heir = SpoolWriter::resume(&path).await.unwrap();
    let mut reader = heir.reader().await.unwrap();
    heir.append(&heard[..1]).await.unwrap();
    drop(heir);
    let mut found = Vec::new();
    while let Some(record) = reader.next().await.unwrap() {
        found.push(record);
    }
    assert_eq!(found, [heard[1].clone(), heard[0].clone()]);
}
