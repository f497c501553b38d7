//! What a reference was found to mean.

use jiff::Timestamp;
use rstest::rstest;

use super::{House, On};
use crate::catalog::ImageLock;
use crate::component::Policy;
use crate::job::ImageId;

fn lock(reference: &str, policy: Policy, image: &str) -> ImageLock {
    let then = Timestamp::from_second(1_700_000_000).unwrap();
    ImageLock {
        reference: reference.to_owned(),
        policy,
        digest: Some(format!("sha256:{image}")),
        image: ImageId::parse(image).unwrap(),
        access: Some("settings:alice".to_owned()),
        resolved: then,
        last_used: then,
    }
}

#[rstest]
#[tokio::test]
async fn the_first_lock_stands_until_it_is_moved_or_let_go(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let catalog = &house.catalog;
    let (first, second) = (lock("r/x:1", Policy::Release, "1"), lock("r/x:1", Policy::Release, "2"));
    assert_eq!(catalog.image_lock("r/x:1", Policy::Release).await.unwrap(), None);
    assert_eq!(catalog.lock_image(&first).await.unwrap(), first);
    assert_eq!(house.beside().await.lock_image(&second).await.unwrap(), first);
    catalog.move_image_lock(&second).await.unwrap();
    assert_eq!(catalog.image_lock("r/x:1", Policy::Release).await.unwrap(), Some(second));
    assert!(catalog.unlock_image("r/x:1").await.unwrap());
    assert!(!catalog.unlock_image("r/x:1").await.unwrap());
    assert_eq!(catalog.image_lock("r/x:1", Policy::Release).await.unwrap(), None);
}

#[rstest]
#[tokio::test]
async fn a_reference_has_a_lock_for_each_policy_and_they_are_listed_by_reference(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let catalog = &house.catalog;
    let (master, release) = (lock("r/x:1", Policy::Master, "1"), lock("r/x:1", Policy::Release, "2"));
    let local = ImageLock { digest: None, access: None, ..lock("a:1", Policy::Release, "3") };
    for lock in [&release, &master, &local] {
        catalog.lock_image(lock).await.unwrap();
    }
    assert_eq!(catalog.image_locks().await.unwrap(), [local, master.clone(), release]);
    catalog.use_image_lock("r/x:1", Policy::Master).await.unwrap();
    let used = catalog.image_lock("r/x:1", Policy::Master).await.unwrap().unwrap();
    assert!(used.last_used > master.last_used);
    assert_eq!(ImageLock { last_used: master.last_used, ..used }, master);
}
