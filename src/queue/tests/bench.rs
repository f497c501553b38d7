//! The bench: a topology of one's own, a worker's intake, and a wire that can be cut.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ExchangeDeleteOptions, QueueDeleteOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::job::{Hidden, Priority};
use crate::queue::link::Link;
use crate::queue::topology::Names;
use crate::queue::{Connection, Delivery, QueueError, QueueOptions, consume, setup};

/// Longer than anything takes here, a broker's restart on a busy machine included: who waits so long has failed.
pub(super) const PATIENCE: Duration = Duration::from_secs(120);
pub(super) const PORT: u16 = 5679;

/// A topology on a broker, removed at the end.
pub(super) struct Bench {
    pub(super) options: QueueOptions,
}

/// Whether the broker of the tests answers. Without it a test prints that it was skipped; in CI that is a failure.
pub(super) fn has_broker() -> bool {
    if script(PORT, &["answers"]) {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "no RabbitMQ answers; `make services` starts one");
    eprintln!("SKIP (no RabbitMQ): {:?}", std::thread::current().name());
    false
}

/// Runs `scripts/rabbitmq.sh` on the instance of a port.
pub(super) fn script(port: u16, arguments: &[&str]) -> bool {
    command(port, arguments).status().unwrap().success()
}

pub(super) fn command(port: u16, arguments: &[&str]) -> Command {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/rabbitmq.sh"));
    command.args(arguments).env("LONGSHORE_RABBITMQ_PORT", port.to_string());
    command
}

pub(super) fn options(port: u16) -> QueueOptions {
    QueueOptions {
        url: Hidden::new(format!("amqp://guest:guest@127.0.0.1:{port}/%2f")),
        ca_file: None,
        prefix: format!("test-{}", uuid::Uuid::now_v7()),
        heartbeat: Duration::from_secs(10),
        publish_events: true,
    }
}

impl Bench {
    /// A topology on the shared broker; `None` where there is none.
    pub(super) async fn new() -> Option<Self> {
        if !has_broker() {
            return None;
        }
        let bench = Self { options: options(PORT) };
        setup(&bench.options).await.unwrap();
        Some(bench)
    }

    /// Removes the topology. A test that fails leaves it, for whoever looks.
    pub(super) async fn clear(self) {
        let link = Link::open(&self.options, "test").await.unwrap();
        let channel = link.channel().await.unwrap();
        let names = Names::of(&self.options);
        let lanes = Priority::ALL.map(|lane| names.lane_queue(lane).unwrap());
        for queue in lanes.into_iter().chain([names.dead().unwrap()]) {
            channel.queue_delete(queue, QueueDeleteOptions::default()).await.unwrap();
        }
        for exchange in [names.jobs_exchange(), names.dead(), names.events_exchange()] {
            channel.exchange_delete(exchange.unwrap(), ExchangeDeleteOptions::default()).await.unwrap();
        }
        link.close().await;
    }

    pub(super) fn intake(&self) -> Intake {
        Intake::of(self.options.clone(), 10)
    }

    /// Publishes as another program would, by a plain channel.
    pub(super) async fn publish(&self, key: &str, body: &[u8], properties: BasicProperties) {
        let (link, channel) = self.channel().await;
        let exchange = Names::of(&self.options).jobs_exchange().unwrap();
        let confirm = channel
            .basic_publish(exchange, key.into(), BasicPublishOptions::default(), body, properties)
            .await
            .unwrap();
        assert!(confirm.await.unwrap().is_ack());
        link.close().await;
    }

    /// The next message of a queue and a channel to answer it on. As a consumer: who is alone on a queue cannot just
    /// get one.
    pub(super) async fn consumer(&self, queue: ShortString) -> (Link, lapin::Consumer) {
        let (link, channel) = self.channel().await;
        channel.basic_qos(1, BasicQosOptions::default()).await.unwrap();
        let options = BasicConsumeOptions::default();
        let consumer = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await.unwrap();
        (link, consumer)
    }

