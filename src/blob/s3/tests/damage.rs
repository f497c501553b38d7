use super::proxy::{Fault, Proxy};
use super::*;

#[tokio::test]
async fn a_bit_that_turned_on_its_way_is_noticed() {
    let Some(bucket) = Bucket::new().await else { return };
    let proxy = Proxy::before(bucket.options.endpoint.as_deref().unwrap()).await;
    let behind = bucket.by_way_of(&proxy.endpoint, Duration::from_secs(5)).await;
    for (key, told) in
        [("t/1.csv", "blob t/1.csv is damaged: a frame in it"), ("t/1", "blob t/1 is damaged: its checksum")]
    {
        bucket.put(key, &rows(1000)).await.unwrap();
        proxy.fail(&["GET", &format!("{key}?")], Fault::Flip { from_end: 100 }, 1);
        let error = behind.read(key).await.unwrap_err().to_string();
        assert!(error.starts_with(told), "{error}");
        assert!(behind.read(key).await.unwrap() == rows(1000));
    }
}

#[tokio::test]
async fn a_slice_that_was_cut_off_or_written_over_is_noticed() {
    let Some(bucket) = Bucket::new().await else { return };
    bucket.put("t/1.csv", &rows(20 * 1024 * 1024)).await.unwrap();
    let whole = bucket.object("t/1.csv").await;
    let told = async |bytes: &[u8]| {
        bucket.put_object("t/2.csv", bytes.to_vec()).await;
        bucket.read("t/2.csv").await.unwrap_err().to_string()
    };
    let first_frame = 12 + u32::from_le_bytes(whole[8..12].try_into().unwrap()) as usize;
    for cut in [0, 7, first_frame, first_frame + 5, whole.len() - 1] {
        assert_eq!(
            told(&whole[..cut]).await,
            "blob t/2.csv is damaged: it ends before its end",
            "cut at {cut}"
        );
    }
    // A frame that is missing within is missing in the sum.
    let end = &whole[whole.len() - 16..];
    let lacking = [&whole[..first_frame], end].concat();
    assert_eq!(told(&lacking).await, "blob t/2.csv is damaged: it ends before its end");
    assert_eq!(
        told(b"a,b\n1,2\n").await,
        "blob t/2.csv is damaged: a frame in it cannot be read: there is no frame where one must be"
    );
    let longer = [&whole[..], end].concat();
    assert_eq!(
        told(&longer).await,
        "blob t/2.csv is damaged: a frame in it cannot be read: something follows the end"
    );
}
