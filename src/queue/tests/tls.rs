use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::bench::options;
use super::broker::Broker;
use crate::job::Hidden;
use crate::queue::{QueueOptions, depths, setup};

/// A certificate of one's own for this machine: authority and server in one.
fn make_certificate(folder: &Path) {
    let made = Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem"])
        .args(["-addext", "basicConstraints=critical,CA:FALSE", "-out", "certificate.pem"])
        .current_dir(folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}

#[tokio::test]
async fn an_encrypted_connection_trusts_the_given_authority_and_nobody_unknown() {
    let folder = TempDir::new().unwrap();
    make_certificate(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let port = 6700 + std::process::id() % 1000;
    let settings = format!(
        "listeners.ssl.1 = 127.0.0.1:{port}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n",
        path("certificate.pem"),
        path("key.pem"),
    );
    let Some(broker) = Broker::start(&settings) else { return };
    let trusting = QueueOptions {
        url: Hidden::new(format!("amqps://guest:guest@localhost:{port}/%2f")),
        ca_file: Some(folder.path().join("certificate.pem")),
        ..options(broker.port)
    };
    setup(&trusting).await.unwrap();
    assert_eq!(depths(&trusting).await.unwrap().len(), 4);
    let wary = QueueOptions { ca_file: None, ..trusting.clone() };
    let said = crate::failure::chain(&setup(&wary).await.unwrap_err());
    assert!(said.starts_with(&format!("cannot connect to the broker at localhost:{port}")), "{said}");
    assert!(said.contains("certificate"), "{said}");
    let lost = QueueOptions { ca_file: Some(folder.path().join("nothing.pem")), ..trusting };
    let said = setup(&lost).await.unwrap_err().to_string();
    assert_eq!(said, format!("cannot read the broker's certificate authority {}", path("nothing.pem")));
}