    pub(super) async fn channel(&self) -> (Link, Channel) {
        let link = Link::open(&self.options, "test").await.unwrap();
        let channel = link.channel().await.unwrap();
        channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await.unwrap();
        (link, channel)
    }
}

/// A running `consume`.
pub(super) struct Intake {
    pub(super) deliveries: mpsc::Receiver<Delivery>,
    pub(super) state: watch::Receiver<Connection>,
    stop: CancellationToken,
    running: JoinSet<()>,
}

impl Intake {
    pub(super) fn of(options: QueueOptions, prefetch: u16) -> Self {
        let (sender, deliveries) = mpsc::channel(1);
        let (state_sender, state) =
            watch::channel(Connection::Connecting { since_failures: 0, last_error: String::new() });
        let stop = CancellationToken::new();
        let mut running = JoinSet::new();
        let token = stop.clone();
        running.spawn(async move { consume(&options, prefetch, sender, &state_sender, &token).await });
        Self { deliveries, state, stop, running }
    }

    pub(super) async fn next(&mut self) -> Delivery {
        timeout(PATIENCE, self.deliveries.recv()).await.expect("no message came").unwrap()
    }

    /// The id of the next message, after it is accepted. One whose session has ended comes again, as a worker relies on.
    pub(super) async fn next_id(&mut self) -> String {
        loop {
            let delivery = self.next().await;
            let id = delivery.message_id.clone().unwrap();
            match delivery.accept().await {
                Ok(()) => return id,
                Err(QueueError::SessionOver | QueueError::Silent { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(super) async fn is_up(&mut self) {
        self.reaches(|connection| *connection == Connection::Up).await;
    }

    pub(super) async fn is_down(&mut self) -> String {
        self.reaches(|connection| *connection != Connection::Up).await;
        match self.state.borrow().clone() {
            Connection::Connecting { last_error, .. } => last_error,
            Connection::Up => "it is up again".to_owned(),
        }
    }

    pub(super) async fn reaches(&mut self, condition: impl FnMut(&Connection) -> bool) {
        timeout(PATIENCE, self.state.wait_for(condition)).await.expect("the state is not reached").unwrap();
    }

    /// Asks it to stop and waits until it has.
    pub(super) async fn stop(mut self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running.join_next()).await.expect("it does not stop").unwrap().unwrap();
    }

    pub(super) fn ask_to_stop(&self) {
        self.stop.cancel();
    }
}

/// A TCP relay in front of the broker, whose connections can be cut or fall silent.
pub(super) struct Wire {
    pub(super) port: u16,
    silent: watch::Sender<()>,
    _relays: JoinSet<()>,
}

impl Wire {
    pub(super) async fn to(broker_port: u16) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (silent, is_silent) = watch::channel(());
        let mut relays = JoinSet::new();
        relays.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (near, _address) = listener.accept().await.unwrap();
                let far = tokio::net::TcpStream::connect(("127.0.0.1", broker_port)).await.unwrap();
                let mut falls_silent = is_silent.clone();
                // One that begins in silence speaks; only those alive when it falls are struck.
                falls_silent.mark_unchanged();
                connections.spawn(relay(near, far, falls_silent));
            }
        });
        Self { port, silent, _relays: relays }
    }

    /// Nothing passes any more on the connections there are, and nobody is told; later ones work.
    pub(super) fn fall_silent(&self) {
        self.silent.send_replace(());
    }
}

async fn relay(
    mut near: tokio::net::TcpStream,
    mut far: tokio::net::TcpStream,
    mut is_silent: watch::Receiver<()>,
) {
    tokio::select! {
        ended = tokio::io::copy_bidirectional(&mut near, &mut far) => drop(ended),
        changed = is_silent.changed() => {
            changed.unwrap();
            // Both ends stay open and hear nothing.
            std::future::pending::<()>().await;
        }
    }
}
