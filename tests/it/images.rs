//! Which image a job runs, and what its registry is asked for it. The registry's access log is the witness.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use serde_json::{Value, json};

use crate::house::{House, Ran, docker, fixture, has_engine, ran};
use crate::registry::{PASSWORD, Registry, USERNAME, has_registry};
use crate::running::Running;

fn is_ready() -> bool {
    has_registry() && has_engine()
}

/// A job whose component says which image it is.
fn job(house: &House, image: &str, more: &[&str]) -> Command {
    let spec = fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
    let whole = "image:\n  uri: longshore-test/raw-shell\n  tag: \"1\"\n";
    assert!(spec.contains(whole), "the fixture has changed");
    house.write("raw-shell.yaml", spec.replace(whole, &format!("image: {{{image}}}\n")));
    let task = json!({ "parameters": { "script": "cat /content" } });
    house.write("task.json", task.to_string());
    let arguments = ["run", "raw-shell.yaml", "--config", "task.json", "--format", "json"];
    let mut command = house.command(&[&arguments, more].concat());
    // Whoever runs the tests may be logged in somewhere.
    command.env("DOCKER_CONFIG", house.path().join("no-docker-config"));
    command
}

fn run(house: &House, image: &str) -> Ran {
    ran(job(house, image, &[]).output().unwrap())
}

/// What the job's image was and what was done for it.
fn image_of(ran: &Ran) -> Value {
    ran.document()["image"].clone()
}

fn said(house: &House, ran: &Ran) -> String {
    house.call(&["job", "log", &ran.job()]).succeeded().stdout
}

fn action(ran: &Ran) -> String {
    image_of(ran)["action"].as_str().unwrap().to_owned()
}

#[test]
fn release_resolves_a_tag_once_and_asks_nothing_again() {
    if !is_ready() {
        return;
    }
    let (house, mut registry) = (House::new(), Registry::start(&[]));
    let digest = registry.push("x:1", "first");
    let image = format!("uri: {}, tag: '1'", registry.reference("x"));
    registry.asked();
    let first = run(&house, &image).succeeded();
    let id = docker(&["image", "inspect", "--format", "{{.Id}}", &registry.reference("x:1")]);
    let expected = |action: &str| {
        json!({
            "reference": registry.reference("x:1"), "id": id.trim(), "digest": digest,
            "policy": "release", "action": action,
        })
    };
    assert_eq!(image_of(&first), expected("pulled"));
    let present = expected("present");
    let asked = registry.asked();
    assert!(asked.contains(&"HEAD /v2/x/manifests/1".to_owned()), "{asked:?}");
    assert_eq!(image_of(&run(&house, &image).succeeded()), present);
    assert_eq!(registry.asked(), [""; 0], "a second run asked");
    // The tag moves there, and here.
    registry.push("x:1", "second");
    docker(&["pull", "--quiet", &registry.reference("x:1")]);
    registry.asked();
    let later = run(&house, &image).succeeded();
    assert_eq!((image_of(&later), registry.asked()), (present, Vec::new()), "the tag has moved");
    assert!(said(&house, &later).ends_with("first"));
}

#[test]
fn release_fetches_a_removed_image_by_its_digest() {
    if !is_ready() {
        return;
    }
    let (house, mut registry) = (House::new(), Registry::start(&[]));
    let digest = registry.push("x:1", "first");
    let image = format!("uri: {}, tag: '1'", registry.reference("x"));
    run(&house, &image).succeeded();
    registry.push("x:1", "second");
    let first = registry.reference(&format!("x@{digest}"));
    Registry::forget(&first);
    registry.asked();
    let again = run(&house, &image).succeeded();
    assert_eq!(
        (action(&again).as_str(), image_of(&again)["digest"].as_str()),
        ("pulled", Some(digest.as_str()))
    );
    assert!(said(&house, &again).ends_with("first"));
    let asked = registry.asked();
    assert!(!asked.iter().any(|line| line.ends_with("/manifests/1")), "it asked for the tag: {asked:?}");
}

