//! Secrets that are encrypted where they lie: what opens where, what is refused, and that nothing of them stays.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

use serde_json::{Value, json};

use crate::house::{House, Ran, docker, fixture, has_engine, ran};

const SECRET: &str = "swordfish-9000-\u{e9}t\u{e9}";
/// Copies what the component was given under `#token` and `#deep` to a table.
const SHOWS: &str =
    "sed -n 's/.*\"#\\(token\\|n\\)\": \\(.*\\)$/\\1=\\2/p' config.json | tr -d '\",' | sort >out/files/seen";

/// A project with one component, `raw-shell`.
fn house() -> House {
    let house = House::new();
    add_component(&house, "raw-shell", "");
    house
}

fn add_component(house: &House, id: &str, more: &str) {
    let spec = fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
    let spec = spec.replace("id: raw-shell", &format!("id: {id}"));
    house.write(&format!("component-specs/{id}.yaml"), format!("{spec}{more}"));
}

fn call_with_input(house: &House, arguments: &[&str], input: &str) -> Ran {
    let mut command = house.command(arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    ran(child.wait_with_output().unwrap())
}

/// A value sealed for a component, and for one of its configurations where that is named.
fn sealed(house: &House, component: &str, configuration: Option<&str>, value: &str) -> String {
    let mut arguments = vec!["secret", "encrypt", "--component", component];
    arguments.extend(configuration.map(|id| ["--configuration", id]).iter().flatten());
    call_with_input(house, &arguments, &format!("{value}\n")).succeeded().stdout.trim_end().to_owned()
}

/// Runs a script with credentials, which the component passes over: `raw-shell` takes no parameters of its own.
fn run(house: &House, component: &str, name: &str, script: &str, credentials: &Value) -> Ran {
    let file = format!("{name}.json");
    house.write(&file, configuration(script, credentials).to_string());
    house.call(&["run", component, "--config", &file, "--format", "json"])
}

fn configuration(script: &str, credentials: &Value) -> Value {
    json!({ "parameters": { "script": script }, "authorization": { "oauth_api": { "credentials": credentials } } })
}

/// The text of the newest file of that name.
fn stored_file(house: &House, name: &str) -> String {
    let files = house.call(&["file", "ls", "--format", "json"]).succeeded().document();
    let named = files.as_array().unwrap().iter().filter(|file| file["name"] == name);
    let newest = named.map(|file| file["id"].as_u64().unwrap()).max().unwrap();
    house.call(&["file", "get", &newest.to_string(), "--output", "-"]).succeeded().stdout
}

#[test]
fn a_component_reads_what_was_encrypted_for_it() {
    if !has_engine() {
        return;
    }
    let house = house();
    let token = sealed(&house, "raw-shell", None, "token-1234567");
    let number = sealed(&house, "raw-shell", Some("task"), "other-7654321");
    let credentials = json!({ "#token": token, "nested": { "#n": number } });
    house.write("longshore.yaml", "secrets: {in_outputs: ignore}\n");
    run(&house, "raw-shell", "task", SHOWS, &credentials).succeeded();
    assert_eq!(stored_file(&house, "seen"), "n=other-7654321\ntoken=token-1234567\n");
}

#[test]
fn a_stolen_ciphertext_is_refused_in_another_component_and_in_another_configuration() {
    let house = house();
    add_component(&house, "raw-two", "");
    let token = sealed(&house, "raw-shell", Some("task"), SECRET);
    let refused = |component: &str, name: &str, words: &str| {
        let ran = run(&house, component, name, "true", &json!({ "deep": { "#token": token } })).failed(1);
        assert!(
            ran.stderr.contains("authorization.oauth_api.credentials.deep.#token")
                && ran.stderr.contains(words),
            "{component} {name}: {}",
            ran.stderr
        );
        assert!(
            ran.stderr.contains(&format!("longshore secret encrypt --component {component}")),
            "{}",
            ran.stderr
        );
        assert!(!ran.stderr.contains("swordfish"), "{}", ran.stderr);
    };
    refused("raw-two", "task", "was encrypted for another component");
    refused("raw-shell", "other", "was encrypted for another configuration");
    let cut = token.get(..token.len() - 8).unwrap();
    let ran = run(&house, "raw-shell", "task", "true", &json!({ "#token": cut })).failed(1);
    assert!(ran.stderr.contains("credentials.#token: is damaged"), "{}", ran.stderr);
}

#[test]
fn a_secret_of_the_spec_is_opened_for_the_component_and_for_no_configuration() {
    if !has_engine() {
        return;
    }
    let house = house();
    let platform = sealed(&house, "raw-two", None, "platform-77777");
    add_component(&house, "raw-two", &format!("image_parameters:\n  '#token': {platform}\n"));
    house.write("longshore.yaml", "secrets: {in_outputs: ignore}\n");
    run(&house, "raw-two", "task", SHOWS, &json!({})).succeeded();
    assert_eq!(stored_file(&house, "seen"), "token=platform-77777\n");
    // Another ciphertext of the same secret, as somebody with the public key could make of a guess.
    let again = sealed(&house, "raw-two", None, "platform-77777");
    for stolen in [&platform, &again] {
        let ran = run(&house, "raw-two", "thief", "true", &json!({ "#mine": stolen })).failed(1);
        assert!(ran.stderr.contains("a secret of the component cannot be used"), "{}", ran.stderr);
    }
}

#[test]
fn a_missing_and_a_careless_key_are_told_with_the_remedy() {
    let house = house();
    let token = sealed(&house, "raw-shell", None, SECRET);
    let project_key = house.path().join(".longshore/secret.key");
    assert_eq!(fs::metadata(&project_key).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_to_string(house.path().join(".longshore/.gitignore")).unwrap(), "*\n");

    let public = house.call(&["secret", "keygen", "--out", "other.key"]).succeeded().stdout;
    house.write("longshore.yaml", "secrets: {identity_file: other.key}\n");
    let credentials = json!({ "#token": token });
    let ran = run(&house, "raw-shell", "task", "true", &credentials).failed(1);
    let have = public.get(..12).unwrap();
    assert!(
        ran.stderr.contains("is encrypted for the key age1") && ran.stderr.contains(have),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("secrets.identity_file"), "{}", ran.stderr);

    fs::set_permissions(house.path().join("other.key"), fs::Permissions::from_mode(0o644)).unwrap();
    let ran = run(&house, "raw-shell", "task", "true", &credentials).failed(1);
    assert!(ran.stderr.contains("may be read by others (mode 644): chmod 600"), "{}", ran.stderr);

    house.call(&["secret", "keygen", "--out", "other.key"]).failed(1);
    house.write("longshore.yaml", "secrets: {identity_file: none.key}\n");
    let ran = run(&house, "raw-shell", "task", "true", &credentials).failed(1);
    assert!(ran.stderr.contains("there is no key file") && ran.stderr.contains("none.key"), "{}", ran.stderr);
    assert!(ran.stderr.contains("longshore secret keygen --out"), "{}", ran.stderr);
}

#[test]
fn a_value_is_taken_from_a_file_or_a_pipe_and_never_from_the_command_line() {
    let house = house();
    let key = house.call(&["secret", "keygen", "--out", "k.key", "--format", "json"]).succeeded().document();
    let recipient = key["public_key"].as_str().unwrap();
    house.write("value.txt", "one line\n");
    let arguments = ["secret", "encrypt", "--component", "raw-shell", "--recipient", recipient, "value.txt"];
    let sealed = house.call(&arguments).succeeded().stdout;
    assert!(sealed.starts_with(&format!("longshore:v1:{}:", recipient.get(4..12).unwrap())), "{sealed}");
    // Nothing of a project was made for it: the key was given.
    assert!(!house.path().join(".longshore").exists());
    let refused = house.call(&["secret", "encrypt", "--component", "raw-shell", "no-such-file"]).failed(1);
    assert!(refused.stderr.contains("there is no such file"), "{}", refused.stderr);
    call_with_input(&house, &["secret", "encrypt", "--component", "raw-shell"], "\n").failed(1);
    let nothing = call_with_input(&house, &["secret", "encrypt", "--component", "raw-shell"], "").failed(1);
    assert!(nothing.stderr.contains("write it to standard input"), "{}", nothing.stderr);
    let printed = house.call(&["secret", "keygen"]).succeeded();
    assert!(printed.stdout.contains("AGE-SECRET-KEY-1") && printed.stderr.contains("public key: age1"));
}

#[test]
fn a_configuration_file_is_encrypted_in_place_and_rotated_to_a_new_key() {
    if !has_engine() {
        return;
    }
    let house = house();
    house.call(&["secret", "keygen", "--out", "old.key"]).succeeded();
    house.write("longshore.yaml", "secrets: {identity_file: old.key, in_outputs: ignore}\n");
    let text = format!(
        "# mine\nparameters:\n  script: |\n    {SHOWS}\nauthorization:\n  oauth_api:\n    credentials:\n      '#token': token-1234567 # a secret\n"
    );
    let file = house.write("task.yaml", &text);
    let printed =
        house.call(&["secret", "encrypt", "--component", "raw-shell", "--config", "task.yaml"]).succeeded();
    assert_eq!(fs::read_to_string(&file).unwrap(), text, "it was printed and left alone");
    let arguments = [
        "secret",
        "encrypt",
        "--component",
        "raw-shell",
        "--configuration",
        "task",
        "--config",
        "task.yaml",
        "--in-place",
    ];
    let noted = house.call(&arguments).succeeded();
    assert!(noted.stderr.contains("1 value of task.yaml encrypted"), "{}", noted.stderr);
    let before = fs::read_to_string(&file).unwrap();
    for sealed in [&printed.stdout, &before] {
        assert!(sealed.starts_with("# mine\n") && sealed.ends_with("\" # a secret\n"), "{sealed}");
        assert!(sealed.contains("longshore:v1:") && !sealed.contains("token-1234567"), "{sealed}");
    }

    house.call(&["config", "put", "raw-shell", "task", "task.yaml"]).succeeded();
    house.call(&["secret", "keygen", "--out", "new.key"]).succeeded();
    let keys = ["new.key", "old.key"].map(|key| fs::read_to_string(house.path().join(key)).unwrap()).concat();
    let both = house.write("both.key", keys);
    fs::set_permissions(both, fs::Permissions::from_mode(0o600)).unwrap();
    house.write("longshore.yaml", "secrets: {identity_file: both.key, in_outputs: ignore}\n");
    let rotate = |more: &[&str]| {
        let ran = house.call(&[&["secret", "rotate", "--format", "json"], more].concat());
        ran.succeeded().document()
    };
    let one = |what: &str| {
        let mut report = json!({ "values": 1, "files": 0, "configurations": 0, "states": 0 });
        report[what] = json!(1);
        report
    };
    assert_eq!(rotate(&["task.yaml"]), one("files"));
    assert_eq!(rotate(&[]), one("configurations"));
    assert_eq!(rotate(&[])["values"], 0, "all are the new key's already");

    house.write("longshore.yaml", "secrets: {identity_file: new.key, in_outputs: ignore}\n");
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).succeeded();
    assert_eq!(stored_file(&house, "seen"), "token=token-1234567\n");
    let stored = house.call(&["config", "get", "raw-shell", "task"]).succeeded().stdout;
    house.write("task.yaml", stored);
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).succeeded();
    house.write("task.yaml", before);
    house.call(&["run", "raw-shell", "--config", "task.yaml"]).failed(1);
}

