use jiff::{SignedDuration, Timestamp};

use super::proxy::{Fault, Proxy};
use super::*;

const LARGE: usize = 40 * 1024 * 1024;

async fn unfinished(bucket: &Bucket) -> Vec<String> {
    let found = bucket.store.unfinished(Timestamp::MAX).await.unwrap();
    found.into_iter().map(|upload| upload.key.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_fails_leaves_nothing() {
    let Some(bucket) = Bucket::new().await else { return };
    let proxy = Proxy::before(bucket.options.endpoint.as_deref().unwrap()).await;
    let behind = bucket.by_way_of(&proxy.endpoint, Duration::from_secs(5)).await;
    proxy.fail(&["PUT", "partNumber=2"], Fault::Answer { status: 403, code: "AccessDenied" }, 1);
    let error = behind.put("t/1", &rows(LARGE)).await.unwrap_err();
    assert!(matches!(error, BlobError::Denied { .. }), "{error}");
    assert_eq!(unfinished(&bucket).await, Vec::<String>::new());
    assert_eq!(bucket.keys("").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_whose_future_is_dropped_is_given_up() {
    let Some(bucket) = Bucket::new().await else { return };
    let proxy = Proxy::before(bucket.options.endpoint.as_deref().unwrap()).await;
    let behind = bucket.by_way_of(&proxy.endpoint, Duration::from_secs(600)).await;
    proxy.fail(&["PUT", "partNumber=2"], Fault::Hang, 1);
    let path = behind.file("large", &rows(LARGE));
    {
        let key = key_of("t/1");
        let mut putting = std::pin::pin!(behind.store.put_file(&key, &path, Source::Move));
        let hangs = async {
            while proxy.seen("partNumber=2").is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            put = &mut putting => panic!("it should hang: {put:?}"),
            () = hangs => {}
        }
        assert_eq!(unfinished(&bucket).await, ["t/1"]);
    }
    // Whoever closes waits for it.
    behind.store.clear_scratch("test").await.unwrap();
    assert_eq!(unfinished(&bucket).await, Vec::<String>::new());
    assert!(path.exists(), "what was not stored must stay");
}

#[tokio::test]
async fn what_a_killed_process_left_is_found_by_its_age_and_given_up() {
    let Some(bucket) = Bucket::new().await else { return };
    let shared = &bucket.s3().shared;
    let object = bucket.s3().object(&key_of("slices/x/1.csv"));
    let begin = shared.client.create_multipart_upload().bucket(&shared.place.bucket).key(object);
    begin.send().await.unwrap();
    let hour = SignedDuration::from_hours(1);
    assert_eq!(bucket.store.unfinished(Timestamp::now() - hour).await.unwrap(), []);
    let found = bucket.store.unfinished(Timestamp::now() + hour).await.unwrap();
    let [upload] = &found[..] else { panic!("{found:?}") };
    assert_eq!(upload.key, key_of("slices/x/1.csv"));
    bucket.store.abort(upload).await.unwrap();
    bucket.store.abort(upload).await.unwrap();
    assert_eq!(unfinished(&bucket).await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_finish_whose_answer_was_lost_is_a_finish() {
    let Some(bucket) = Bucket::new().await else { return };
    let proxy = Proxy::before(bucket.options.endpoint.as_deref().unwrap()).await;
    let behind = bucket.by_way_of(&proxy.endpoint, Duration::from_secs(5)).await;
    proxy.fail(&["POST", "uploadId"], Fault::CutAnswer { after: 0 }, 1);
    let content = rows(LARGE);
    behind.put("t/1", &content).await.unwrap();
    assert_eq!(proxy.planned(), 0);
    assert!(bucket.read("t/1").await.unwrap() == content);
    assert_eq!(unfinished(&bucket).await, Vec::<String>::new());
}
