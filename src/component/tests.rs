use std::time::Duration;

use super::*;
use crate::events::{Level, Verbosity};

const WHOLE: &str = r##"id: acme.top-customers
name: Top customers
description: One sentence.
image:
  uri: registry.example.com:5000/acme/top-customers
  tag: "1.4.0"
  policy: master
resources: {preset: small, memory: 512MiB, cpus: 1.5, timeout: 15m}
network: none
user: 1000:1000
read_only_root: true
configuration_format: yaml
default_bucket: true
default_bucket_stage: out
image_parameters: {url: "https://example.com", "#key": s3cret, nested: {}}
actions: [testConnection]
logging: {type: gelf, gelf_server_type: udp, verbosity: {100: normal}, no_application_errors: true}
processor_position: any
deterministic: true
capabilities: [CAP_NET_BIND_SERVICE]
"##;

fn parse(text: &str) -> Result<Component, Complaints> {
    parse_spec(text, "specs/acme.top-customers.yaml", &Presets::default())
}

fn said(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn a_spec_becomes_a_component() {
    let component = parse(WHOLE).unwrap();
    let small = Presets::default().of(Preset::Small);
    assert_eq!(
        component,
        Component {
            id: "acme.top-customers".parse().unwrap(),
            name: "Top customers".into(),
            description: "One sentence.".into(),
            image: ImageSource::Registry {
                uri: "registry.example.com:5000/acme/top-customers".into(),
                tag: Some("1.4.0".into()),
                digest: None,
                policy: Policy::Master,
                stale: Stale::Allow,
            },
            limits: Limits {
                memory_bytes: 512 << 20,
                nano_cpus: 1_500_000_000,
                timeout: Duration::from_secs(900),
                ..small
            },
            resources: component.resources.clone(),
            network: Network::None,
            user: User::Id { uid: 1000, gid: Some(1000) },
            read_only_root: true,
            read_only_inputs: false,
            configuration_format: DocumentFormat::Yaml,
            default_bucket: Some("out".into()),
            image_parameters: serde_json::json!({"url": "https://example.com", "#key": "s3cret", "nested": {}}),
            actions: vec!["testConnection".into()],
            logging: Logging {
                channel: LogChannel::Gelf(GelfTransport::Udp),
                verbosity: component.logging.verbosity.clone(),
                no_application_errors: true,
            },
            processor_position: ProcessorPosition::Any,
            deterministic: true,
            capabilities: vec!["NET_BIND_SERVICE".into()],
            spec_hash: component.spec_hash.clone(),
            spec_path: "specs/acme.top-customers.yaml".into(),
        }
    );
    assert_eq!(component.logging.verbosity.of(Level::Debug), Verbosity::Normal);
    assert_eq!(component.logging.verbosity.of(Level::Critical), Verbosity::Camouflage);
    assert_eq!(component.spec_hash.as_str().len(), 64);
}

#[test]
fn a_spec_needs_an_id_and_an_image_and_nothing_else() {
    let component = parse("id: acme.top-customers\nimage: {uri: acme/top}\n").unwrap();
    assert_eq!(
        (component.name.as_str(), component.network.clone()),
        ("acme.top-customers", Network::Bridge { private: Vec::new() })
    );
    assert_eq!(component.limits, Presets::default().of(Preset::DEFAULT));
    assert_eq!(
        said("{}"),
        "specs/acme.top-customers.yaml:1:1: `id` is missing\nspecs/acme.top-customers.yaml:1:1: `image` is missing"
    );
}

#[test]
fn all_mistakes_of_a_spec_are_told_at_once_with_their_places() {
    let text = "id: acme.other\nnmae: x\nimage:\n  uri: acme/top:1.0\n  tag: 1.4\nresources:\n  memory: 2 gallons\n  cpus: 0\n  timeout: 90\nnetwork: host\nread_only_root: \"yes\"\nuser: root\n";
    insta::assert_snapshot!(said(text), @r#"
    specs/acme.top-customers.yaml:1:5: id: the id is acme.other but the file is named acme.top-customers.yaml (rename it acme.other.yaml)
    specs/acme.top-customers.yaml:2:1: nmae: unknown key (did you mean name?)
    specs/acme.top-customers.yaml:4:8: image.uri: the repository must not bear a tag or digest (use `image.tag` or `image.digest`)
    specs/acme.top-customers.yaml:5:8: image.tag: expected a text, found the number 1.4 (put it in quotes)
    specs/acme.top-customers.yaml:7:11: resources.memory: "2 gallons" is not an amount of bytes: write e.g. 256m, 2g or 512MiB
    specs/acme.top-customers.yaml:8:9: resources.cpus: must be a number of processors from 0.01 to 1024
    specs/acme.top-customers.yaml:9:12: resources.timeout: "90" is not a duration: write e.g. 90s, 15m or 2h
    specs/acme.top-customers.yaml:10:10: network: expected none, bridge or a mapping, found "host" (as a mapping: {allow: ["db.example.com:5432"]} or {type: bridge, private: ["10.1.0.0/16"]})
    specs/acme.top-customers.yaml:11:17: read_only_root: expected true or false, found a text
    specs/acme.top-customers.yaml:12:7: user: expected runner, image or <uid>[:<gid>] in numbers
    "#);
}

#[test]
fn combinations_that_cannot_be_are_refused() {
    let with = |rest: &str| said(&format!("id: acme.top-customers\n{rest}"));
    let all = [
        "image: {uri: a, build: {path: .}}",
        "image: {tag: x}",
        "image: {build: {path: ., ref: main}, tag: x}",
        "image: {build: {}}",
        "image: {build: {git: u, path: p}}",
        "image: {uri: a, digest: abc}",
        "image: {uri: 'https://a/b'}",
        "image: {uri: a}\ndefault_bucket_stage: out",
        "image: {uri: a}\nlogging: {gelf_server_type: tcp}",
        "image: {uri: a}\nlogging: {verbosity: {101: none}}",
        "image: {uri: a}\nresources: {memory: 1m, pids: 0, timeout: 0s}",
        "image: {uri: a}\ncapabilities: [ALL]",
        "image: {uri: a}\ncapabilities: [cap_net_raw, ROOT]",
        "image: {uri: acme/Upper}",
        "image: {uri: acme//twice}",
        "image: {uri: a}\nimage_parameters: 5",
        "- a\n- b",
    ]
    .map(with)
    .join("\n");
    insta::assert_snapshot!(all, @r"
    specs/acme.top-customers.yaml:2:24: image.build: an image has either `uri` or `build`, not both
    specs/acme.top-customers.yaml:2:8: image: `uri` or `build` is missing (say where the image comes from)
    specs/acme.top-customers.yaml:2:31: image.build.ref: means something only with `git`
    specs/acme.top-customers.yaml:2:43: image.tag: an image that is built has no tag or digest (name the source with `build.ref`)
    specs/acme.top-customers.yaml:2:16: image.build: `git` or `path` is missing
    specs/acme.top-customers.yaml:2:31: image.build.path: a build has either `git` or `path`, not both
    specs/acme.top-customers.yaml:2:25: image.digest: not a digest: expected `sha256:` and 64 hexadecimal digits
    specs/acme.top-customers.yaml:2:14: image.uri: not an image repository (e.g. registry.example.com/acme/top-customers)
    specs/acme.top-customers.yaml:3:23: default_bucket_stage: means something only with a default bucket (set `default_bucket: true`)
    specs/acme.top-customers.yaml:3:29: logging.gelf_server_type: means something only with type gelf (set `logging.type: gelf`)
    specs/acme.top-customers.yaml:3:28: logging.verbosity.101: not a level: use 100, 200, 250, 300, 400, 500, 550 or 600
    specs/acme.top-customers.yaml:3:21: resources.memory: at least 6291456 bytes are needed
    specs/acme.top-customers.yaml:3:31: resources.pids: must be at least 1
    specs/acme.top-customers.yaml:3:43: resources.timeout: must be longer than 0s
    specs/acme.top-customers.yaml:3:16: capabilities[0]: not a single capability (name each one, e.g. NET_BIND_SERVICE)
    specs/acme.top-customers.yaml:3:29: capabilities[1]: not a single capability (name each one, e.g. NET_BIND_SERVICE)
    specs/acme.top-customers.yaml:2:14: image.uri: not an image repository (its path has a-z, 0-9, `.`, `_` and `-`, e.g. registry.example.com/acme/top-customers)
    specs/acme.top-customers.yaml:2:14: image.uri: not an image repository (its path has a-z, 0-9, `.`, `_` and `-`, e.g. registry.example.com/acme/top-customers)
    specs/acme.top-customers.yaml:3:19: image_parameters: expected a mapping, found the number 5
    specs/acme.top-customers.yaml:2:3: while parsing a block mapping, did not find expected key
    ");
}

#[test]
fn a_component_is_found_by_path_or_by_id() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("acme.top-customers.yaml");
    std::fs::write(&path, WHOLE).unwrap();
    std::fs::write(folder.path().join("broken.yaml"), "id: broken\n").unwrap();
    std::fs::write(folder.path().join("README.md"), "not a spec").unwrap();
    let load = |argument: &str| load(argument, folder.path(), &Presets::default());
    assert_eq!(load("acme.top-customers").unwrap().id.as_str(), "acme.top-customers");
    assert_eq!(load(path.to_str().unwrap()).unwrap().id.as_str(), "acme.top-customers");
    assert_eq!(
        load("acme.top-customer").unwrap_err().to_string(),
        format!(
            "component acme.top-customer not found in {} (did you mean acme.top-customers?)",
            folder.path().display()
        )
    );
    assert!(matches!(load("nowhere/x.yaml"), Err(LoadError::Unreadable(_))));
    let listed = list_specs(folder.path(), &Presets::default()).unwrap();
    let ok: Vec<bool> = listed.iter().map(|spec| spec.component.is_ok()).collect();
    assert_eq!(ok, [true, false]);
    assert!(list_specs(&folder.path().join("absent"), &Presets::default()).unwrap().is_empty());
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_spec_reader_panic(text in "\\PC{0,80}", noise in "[a-z:{}\\[\\], \n\"']{0,80}") {
        drop(parse(&text));
        drop(parse(&format!("id: x\nimage: {noise}")));
    }
}