#[test]
fn what_a_local_project_stores_and_submits_is_encrypted_first() {
    let house = house();
    let text = format!(
        "parameters: {{script: 'true'}}\nauthorization: {{oauth_api: {{credentials: {{'#token': '{SECRET}'}}}}}}\n"
    );
    house.write("task.yaml", &text);
    let put =
        || house.call(&["config", "put", "raw-shell", "task", "task.yaml", "--format", "json"]).succeeded();
    let first = put();
    assert!(first.stderr.contains("its secrets are stored encrypted"), "{}", first.stderr);
    assert_eq!((&first.document()["version"], &put().document()["is_new"]), (&json!(1), &json!(false)));
    let stored = house.call(&["config", "get", "raw-shell", "task"]).succeeded().stdout;
    assert!(
        stored.contains("\nauthorization: {oauth_api: {credentials: {'#token': \"longshore:v1:"),
        "{stored}"
    );
    house.call(&["submit", "raw-shell", "--config", "task.yaml"]).succeeded();
    holds_nothing(&house, "swordfish-9000");
}

#[test]
fn a_state_is_encrypted_at_rest_and_plain_for_its_component() {
    if !has_engine() {
        return;
    }
    let house = house();
    let script = "cat in/state.json >&2; fresh=fresh-; echo '{\"#refresh\": \"'$fresh'token-99\", \"n\": 1}' >out/state.json; grep -q token-99 in/state.json && cp in/state.json out/files/state || true";
    house.write("longshore.yaml", "secrets: {in_outputs: ignore}\n");
    let first = run(&house, "raw-shell", "task", script, &json!({})).succeeded();
    holds_nothing(&house, "fresh-token-99");
    let second = run(&house, "raw-shell", "task", script, &json!({})).succeeded();
    let state: Value = serde_json::from_str(&stored_file(&house, "state")).unwrap();
    assert_eq!(state, json!({ "#refresh": "fresh-token-99", "n": 1 }));
    // What it was given is masked when it is said, though no configuration holds it.
    assert!(second.stderr.contains("\"#refresh\": \"[hidden]\""), "{}", second.stderr);
    assert_ne!(first.job(), second.job());
    house.call(&["secret", "keygen", "--out", "new.key"]).succeeded();
    let old = fs::read_to_string(house.path().join(".longshore/secret.key")).unwrap();
    let both = fs::read_to_string(house.path().join("new.key")).unwrap() + &old;
    house.write("new.key", both);
    house.write("longshore.yaml", "secrets: {identity_file: new.key, in_outputs: ignore}\n");
    let rotated = house.call(&["secret", "rotate", "--format", "json"]).succeeded().document();
    assert_eq!((&rotated["states"], &rotated["values"]), (&json!(1), &json!(1)));
    let third = run(&house, "raw-shell", "task", script, &json!({})).succeeded();
    assert!(third.stderr.contains("\"#refresh\": \"[hidden]\""), "{}", third.stderr);
}

