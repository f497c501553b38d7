//! What is taken from a repository, and how it is reached.

use serde_json::Value;

use super::{Site, image, saying};
use crate::house::{docker, has_engine, ran};
use crate::repository::{GitServer, Repository, base64};

#[test]
fn a_repository_is_built_once_and_found_again() {
    if !has_engine() {
        return;
    }
    let repository = Repository::new(&[("Dockerfile", &saying("one"))]);
    let site = Site::of(&repository, "");
    let first = site.run().succeeded();
    assert_eq!(image(&first)["action"], "built");
    assert_eq!(image(&first)["digest"], Value::String(format!("git:{}", head(&repository))));
    let events = site.events(&first.job());
    assert!(events.contains("Step 2/") && events.contains("fetching file://"), "{events}");
    assert_eq!(site.run_to_words(), ("present".to_owned(), "one".to_owned()));
    site.house.is_clean();
}

fn head(repository: &Repository) -> String {
    repository.git(&["rev-parse", "HEAD"]).trim().to_owned()
}

#[test]
fn a_pushed_commit_is_picked_up_by_master_and_not_by_release() {
    if !has_engine() {
        return;
    }
    let repository = Repository::new(&[("Dockerfile", &saying("one"))]);
    let release = Site::of(&repository, "ref: main");
    let master = Site::new(&repository.url(), "policy: master,", "ref: main");
    let words = |site: &Site| site.run_to_words();
    assert_eq!(words(&release), ("built".to_owned(), "one".to_owned()));
    assert_eq!(words(&master), ("present".to_owned(), "one".to_owned()), "one build is good for both");
    repository.commit(&[("Dockerfile", &saying("two"))]);
    assert_eq!(words(&release), ("present".to_owned(), "one".to_owned()));
    assert_eq!(words(&master), ("built".to_owned(), "two".to_owned()));
    assert_eq!(words(&master), ("present".to_owned(), "two".to_owned()));
    // Another machine, or one that was tidied up, builds what was released and not what is there now.
    for id in release.images() {
        docker(&["rmi", "--force", &id]);
    }
    assert_eq!(words(&release), ("built".to_owned(), "one".to_owned()));
}

#[test]
fn branches_tags_commits_folders_and_arguments_say_what_is_built() {
    if !has_engine() {
        return;
    }
    let file = "ARG BASE\nFROM $BASE\nARG WORD=none\nCOPY word /word\nRUN echo $WORD >> /word\n\
                ENTRYPOINT [\"cat\", \"/word\"]\n";
    let repository = Repository::new(&[("deep/er/Image", file), ("deep/er/word", "first\n")]);
    repository.git(&["tag", "--annotate", "--message", "x", "v1"]);
    let first = head(&repository);
    repository.commit(&[("deep/er/word", "second\n")]);
    repository.git(&["branch", "next"]);
    repository.commit(&[("deep/er/word", "third\n")]);
    let said = |reference: &str| {
        let more = format!(
            "ref: '{reference}', context: deep/er, dockerfile: Image, args: {{BASE: 'longshore/shell:1.35-1', WORD: w}}"
        );
        Site::of(&repository, &more).run_to_words().1
    };
    let found = ["v1", "refs/tags/v1", first.as_str(), "next", "main"].map(said);
    assert_eq!(found, ["first\nw", "first\nw", "first\nw", "second\nw", "third\nw"]);
    let site = Site::of(&repository, "ref: nowhere");
    assert!(site.refused("image_not_found").ends_with("has no branch or tag nowhere"));
    let site = Site::of(&repository, &format!("ref: {}", first.get(..8).unwrap()));
    assert!(site.refused("image_not_found").contains("a commit is named by all its digits"));
}

/// What opens the private repository.
const TOKEN: &str = "tok-5f3a9c1e7b";

#[test]
fn a_private_repository_is_read_with_a_token_that_is_seen_nowhere() {
    if !has_engine() {
        return;
    }
    let repository = Repository::new(&[("Dockerfile", &saying("private"))]);
    let server = GitServer::start(repository.path().parent().unwrap(), &format!("robot:{TOKEN}"));
    let name = repository.path().file_name().unwrap().to_str().unwrap();
    let site = Site::new(&format!("http://127.0.0.1:{}/{name}/.git", server.port), "policy: master,", "");
    let settings = |username: &str, token: &str| {
        site.house.write("token", format!("{token}\n"));
        let host = format!("127.0.0.1:{}", server.port);
        let text =
            format!("git: {{credentials: {{'{host}': {{username: {username}, token_file: token}}}}}}\n");
        site.house.write("longshore.yaml", text);
    };
    site.house.write("longshore.yaml", "");
    let missing = site.refused("image_not_found");
    assert!(missing.contains("refuses access") && missing.contains("git.credentials"), "{missing}");
    settings("robot", "wrong");
    assert!(site.refused("image_not_found").contains("refuses access"));
    settings("robot", TOKEN);
    assert_eq!(site.run_to_words(), ("built".to_owned(), "private".to_owned()));
    let asked = server.requests().len();
    assert_eq!(site.run_to_words(), ("present".to_owned(), "private".to_owned()));
    // One question without the password, one with it, and one for the branch: nothing is fetched.
    assert_eq!(server.requests().len() - asked, 3);
    let id = site.images().pop().unwrap();
    let mut seen = site.house.all_bytes();
    seen.extend(docker(&["inspect", &id]).into_bytes());
    seen.extend(docker(&["history", "--no-trunc", &id]).into_bytes());
    for secret in [TOKEN.to_owned(), base64(&format!("robot:{TOKEN}"))] {
        let is_there = seen.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!is_there, "{secret} was kept");
    }
    // Nobody answers any more: what is known runs, and says so.
    drop(server);
    let stale = site.run().succeeded();
    assert_eq!(image(&stale)["action"], "stale");
    assert!(site.events(&stale.job()).contains("cannot be reached now"));
}

#[test]
fn a_commit_is_had_from_a_server_that_gives_only_branches() {
    if !has_engine() {
        return;
    }
    let repository = Repository::new(&[("Dockerfile", &saying("old"))]);
    let old = head(&repository);
    repository.commit(&[("Dockerfile", &saying("new"))]);
    let server = GitServer::start_old(repository.path().parent().unwrap(), &format!("git:{TOKEN}"));
    let name = repository.path().file_name().unwrap().to_str().unwrap();
    let url = format!("http://127.0.0.1:{}/{name}/.git", server.port);
    let site = Site::new(&url, "", &format!("ref: '{old}'"));
    site.house.write(
        "longshore.yaml",
        format!("git: {{credentials: {{'127.0.0.1:{}': {{token_env: TEST_GIT_TOKEN}}}}}}\n", server.port),
    );
    let mut command = site.house.command(&Site::arguments());
    let ran = ran(command.env("TEST_GIT_TOKEN", TOKEN).output().unwrap()).succeeded();
    assert_eq!(image(&ran)["digest"], Value::String(format!("git:{old}")));
}
