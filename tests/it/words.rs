//! What a component says: what becomes an event, what is kept, and what a terminal sees of it.

use std::process::Stdio;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::egress::forward_to_the_engine;
use crate::house::{House, Ran, docker, fixture, has_engine, ran};

/// A project whose log may be long and whose component may take its time.
fn house(settings: &Value) -> House {
    let house = House::new();
    house.write("longshore.yaml", settings.to_string());
    let spec = std::fs::read_to_string(fixture("components/raw-shell.yaml")).unwrap();
    house.write("component-specs/raw-shell.yaml", spec.replace("timeout: 30s", "timeout: 5m"));
    house
}

fn run(house: &House, script: &str) -> Ran {
    house.write("task.json", json!({ "parameters": { "script": script } }).to_string());
    house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"])
}

/// Events of the component as source, level, message and fields.
fn events(house: &House, job: &str) -> Vec<(String, String, String, Value)> {
    let log = house.call(&["job", "log", job, "--events", "--format", "json"]).succeeded().stdout;
    let events = log.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let text = |event: &Value, key: &str| event[key].as_str().unwrap().to_owned();
    events
        .filter(|event| event["source"] != "runner")
        .map(|event| {
            let [source, level, message] = ["source", "level", "message"].map(|key| text(&event, key));
            (source, level, message, event["fields"].clone())
        })
        .collect()
}

fn stream(house: &House, job: &str, stream: &str) -> String {
    house.call(&["job", "log", job, "--raw", "--stream", stream]).succeeded().stdout
}

#[test]
fn a_line_of_json_says_how_serious_it_is_and_a_traceback_is_one_event() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    let said = r#"{"level":"warning","message":"slow","rows":3}
{"severity":7,"msg":"only in the log"}
{"level":600,"message":"not for users"}
{"a":"plain line"}
Traceback (most recent call last):
  File "/code/main.py", line 4, in <module>
ValueError: no

Exception in thread "main" java.lang.Error: x
	at a.B.c(B.java:1)
after"#;
    let ran = run(&house, &format!("cat <<'END'\n{said}\nEND")).succeeded();
    let neutral = "Application error: the component reported a problem of its own; its developer finds it in the complete log";
    let expected = [
        ("warning", "slow", json!({ "rows": 3 })),
        ("emergency", neutral, Value::Null),
        ("info", r#"{"a":"plain line"}"#, Value::Null),
        (
            "error",
            "Traceback (most recent call last):\n  File \"/code/main.py\", line 4, in <module>\nValueError: no",
            Value::Null,
        ),
        ("error", "Exception in thread \"main\" java.lang.Error: x\n\tat a.B.c(B.java:1)", Value::Null),
        ("info", "after", Value::Null),
    ];
    let expected = expected
        .map(|(level, message, fields)| ("stdout".to_owned(), level.to_owned(), message.to_owned(), fields));
    assert_eq!(events(&house, &ran.job()), expected);
    assert_eq!(
        stream(&house, &ran.job(), "out"),
        format!("{said}\n"),
        "the complete log has it as it was said"
    );
}

#[test]
fn the_last_error_explains_a_failure_that_says_nothing_else() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    let ran = run(&house, r#"echo '{"level":"error","message":"no such bucket"}' >&2; exit 1"#).failed(1);
    assert_eq!(ran.message(), "no such bucket");
}

#[rstest]
#[case::binary_noise("head -c 3000000 /dev/urandom")]
#[case::nuls("head -c 3000000 /dev/zero")]
fn noise_is_kept_and_harms_nobody(#[case] script: &str) {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    let ran = run(&house, &format!("{script}; echo; echo end")).succeeded();
    let log = stream(&house, &ran.job(), "out");
    assert!(log.ends_with("\nend\n") && log.len() > 3_000_000);
    house.is_clean();
}

#[test]
fn a_line_of_a_gigabyte_is_cut_in_the_event_and_whole_in_the_log() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({ "log_bytes_max": "3g" }));
    let bytes = 1_u64 << 30;
    let ran = run(&house, &format!("head -c {bytes} /dev/zero | tr '\\0' x; echo; echo end")).succeeded();
    let events = events(&house, &ran.job());
    let mark = format!(" [cut: the line has {bytes} bytes, the complete log keeps it]");
    assert_eq!(events[0].2, "x".repeat(64 << 10) + &mark);
    assert_eq!(events[1].2, "end");
    let mut child =
        house.command(&["job", "log", &ran.job(), "--raw"]).stdout(Stdio::piped()).spawn().unwrap();
    let printed = std::io::copy(&mut child.stdout.take().unwrap(), &mut std::io::sink()).unwrap();
    assert!(child.wait().unwrap().success());
    assert_eq!(printed, bytes + "\nend\n".len() as u64);
}