#[test]
fn a_state_that_would_stop_the_next_run_by_its_secrets_is_refused() {
    if !has_engine() {
        return;
    }
    let house = house();
    let many = r##"awk 'BEGIN { printf "{\"n\": 0"; for (i = 0; i < 1001; i++) printf ",\"#%d\": \"x%d\"", i, i; print "}" }' >out/state.json"##;
    let long =
        r##"x=$(head -c 300000 /dev/zero | tr '\0' x); echo "{\"#a\": {\"b\": [\"$x\"]}}" >out/state.json"##;
    let sealed = r##"echo '{"n": {"#a": "longshore:v1:AAAAAAAA:zzzz"}}' >out/state.json"##;
    let tricks = [
        (many, "keeps 1001 values"),
        (long, "keeps 1 values of 300000 bytes"),
        (sealed, "n.#a is encrypted"),
    ];
    for (script, expected) in tricks {
        let ran = run(&house, "raw-shell", "task", script, &json!({})).failed(1);
        assert_eq!(ran.error_code(), "output_invalid");
        assert!(ran.message().contains(expected), "{}", ran.message());
    }
}

#[test]
fn outputs_with_a_secret_are_published_with_a_warning_or_blocked_or_left_alone() {
    if !has_engine() {
        return;
    }
    let house = house();
    let script = "s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); printf 'a\\nx\\n%s\\n' $s >out/tables/t.csv; \
        printf '{\"metadata\": [{\"key\": \"k\", \"value\": \"'$s'\"}]}' >out/tables/t.csv.manifest; \
        printf %s $s | base64 >out/files/note; echo '{\"seen\": \"'$s'\", \"#kept\": \"'$s'\"}' >out/state.json";
    let credentials = json!({ "#token": "leaked-token-9000", "#short": "x" });
    let mut configuration = configuration(script, &credentials);
    configuration["storage"] =
        json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] } });
    house.write("task.json", configuration.to_string());
    let run = |policy: &str| {
        house.write("longshore.yaml", format!("secrets: {{in_outputs: {policy}}}\n"));
        house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"])
    };
    let expected = [
        "out/files/note holds a secret of the configuration, first on line 1",
        "out/tables/t.csv holds a secret of the configuration, first on line 3",
        "out/tables/t.csv.manifest holds a secret of the configuration, first on line 1",
        "the state holds a secret of the configuration outside of `#` keys",
    ];
    let blocked = run("block").failed(3);
    let lines: Vec<String> = blocked.message().lines().map(str::to_owned).collect();
    assert_eq!(lines.get(..4).unwrap(), expected, "{}", blocked.message());
    assert_eq!((blocked.error_code().as_str(), house.versions("out.c-main.t")), ("secret_in_output", vec![]));
    assert!(!house.path().join(".longshore/quarantine").exists(), "nothing of it is kept");
    holds_nothing(&house, "leaked-token-9000");

    let warned = run("warn").succeeded();
    let document = warned.document();
    assert_eq!((&document["status"], &document["message"]), (&json!("warning"), &json!(expected.join("\n"))));
    assert_eq!(document["notices"], json!(expected));
    assert!(!warned.stderr.contains("leaked-token"), "{}", warned.stderr);
    assert_eq!(house.versions("out.c-main.t"), [1]);

    let ignored = run("ignore").succeeded();
    assert_eq!(ignored.document()["status"], "success");
    assert_eq!(house.versions("out.c-main.t"), [2, 1]);
}

