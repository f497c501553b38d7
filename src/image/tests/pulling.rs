//! Pulls that meet trouble.

use tokio::net::TcpListener;

use super::house::{House, docker, ensured, release, watched};
use super::registry::{Answer, Registry, status};
use crate::component::Policy;
use crate::image::resolved::ImageOrigin;
use crate::image::{ImageError, ResolvedImage};

#[tokio::test]
async fn a_missing_image_is_pulled_by_digest_with_progress_and_keeps_its_tag() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let (image, steps) = watched(&house.keeper, &release(&reference)).await;
    let image = image.unwrap();
    let expected = ResolvedImage {
        reference: reference.clone(),
        id: image.id.clone(),
        digest: Some(pushed.digest.clone()),
        policy: Policy::Release,
        done: ImageOrigin::Pulled,
        entrypoint: "/run --now please".into(),
        warnings: Vec::new(),
    };
    assert_eq!(image, expected);
    let last = steps.last().unwrap();
    assert_eq!((last.layers_done, last.layers_total), (1, 1), "{last:?}");
    assert_eq!(
        (last.bytes_done, last.bytes_total),
        (Some(pushed.layer.len() as u64), Some(pushed.layer.len() as u64))
    );
    let asked = registry.asked();
    assert_eq!(asked[0], format!("HEAD /v2/{}/manifests/1", house.repository));
    assert!(!asked[1..].iter().any(|line| line.ends_with("/manifests/1")), "{asked:?}");
    assert_eq!(docker(&["image", "inspect", "--format", "{{.Id}}", &reference]), image.id.as_str());
}

#[tokio::test]
async fn an_unknown_tag_is_not_found_at_once_and_says_what_to_do() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let reference = format!("{}/{}:none", registry.address, house.repository);
    let error = ensured(&house.keeper, &release(&reference)).await.unwrap_err();
    let address = &registry.address;
    assert_eq!(
        error.to_string(),
        format!("the registry {address} has no image {reference}; check its name and tag, or push it there")
    );
    assert_eq!(registry.asked(), [format!("HEAD /v2/{}/manifests/none", house.repository)]);
}

#[tokio::test]
async fn a_registry_that_forbids_is_asked_once_and_named() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let path = format!("/v2/{}/manifests/1", house.repository);
    registry.say(&path, [status(403, "")]);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let error = ensured(&house.keeper, &release(&reference)).await.unwrap_err();
    let address = &registry.address;
    assert_eq!(
        error.to_string(),
        format!(
            "the registry {address} refuses the image {reference}: no credentials are set; set `registries` in \
             longshore.yaml, or use `docker login {address}`"
        )
    );
    assert_eq!(registry.asked(), [format!("HEAD {path}")]);
}

#[tokio::test]
async fn a_registry_that_is_away_is_told_by_the_engine_too() {
    let Some(house) = House::open().await else { return };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let reference = format!("{address}/{}:1", house.repository);
    let error = ensured(&house.keeper, &release(&reference)).await.unwrap_err();
    assert!(matches!(error, ImageError::Engine { .. }), "{error:?}");
    assert_eq!(error.to_string(), format!("the image {reference} cannot be fetched now"));
}

#[tokio::test]
async fn a_registry_that_is_busy_is_asked_again_until_it_answers() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "1", "a");
    let path = format!("HEAD /v2/{}/manifests/1", house.repository);
    let pushed = registry.push(&house.repository, "1", "a");
    let answer = status(200, &format!("Docker-Content-Digest: {}\r\n", pushed.digest));
    registry.say(&path, [status(429, "Retry-After: 1\r\n"), status(500, ""), status(500, ""), answer]);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let begun = std::time::Instant::now();
    let image = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert!(
        begun.elapsed() >= std::time::Duration::from_secs(1),
        "it did not wait as long as it was asked to"
    );
    assert_eq!((image.done, image.digest), (ImageOrigin::Pulled, Some(pushed.digest)));
    let heads = registry.asked().iter().filter(|line| **line == path).count();
    assert_eq!(heads, 4);
}

#[tokio::test]
async fn a_registry_that_stays_busy_is_given_up_and_one_that_wants_too_much_time_at_once() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let path = format!("/v2/{}/manifests/1", house.repository);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    for (answer, tries) in [(status(503, ""), 4), (status(429, "Retry-After: 3600\r\n"), 1)] {
        registry.say(&path, [answer]);
        let error = ensured(&house.keeper, &release(&reference)).await.unwrap_err();
        assert!(matches!(error, ImageError::Registry { .. }), "{error:?}");
        assert_eq!(registry.asked().len(), tries);
    }
}

#[tokio::test]
async fn a_layer_that_breaks_off_is_fetched_again() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    let whole = Answer::Page { status: 200, headers: String::new(), body: pushed.layer.clone() };
    registry.say(&pushed.layer_path, [Answer::Half(pushed.layer.clone()), whole]);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let image = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((image.done, image.digest), (ImageOrigin::Pulled, Some(pushed.digest)));
}

#[tokio::test]
async fn a_layer_that_stalls_is_given_up_and_tried_again() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    let whole = Answer::Page { status: 200, headers: String::new(), body: pushed.layer.clone() };
    registry.say(&pushed.layer_path, [Answer::Stall(pushed.layer.clone()), whole]);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let image = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((image.done, image.digest), (ImageOrigin::Pulled, Some(pushed.digest)));
}

#[tokio::test]
async fn a_layer_that_stalls_for_ever_is_told_with_the_time_it_stood_still() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    registry.say(&pushed.layer_path, [Answer::Stall(pushed.layer)]);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let error = ensured(&house.keeper, &release(&reference)).await.unwrap_err();
    let ImageError::Engine { source, .. } = error else { panic!("{error:?}") };
    let at = format!("{}/{}@{}", registry.address, house.repository, pushed.digest);
    assert_eq!(
        source.to_string(),
        format!("the engine did not get on with pulling image {at} within 3 seconds")
    );
}

#[tokio::test]
async fn a_layer_that_is_not_what_was_promised_fails_the_pull() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    let body = vec![7; pushed.layer.len()];
    registry.say(&pushed.layer_path, [Answer::Page { status: 200, headers: String::new(), body }]);
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let error = ensured(&house.keeper, &release(&reference)).await.unwrap_err();
    assert!(matches!(error, ImageError::Engine { .. }), "{error:?}");
}

#[tokio::test]
async fn ten_jobs_at_once_share_one_pull_and_the_first_may_leave() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    let asked = release(&format!("{}/{}:1", registry.address, house.repository));
    let first = {
        let (keeper, asked) = (house.keeper.clone(), asked.clone());
        async move { ensured(&keeper, &asked).await }
    };
    let mut jobs = tokio::task::JoinSet::new();
    let first = jobs.spawn(first);
    for _job in 0..9 {
        let (keeper, asked) = (house.keeper.clone(), asked.clone());
        jobs.spawn(async move { ensured(&keeper, &asked).await });
    }
    first.abort();
    let mut ended = 0;
    while let Some(joined) = jobs.join_next().await {
        let Ok(image) = joined else { continue };
        assert_eq!(image.unwrap().digest, Some(pushed.digest.clone()));
        ended += 1;
    }
    assert!(ended >= 9, "{ended}");
    let asked = registry.asked();
    let layers = asked.iter().filter(|line| line.ends_with(&pushed.layer_path)).count();
    assert_eq!(layers, 1, "{asked:?}");
}
