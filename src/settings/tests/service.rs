//! The settings of the service: what several workers share, what a worker may use, what is seen of it.

use super::*;
use crate::job::Hidden;

const NOTHING: [&str; 0] = [];
const MACHINE: Machine =
    Machine { processors: 4, memory_bytes: 16_000_000_000, disk_free_bytes: 500_000_000_000 };

/// Settings of `text` in the folder `/p`, on a machine that is known.
fn read_on(text: &str, machine: Machine) -> Settings {
    read(text, FILE_NAME, "/p".into(), &|_name| None, &move |_folder| machine).unwrap()
}

const ALL: &str = "
catalog: {url: 'postgres://l:secret-a@db:5432/longshore', connections_max: 25, patience: 2m}
blobs:
  patience: 30s
  s3: {bucket: tables, prefix: /one/, endpoint: 'https://s3.local:3900', region: garage, path_style: false,
       access_key_id: GK1, secret_access_key: secret-b}
queue: {url: 'amqps://l:secret-c@mq/v', ca_file: ca.pem, prefix: etl, heartbeat: 5s, publish_events: true}
worker: {slots: 3, memory: 8g, cpus: 1.5, disk: 40g, beat: 2s, lease: 9s, poll: 1s, attempts_max: 5,
         retry_delay: 4s, retry_delay_max: 1h}
http: {listen: '0.0.0.0:8080'}
log: {format: json}
otlp: {endpoint: 'http://collector:4318/'}
";

fn all() -> Settings {
    Settings {
        catalog: Some(PostgresOptions {
            url: Hidden::new("postgres://l:secret-a@db:5432/longshore"),
            connections_max: 25,
            patience: Duration::from_secs(120),
        }),
        blobs: Some(S3Options {
            bucket: "tables".into(),
            prefix: "one".into(),
            endpoint: Some("https://s3.local:3900".into()),
            region: Some("garage".into()),
            path_style: false,
            credentials: Some(("GK1".into(), Hidden::new("secret-b"))),
            patience: Duration::from_secs(30),
        }),
        queue: Some(QueueOptions {
            url: Hidden::new("amqps://l:secret-c@mq/v"),
            ca_file: Some("/p/ca.pem".into()),
            prefix: "etl".into(),
            heartbeat: Duration::from_secs(5),
            publish_events: true,
        }),
        worker: WorkerOptions {
            slots: 3,
            memory_bytes: 8 << 30,
            nano_cpus: 1_500_000_000,
            disk_bytes: 40 << 30,
            beat: Duration::from_secs(2),
            lease: Duration::from_secs(9),
            poll: Duration::from_secs(1),
            attempts_max: 5,
            retry_delay: Duration::from_secs(4),
            retry_delay_max: Duration::from_secs(3600),
        },
        http: Some("0.0.0.0:8080".parse().unwrap()),
        log_format: LogFormat::Json,
        otlp: Some(OtlpOptions { endpoint: "http://collector:4318".into() }),
        ..read_on("", MACHINE)
    }
}

#[test]
fn every_key_of_the_service_reaches_its_room() {
    assert_eq!(read_on(ALL, MACHINE), all());
}

#[test]
fn every_key_of_the_service_can_be_set_by_the_environment_alone() {
    let environment = |name: &str| {
        let value = match name {
            "LONGSHORE_CATALOG_URL" => "postgres://l:secret-a@db:5432/longshore",
            "LONGSHORE_CATALOG_CONNECTIONS_MAX" => "25",
            "LONGSHORE_CATALOG_PATIENCE" => "2m",
            "LONGSHORE_BLOBS_PATIENCE" => "30s",
            "LONGSHORE_BLOBS_S3_BUCKET" => "tables",
            "LONGSHORE_BLOBS_S3_PREFIX" => "one",
            "LONGSHORE_BLOBS_S3_ENDPOINT" => "https://s3.local:3900",
            "LONGSHORE_BLOBS_S3_REGION" => "garage",
            "LONGSHORE_BLOBS_S3_PATH_STYLE" => "false",
            "LONGSHORE_BLOBS_S3_ACCESS_KEY_ID" => "GK1",
            "LONGSHORE_BLOBS_S3_SECRET_ACCESS_KEY" => "secret-b",
            "LONGSHORE_QUEUE_URL" => "amqps://l:secret-c@mq/v",
            "LONGSHORE_QUEUE_CA_FILE" => "ca.pem",
            "LONGSHORE_QUEUE_PREFIX" => "etl",
            "LONGSHORE_QUEUE_HEARTBEAT" => "5s",
            "LONGSHORE_QUEUE_PUBLISH_EVENTS" => "true",
            "LONGSHORE_WORKER_SLOTS" => "3",
            "LONGSHORE_WORKER_MEMORY" => "8g",
            "LONGSHORE_WORKER_CPUS" => "1.5",
            "LONGSHORE_WORKER_DISK" => "40g",
            "LONGSHORE_WORKER_BEAT" => "2s",
            "LONGSHORE_WORKER_LEASE" => "9s",
            "LONGSHORE_WORKER_POLL" => "1s",
            "LONGSHORE_WORKER_ATTEMPTS_MAX" => "5",
            "LONGSHORE_WORKER_RETRY_DELAY" => "4s",
            "LONGSHORE_WORKER_RETRY_DELAY_MAX" => "1h",
            "LONGSHORE_HTTP_LISTEN" => "0.0.0.0:8080",
            "LONGSHORE_LOG_FORMAT" => "json",
            "LONGSHORE_OTLP_ENDPOINT" => "http://collector:4318",
            _ => return None,
        };
        Some(value.to_owned())
    };
    assert_eq!(read("", FILE_NAME, "/p".into(), &environment, &|_folder| MACHINE).unwrap(), all());
}

