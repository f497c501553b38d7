//! Holds the list of rooms true: a room uses only rooms above it, and each foreign client stays inside its one room.

use std::fs;
use std::path::{Path, PathBuf};

/// The rooms in the order of `src/lib.rs`; each may use those before it.
const ROOMS: [&str; 25] = [
    "job",
    "secret",
    "events",
    "component",
    "configuration",
    "request",
    "csv",
    "blob",
    "catalog",
    "engine",
    "image",
    "egress",
    "runtime",
    "mapping",
    "failure",
    "result",
    "runner",
    "sweep",
    "telemetry",
    "queue",
    "worker",
    "api",
    "settings",
    "certify",
    "cli",
];

/// Foreign clients and the one room that may speak to each.
const CLIENTS: [(&str, &str); 9] = [
    ("age", "secret"),
    ("bollard", "engine"),
    ("sqlx", "catalog"),
    ("lapin", "queue"),
    ("aws_sdk_s3", "blob"),
    ("prometheus_client", "telemetry"),
    ("opentelemetry", "telemetry"),
    ("axum", "api"),
    ("clap", "cli"),
];

#[test]
fn the_rooms_of_the_test_are_the_rooms_of_the_library() {
    let library = fs::read_to_string(source().join("lib.rs")).unwrap();
    let declared: Vec<&str> = library
        .lines()
        .filter_map(|line| line.trim_start_matches("pub ").strip_prefix("mod "))
        .map(|rest| rest.trim_end_matches(';'))
        .collect();
    assert_eq!(declared, ROOMS);
}

#[test]
fn a_room_uses_only_rooms_above_it() {
    let mut faults = Vec::new();
    for (file, text) in source_files() {
        let Some(own) = room_of(&file) else { continue };
        for used in used_rooms(&text) {
            let Some(other) = ROOMS.iter().position(|room| *room == used) else {
                faults.push(format!("{} uses crate::{used}, which is no room", file.display()));
                continue;
            };
            if other > own {
                faults.push(format!("{}: {} uses {used}", file.display(), ROOMS[own]));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn each_foreign_client_stays_in_its_room() {
    let mut faults = Vec::new();
    for (file, text) in source_files() {
        let own = room_of(&file).map(|room| ROOMS[room]);
        for (client, home) in CLIENTS {
            let is_used = text.lines().any(|line| {
                let code = line.split("//").next().unwrap_or_default();
                names(code, client)
            });
            if is_used && own != Some(home) {
                faults.push(format!("{} uses {client}, whose room is {home}", file.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Whether a line speaks of a crate by its whole name: `image::` is not `age::`.
fn names(code: &str, client: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    code.match_indices(client).any(|(at, _)| {
        let (before, rest) = code.split_at(at);
        let (_, after) = rest.split_at(client.len());
        let is_path = after.starts_with("::") && !before.ends_with(is_word) && !before.ends_with("::");
        is_path || (before.trim() == "use" && !after.starts_with(is_word))
    })
}

#[test]
fn no_file_of_the_library_is_longer_than_four_hundred_lines() {
    let long: Vec<String> = source_files()
        .into_iter()
        .filter(|(_, text)| text.lines().count() > 400)
        .map(|(file, text)| format!("{}: {} lines", file.display(), text.lines().count()))
        .collect();
    assert!(long.is_empty(), "{}", long.join("\n"));
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn source_files() -> Vec<(PathBuf, String)> {
    let mut files = Vec::new();
    let mut folders = vec![source()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                files.push((path, text));
            }
        }
    }
    assert!(files.len() > 20, "the sources were not found");
    files
}

/// The position of the room a file lies in; `lib.rs` and `main.rs` lie in none.
fn room_of(file: &Path) -> Option<usize> {
    let inside = file.strip_prefix(source()).unwrap();
    let first = inside.components().next().unwrap().as_os_str().to_string_lossy().into_owned();
    let name = first.trim_end_matches(".rs");
    ROOMS.iter().position(|room| *room == name)
}

/// Every `x` of a `crate::x`, the grouped form `crate::{x, y::{z}}` included, over however many lines.
fn used_rooms(text: &str) -> Vec<String> {
    let lines = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let code = lines.collect::<Vec<_>>().join("\n");
    let mut used = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let Some(group) = rest.strip_prefix('{') else {
            used.push(first_word(rest));
            continue;
        };
        let mut depth = 1;
        let own = group.chars().take_while(|c| {
            depth += i32::from(*c == '{') - i32::from(*c == '}');
            depth > 0
        });
        let own: String = own.collect();
        let outermost = own.split(',').scan(0_usize, |depth, part| {
            let before = *depth;
            *depth = (*depth + part.matches('{').count()).saturating_sub(part.matches('}').count());
            Some((before == 0).then(|| first_word(part.trim())))
        });
        used.extend(outermost.flatten().filter(|name| !name.is_empty()));
    }
    used
}

#[test]
fn a_group_of_rooms_is_read_over_several_lines() {
    let text =
        "use crate::{\n    job::{Phase, Usage},\n    runner, // crate::cli\n};\nlet x = crate::csv::check;";
    assert_eq!(used_rooms(text), ["job", "runner", "csv"]);
}

fn first_word(text: &str) -> String {
    text.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect()
}
