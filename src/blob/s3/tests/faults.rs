use rstest::rstest;

use super::proxy::{Fault, Proxy};
use super::*;

const MIB: usize = 1024 * 1024;
/// Enough for several tries after silences of a third of it.
const PATIENCE: Duration = Duration::from_secs(6);

/// A bucket, and the same behind a proxy.
async fn behind_proxy(patience: Duration) -> Option<(Bucket, Proxy, Bucket)> {
    let bucket = Bucket::new().await?;
    let proxy = Proxy::before(bucket.options.endpoint.as_deref().unwrap()).await;
    let behind = bucket.by_way_of(&proxy.endpoint, patience).await;
    Some((bucket, proxy, behind))
}

#[rstest]
#[case::internal(Fault::Answer { status: 500, code: "InternalError" })]
#[case::slow_down(Fault::Answer { status: 503, code: "SlowDown" })]
#[case::too_many(Fault::Answer { status: 429, code: "TooManyRequests" })]
#[case::cut(Fault::CutAnswer { after: 0 })]
#[case::cut_within_the_head(Fault::CutAnswer { after: 20 })]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passing_trouble_is_tried_again_in_every_call(#[case] fault: Fault) {
    let Some((direct, proxy, bucket)) = behind_proxy(PATIENCE).await else { return };
    let content = rows(40 * MIB);
    // Begin, a part, the end, and the whole of a small one; then list, first range, later range, removal.
    let calls: [&[&str]; 8] = [
        &["POST", "uploads"],
        &["PUT", "partNumber=2"],
        &["POST", "uploadId"],
        &["PUT", "small"],
        &["GET", "list-type"],
        &["GET", "bytes=0-"],
        &["GET", "bytes=9437184-"],
        &["DELETE", "small"],
    ];
    for call in calls {
        proxy.fail(call, fault.clone(), 1);
    }
    bucket.put("t/large", &content).await.unwrap();
    bucket.put("t/small", b"x").await.unwrap();
    assert_eq!(bucket.keys("").await, ["t/large", "t/small"]);
    assert!(bucket.read("t/large").await.unwrap() == content);
    bucket.store.remove(&key_of("t/small")).await.unwrap();
    assert_eq!(proxy.planned(), 0, "not every call met its fault");
    assert_eq!(direct.keys("").await, ["t/large"]);
    assert_eq!(direct.store.unfinished(jiff::Timestamp::MAX).await.unwrap(), []);
}

/// Every silence takes a third of patience, so there are few of them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_is_silent_is_asked_again() {
    let Some((direct, proxy, bucket)) = behind_proxy(Duration::from_secs(2)).await else { return };
    let content = rows(6 * MIB);
    for call in [["PUT", "large"], ["GET", "bytes=0-"], ["GET", "bytes=5242880-"], ["DELETE", "large"]] {
        proxy.fail(&call, Fault::Hang, 1);
    }
    bucket.put("t/large", &content).await.unwrap();
    assert!(bucket.read("t/large").await.unwrap() == content);
    bucket.store.remove(&key_of("t/large")).await.unwrap();
    assert_eq!(proxy.planned(), 0, "not every call met its fault");
    assert_eq!(direct.keys("").await, Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_that_breaks_off_goes_on_where_it_broke() {
    let Some((direct, proxy, bucket)) = behind_proxy(PATIENCE).await else { return };
    let content = rows(6 * MIB);
    direct.put("t/1", &content).await.unwrap();
    proxy.fail(&["GET", "bytes=1048576-"], Fault::CutAnswer { after: 3 * MIB }, 1);
    assert!(bucket.read("t/1").await.unwrap() == content);
    let ranges: Vec<String> =
        proxy.seen("GET").iter().filter_map(|line| line.rsplit(' ').next().map(str::to_owned)).collect();
    let again: Vec<&String> = ranges.iter().filter(|range| range.ends_with("-5242879")).collect();
    assert_eq!(again.len(), 2, "{ranges:?}");
    let from: usize = again[1].trim_start_matches("bytes=").split('-').next().unwrap().parse().unwrap();
    assert!((2 * MIB..4 * MIB + 1).contains(&from), "it began again at {from}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_is_reset_in_the_middle_of_a_part_sends_the_part_again() {
    let Some((direct, proxy, bucket)) = behind_proxy(PATIENCE).await else { return };
    let content = rows(40 * MIB);
    proxy.fail(&["PUT", "partNumber=1"], Fault::CutRequest { after: 5 * MIB }, 2);
    bucket.put("t/1", &content).await.unwrap();
    assert_eq!(proxy.seen("partNumber=1").len(), 3);
    assert_eq!(proxy.seen("partNumber=2").len(), 1);
    assert!(direct.read("t/1").await.unwrap() == content);
}

#[tokio::test]
async fn trouble_that_does_not_pass_is_told_when_patience_is_over() {
    let Some((_direct, proxy, bucket)) = behind_proxy(Duration::from_millis(300)).await else { return };
    proxy.fail(&["PUT"], Fault::Answer { status: 503, code: "SlowDown" }, usize::MAX);
    let error = bucket.put("t/1", b"x").await.unwrap_err();
    let BlobError::Unavailable { tries, .. } = &error else { panic!("{error}") };
    assert!(*tries > 1, "tried {tries} times");
    assert_eq!(
        crate::failure::chain(&error),
        format!(
            "could not store blob t/1 in bucket longshore-test at {}, tried {tries} times: \
             the store answered 503 SlowDown: as planned",
            proxy.endpoint
        )
    );
}

#[tokio::test]
async fn what_trying_again_does_not_change_is_told_at_once() {
    let Some((_direct, proxy, bucket)) = behind_proxy(PATIENCE).await else { return };
    proxy.fail(&["PUT"], Fault::Answer { status: 400, code: "InvalidArgument" }, usize::MAX);
    let error = bucket.put("t/1", b"x").await.unwrap_err();
    assert!(matches!(error, BlobError::Refused { .. }), "{error}");
    assert_eq!(proxy.seen("PUT").len(), 1);
}