#[test]
fn a_secret_is_found_in_slices_names_and_keys_and_not_where_it_may_be() {
    if !has_engine() {
        return;
    }
    let house = house();
    let get = "s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); ";
    let task = |script: &str, storage: &Value| {
        let credentials = json!({ "#token": "leaked-token-9000" });
        let mut configuration = configuration(&format!("{get}{script}"), &credentials);
        configuration["storage"] = storage.clone();
        house.write("task.json", configuration.to_string());
        house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"])
    };
    let storage = json!({ "output": { "tables": [{ "source": "t", "destination": "out.c-main.t", "columns": ["a"] }] } });
    let script = "mkdir out/tables/t; echo 1 >out/tables/t/1; printf '2\\n%s\\n' $s >out/tables/t/2; \
                  echo x >out/files/of-$s; echo '{\"'$s'\": 1}' >out/state.json";
    house.write("longshore.yaml", "secrets: {in_outputs: block}\n");
    let blocked = task(script, &storage).failed(3);
    let mut found: Vec<String> = blocked.message().lines().map(str::to_owned).collect();
    found.sort_unstable();
    assert_eq!(
        found.get(..4).unwrap(),
        [
            "nothing was published or kept, as `secrets.in_outputs: block` has it",
            "out/files/of-[hidden] has a secret of the configuration in its name",
            "out/tables/t/2 holds a secret of the configuration, first on line 2",
            "the state holds a secret of the configuration outside of `#` keys",
        ]
    );
    // A component may remember its own secret where it is encrypted.
    task("echo '{\"#mine\": {\"deep\": [\"'$s'\"]}}' >out/state.json", &json!({})).succeeded();
    let failed = "printf 'a\\n%s\\n' $s >out/tables/t; exit 1";
    let always = json!({ "output": { "tables": [
        { "source": "t", "destination": "out.c-main.t", "write_always": true }
    ] } });
    let ran = task(failed, &always).failed(1);
    assert!(ran.stderr.contains("tables marked write_always were not published"), "{}", ran.stderr);
    assert_eq!(house.versions("out.c-main.t"), Vec::<u64>::new());
    holds_nothing(&house, "leaked-token-9000");
}

