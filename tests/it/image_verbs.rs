//! `longshore image …`: what is here, for whom, and what may go.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::house::{House, docker, fixture, has_engine};
use crate::registry::{Registry, has_registry};
use crate::running::Running;

/// An image of this test's own, on the tests' script component; it goes with this value.
struct TestImage {
    name: String,
}

impl TestImage {
    fn build(repository: &str, labels: &[&str]) -> Self {
        // A layer of its own, or removing it would free nothing.
        let unique = tempfile::TempDir::new().unwrap();
        let word =
            unique.path().file_name().unwrap().to_string_lossy().trim_start_matches('.').to_lowercase();
        let labels = labels.iter().fold(String::new(), |lines, label| lines + "LABEL " + label + "\n");
        let raw_shell = std::fs::read_to_string(fixture("images/raw-shell/Dockerfile")).unwrap();
        let dockerfile = format!("{raw_shell}\nRUN head -c 1000000 /dev/urandom > /{word}\n{labels}");
        std::fs::write(unique.path().join("Dockerfile"), dockerfile).unwrap();
        let name = format!("{repository}:{word}");
        docker(&["build", "--quiet", "--network", "none", "--tag", &name, unique.path().to_str().unwrap()]);
        Self { name }
    }

    fn exists(&self) -> bool {
        let inspected = Command::new("docker").args(["image", "inspect", &self.name]).output().unwrap();
        inspected.status.success()
    }

    fn uri(&self) -> &str {
        self.name.split_once(':').unwrap().0
    }

    fn tag(&self) -> &str {
        self.name.split_once(':').unwrap().1
    }

    /// A spec of the tests' script component with this image.
    fn spec(&self, id: &str) -> String {
        format!("id: {id}\nimage: {{uri: {}, tag: '{}'}}\n", self.uri(), self.tag())
    }
}

impl Drop for TestImage {
    fn drop(&mut self) {
        drop(Command::new("docker").args(["image", "rm", "--force", &self.name]).output());
    }
}

fn report(house: &House, arguments: &[&str]) -> Value {
    let arguments = [&["image"], arguments, &["--format", "json"]].concat();
    serde_json::from_str(&house.call(&arguments).succeeded().stdout).unwrap()
}

fn line_of<'a>(report: &'a Value, key: &str, value: &str) -> &'a Value {
    let lines = report.as_array().unwrap().iter();
    let fits = |line: &&Value| {
        line[key] == value || line[key].as_array().is_some_and(|all| all.contains(&value.into()))
    };
    lines.into_iter().find(fits).unwrap_or_else(|| panic!("no {key} {value} in {report:#}"))
}

#[test]
fn ls_tells_the_image_of_each_component_and_which_is_not_here() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let image = TestImage::build("longshore-test/listed", &[]);
    house.write("component-specs/here.yaml", image.spec("here"));
    house.write("component-specs/away.yaml", "id: away\nimage: {uri: nowhere.invalid/away, tag: '7'}\n");
    let listed = report(&house, &["ls"]);
    let here = line_of(&listed, "components", "here");
    assert_eq!((&here["name"], &here["origin"]), (&json!(image.name), &json!("foreign")));
    assert_eq!(
        (&here["last_used"], &here["in_use"], &here["locks"]),
        (&Value::Null, &json!(false), &json!([]))
    );
    let away = line_of(&listed, "components", "away");
    assert_eq!((&away["name"], &away["id"]), (&json!("nowhere.invalid/away:7"), &Value::Null));
    assert_eq!(
        listed.as_array().unwrap().len(),
        2,
        "what is nobody's business here is not listed: {listed:#}"
    );
    let all = report(&house, &["ls", "--all"]);
    line_of(&all, "name", "longshore/shell:1.35-1");

    house.write("task.yaml", "parameters: {script: 'true'}\n");
    house.call(&["run", "here", "--config", "task.yaml"]).succeeded();
    let listed = report(&house, &["ls"]);
    let here = line_of(&listed, "components", "here");
    assert_eq!(here["locks"][0]["reference"], image.name);
    assert!(here["last_used"].is_string(), "{here:#}");
    let text = house.call(&["image", "ls"]).succeeded().stdout;
    assert!(text.contains("locked by release") && text.contains("not here"), "{text}");
}

#[test]
fn inspect_knows_an_image_by_component_name_and_id() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let image = TestImage::build("longshore-test/inspected", &["org.example=yes"]);
    house.write("component-specs/thing.yaml", image.spec("thing"));
    let by_component = report(&house, &["inspect", "thing"]);
    assert_eq!(by_component[0]["tags"], json!([image.name]));
    assert_eq!(by_component[0]["components"], json!(["thing"]));
    assert_eq!(by_component[0]["labels"]["org.example"], "yes");
    assert_eq!(by_component[0]["base"], "longshore/shell:1.35-1", "it is inherited");
    assert_eq!(by_component[0]["successor"], Value::Null);
    let id = by_component[0]["id"].as_str().unwrap();
    let short: String = id.chars().skip("sha256:".len()).take(12).collect();
    for name in [image.name.as_str(), id, &short] {
        assert_eq!(report(&house, &["inspect", name]), by_component, "{name}");
    }
    let ran = house.call(&["image", "inspect", "nothing"]).failed(1);
    assert!(ran.stderr.contains("no image of nothing is here"), "{}", ran.stderr);
}

