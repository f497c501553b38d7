use std::fs;

use tempfile::TempDir;

use crate::catalog::{At, Catalog, CatalogError};

use super::{House, orders, replace, slice};

#[tokio::test]
async fn a_catalog_is_made_with_its_directory_and_found_again() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("odd name?#%41/é/catalog.db");
    let first = Catalog::open_sqlite(&path).await.unwrap();
    first.commit(&super::of_tables(vec![replace(vec![slice("a", 3)])])).await.unwrap();
    assert!(path.exists());
    let second = Catalog::open_sqlite(&path).await.unwrap();
    let seen = second.table(&orders(), At::Head).await.unwrap();
    assert_eq!(seen, first.table(&orders(), At::Head).await.unwrap());
    assert!(seen.is_some());
}

#[tokio::test]
async fn a_fresh_catalog_is_opened_by_many_at_once() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.db");
    let mut openings = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let path = path.clone();
        openings.spawn(async move { Catalog::open_sqlite(&path).await.unwrap().tables().await.unwrap() });
    }
    while let Some(opened) = openings.join_next().await {
        assert_eq!(opened.unwrap(), []);
    }
}

#[tokio::test]
async fn a_catalog_of_a_newer_program_is_refused_with_both_versions() {
    let house = House::local().await;
    house.sql("INSERT INTO schema_versions (version, applied) VALUES (7, 0)").await;
    let refused = Catalog::open_sqlite(&house.path()).await.unwrap_err();
    assert!(matches!(refused, CatalogError::TooNew { found: 7, known: 4 }), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_with_its_path_and_left_alone() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("notes.txt");
    let content = "these are notes\n".repeat(1_000);
    fs::write(&path, &content).unwrap();
    let refused = Catalog::open_sqlite(&path).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        format!("{} is not a catalog of Longshore: it is no SQLite database", path.display())
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), content);
}

#[tokio::test]
async fn the_database_of_another_program_is_refused_and_left_alone() {
    let house = House::local().await;
    house.sql("ALTER TABLE schema_versions RENAME TO something_else").await;
    let refused = Catalog::open_sqlite(&house.path()).await.unwrap_err();
    assert!(
        matches!(&refused, CatalogError::NotACatalog { what: "it is another program's database", .. }),
        "{refused}"
    );
}

#[tokio::test]
async fn a_directory_in_the_place_of_the_catalog_is_an_error_that_names_it() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("catalog.db");
    fs::create_dir(&path).unwrap();
    let refused = Catalog::open_sqlite(&path).await.unwrap_err();
    assert!(matches!(&refused, CatalogError::Open { path: named, .. } if *named == path), "{refused}");
}

#[tokio::test]
async fn a_full_disk_is_recognised() {
    let house = House::local().await;
    house.sql("PRAGMA max_page_count = 1").await;
    let mut refused = None;
    for _ in 0..200 {
        let filler = "x".repeat(10_000);
        let (job, component, worker) = (crate::job::JobId::fresh(), super::component(), super::worker());
        if let Err(error) = house.catalog.begin_job(job, &component, None, &filler, &worker).await {
            refused = Some(error);
            break;
        }
    }
    let refused = refused.unwrap();
    assert!(refused.is_disk_full(), "{refused:?}");
    assert!(!CatalogError::NoJobToEnd.is_disk_full());
}

#[tokio::test]
async fn a_transaction_that_the_database_ended_by_itself_spoils_no_later_one() {
    let house = House::local().await;
    // What SQLite does on a full disk, in the middle of a statement.
    let mut note = house.catalog.begin_note().await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut *note).await.unwrap();
    drop(note);
    let mut write = house.catalog.begin_write().await.unwrap();
    sqlx::raw_sql("ROLLBACK").execute(&mut *write).await.unwrap();
    drop(write);
    house.processing_job().await;
    house.load(replace(vec![slice("a", 3)])).await;
}

#[tokio::test]
async fn a_value_that_was_changed_by_other_means_is_named_and_not_guessed() {
    let house = House::local().await;
    house.load(replace(vec![slice("a", 3)])).await;
    house.sql("UPDATE slices SET blob = '../../etc/passwd'").await;
    let refused = house.catalog.table(&orders(), At::Head).await.unwrap_err();
    assert_eq!(refused.to_string(), "the catalog is damaged: blob holds \"../../etc/passwd\"");
}
