//! The examples that people copy, and the page that explains the keys, are true.

use super::*;

fn project() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_page_about_settings_names_every_key_and_no_other() {
    let page = fs::read_to_string(project().join("docs/settings.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    let mut written: Vec<&str> = rows.map(|(key, _rest)| key).collect();
    written.sort_unstable();
    let known = environment::known_keys().into_iter().map(|(path, _is_typed)| path.join("."));
    // Presets are told once, for all of them.
    let known = known.filter(|path| !path.starts_with("presets.") || path.starts_with("presets.small."));
    let mut known: Vec<String> =
        known.map(|path| path.replace("presets.small.", "presets.<name>.")).collect();
    known.sort_unstable();
    assert_eq!(written, known);
}

/// Every example, with the folder where its secrets lie replaced by one that holds some.
fn example(name: &str) -> Settings {
    let secrets = tempfile::tempdir().unwrap();
    for (file, text) in [
        ("catalog-url", "postgres://db/longshore"),
        ("catalog_url", "postgres://db/longshore"),
        ("queue-url", "amqp://mq"),
        ("queue_url", "amqp://mq"),
        ("store_secret", "secret"),
    ] {
        fs::write(secrets.path().join(file), text).unwrap();
    }
    let text = fs::read_to_string(project().join(name)).unwrap();
    let here = secrets.path().to_str().unwrap();
    let text = text.replace("/etc/longshore/secrets", here).replace("/run/secrets", here);
    load(&text, &[]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_example_can_be_read() {
    let examples = fs::read_dir(project().join("docs/examples")).unwrap();
    let mut names: Vec<String> = examples
        .map(|entry| format!("docs/examples/{}", entry.unwrap().file_name().into_string().unwrap()))
        .collect();
    names.push("deploy/longshore.yaml".into());
    assert!(names.len() >= 4, "{names:?}");
    for name in names {
        example(&name);
    }
}

#[test]
fn the_example_of_a_worker_shares_everything_and_the_local_one_nothing() {
    let shares = |settings: &Settings| {
        [settings.catalog.is_some(), settings.blobs.is_some(), settings.queue.is_some()]
    };
    assert_eq!(shares(&example("docs/examples/worker.yaml")), [true; 3]);
    assert_eq!(shares(&example("deploy/longshore.yaml")), [true; 3]);
    assert_eq!(shares(&example("docs/examples/single-machine.yaml")), [false, false, true]);
    assert_eq!(shares(&example("docs/examples/local.yaml")), [false; 3]);
}