#[test]
fn components_on_a_superseded_base_are_listed_with_its_successor() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ours = TestImage::build("longshore-test/aged", &["longshore.base=longshore/python:1.0.0"]);
    let theirs = TestImage::build("longshore-test/acme", &["longshore.base=acme/base:1"]);
    let current = TestImage::build("longshore-test/current", &[]);
    house.write("component-specs/ours.yaml", ours.spec("ours"));
    house.write("component-specs/theirs.yaml", theirs.spec("theirs"));
    house.write("component-specs/current.yaml", current.spec("current"));
    house.write(
        "base-images/acme/image.yaml",
        "image: acme/base\nversion: '2'\nsuperseded:\n  '1': {successor: 'acme/base:2', why: too old}\n",
    );
    let outdated = report(&house, &["outdated"]);
    let told = |component| {
        let line = line_of(&outdated, "component", component);
        (line["base"].clone(), line["successor"].clone(), line["is_outdated"].clone())
    };
    assert_eq!(
        told("ours"),
        (json!("longshore/python:1.0.0"), json!("longshore/python:3.11-1"), json!(true))
    );
    assert_eq!(told("theirs"), (json!("acme/base:1"), json!("acme/base:2"), json!(true)));
    assert_eq!(told("current"), (json!("longshore/shell:1.35-1"), Value::Null, json!(false)));
    let text = house.call(&["image", "outdated"]).succeeded().stdout;
    assert!(text.contains("base superseded by acme/base:2: too old"), "{text}");
    house.write("base-images/acme/image.yaml", "image: acme/base\n");
    let ran = house.call(&["image", "outdated"]).failed(1);
    assert!(ran.stderr.contains("image.yaml:1:1") && ran.stderr.contains("version"), "{}", ran.stderr);
}

/// Runs the image once, as a component that is not among the project's specs.
fn run_once(house: &House, image: &TestImage, script: &str) -> std::process::Command {
    let spec = house.write("elsewhere/thing.yaml", image.spec("thing"));
    house.write("task.yaml", json!({ "parameters": { "script": script } }).to_string());
    house.command(&["run", spec.to_str().unwrap(), "--config", "task.yaml"])
}

#[test]
fn gc_removes_what_nobody_needs_and_says_how_much_that_was() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let image = TestImage::build("longshore-build/gc", &["longshore.build.source=file:///somewhere"]);
    let stranger =
        TestImage::build("longshore-build/stranger", &["longshore.build.source=file:///elsewhere"]);
    assert_eq!(
        report(&house, &["gc", "--unused-for", "0s"])["removed"],
        json!([]),
        "no job here ever ran it"
    );
    crate::house::ran(run_once(&house, &image, "true").output().unwrap()).succeeded();

    let kept = report(&house, &["gc"]);
    assert_eq!((&kept["removed"], &kept["kept"][0]["why"]), (&json!([]), &json!("used recently")));
    let roomy = report(&house, &["gc", "--unused-for", "0s", "--keep-free", "1m"]);
    assert_eq!((&roomy["removed"], &roomy["kept"][0]["why"]), (&json!([]), &json!("room enough")));
    house.write("component-specs/thing.yaml", image.spec("thing"));
    let named = report(&house, &["gc", "--unused-for", "0s"]);
    assert_eq!((&named["removed"], &named["kept"][0]["why"]), (&json!([]), &json!("named by a spec")));
    std::fs::remove_file(house.path().join("component-specs/thing.yaml")).unwrap();
    let pretended = report(&house, &["gc", "--unused-for", "0s", "--dry-run"]);
    assert_eq!(pretended["removed"][0]["name"], image.name);
    assert!(image.exists(), "a dry run removes nothing");

    let done = report(&house, &["gc", "--unused-for", "0s", "--keep-free", "99%"]);
    assert_eq!(done["removed"].as_array().unwrap().len(), 1, "{done:#}");
    assert_eq!(done["removed"][0]["name"], image.name);
    assert!(done["removed"][0]["bytes"].as_u64().unwrap() >= 1_000_000, "{done:#}");
    assert!(!image.exists() && stranger.exists());
}

#[test]
fn images_are_measured_although_others_measure_them_too() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let measure =
        || house.command(&["image", "gc", "--dry-run", "--format", "json"]).stdout(Stdio::null()).spawn();
    let measuring: Vec<_> = std::iter::repeat_with(measure).take(6).collect();
    for one in measuring {
        assert!(one.unwrap().wait().unwrap().success());
    }
}

