//! Release: resolved once, and then the same whatever happens to the tag.

use super::house::{House, docker, ensured, release};
use super::registry::{Registry, status};
use crate::image::ImageError;
use crate::image::resolved::ImageOrigin;

#[tokio::test]
async fn a_locked_image_costs_no_request_though_the_tag_moves_there_and_here() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "1", "a");
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let first = ensured(&house.keeper, &release(&reference)).await.unwrap();
    registry.push(&house.repository, "1", "b");
    registry.asked();
    let second = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((second.id.clone(), second.done), (first.id.clone(), ImageOrigin::Present));
    assert_eq!(registry.asked(), [""; 0]);
    docker(&["pull", "--quiet", &reference]);
    registry.asked();
    let third = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((third.id, third.digest, third.done), (first.id, first.digest, ImageOrigin::Present));
    assert_eq!(registry.asked(), [""; 0]);
}

#[tokio::test]
async fn a_removed_image_comes_back_by_its_digest_though_the_tag_has_moved() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "1", "a");
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let first = ensured(&house.keeper, &release(&reference)).await.unwrap();
    registry.push(&house.repository, "1", "b");
    docker(&["rmi", "--force", first.id.as_str()]);
    let again = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((again.id, again.digest, again.done), (first.id, first.digest, ImageOrigin::Pulled));
}

#[tokio::test]
async fn another_tag_is_resolved_anew_and_an_unlocked_one_too() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "1", "a");
    let pushed = registry.push(&house.repository, "2", "b");
    let reference = |tag: &str| format!("{}/{}:{tag}", registry.address, house.repository);
    ensured(&house.keeper, &release(&reference("1"))).await.unwrap();
    let second = ensured(&house.keeper, &release(&reference("2"))).await.unwrap();
    assert_eq!(second.digest, Some(pushed.digest));
    let moved = registry.push(&house.repository, "2", "c");
    assert!(house.keeper.catalog.unlock_image(&reference("2")).await.unwrap());
    docker(&["rmi", "--force", second.id.as_str()]);
    let anew = ensured(&house.keeper, &release(&reference("2"))).await.unwrap();
    assert_eq!(anew.digest, Some(moved.digest));
}

#[tokio::test]
async fn a_digest_ignores_tags_and_is_fetched_without_asking_for_any() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pinned = registry.push(&house.repository, "1", "a").digest;
    registry.push(&house.repository, "1", "b");
    let reference = format!("{}/{}:1@{pinned}", registry.address, house.repository);
    let image = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((image.digest, image.done), (Some(pinned), ImageOrigin::Pulled));
    assert!(registry.asked().iter().all(|line| !line.contains("/manifests/1")));
    let image = ensured(&house.keeper, &release(&reference)).await.unwrap();
    assert_eq!((image.done, registry.asked()), (ImageOrigin::Present, Vec::new()));
}

#[tokio::test]
async fn an_image_that_never_saw_a_registry_runs_and_is_followed_when_it_is_built_again() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let reference = format!("{}/{}:dev", registry.address, house.repository);
    let make = |content: &str| {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("Dockerfile"), "FROM scratch\nCOPY content /\n").unwrap();
        std::fs::write(folder.path().join("content"), format!("{content} {}", house.repository)).unwrap();
        docker(&["build", "--quiet", "--tag", &reference, folder.path().to_str().unwrap()])
    };
    for content in ["one", "two"] {
        let built = make(content);
        let image = ensured(&house.keeper, &release(&reference)).await.unwrap();
        assert_eq!(
            (image.id.as_str(), image.digest, image.done),
            (built.as_str(), None, ImageOrigin::Present)
        );
    }
    assert_eq!(registry.asked(), [""; 0]);
}

#[tokio::test]
async fn new_credentials_prove_once_that_they_may_read_a_private_image() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    let pushed = registry.push(&house.repository, "1", "a");
    let reference = format!("{}/{}:1", registry.address, house.repository);
    let alice = house.keeper_as(&registry.address, Some(("alice", "swordfish"))).await;
    ensured(&alice, &release(&reference)).await.unwrap();
    registry.asked();
    let again = ensured(&alice, &release(&reference)).await.unwrap();
    assert_eq!((again.done, registry.asked()), (ImageOrigin::Present, Vec::new()));
    let path = format!("/v2/{}/manifests/{}", house.repository, pushed.digest);
    registry.say(&path, [status(401, "WWW-Authenticate: Basic realm=\"r\"\r\n")]);
    let bob = house.keeper_as(&registry.address, Some(("bob", "swordfish"))).await;
    let error = ensured(&bob, &release(&reference)).await.unwrap_err();
    assert!(matches!(error, ImageError::Denied { .. }), "{error:?}");
    let told = format!("{error} {error:?}");
    assert!(
        told.contains("the credentials of bob from the settings") && !told.contains("swordfish"),
        "{told}"
    );
    registry.say(&path, [status(503, "")]);
    let unknown = ensured(&bob, &release(&reference)).await.unwrap();
    assert_eq!((unknown.done, unknown.warnings.len()), (ImageOrigin::Present, 1), "{:?}", unknown.warnings);
}
