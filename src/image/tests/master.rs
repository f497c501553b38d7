//! Master: the newest on every run, at the price of one small question.

use super::house::{House, ensured, master};
use super::registry::{Registry, status};
use crate::component::Stale;
use crate::image::ImageError;
use crate::image::resolved::ImageOrigin;

#[tokio::test]
async fn a_tag_that_stays_costs_one_question_and_one_that_moves_a_pull() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "main", "a");
    let asked = master(&format!("{}/{}:main", registry.address, house.repository), Stale::Forbid);
    let first = ensured(&house.keeper, &asked).await.unwrap();
    assert_eq!(first.done, ImageOrigin::Pulled);
    registry.asked();
    let second = ensured(&house.keeper, &asked).await.unwrap();
    assert_eq!((second.id, second.done), (first.id.clone(), ImageOrigin::Present));
    assert_eq!(registry.asked(), [format!("HEAD /v2/{}/manifests/main", house.repository)]);
    let moved = registry.push(&house.repository, "main", "b");
    let third = ensured(&house.keeper, &asked).await.unwrap();
    assert_eq!((third.digest, third.done), (Some(moved.digest), ImageOrigin::Pulled));
    assert_ne!(third.id, first.id);
}

#[tokio::test]
async fn a_registry_without_an_answer_leaves_the_copy_with_a_warning_or_none_at_all() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "main", "a");
    let reference = format!("{}/{}:main", registry.address, house.repository);
    let first = ensured(&house.keeper, &master(&reference, Stale::Allow)).await.unwrap();
    let address = registry.address.clone();
    registry.say(&format!("/v2/{}/manifests/main", house.repository), [status(502, "")]);
    let busy = ensured(&house.keeper, &master(&reference, Stale::Allow)).await.unwrap();
    assert_eq!((&busy.id, busy.done), (&first.id, ImageOrigin::Stale));
    assert_eq!(
        busy.warnings,
        [format!(
            "whether the image {reference} has moved could not be learned, and the copy that is here was run: the \
             registry {address} cannot answer now (status 502)"
        )]
    );
    drop(registry);
    let away = ensured(&house.keeper, &master(&reference, Stale::Allow)).await.unwrap();
    assert_eq!((&away.id, away.done, &away.digest), (&first.id, ImageOrigin::Stale, &first.digest));
    let error = ensured(&house.keeper, &master(&reference, Stale::Forbid)).await.unwrap_err();
    assert!(matches!(error, ImageError::Stale { .. }), "{error:?}");
}

#[tokio::test]
async fn a_tag_that_is_gone_or_not_for_us_is_an_answer() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "main", "a");
    let asked = master(&format!("{}/{}:main", registry.address, house.repository), Stale::Allow);
    ensured(&house.keeper, &asked).await.unwrap();
    let path = format!("/v2/{}/manifests/main", house.repository);
    registry.say(&path, [status(404, "")]);
    let error = ensured(&house.keeper, &asked).await.unwrap_err();
    assert!(matches!(error, ImageError::NotFound { .. }), "{error:?}");
    registry.say(&path, [status(403, "")]);
    let error = ensured(&house.keeper, &asked).await.unwrap_err();
    assert!(matches!(error, ImageError::Denied { .. }), "{error:?}");
}

#[tokio::test]
async fn a_token_server_is_told_who_asks_and_the_registry_is_given_its_token() {
    let Some(house) = House::open().await else { return };
    let registry = Registry::open().await;
    registry.push(&house.repository, "main", "a");
    let (address, repository) = (&registry.address, &house.repository);
    let asked = master(&format!("{address}/{repository}:main"), Stale::Forbid);
    ensured(&house.keeper, &asked).await.unwrap();
    registry.asked();
    let path = format!("/v2/{repository}/manifests/main");
    let challenge = format!(
        "WWW-Authenticate: Bearer realm=\"http://{address}/token\",service=\"r\",scope=\"repository:{repository}:pull\"\r\n"
    );
    let pushed = registry.push(repository, "main", "a");
    let answer = status(200, &format!("Docker-Content-Digest: {}\r\n", pushed.digest));
    registry.say(&format!("HEAD {path}"), [status(401, &challenge), answer]);
    let scope = format!("repository%3A{}%3Apull", repository.replace('/', "%2F").replace('-', "%2D"));
    let token_path = format!("/token?service=r&scope={scope}");
    let token = super::registry::Answer::Page {
        status: 200,
        headers: String::new(),
        body: br#"{"token":"t0ken"}"#.to_vec(),
    };
    registry.say(&token_path, [token]);
    let alice = house.keeper_as(address, Some(("alice", "swordfish"))).await;
    ensured(&alice, &asked).await.unwrap();
    assert_eq!(
        registry.asked(),
        [
            format!("HEAD {path}"),
            format!("GET {token_path} as Basic YWxpY2U6c3dvcmRmaXNo"),
            format!("HEAD {path} as Bearer t0ken"),
        ]
    );
}