#[test]
fn gc_leaves_the_image_of_a_running_job() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let image = TestImage::build("longshore-build/busy", &["longshore.build.source=file:///somewhere"]);
    let mut running = Running::start(&mut run_once(
        &house,
        &image,
        "echo begun; until [ -e /data/in/state.json.gone ]; do sleep 0.1; done",
    ));
    running.wait_for("begun");
    let kept = report(&house, &["gc", "--unused-for", "0s"]);
    assert_eq!((&kept["removed"], &kept["kept"][0]["why"]), (&json!([]), &json!("in use")));
    assert!(image.exists());
    running.signal("INT");
    running.finish().failed(130);
    house.is_clean();
}

#[test]
fn pull_and_build_send_each_other_what_is_not_theirs() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let spec = fixture("components/raw-shell.yaml");
    let spec = spec.to_str().unwrap();
    let ran = house.call(&["image", "build", spec]).failed(1);
    assert!(ran.stderr.contains("longshore image pull"), "{}", ran.stderr);
    house.write("built.yaml", "id: built\nimage: {build: {path: .}}\n");
    let ran = house.call(&["image", "pull", "built.yaml"]).failed(1);
    assert!(ran.stderr.contains("longshore image build"), "{}", ran.stderr);
    let pulled = report(&house, &["pull", spec]);
    assert_eq!((&pulled["done"], &pulled["policy"]), (&json!("present"), &json!("release")));
    let ran = house.call(&["image", "pull", "raw-shel"]).failed(1);
    assert!(ran.stderr.contains("raw-shel not found"), "{}", ran.stderr);
    let unlocked = report(&house, &["unlock", spec]);
    assert_eq!(unlocked, json!({ "reference": "longshore-test/raw-shell:1", "was_locked": true }));
    assert_eq!(report(&house, &["unlock", spec])["was_locked"], false);
}

#[test]
fn a_lock_moves_when_it_is_told_to_and_gc_takes_what_it_meant_before() {
    if !has_engine() || !has_registry() {
        return;
    }
    let house = House::new();
    let registry = Registry::start(&[]);
    let first = registry.push("acme/x:1", "first");
    let (uri, reference) = (registry.reference("acme/x"), registry.reference("acme/x:1"));
    house.write("component-specs/x.yaml", format!("id: x\nimage: {{uri: '{uri}', tag: '1'}}\n"));
    house.write("task.yaml", "parameters: {script: 'true'}\n");
    let run =
        || house.call(&["run", "x", "--config", "task.yaml", "--format", "json"]).succeeded().document();
    assert_eq!(run()["image"]["digest"], first);
    let second = registry.push("acme/x:1", "second");
    assert_eq!(run()["image"]["digest"], first, "the policy is release");

    let outdated = report(&house, &["outdated"]);
    assert_eq!((&outdated[0]["component"], &outdated[0]["newest_digest"]), (&json!("x"), &json!(second)));
    assert_eq!(report(&house, &["outdated", "--offline"])[0]["newest_digest"], Value::Null);
    assert_eq!(report(&house, &["lock", "x"])["digest"], second);
    assert_eq!(report(&house, &["outdated"])[0]["newest_digest"], Value::Null);

    let done = report(&house, &["gc", "--unused-for", "0s"]);
    assert_eq!(done["removed"][0]["name"], format!("{uri}@{first}"), "{done:#}");
    assert_eq!(done["kept"].as_array().map(Vec::len), Some(1), "{done:#}");
    let after = run();
    assert_eq!((&after["image"]["digest"], &after["image"]["action"]), (&json!(second), &json!("present")));

    std::fs::remove_file(house.path().join("component-specs/x.yaml")).unwrap();
    assert_eq!(report(&house, &["gc", "--unused-for", "0s"])["removed"][0]["name"], reference);
    let again = report(&house, &["pull", &reference]);
    assert_eq!((&again["digest"], &again["done"]), (&json!(second), &json!("pulled")), "the lock was kept");
    Registry::forget(&reference);
}

/// The documents of a page that say in a comment which file they are.
fn examples(page: &str, end: &str) -> Vec<(String, String)> {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let page = std::fs::read_to_string(path).unwrap();
    let fenced =
        page.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("```")).map(|(text, _rest)| text);
    let named = fenced.filter_map(|text| Some((text.strip_prefix("# ")?.split_once('\n')?.0, text)));
    named
        .filter(|(name, _text)| name.ends_with(end))
        .map(|(name, text)| (name.to_owned(), text.to_owned()))
        .collect()
}

#[test]
fn the_examples_of_the_page_about_images_are_read_without_a_complaint() {
    let house = House::new();
    let specs = examples("docs/images.md", ".yaml");
    assert!(specs.len() >= 5, "{specs:?}");
    house.write("secrets/registry", "secret\n");
    for (name, text) in &specs {
        house.write(name, text);
    }
    for (name, _text) in specs.iter().filter(|(name, _text)| name.starts_with("component-specs/")) {
        house.call(&["component", "check", name]).succeeded();
    }
}
