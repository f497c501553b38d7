//! The bucket store at its door, against a real server, and against one that a proxy makes fail.

mod damage;
mod faults;
mod leftovers;
mod proxy;
mod storing;

use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;

use super::S3Store;
use crate::blob::{BlobError, BlobKey, BlobStore, S3Options, Source, test_bucket};
use crate::job::Hidden;

/// A bucket with a prefix of its own, seen through a store.
struct Bucket {
    folder: TempDir,
    options: S3Options,
    store: BlobStore,
}

impl Bucket {
    async fn new() -> Option<Self> {
        Some(Self::with(test_bucket()?).await)
    }

    async fn with(options: S3Options) -> Self {
        let folder = TempDir::new().unwrap();
        let store = BlobStore::s3(&options, folder.path(), "test").await.unwrap();
        Self { folder, options, store }
    }

    /// The same blobs by another way.
    async fn by_way_of(&self, endpoint: &str, patience: Duration) -> Self {
        let endpoint = Some(endpoint.to_owned());
        Self::with(S3Options { endpoint, patience, ..self.options.clone() }).await
    }

    fn s3(&self) -> &S3Store {
        match &self.store {
            BlobStore::S3(store) => store,
            BlobStore::Directory(_) => panic!("a directory is no bucket"),
        }
    }

    fn file(&self, name: &str, content: &[u8]) -> PathBuf {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    async fn put(&self, key: &str, content: &[u8]) -> Result<u64, BlobError> {
        let path = self.file("to-put", content);
        self.store.put_file(&key_of(key), &path, Source::Copy).await
    }

    /// All bytes of a blob as a reader gets them.
    async fn read(&self, key: &str) -> std::io::Result<Vec<u8>> {
        let (store, key) = (self.store.clone(), key_of(key));
        tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            store.open(&key).map_err(std::io::Error::other)?.read_to_end(&mut bytes).map(|_count| bytes)
        })
        .await
        .unwrap()
    }

    /// The object as it lies in the bucket.
    async fn object(&self, key: &str) -> Vec<u8> {
        let shared = &self.s3().shared;
        let object = self.s3().object(&key_of(key));
        let got = shared.client.get_object().bucket(&shared.place.bucket).key(object).send().await.unwrap();
        got.body.collect().await.unwrap().to_vec()
    }

    /// Puts bytes as they are where a blob would lie.
    async fn put_object(&self, key: &str, bytes: Vec<u8>) {
        let shared = &self.s3().shared;
        let call =
            shared.client.put_object().bucket(&shared.place.bucket).key(self.s3().object(&key_of(key)));
        call.body(bytes.into()).send().await.unwrap();
    }

    async fn keys(&self, prefix: &str) -> Vec<String> {
        self.store.list(prefix).await.unwrap().into_iter().map(|info| info.key.to_string()).collect()
    }
}

fn key_of(text: &str) -> BlobKey {
    BlobKey::parse(text).unwrap()
}

/// Bytes that compress by about a half, different at every place.
fn rows(bytes: usize) -> Vec<u8> {
    let mut text = b"id,value\n".to_vec();
    let mut number = 0x9E37_79B9_7F4A_7C15_u64;
    while text.len() < bytes {
        number = number.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        text.extend(format!("{number},{}\n", number >> 40).into_bytes());
    }
    text.truncate(bytes);
    text
}
