use crate::catalog::{Commit, NewFile, StoredFile};
use crate::job::{AttemptNumber, FileId, FileQuery};
use rstest::rstest;

use super::{House, On, key, texts};

fn file(name: &str, tags: &[&str]) -> NewFile {
    NewFile {
        blob: key(&format!("f/{name}")),
        name: name.into(),
        bytes: 5,
        tags: texts(tags),
        is_permanent: false,
        is_public: true,
        is_sliced: false,
    }
}

async fn store(house: &House, files: Vec<NewFile>) -> Vec<FileId> {
    let commit = Commit { files, ..Commit::default() };
    house.catalog.commit(&commit).await.unwrap().files.into_iter().map(|file| file.id).collect()
}

fn tagged(include: &[&str], exclude: &[&str]) -> FileQuery {
    FileQuery::Tags { include: texts(include), exclude: texts(exclude) }
}

async fn found(house: &House, query: &FileQuery) -> Vec<String> {
    house.catalog.files(query, None, None, 100).await.unwrap().into_iter().map(|file| file.name).collect()
}

#[rstest]
#[tokio::test]
async fn a_file_reads_back_whole_with_its_tags_in_order(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let job = house.processing_job().await;
    let commit = Commit {
        attempt: Some((job, AttemptNumber::FIRST)),
        files: vec![file("a", &["z", "'; DROP TABLE files; --", "z", "b"])],
        ..Commit::default()
    };
    let id = house.catalog.commit(&commit).await.unwrap().files[0].id;
    let stored = house.catalog.file(id).await.unwrap().unwrap();
    let expected = StoredFile {
        id,
        blob: key("f/a"),
        name: "a".into(),
        bytes: 5,
        tags: texts(&["z", "'; DROP TABLE files; --", "b"]),
        is_permanent: false,
        is_public: true,
        created: stored.created,
        job: Some(job),
    };
    assert_eq!(stored, expected);
}

#[rstest]
#[tokio::test]
async fn files_are_found_by_all_their_tags_newest_first(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let files =
        vec![file("a", &["x"]), file("b", &["x", "y"]), file("c", &["y"]), file("d", &["x", "y", "z"])];
    store(&house, files).await;
    assert_eq!(found(&house, &tagged(&["x"], &[])).await, ["d", "b", "a"]);
    assert_eq!(found(&house, &tagged(&["x", "y"], &[])).await, ["d", "b"]);
    assert_eq!(found(&house, &tagged(&["y"], &["z"])).await, ["c", "b"]);
    assert_eq!(found(&house, &tagged(&["x"], &["y", "z"])).await, ["a"]);
    assert_eq!(found(&house, &tagged(&[], &["x"])).await, ["c"]);
    assert_eq!(found(&house, &tagged(&["none"], &[])).await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn files_are_found_by_id_by_age_and_up_to_a_number(#[values(On::Sqlite, On::Postgres)] on: On) {
    let Some(house) = House::on(on).await else { return };
    let old = store(&house, vec![file("a", &["x"]), file("b", &["x"])]).await;
    let new = store(&house, vec![file("c", &["x"])]).await;
    assert_eq!(found(&house, &FileQuery::Ids(vec![old[0], new[0], FileId(999)])).await, ["c", "a"]);
    assert_eq!(found(&house, &FileQuery::Ids(vec![])).await, Vec::<String>::new());
    let query = tagged(&["x"], &[]);
    let names = async |newer_than, since, files_max| -> Vec<String> {
        let files = house.catalog.files(&query, newer_than, since, files_max).await.unwrap();
        files.into_iter().map(|file| file.name).collect()
    };
    assert_eq!(names(None, None, 2).await, ["c", "b"]);
    assert_eq!(names(Some(old[0]), None, 100).await, ["c", "b"]);
    let created = house.catalog.file(new[0]).await.unwrap().unwrap().created;
    assert_eq!(names(None, Some(created), 100).await, ["c"]);
    let later = created + jiff::SignedDuration::from_micros(1);
    assert_eq!(names(None, Some(later), 100).await, Vec::<String>::new());
}

#[rstest]
#[tokio::test]
async fn processed_tags_follow_the_tags_that_are_there_and_pass_over_a_removed_file(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let ids = store(&house, vec![file("a", &["x"]), file("b", &["x"])]).await;
    assert!(house.catalog.remove_file(ids[1]).await.unwrap());
    let done = texts(&["done", "x"]);
    let commit = Commit { processed_tags: vec![(ids[0], done.clone()), (ids[1], done)], ..Commit::default() };
    house.catalog.commit(&commit).await.unwrap();
    assert_eq!(house.catalog.file(ids[0]).await.unwrap().unwrap().tags, ["x", "done"]);
    assert_eq!(house.catalog.file(ids[1]).await.unwrap(), None);
    assert_eq!(found(&house, &tagged(&["done"], &[])).await, ["a"]);
}

#[rstest]
#[tokio::test]
async fn a_removed_file_is_gone_and_its_number_is_never_given_again(
    #[values(On::Sqlite, On::Postgres)] on: On,
) {
    let Some(house) = House::on(on).await else { return };
    let first = store(&house, vec![file("a", &["x"])]).await[0];
    assert!(house.catalog.remove_file(first).await.unwrap());
    assert!(!house.catalog.remove_file(first).await.unwrap());
    assert_eq!(house.lines("SELECT COUNT(*) FROM file_tags").await, 0);
    assert!(store(&house, vec![file("b", &[])]).await[0] > first);
}
