//! Components that are only a git repository, or a folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::Command;

use serde_json::Value;

use crate::house::{House, Ran, docker, has_engine, ran};
use crate::repository::{GitServer, Repository, base64};
use crate::running::Running;

/// A house with a component that is built. The images that were built in it go with it.
struct Site {
    house: House,
    /// As the images name where they are from.
    source: String,
}

impl Site {
    fn of(repository: &Repository, more: &str) -> Self {
        Self::new(&repository.url(), "", more)
    }

    /// `policy` and further keys of the build as they stand in the spec.
    fn new(url: &str, policy: &str, more: &str) -> Self {
        let site = Self { house: House::new(), source: url.to_owned() };
        site.house.write("longshore.yaml", "git: {allow_file: true}\n");
        site.write_spec(&format!("{{{policy} build: {{git: '{url}', {more}}}}}"));
        site
    }

    fn write_spec(&self, image: &str) {
        let spec = format!("id: built\nimage: {image}\nresources: {{preset: xsmall}}\nnetwork: none\n");
        self.house.write("built.yaml", spec);
        self.house.write("task.json", "{}");
    }

    fn arguments() -> [&'static str; 6] {
        ["run", "built.yaml", "--config", "task.json", "--format", "json"]
    }

    fn run(&self) -> Ran {
        self.house.call(&Self::arguments())
    }

    /// What was done for the image, and what the component said.
    fn run_to_words(&self) -> (String, String) {
        let ran = self.run().succeeded();
        let said = self.house.call(&["job", "log", &ran.job()]).succeeded().stdout;
        (image(&ran)["action"].as_str().unwrap().to_owned(), said.trim().to_owned())
    }

    fn refused(&self, code: &str) -> String {
        let ran = self.run();
        assert_eq!(ran.error_code(), code, "{}", ran.stdout);
        ran.message()
    }

    fn events(&self, job: &str) -> String {
        self.house.call(&["job", "log", job, "--events"]).succeeded().stdout
    }

    /// Ids of the images that say they are from here.
    fn images(&self) -> Vec<String> {
        let listed = docker(&["images", "--filter", "label=longshore.build.source", "--format", "{{.ID}}"]);
        let is_ours = |id: &&str| {
            let format = "{{index .Config.Labels \"longshore.build.source\"}}";
            // An image of another test may be gone by now.
            let output = Command::new("docker").args(["inspect", "--format", format, id]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).starts_with(&self.source)
        };
        listed.lines().filter(is_ours).map(str::to_owned).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for id in self.images() {
            Command::new("docker").args(["rmi", "--force", &id]).output().ok();
        }
    }
}

fn image(ran: &Ran) -> Value {
    ran.document()["image"].clone()
}

/// What opens the private repository.
const TOKEN: &str = "tok-5f3a9c1e7b";

/// A Dockerfile whose component says a word.
fn saying(word: &str) -> String {
    format!("FROM longshore/shell:1.35-1\nRUN echo {word} > /word\nENTRYPOINT [\"cat\", \"/word\"]\n")
}

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

#[test]
fn a_repository_that_tries_tricks_is_refused() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let mark = house.path().join("mark");
    for url in
        [format!("ext::sh -c touch% {}", mark.display()), format!("--upload-pack=touch {}", mark.display())]
    {
        house.write("built.yaml", format!("id: built\nimage: {{build: {{git: '{url}'}}}}\n"));
        house.write("task.json", "{}");
        let ran = house.call(&Site::arguments()).failed(1);
        assert!(ran.stderr.contains("image.build.git: not an address"), "{}", ran.stderr);
    }
    assert!(!mark.exists());

    let linked = Repository::new(&[("real/Dockerfile", &saying("linked"))]);
    symlink("real/Dockerfile", linked.path().join("Dockerfile")).unwrap();
    symlink("real", linked.path().join("folder")).unwrap();
    linked.commit(&[]);
    let said = Site::of(&linked, "").refused("configuration_invalid");
    assert!(said.contains("Dockerfile is a symbolic link"), "{said}");
    let said = Site::of(&linked, "context: folder").refused("configuration_invalid");
    assert!(said.contains("folder is not a plain folder"), "{said}");

    let inner = Repository::new(&[("x", "x")]);
    let outer = Repository::new(&[("Dockerfile", &saying("outer"))]);
    outer.git(&["submodule", "--quiet", "add", &inner.url(), "vendor/inner"]);
    outer.commit(&[]);
    let said = Site::of(&outer, "").refused("configuration_invalid");
    assert!(said.contains("submodule vendor/inner"), "{said}");

    let site = Site::of(&linked, "context: real");
    site.house.write("longshore.yaml", "");
    assert!(site.refused("configuration_invalid").contains("git.allow_file"));
}

#[test]
fn nothing_that_a_repository_or_the_machine_configures_is_run() {
    if !has_engine() {
        return;
    }
    let attributes = "* filter=evil\n";
    let repository = Repository::new(&[("Dockerfile", &saying("quiet")), (".gitattributes", attributes)]);
    let site = Site::of(&repository, "");
    let mark = site.house.path().join("mark");
    let touch = format!("touch {}", mark.display());
    let hook = site.house.write("hooks/reference-transaction", format!("#!/bin/sh\n{touch}\n"));
    let mut permissions = fs::metadata(&hook).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&hook, permissions).unwrap();
    let hooks = hook.parent().unwrap().display().to_string();
    let text =
        format!("[core]\nhooksPath = {hooks}\nfsmonitor = {touch}\n[filter \"evil\"]\nsmudge = {touch}\n");
    let configuration = site.house.write("gitconfig", text);
    let mut command = site.house.command(&Site::arguments());
    command.env("GIT_CONFIG_GLOBAL", configuration).env("GIT_TEMPLATE_DIR", site.house.path());
    assert_eq!(image(&ran(command.output().unwrap()).succeeded())["action"], "built");
    assert!(!mark.exists());
}

#[test]
fn a_context_that_is_too_large_is_refused() {
    if !has_engine() {
        return;
    }
    // Bytes that cannot be packed smaller, and bytes that can.
    let mut noise = 0_u64;
    let mut next = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{noise:016x}")
    };
    let hard: String = (0..200_000).map(|_| next()).collect();
    for (bytes, words) in [(hard, "bytes packed"), ("x".repeat(3 << 20), "more than the 1048576 allowed")] {
        let repository = Repository::new(&[("Dockerfile", &saying("large")), ("bytes", &bytes)]);
        let site = Site::of(&repository, "");
        site.house.write("longshore.yaml", "git: {allow_file: true, size_max: 1m}\n");
        let said = site.refused("configuration_invalid");
        assert!(said.contains(words), "{said}");
        site.house.is_clean();
    }
}

#[test]
fn another_tag_of_an_image_that_is_built_is_refused() {
    let house = House::new();
    house.write("component-specs/built.yaml", "id: built\nimage: {build: {path: .}}\n");
    let ran = house.call(&["run", "built", "--tag", "2.0"]).failed(2);
    assert!(ran.stderr.contains("--tag: the image of built is built"), "{}", ran.stderr);
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