/// The log is read from the engine's file where that is at hand, and otherwise as the engine tells it.
#[rstest]
#[case::in_a_file(false)]
#[case::of_an_engine_elsewhere(true)]
fn a_flood_is_stopped_at_the_limit_of_the_log(#[case] is_elsewhere: bool) {
    if !has_engine() {
        return;
    }
    let house = house(&json!({ "log_bytes_max": "20m" }));
    let script = "yes $(head -c 5000 /dev/zero | tr '\\0' x)";
    house.write("task.json", json!({ "parameters": { "script": script } }).to_string());
    let mut command = house.command(&["run", "raw-shell", "--config", "task.json", "--format", "json"]);
    if is_elsewhere {
        command.env("DOCKER_HOST", format!("tcp://{}", forward_to_the_engine()));
    }
    let ran = ran(command.output().unwrap()).failed(1);
    assert_eq!(ran.error_code(), "size_limit");
    let message = ran.message();
    assert!(message.starts_with("the log grew over its limit of 20 MiB"), "{message}");
    assert!(
        message.contains("(found 20 MiB)") || message.contains("(found 20."),
        "not at the limit: {message}"
    );
    house.is_clean();
}

#[test]
fn a_flood_of_short_lines_is_stopped_before_the_engines_own_words_about_them_fill_its_disk() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({ "log_bytes_max": "1m" }));
    let ran = run(&house, "yes '' | head -n 300000").failed(1);
    assert_eq!(ran.error_code(), "size_limit");
    assert!(ran.message().starts_with("the log grew over its limit of 1 MiB"), "{}", ran.message());
    let lines = "yes 0123456789012345678901234567890123456789 | head -n 20000";
    run(&house, lines).succeeded();
    house.is_clean();
}

#[test]
fn a_terminal_is_not_driven_by_json_either() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    // U+009B is what ESC [ is in one character, and U+202E turns the direction of what follows.
    let message = "\u{9b}2Jred \u{202e}txt\u{7f} \u{1b}[m";
    let script = format!("echo '{}'; exit 1", json!({ "level": "error", "message": message, "k": message }));
    let ran = run(&house, &script).failed(1);
    let job = ran.job();
    let verbs: [&[&str]; 4] = [
        &["job", "show", &job],
        &["job", "ls", "--format", "json"],
        &["job", "log", &job, "--events", "--format", "json"],
        &["job", "log", &job, "--format", "json"],
    ];
    let printed = verbs.map(|verb| house.call(verb).succeeded().stdout);
    for text in printed.iter().chain([&ran.stdout]) {
        assert!(!text.contains(['\u{9b}', '\u{202e}', '\u{7f}', '\u{1b}']), "{text:?}");
    }
    assert_eq!(ran.message(), message);
    assert_eq!(events(&house, &job)[0].2, message);
}

