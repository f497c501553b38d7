//! Pulling from a registry of our own, by way of a real engine. Without an engine the tests say that they were
//! skipped, and fail where `CI` is set.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::process::Command;
use std::sync::Arc;

use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{ImageError, ImageOrigin, ImageReference, ResolvedImage, ensure};
use crate::component::Policy;
use crate::engine::{Engine, EngineOptions};
use crate::job::JobId;

const MANIFEST_TYPE: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// Status, content type and body by path; any other path is a missing manifest.
type Pages = HashMap<String, (u16, &'static str, Vec<u8>)>;

async fn engine(test: &str) -> Option<Engine> {
    match Engine::connect(EngineOptions::default()).await {
        Ok(engine) => Some(engine),
        Err(error) => {
            #[expect(
                clippy::disallowed_methods,
                reason = "whether a missing engine is a failure is the machine's setting"
            )]
            let must_run = std::env::var_os("CI").is_some();
            assert!(!must_run, "no Docker engine: {error}");
            eprintln!("SKIP (no Docker engine): {test}");
            None
        }
    }
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold("sha256:".to_owned(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

/// One image of one layer, as a registry serves it. Gives the manifest's digest too.
fn tiny_image(repository: &str) -> (Pages, String) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("unique"), repository).unwrap();
    let layer =
        Command::new("tar").arg("-C").arg(folder.path()).args(["-cf", "-", "."]).output().unwrap().stdout;
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
    let manifest = serde_json::to_vec(&manifest).unwrap();
    let digest = sha256(&manifest);
    let blob = |bytes: &[u8]| format!("/v2/{repository}/blobs/{}", sha256(bytes));
    let pages = HashMap::from([
        (format!("/v2/{repository}/manifests/1"), (200, MANIFEST_TYPE, manifest.clone())),
        (format!("/v2/{repository}/manifests/{digest}"), (200, MANIFEST_TYPE, manifest)),
        (blob(&config), (200, "application/octet-stream", config)),
        (blob(&layer), (200, "application/octet-stream", layer)),
    ]);
    (pages, digest)
}

/// A registry on the loopback interface; gives `host:port` and lives as long as the set.
async fn registry(mut pages: Pages) -> (String, JoinSet<()>) {
    pages.entry("/v2/".into()).or_insert((200, "application/json", b"{}".to_vec()));
    let pages = Arc::new(pages);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut calls = JoinSet::new();
        loop {
            let (connection, _peer) = listener.accept().await.unwrap();
            calls.spawn(serve(connection, Arc::clone(&pages)));
        }
    });
    (address, tasks)
}

async fn serve(mut connection: TcpStream, pages: Arc<Pages>) {
    let (reader, mut writer) = connection.split();
    let mut lines = BufReader::new(reader.take(64 << 10)).lines();
    // The engine first tries TLS, which is no request and gets no answer.
    let Ok(Some(request)) = lines.next_line().await else {
        return;
    };
    while let Ok(Some(line)) = lines.next_line().await {
        if line.is_empty() {
            break;
        }
    }
    let missing = (
        404,
        "application/json",
        br#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"manifest unknown"}]}"#.to_vec(),
    );
    let mut words = request.split(' ');
    let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let (status, kind, body) = pages.get(path).unwrap_or(&missing);
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nDocker-Content-Digest: {}\r\nConnection: close\r\n\r\n",
        body.len(),
        sha256(body),
    );
    let body: &[u8] = if method == "HEAD" { &[] } else { body };
    // The engine may hang up on what it did not want to hear.
    drop(writer.write_all(&[head.as_bytes(), body].concat()).await);
}

async fn ensured(engine: &Engine, text: &str) -> Result<(ResolvedImage, Vec<String>), ImageError> {
    let reference: ImageReference = text.parse().unwrap();
    let mut steps = Vec::new();
    let image = ensure(engine, &reference, Policy::Release, &mut |step| {
        steps.push(step.status);
    })
    .await?;
    Ok((image, steps))
}

#[tokio::test]
async fn a_missing_image_is_pulled_once_and_then_present() {
    let Some(engine) = engine("a_missing_image_is_pulled_once").await else {
        return;
    };
    let repository = format!("longshore-test/{}", JobId::fresh());
    let (pages, digest) = tiny_image(&repository);
    let (address, _registry) = registry(pages).await;
    let reference = format!("{address}/{repository}:1");
    let first = ensured(&engine, &reference).await;
    let second = ensured(&engine, &reference).await;
    let removed = Command::new("docker").args(["rmi", "-f", &reference]).output().unwrap();
    assert!(removed.status.success(), "{removed:?}");

    let (image, steps) = first.unwrap();
    let expected = ResolvedImage {
        reference,
        id: image.id.clone(),
        digest: Some(digest),
        policy: Policy::Release,
        done: ImageOrigin::Pulled,
        entrypoint: "/run --now please".into(),
    };
    assert_eq!(image, expected);
    assert!(steps.iter().any(|status| status == "Pull complete"), "{steps:?}");
    assert_eq!(second.unwrap(), (ResolvedImage { done: ImageOrigin::Present, ..expected }, Vec::new()));
}

#[tokio::test]
async fn an_unknown_tag_is_not_found() {
    let Some(engine) = engine("an_unknown_tag_is_not_found").await else {
        return;
    };
    let (address, _registry) = registry(HashMap::new()).await;
    let error = ensured(&engine, &format!("{address}/longshore-test/none:1")).await.unwrap_err();
    assert!(matches!(error, ImageError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_wants_to_know_who_asks_denies() {
    let Some(engine) = engine("a_registry_that_wants_to_know_who_asks").await else {
        return;
    };
    let denied = br#"{"errors":[{"code":"DENIED","message":"access denied"}]}"#.to_vec();
    let pages =
        HashMap::from([("/v2/longshore-test/none/manifests/1".into(), (403, "application/json", denied))]);
    let (address, _registry) = registry(pages).await;
    let error = ensured(&engine, &format!("{address}/longshore-test/none:1")).await.unwrap_err();
    assert!(matches!(error, ImageError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn a_registry_that_is_away_is_unavailable() {
    let Some(engine) = engine("a_registry_that_is_away").await else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = ensured(&engine, &format!("{address}/longshore-test/none:1")).await.unwrap_err();
    assert!(matches!(error, ImageError::Unavailable { .. }), "{error:?}");
}

#[tokio::test]
async fn a_layer_that_is_not_what_was_promised_fails_the_pull() {
    let Some(engine) = engine("a_layer_that_is_not_what_was_promised").await else {
        return;
    };
    let repository = format!("longshore-test/{}", JobId::fresh());
    let (mut pages, _digest) = tiny_image(&repository);
    for (path, page) in &mut pages {
        // The configuration comes through, the layer is another one of the same size.
        if path.contains("/blobs/") && !page.2.starts_with(b"{") {
            page.2.fill(7);
        }
    }
    let (address, _registry) = registry(pages).await;
    let error = ensured(&engine, &format!("{address}/{repository}:1")).await.unwrap_err();
    assert!(matches!(error, ImageError::Unavailable { .. }), "{error:?}");
}
