use jiff::Timestamp;
use serde_json::json;

use super::world::{World, at, id, words, write};
use crate::component::DocumentFormat;
use crate::job::{AttemptNumber, FileId, FileQuery, JobId};
use crate::mapping::{DataFolder, Owner, State, read_state};

#[tokio::test]
async fn a_state_that_is_not_written_is_erased() {
    let world = World::new().await;
    let folder = world.folder().await;
    assert_eq!(read_state(&folder).await.unwrap(), json!({}));
    write(&folder, "out/state.json", r#"{"cursor": {"empty": {}}}"#);
    assert_eq!(read_state(&folder).await.unwrap(), json!({"cursor": {"empty": {}}}));
    write(&folder, "out/state.json", "[]");
    assert_eq!(read_state(&folder).await.unwrap(), json!({}));
}

#[tokio::test]
async fn a_state_that_is_no_json_object_is_refused_with_its_place() {
    let world = World::new().await;
    let folder = world.folder().await;
    write(&folder, "out/state.json", "{\n  \"a\": nope\n}");
    let told = read_state(&folder).await.unwrap_err().to_string();
    assert!(told.starts_with("out/state.json, line 2, column 9: the state is not valid JSON"), "{told}");
    write(&folder, "out/state.json", "3");
    let told = read_state(&folder).await.unwrap_err().to_string();
    assert_eq!(told, "out/state.json: the state must be an object, this is a number");
    std::fs::remove_file(at(&folder, "out/state.json")).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", at(&folder, "out/state.json")).unwrap();
    let told = read_state(&folder).await.unwrap_err().to_string();
    assert_eq!(told, "out/state.json is a symbolic link: only plain files are taken");
}

#[tokio::test]
async fn a_state_of_more_than_sixteen_mebibytes_is_refused_unread() {
    let world = World::new().await;
    let folder = world.folder().await;
    let file = std::fs::File::create(at(&folder, "out/state.json")).unwrap();
    file.set_len((16 << 20) + 1).unwrap();
    let told = read_state(&folder).await.unwrap_err().to_string();
    assert_eq!(told, "out/state.json has 16777217 bytes, at most 16777216 are read (write less into it)");
}

#[tokio::test]
async fn a_component_that_reads_yaml_writes_its_state_in_yaml() {
    let world = World::new().await;
    let work = world.home.path().join("work");
    let (job, attempt) = (JobId::fresh(), AttemptNumber::FIRST);
    let folder = DataFolder::create(&work, job, attempt, Owner::Image, DocumentFormat::Yaml).await.unwrap();
    write(&folder, "out/state.yml", "cursor:\n  - 7\n");
    assert_eq!(read_state(&folder).await.unwrap(), json!({"cursor": [7]}));
    write(&folder, "out/state.yml", "cursor: {\n");
    let told = read_state(&folder).await.unwrap_err().to_string();
    assert!(told.starts_with("out/state.yml:1:9: "), "{told}");
}

#[test]
fn a_stored_state_reads_back_as_it_was() {
    let mut state = State { component: json!({"a": [1, {}]}), ..State::default() };
    let made: Timestamp = "2024-05-01T10:00:00.123456Z".parse().unwrap();
    state.seen.note_table(&id("in.c-main.orders"), made);
    let query = FileQuery::Tags { include: words(&["a", "b"]), exclude: words(&["c"]) };
    state.seen.note_files(&query, FileId(7));
    assert_eq!(State::parse(&state.render()).unwrap(), state);
    assert_eq!(
        state.render(),
        r#"{"component":{"a":[1,{}]},"storage":{"input":{"tables":[{"source":"in.c-main.orders","lastImportDate":"2024-05-01T10:00:00.123456Z"}],"files":[{"tags":[{"name":"a","match":"include"},{"name":"b","match":"include"},{"name":"c","match":"exclude"}],"lastImportId":7}]}}}"#
    );
    assert!(State::parse(r#"{"other": 1}"#).is_err());
}