#[test]
fn master_asks_one_small_question_and_pulls_what_has_moved() {
    if !is_ready() {
        return;
    }
    let (house, mut registry) = (House::new(), Registry::start(&[]));
    registry.push("x:main", "first");
    let image = format!("uri: {}, tag: main, policy: master", registry.reference("x"));
    assert_eq!(action(&run(&house, &image).succeeded()), "pulled");
    registry.asked();
    let second = run(&house, &image).succeeded();
    assert_eq!((action(&second).as_str(), said(&house, &second).contains("first")), ("present", true));
    assert_eq!(registry.asked(), ["HEAD /v2/x/manifests/main"]);
    let moved = registry.push("x:main", "second");
    let third = run(&house, &image).succeeded();
    assert_eq!(
        (action(&third).as_str(), image_of(&third)["digest"].as_str()),
        ("pulled", Some(moved.as_str()))
    );
    assert!(said(&house, &third).contains("second"));
}

#[test]
fn a_stopped_registry_stops_neither_release_nor_master_unless_freshness_is_demanded() {
    if !is_ready() {
        return;
    }
    let (house, mut registry) = (House::new(), Registry::start(&[]));
    registry.push("x:main", "first");
    let reference = registry.reference("x:main");
    let image = |more: &str| format!("uri: {}, tag: main{more}", registry.reference("x"));
    let (release, master) = (image(""), image(", policy: master"));
    let forbid = image(", policy: master, stale: forbid");
    run(&house, &release).succeeded();
    run(&house, &master).succeeded();
    registry.stop();
    assert_eq!(action(&run(&house, &release).succeeded()), "present");
    let stale = run(&house, &master).succeeded();
    assert_eq!(action(&stale), "stale");
    let warning = format!("whether the image {reference} has moved could not be learned");
    assert!(stale.document()["notices"][0].as_str().unwrap().starts_with(&warning), "{}", stale.stdout);
    let events = house.call(&["job", "log", &stale.job(), "--events", "--format", "json"]).succeeded().stdout;
    let warned = events.lines().find(|line| line.contains(&warning)).expect(&events);
    assert!(warned.contains("\"warning\""), "{warned}");
    let refused = run(&house, &forbid).failed(4);
    assert_eq!(refused.error_code(), "image_unavailable");
    assert!(refused.message().contains("stale: forbid"), "{}", refused.message());
    registry.start_again();
    assert_eq!(action(&run(&house, &forbid).succeeded()), "present");
}

#[test]
fn a_tag_that_does_not_exist_is_told_at_once_with_its_registry() {
    if !is_ready() {
        return;
    }
    let (house, mut registry) = (House::new(), Registry::start(&[]));
    let image = format!("uri: {}, tag: none", registry.reference("x"));
    let missing = run(&house, &image).failed(4);
    assert_eq!(missing.error_code(), "image_not_found");
    let expected = format!(
        "the registry {} has no image {}; check its name and tag, or push it there",
        registry.address,
        registry.reference("x:none")
    );
    assert_eq!(missing.message(), expected);
    assert_eq!(registry.asked(), ["HEAD /v2/x/manifests/none"]);
}

/// Settings with credentials for a registry; the password lies in a file beside them.
fn set_credentials(house: &House, registry: &Registry, password: &str) {
    house.write("password", format!("{password}\n"));
    let settings = format!(
        "registries:\n  \"{}\": {{username: {USERNAME}, password_file: password, ca_file: {}}}\n",
        registry.address,
        registry.ca_file().display()
    );
    house.write("longshore.yaml", settings);
}

#[test]
fn a_registry_with_a_password_and_an_authority_of_its_own_takes_the_right_credentials_alone() {
    if !is_ready() {
        return;
    }
    let registry = Registry::start(&["password", "tls"]);
    registry.push("x:1", "secret");
    let image = format!("uri: {}, tag: '1'", registry.reference("x"));
    let reference = registry.reference("x:1");
    let house = House::new();
    set_credentials(&house, &registry, "wrong-password-0815");
    let wrong = run(&house, &image).failed(4);
    assert_eq!(wrong.error_code(), "image_not_found");
    let expected = format!(
        "the registry {} refuses the image {reference}: it does not accept the credentials of alice from the settings;",
        registry.address
    );
    assert!(wrong.message().starts_with(&expected), "{}", wrong.message());
    set_credentials(&house, &registry, PASSWORD);
    let mut running = Running::start(&mut job(&house, &image, &["--hold-at", "run"]));
    running.wait_for("holding at run");
    let container = house.containers().remove(0);
    let shown = docker(&["inspect", &container]) + &docker(&["history", "--no-trunc", &reference]);
    assert!(!shown.contains(PASSWORD), "the engine shows the password");
    let listed = Command::new("ps").args(["-eo", "args"]).output().unwrap();
    assert!(
        !String::from_utf8_lossy(&listed.stdout).contains(PASSWORD),
        "the process list shows the password"
    );
    running.signal("INT");
    let stopped = running.finish();
    let right = run(&house, &image).succeeded();
    assert_eq!(action(&right), "present");
    for (what, text) in [("stdout", &right.stdout), ("stderr", &right.stderr), ("news", &stopped.stderr)] {
        assert!(!text.contains(PASSWORD), "{what}: {text}");
    }
    for needle in [PASSWORD, "wrong-password-0815", "c3cwcmQ"] {
        let bytes = house.all_bytes();
        let is_found = bytes.windows(needle.len()).any(|window| window == needle.as_bytes());
        assert!(!is_found, "{needle} is in the project's data");
    }
}