#[test]
fn the_defaults_of_the_service() {
    let text = "catalog: {url: 'postgresql://db/x'}\nblobs: {s3: {bucket: b}}\nqueue: {url: 'amqp://mq'}\n";
    let settings = read_on(text, MACHINE);
    let patience = Duration::from_secs(60);
    let catalog = PostgresOptions { url: Hidden::new("postgresql://db/x"), connections_max: 10, patience };
    let blobs = S3Options {
        bucket: "b".into(),
        prefix: String::new(),
        endpoint: None,
        region: None,
        path_style: false,
        credentials: None,
        patience,
    };
    let queue = QueueOptions {
        url: Hidden::new("amqp://mq"),
        ca_file: None,
        prefix: "longshore".into(),
        heartbeat: Duration::from_secs(10),
        publish_events: false,
    };
    assert_eq!((settings.catalog, settings.blobs, settings.queue), (Some(catalog), Some(blobs), Some(queue)));
    let own = read_on("blobs: {s3: {bucket: b, endpoint: 'http://s3'}}", MACHINE).blobs.unwrap();
    assert!(own.path_style, "a store of one's own has no names by bucket");
}

#[test]
fn a_worker_takes_what_the_machine_has_and_leaves_some_of_it() {
    let worker = read_on("", MACHINE).worker;
    assert_eq!((worker.slots, worker.memory_bytes), (4, 12_800_000_000));
    assert_eq!((worker.nano_cpus, worker.disk_bytes), (8_000_000_000, 450_000_000_000));
    let sixteen = read_on("worker: {slots: 16}", MACHINE).worker;
    assert_eq!(sixteen, WorkerOptions { slots: 16, nano_cpus: 32_000_000_000, ..worker });
    let disk = read_on("", Machine { disk_free_bytes: 1, ..MACHINE }).worker.disk_bytes;
    assert_eq!(disk, Presets::default().of(Preset::Small).disk_bytes, "one job runs on any disk");
    let one = read_on("", Machine { processors: 1, ..MACHINE }).worker;
    let small = Presets::default().of(Preset::Small).nano_cpus;
    assert_eq!((one.slots, i64::try_from(one.nano_cpus).unwrap()), (1, small));
}