#[test]
fn a_terminal_is_not_driven_by_what_a_component_says() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    let ran = run(&house, r"printf '\033]0;owned\007\033[2Jred\r\n'").succeeded();
    assert!(ran.stderr.contains("\\u{1b}]0;owned\\u{7}\\u{1b}[2Jred"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\u{1b}'), "{:?}", ran.stderr);
    assert_eq!(stream(&house, &ran.job(), "out"), "\u{1b}]0;owned\u{7}\u{1b}[2Jred\r\n");
    let events = house.call(&["job", "log", &ran.job(), "--events"]).succeeded().stdout;
    assert!(events.contains("\\u{1b}[2Jred") && !events.contains('\u{1b}'), "{events:?}");
    // Through a terminal of its own.
    let called = house.command(&["job", "log", &ran.job()]);
    let words: Vec<_> = std::iter::once(called.get_program())
        .chain(called.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let script = std::process::Command::new("script")
        .args(["--quiet", "--return", "--command", &words.join(" "), "/dev/null"])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&script.stdout).into_owned();
    assert!(shown.contains("\\u{1b}[2Jred") && !shown.contains('\u{1b}'), "{shown:?}");
}

#[test]
fn a_secret_is_found_in_records_pieces_and_encodings() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    let script = r#"
s=$(grep -o 'Sword-[a-z0-9-]*' config.json | head -n 1)
printf 'Sword-f' ; sleep 0.2; echo 'ish-9000'
echo "{\"message\":\"in $s\",\"$s\":[\"$s\"],\"level\":\"info\"}"
printf '{"message":"\134u0053word-fish-9000","level":"info"}\n'
printf '%s' "$s" | od -An -tx1 | tr -d ' \n'; echo
printf '%s' "$s" | od -An -tx1 | tr -d '\n'; echo
echo "x$s" | base64
echo "$s" | tr a-z A-Z
exit 1"#;
    let configuration = json!({
        "parameters": { "script": script },
        "authorization": { "oauth_api": { "credentials": { "#data": "Sword-fish-9000" } } },
    });
    house.write("task.json", configuration.to_string());
    let ran = house.call(&["run", "raw-shell", "--config", "task.json", "--format", "json"]).failed(1);
    assert!(ran.message().contains("[hidden]"), "{}", ran.message());
    let said = ran.stdout.clone() + &ran.stderr + &house.call(&["job", "log", &ran.job(), "--events"]).stdout;
    for leak in ["ish-9000", "ISH-9000", "6973682d", "69 73 68 2d", "d29yZC1maXNo", "dvcmQtZmlza"] {
        assert!(!said.contains(leak), "{leak}: {said}");
    }
    // The one line of the log that escapes a letter on purpose is beyond masking; its event is not.
    let log = stream(&house, &ran.job(), "out");
    assert_eq!(log.matches("ish-9000").count(), 1, "{log}");
}

/// Both streams at once, a million numbers on each.
const NUMBERS: u64 = 1_000_000;

fn is_complete(house: &House, job: &str) {
    for name in ["out", "err"] {
        let said = stream(house, job, name);
        assert_eq!(said.lines().count() as u64, NUMBERS, "{name}");
        let is_in_order = said.lines().zip(1_u64..).all(|(line, number)| line == number.to_string());
        assert!(is_in_order, "{name} has a line at a wrong place");
    }
}

#[test]
fn two_million_lines_arrive_although_nobody_reads_the_news() {
    if !has_engine() {
        return;
    }
    let house = house(&json!({}));
    let script = format!("seq {NUMBERS} >&2 & seq {NUMBERS}; wait; echo done >out/files/done");
    house.write("task.json", json!({ "parameters": { "script": script } }).to_string());
    let mut child = house
        .command(&["run", "raw-shell", "--config", "task.json", "--format", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Its reader stalls until the container has ended by itself.
    let deadline = Instant::now() + Duration::from_secs(120);
    loop {
        let names =
            docker(&["ps", "--all", "--filter", "label=longshore.job", "--format", "{{.Names}} {{.State}}"]);
        let jobs = house.call(&["job", "ls", "--format", "json"]).stdout;
        let job = serde_json::from_str::<Value>(&jobs)
            .ok()
            .and_then(|jobs| jobs[0]["id"].as_str().map(str::to_owned));
        let is_over =
            job.is_some_and(|job| names.lines().any(|line| line.contains(&job) && line.ends_with("exited")));
        if is_over {
            break;
        }
        assert!(Instant::now() < deadline, "the container did not end: {names}");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut stderr = child.stderr.take().unwrap();
    let reading = std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()).unwrap());
    let ran = crate::house::ran(child.wait_with_output().unwrap()).succeeded();
    reading.join().unwrap();
    is_complete(&house, &ran.job());
    let kept = events(&house, &ran.job());
    let severe = kept.iter().filter(|event| event.1 == "error").count();
    assert!(kept.len() >= 10_000 && severe >= 10_000 && kept.len() <= 20_000, "{} and {severe}", kept.len());
    let left_out = 2 * NUMBERS - kept.len() as u64;
    let notes = house.call(&["job", "log", &ran.job(), "--events"]).stdout;
    assert!(
        notes.contains(&format!("{left_out} further messages are only in the complete log")),
        "{left_out}"
    );
}