#[test]
fn without_credentials_or_without_the_authority_the_message_says_what_to_set() {
    if !is_ready() {
        return;
    }
    let registry = Registry::start(&["password", "tls"]);
    registry.push("x:1", "secret");
    let image = format!("uri: {}, tag: '1'", registry.reference("x"));
    let house = House::new();
    let untrusted = run(&house, &image).failed(4);
    assert!(
        untrusted.message().contains("certificate") && untrusted.message().contains("ca_file"),
        "{}",
        untrusted.message()
    );
    let settings =
        format!("registries: {{\"{}\": {{ca_file: {}}}}}\n", registry.address, registry.ca_file().display());
    house.write("longshore.yaml", settings);
    let nobody = run(&house, &image).failed(4);
    assert_eq!(nobody.error_code(), "image_not_found");
    assert!(nobody.message().contains("no credentials are set; set `registries`"), "{}", nobody.message());
}

#[test]
fn dockers_own_configuration_and_its_helpers_are_used() {
    if !is_ready() {
        return;
    }
    let mut registry = Registry::start(&["password"]);
    registry.push("x:1", "secret");
    let image = format!("uri: {}, tag: '1', policy: master", registry.reference("x"));
    let house = House::new();
    let from_file = job(&house, &image, &[]).env("DOCKER_CONFIG", registry.docker_config()).output().unwrap();
    assert_eq!(action(&ran(from_file).succeeded()), "pulled");
    let helper = format!(
        "#!/bin/sh\nread server || test -n \"$server\"\ntest \"$1 $server\" = 'get {}' || exit 1\n\
         echo '{{\"ServerURL\":\"x\",\"Username\":\"{USERNAME}\",\"Secret\":\"{PASSWORD}\"}}'\n",
        registry.address
    );
    let helper = house.write("bin/docker-credential-test", helper);
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let config = json!({ "credHelpers": { &registry.address: "test" } });
    house.write("docker/config.json", config.to_string());
    let path = format!("{}:/usr/bin:/bin", house.path().join("bin").display());
    registry.asked();
    let from_helper = job(&house, &image, &[])
        .env("DOCKER_CONFIG", house.path().join("docker"))
        .env("PATH", path)
        .output()
        .unwrap();
    assert_eq!(action(&ran(from_helper).succeeded()), "present");
    // Once as nobody, once as alice.
    assert_eq!(registry.asked(), ["HEAD /v2/x/manifests/1"; 2]);
    let broken = job(&house, &image, &[]).env("DOCKER_CONFIG", house.path().join("docker")).output().unwrap();
    let broken = ran(broken).failed(4);
    assert!(broken.stdout.contains("docker-credential-test cannot be run"), "{}", broken.stdout);
}

#[test]
fn ten_jobs_at_once_fetch_each_layer_once() {
    if !is_ready() {
        return;
    }
    let (house, mut registry) = (House::new(), Registry::start(&[]));
    registry.push("x:1", "first");
    let image = format!("uri: {}, tag: '1'", registry.reference("x"));
    // The catalog is made by one; ten on an empty folder are another test's.
    house.call(&["job", "ls"]).succeeded();
    registry.asked();
    // Making a command writes the spec, so all are made before one reads it.
    let mut commands: Vec<_> = (0..10).map(|_job| job(&house, &image, &[])).collect();
    let jobs: Vec<_> = commands.iter_mut().map(Running::start).collect();
    for running in jobs {
        running.finish().succeeded();
    }
    let blobs: Vec<String> = registry.asked().into_iter().filter(|line| line.contains("/blobs/")).collect();
    let mut once = blobs.clone();
    once.sort();
    once.dedup();
    assert_eq!(blobs.len(), once.len(), "{blobs:?}");
}