#[test]
fn a_secret_may_lie_in_a_file_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
    file("catalog-url", "postgres://u:from-file@db/x\n");
    file("s3-secret", "from-file\r\n");
    file(
        FILE_NAME,
        "catalog: {url_file: catalog-url}\nblobs: {s3: {bucket: b, access_key_id: k, secret_access_key_file: s3-secret}}\n",
    );
    let load = |environment: &[(&str, &str)]| {
        let environment = environment.to_vec();
        Settings::load(folder.path(), None, move |name| {
            environment.iter().find(|(known, _value)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    };
    let settings = load(&[]).unwrap();
    assert_eq!(settings.catalog.unwrap().url.reveal(), "postgres://u:from-file@db/x");
    assert_eq!(settings.blobs.unwrap().credentials, Some(("k".into(), Hidden::new("from-file"))));
    let over = load(&[("LONGSHORE_CATALOG_URL", "postgres://u:from-environment@db/x")]).unwrap();
    assert_eq!(over.catalog.unwrap().url.reveal(), "postgres://u:from-environment@db/x");
    file("other", "postgres://u:other@db/x");
    let over = load(&[("LONGSHORE_CATALOG_URL_FILE", "other")]).unwrap();
    assert_eq!(over.catalog.unwrap().url.reveal(), "postgres://u:other@db/x");
}

#[test]
fn health_can_be_turned_off() {
    for off in ["off", "false", "'off'"] {
        assert_eq!(read_on(&format!("http: {{listen: {off}}}"), MACHINE).http, None, "{off}");
    }
}

#[test]
fn no_secret_is_shown_by_debug() {
    let shown = format!("{:?}", read_on(ALL, MACHINE));
    assert!(!shown.contains("secret-") && shown.contains("(hidden)"), "{shown}");
}

#[test]
fn mistakes_in_the_service_are_told_without_repeating_a_secret() {
    let text = "catalog: {url: 'mysql://u:secret@db/x', connections_max: 2}
blobs: {s3: {endpoint: 's3.local', secret_access_key: secret}}
queue: {url: 'http://u:secret@mq', url_file: secret.txt, heartbeat: 20h, prefix: 'a b'}
worker: {slots: 0, cpus: 0, memory: 8, disk: 0g, beat: 5s, lease: 10s, retry_delay: 1h, attempts_max: 0}
http: {listen: localhost}
log: {format: xml}
otlp: {endpoint: 'https://collector'}
";
    let environment = [("LONGSHORE_WORKER_RETRY_DELAY_MAX", "5m"), ("LONGSHORE_WORKER_POLL", "often")];
    insta::assert_snapshot!(said(text, &environment), @r#"
    LONGSHORE_WORKER_POLL: worker.poll: "often" is not a duration: write e.g. 90s, 15m or 2h
    LONGSHORE_WORKER_RETRY_DELAY_MAX: worker.retry_delay_max: must be at least retry_delay: 3600s
    longshore.yaml:1:16: catalog.url: expected an address such as postgres://user:password@host:5432/database
    longshore.yaml:1:58: catalog.connections_max: must be at least 3
    longshore.yaml:2:13: blobs.s3: `bucket` is missing
    longshore.yaml:2:13: blobs.s3: `access_key_id` is missing beside the secret
    longshore.yaml:2:24: blobs.s3.endpoint: expected an address such as https://s3.example.com
    longshore.yaml:3:46: queue.url_file: `url` is there too: give one of the two
    longshore.yaml:3:69: queue.heartbeat: at most 65535s
    longshore.yaml:3:82: queue.prefix: expected at most 200 letters, digits, dots, dashes or underscores, not beginning with amq.
    longshore.yaml:4:17: worker.slots: must be at least 1
    longshore.yaml:4:26: worker.cpus: must be a number of processors up to 4096
    longshore.yaml:4:37: worker.memory: "8" is not an amount of bytes: write e.g. 256m, 2g or 512MiB
    longshore.yaml:4:46: worker.disk: must be more than nothing
    longshore.yaml:4:67: worker.lease: the lease must be at least 3 beats: 15s
    longshore.yaml:4:103: worker.attempts_max: must be at least 1
    longshore.yaml:5:16: http.listen: expected an address and a port such as 127.0.0.1:9090 or [::1]:9090, or off
    longshore.yaml:6:15: log.format: expected one of text, json, found "xml"
    longshore.yaml:7:18: otlp.endpoint: the exporter speaks plain http (let a collector on this machine take it and forward it by https)
    "#);
    insta::assert_snapshot!(said("catalog: {}\nblobs: {}\nqueue: {url_file: /nowhere/at/all}\notlp: {endpoint: x}\n", &[]), @r#"
    longshore.yaml:1:10: catalog: `url` (or `url_file`) is missing
    longshore.yaml:2:8: blobs: `s3` is missing
    longshore.yaml:3:19: queue.url_file: cannot read /nowhere/at/all: there is no such file
    longshore.yaml:4:18: otlp.endpoint: expected the address of a collector such as http://127.0.0.1:4318
    "#);
}

#[test]
fn what_goes_together_badly_is_told_and_not_refused() {
    let notices = |text: &str| {
        let begins = read_on(text, MACHINE).notices();
        begins.iter().map(|notice| notice.split(':').next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let (catalog, blobs) = ("catalog: {url: 'postgres://db/x'}\n", "blobs: {s3: {bucket: b}}\n");
    assert_eq!(notices(""), NOTHING);
    assert_eq!(notices(&format!("{catalog}{blobs}engine_host: unix:///run/docker.sock\n")), NOTHING);
    assert_eq!(notices(blobs), ["tables lie in a bucket, but the catalog is a file"]);
    assert_eq!(notices(catalog), ["the catalog is a server, but tables lie in a folder"]);
    assert_eq!(
        notices("http: {listen: '0.0.0.0:1'}\nengine_host: tcp://other:1\n"),
        [
            "health and metrics answer other machines too, and do not ask who is asking",
            "the engine is on another machine"
        ]
    );
    let few = "worker: {memory: 512m, cpus: 1, disk: 1g}\n";
    assert_eq!(
        notices(few),
        ["memory", "cpus", "disk"].map(|key| format!("worker.{key} is less than a `small` job asks for"))
    );
    assert_eq!(notices(&format!("{few}presets: {{small: {{memory: 512m, cpus: 1, disk: 1g}}}}")), NOTHING);
}