/// Says and leaves its secret in every way that comes to mind.
const LEAKS: &str = "cd /data; s=$(sed -n 's/.*\"#token\": \"\\(.*\\)\".*/\\1/p' config.json); \
    echo $s; echo $s >&2; printf '{\"level\": \"error\", \"message\": \"%s\"}\\n' $s; echo $s | base64; \
    printf %s $s | cut -c1-9 | tr -d '\\n'; sleep 0.1; printf %s\\\\n $s | cut -c10-; \
    echo '{\"#kept\": \"'$s'\"}' >out/state.json; cat config.json; ";

#[test]
fn nothing_of_a_secret_stays_after_a_run_that_tries_to_leak_it() {
    if !has_engine() {
        return;
    }
    for (mode, end) in
        [("run", "exit 0"), ("run", "exit 1"), ("run", "exit 2"), ("debug", "exit 0"), ("debug", "exit 1")]
    {
        let house = house();
        let table = "printf 'a\\n%s\\n' $s >out/tables/t.csv; ";
        let value = "leaked-token-9000";
        let credentials = json!({ "#token": sealed(&house, "raw-shell", Some("task"), value) });
        let mut configuration = configuration(&format!("{LEAKS}{table}sleep 1; {end}"), &credentials);
        configuration["storage"] =
            json!({ "output": { "tables": [{ "source": "t.csv", "destination": "out.c-main.t" }] } });
        house.write("longshore.yaml", "secrets: {in_outputs: block}\n");
        house.write("task.json", configuration.to_string());
        let arguments = ["run", "raw-shell", "--config", "task.json", "--mode", mode, "--format", "json"];
        let mut child =
            house.command(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut seen = Vec::new();
        while child.try_wait().unwrap().is_none() {
            seen.extend(command_lines());
            for container in listed_containers() {
                seen.push(inspected(&container));
            }
        }
        let ran = ran(child.wait_with_output().unwrap());
        assert_ne!(ran.code, 0, "{mode} {end}: {}", ran.stderr);
        let own = seen.iter().filter(|text| text.contains(&ran.job())).count();
        assert!(own > 0, "the container was not seen once");
        for needle in needles(value) {
            let leak = seen.iter().find(|text| text.contains(&needle));
            assert_eq!(leak, None, "{mode} {end}: on a command line or in a description");
            for (what, text) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
                assert!(!text.contains(&needle), "{mode} {end}: {what}: {text}");
            }
            holds_nothing(&house, &needle);
        }
        let log = house.call(&["job", "log", &ran.job()]).succeeded().stdout;
        assert!(log.contains("[hidden]"), "{log}");
        house.is_clean();
    }
}

/// The secret and its base64, whatever stands before it.
fn needles(value: &str) -> Vec<String> {
    use base64::Engine as _;
    let encoded = base64::engine::general_purpose::STANDARD.encode(value);
    vec![value.to_owned(), encoded.get(..20).unwrap().to_owned()]
}

/// Asserts that no file of the project's own data holds a text.
fn holds_nothing(house: &House, needle: &str) {
    let bytes = house.all_bytes();
    assert!(
        !bytes.windows(needle.len()).any(|window| window == needle.as_bytes()),
        "{needle} is in the project's data"
    );
}

/// What `ps` would show of every process.
fn command_lines() -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|process| fs::read(process.path().join("cmdline")).ok());
    lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " ")).collect()
}

fn listed_containers() -> Vec<String> {
    let listed = docker(&["ps", "--all", "--quiet", "--filter", "label=longshore.job"]);
    listed.lines().map(str::to_owned).collect()
}

/// A container may be gone before it is asked for.
fn inspected(container: &str) -> String {
    let output = std::process::Command::new("docker").args(["inspect", container]).output().unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}
