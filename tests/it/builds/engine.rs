//! What the engine is asked to build, and when it is asked again.

use std::process::Command;

use super::{Site, image, saying};
use crate::house::{House, docker, has_engine};
use crate::repository::Repository;
use crate::running::Running;

#[test]
fn a_dockerfile_that_fails_shows_its_log() {
    if !has_engine() {
        return;
    }
    let failing = "FROM longshore/shell:1.35-1\nRUN echo the compiler is missing >&2 && exit 3\n";
    let repository = Repository::new(&[("Dockerfile", failing)]);
    let site = Site::of(&repository, "");
    let ran = site.run();
    assert_eq!(ran.error_code(), "image_build_failed");
    let message = ran.message();
    assert!(message.contains("returned a non-zero code: 3"), "{message}");
    assert!(message.contains("\nthe compiler is missing"), "{message}");
    assert!(site.events(&ran.job()).contains("the compiler is missing"));
    site.house.is_clean();
    repository.commit(&[("Dockerfile", "FROM longshore/shell:1.35-1\nFRUM x\n")]);
    assert!(
        Site::of(&repository, "")
            .refused("image_build_failed")
            .to_lowercase()
            .contains("unknown instruction")
    );
}

#[test]
fn another_tag_of_an_image_that_is_built_is_refused() {
    let house = House::new();
    house.write("component-specs/built.yaml", "id: built\nimage: {build: {path: .}}\n");
    let ran = house.call(&["run", "built", "--tag", "2.0"]).failed(2);
    assert!(ran.stderr.contains("--tag: the image of built is built"), "{}", ran.stderr);
    // As a configuration or a message may ask for it too.
    house.write("task.yaml", "runtime: {image_tag: '2.0'}\n");
    let ran = house.call(&["run", "built", "--config", "task.yaml", "--format", "json"]).failed(1);
    assert_eq!(ran.error_code(), "configuration_invalid");
    assert!(ran.message().starts_with("the tag 2.0 is asked for, but the image of built is built"));
}

#[test]
fn a_folder_is_built_again_when_its_files_change() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    // A path that no other test has.
    let source = format!("../{}/source", house.path().file_name().unwrap().display());
    let site = Site { house, source };
    site.write_spec(&format!("{{build: {{path: '{}'}}}}", site.source));
    site.house.write(
        "source/Dockerfile",
        "FROM longshore/shell:1.35-1\nCOPY . /source\nENTRYPOINT [\"cat\", \"/source/word\"]\n",
    );
    site.house.write("source/.dockerignore", "*.log\n");
    site.house.write("source/word", site.source.as_bytes());
    let present = |word: &str| ("present".to_owned(), word.to_owned());
    assert_eq!(site.run_to_words(), ("built".to_owned(), site.source.clone()));
    assert_eq!(site.run_to_words(), present(&site.source));
    site.house.write("source/a.log", "left out");
    assert_eq!(site.run_to_words(), present(&site.source));
    site.house.write("source/word", "other");
    assert_eq!(site.run_to_words(), ("built".to_owned(), "other".to_owned()));
    site.house.is_clean();
}

#[test]
fn an_image_is_built_again_when_its_base_moved() {
    if !has_engine() {
        return;
    }
    let base = Base(format!("longshore-test/base-{}:1", std::process::id()));
    docker(&["tag", "longshore/shell:1.35-1", &base.0]);
    let repository =
        Repository::new(&[("Dockerfile", &format!("FROM {}\nENTRYPOINT [\"echo\", \"x\"]\n", base.0))]);
    let site = Site::of(&repository, "");
    assert_eq!(site.run_to_words().0, "built");
    assert_eq!(site.run_to_words().0, "present");
    docker(&["tag", "longshore-test/raw-shell:1", &base.0]);
    assert_eq!(site.run_to_words().0, "built");
    docker(&["tag", "longshore/shell:1.35-1", &base.0]);
    assert_eq!(site.run_to_words().0, "present");
}

/// A name of an image that is taken off again.
struct Base(String);

impl Drop for Base {
    fn drop(&mut self) {
        Command::new("docker").args(["rmi", &self.0]).output().ok();
    }
}

#[test]
fn who_wants_the_same_at_the_same_time_gets_one_build() {
    if !has_engine() {
        return;
    }
    let repository = Repository::new(&[("Dockerfile", &saying("together"))]);
    let site = Site::of(&repository, "");
    let running: Vec<Running> =
        (0..3).map(|_| Running::start(&mut site.house.command(&Site::arguments()))).collect();
    let mut actions: Vec<String> = running
        .into_iter()
        .map(|running| image(&running.finish().succeeded())["action"].as_str().unwrap().to_owned())
        .collect();
    actions.sort();
    assert_eq!(actions, ["built", "present", "present"]);
    site.house.is_clean();
}

#[test]
fn a_build_that_is_interrupted_leaves_nothing() {
    if !has_engine() {
        return;
    }
    let word = "interrupted-build";
    let repository = Repository::new(&[(
        "Dockerfile",
        &format!("FROM longshore/shell:1.35-1\nRUN echo {word} && sleep 600\n"),
    )]);
    let site = Site::of(&repository, "");
    let mut command = site.house.command(&["run", "built.yaml", "--config", "task.json"]);
    let mut running = Running::start(&mut command);
    running.wait_for("Step 2/");
    running.signal("INT");
    let ended = running.finish();
    assert_ne!(ended.code, 0, "{}", ended.stderr);
    site.house.is_clean();
    let is_building = || docker(&["ps", "--all", "--no-trunc", "--format", "{{.Command}}"]).contains(word);
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while is_building() {
        assert!(std::time::Instant::now() < deadline, "the build goes on");
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(site.images(), Vec::<String>::new());
}
