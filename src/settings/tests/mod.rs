use std::fs;

use super::*;

mod examples;
mod git;
mod network;
mod registries;
mod secrets;
mod service;

fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join(FILE_NAME), text).unwrap();
    let environment = |name: &str| {
        environment.iter().find(|(known, _value)| *known == name).map(|(_, value)| (*value).to_owned())
    };
    Settings::load(folder.path(), None, environment)
}

fn said(text: &str, environment: &[(&str, &str)]) -> String {
    let SettingsError::Invalid(complaints) = load(text, environment).unwrap_err() else {
        panic!("not invalid")
    };
    let lines = complaints.0.iter().map(|complaint| {
        let file = complaint.file.rsplit('/').next().unwrap().to_owned();
        Complaint { file, ..complaint.clone() }.to_string()
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn without_a_file_the_defaults_hold_where_longshore_was_started() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings::load(folder.path(), None, |_name| None).unwrap();
    assert_eq!(
        settings,
        Settings {
            file: None,
            project_dir: folder.path().into(),
            state_dir: folder.path().join(".longshore"),
            component_specs_dir: folder.path().join("component-specs"),
            work_dir: folder.path().join(".longshore/work"),
            engine_host: None,
            sync: true,
            column_names: ColumnNames::Keep,
            events_max: 10_000,
            quarantine_retention: Duration::from_secs(604_800),
            stop_grace: Duration::from_secs(10),
            engine_patience: Duration::from_secs(60),
            outputs: OutputLimits::default(),
            log_bytes_max: 1 << 30,
            disk_reserve: None,
            presets: Presets::default(),
            catalog: None,
            blobs: None,
            queue: None,
            // Of this machine; another test holds what it is of a known one.
            worker: settings.worker.clone(),
            http: Some("127.0.0.1:9090".parse().unwrap()),
            log_format: LogFormat::Text,
            otlp: None,
            git: GitOptions::default(),
            network: crate::egress::EgressOptions::default(),
            registries: RegistryAccess::default(),
            secrets: SecretOptions::default(),
        }
    );
    assert!(settings.worker.slots > 0 && settings.worker.memory_bytes > 0 && settings.worker.disk_bytes > 0);
}

#[test]
fn the_file_is_found_in_a_parent_and_its_folders_are_relative_to_it() {
    let folder = tempfile::tempdir().unwrap();
    let below = folder.path().join("a/b");
    fs::create_dir_all(&below).unwrap();
    fs::write(folder.path().join(FILE_NAME), "state_dir: state\nwork_dir: /fast/work\nsync: false\n")
        .unwrap();
    let settings = Settings::load(&below, None, |_name| None).unwrap();
    assert_eq!(settings.project_dir, folder.path());
    assert_eq!(settings.file, Some(folder.path().join(FILE_NAME)));
    assert_eq!(settings.state_dir, folder.path().join("state"));
    assert_eq!((settings.work_dir.as_path(), settings.sync), (Path::new("/fast/work"), false));
    let asked = Settings::load(folder.path(), Some(&below), |_name| None).unwrap();
    assert_eq!((asked.project_dir, asked.file), (below, None));
}

#[test]
fn a_project_that_is_no_folder_is_named() {
    let error = Settings::load(Path::new("/"), Some(Path::new("/nowhere/at/all")), |_name| None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the project /nowhere/at/all is not a folder that is there: make it, or correct --project or \
         LONGSHORE_PROJECT_DIR"
    );
}

#[test]
fn presets_can_be_changed_and_the_rest_of_them_stays() {
    let settings = load("presets: {small: {memory: 3g, cpus: 0.5}}\n", &[]).unwrap();
    let small = Presets::default().of(Preset::Small);
    let changed = crate::component::Limits { memory_bytes: 3 << 30, nano_cpus: 500_000_000, ..small };
    assert_eq!(settings.presets.of(Preset::Small), changed);
    assert_eq!(settings.presets.of(Preset::Large), Presets::default().of(Preset::Large));
}

#[test]
fn every_key_can_be_overridden_by_the_environment() {
    let environment = [
        ("LONGSHORE_STATE_DIR", "/s"),
        ("LONGSHORE_COMPONENT_SPECS_DIR", "/c"),
        ("LONGSHORE_WORK_DIR", "/w"),
        ("LONGSHORE_ENGINE_HOST", "tcp://e:1"),
        ("LONGSHORE_SYNC", "false"),
        ("LONGSHORE_COLUMN_NAMES", "sanitize"),
        ("LONGSHORE_EVENTS_MAX", "7"),
        ("LONGSHORE_QUARANTINE_RETENTION", "1h"),
        ("LONGSHORE_STOP_GRACE", "2s"),
        ("LONGSHORE_OUTPUT_FILES_MAX", "8"),
        ("LONGSHORE_LOG_BYTES_MAX", "1k"),
        ("LONGSHORE_PRESETS_XLARGE_MEMORY", "1g"),
        ("LONGSHORE_PRESETS_XLARGE_CPUS", "1"),
        ("LONGSHORE_PRESETS_XLARGE_PIDS", "9"),
        ("LONGSHORE_PRESETS_XLARGE_DISK", "1g"),
        ("LONGSHORE_PRESETS_XLARGE_TIMEOUT", "1m"),
        ("LONGSHORE_PRESETS_XLARGE_TMP", "1m"),
        ("DOCKER_HOST", "unix:///other.sock"),
        ("LONGSHORE_ENGINE_PATIENCE", "3s"),
    ];
    let settings = load("sync: true\nevents_max: 5\n", &environment).unwrap();
    let expected = Settings {
        state_dir: "/s".into(),
        component_specs_dir: "/c".into(),
        work_dir: "/w".into(),
        engine_host: Some("tcp://e:1".into()),
        sync: false,
        column_names: ColumnNames::Sanitize,
        events_max: 7,
        quarantine_retention: Duration::from_secs(3600),
        stop_grace: Duration::from_secs(2),
        engine_patience: Duration::from_secs(3),
        outputs: OutputLimits { files_max: 8, ..OutputLimits::default() },
        log_bytes_max: 1024,
        ..settings.clone()
    };
    assert_eq!(settings, expected);
    let xlarge = crate::component::Limits {
        memory_bytes: 1 << 30,
        nano_cpus: 1_000_000_000,
        pids: 9,
        disk_bytes: 1 << 30,
        timeout: Duration::from_secs(60),
        tmp_bytes: 1 << 20,
    };
    assert_eq!(settings.presets.of(Preset::Xlarge), xlarge);
    assert_eq!(settings.presets.of(Preset::Small), Presets::default().of(Preset::Small));
    assert_eq!(load("", &environment[17..18]).unwrap().engine_host.unwrap(), "unix:///other.sock");
}

#[test]
fn all_mistakes_are_told_at_once_whether_of_the_file_or_of_the_environment() {
    let text =
        "sink: true\nevents_max: none\npresets:\n  huge: {}\n  small: {memory: 12}\ncolumn_names: fix\n";
    let environment = [("LONGSHORE_SYNC", "perhaps"), ("LONGSHORE_STOP_GRACE", "10")];
    insta::assert_snapshot!(said(text, &environment), @r#"
    LONGSHORE_STOP_GRACE: stop_grace: "10" is not a duration: write e.g. 90s, 15m or 2h
    LONGSHORE_SYNC: sync: expected true or false, found a text
    longshore.yaml:1:1: sink: unknown key
    longshore.yaml:2:13: events_max: expected a whole number, found a text
    longshore.yaml:4:3: presets.huge: unknown key
    longshore.yaml:5:19: presets.small.memory: "12" is not an amount of bytes: write e.g. 256m, 2g or 512MiB
    longshore.yaml:6:15: column_names: expected one of keep, sanitize, found "fix"
    "#);
}
