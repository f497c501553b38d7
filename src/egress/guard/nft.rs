//! The program `nft`: scripts on its standard input, each one transaction.

use std::collections::HashSet;
use std::io::ErrorKind;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, Command};
use tokio::time::timeout;

use super::super::error::NoGuard;
use super::rules::{FORWARD_MAP, TABLE};

/// On a busy machine; a transaction takes milliseconds.
const LIMIT: Duration = Duration::from_secs(20);
/// Services often have no `sbin` on their path.
const PLACES: [&str; 3] = ["nft", "/usr/sbin/nft", "/sbin/nft"];
/// Of what it says when it refuses.
const SAID_MAX: usize = 300;

/// Runs a script: all of it or nothing.
pub(super) async fn load(script: &str) -> Result<(), NoGuard> {
    run(&["-f", "-"], script).await.map(drop)
}

/// The chains among those that a script lists that have rules; none where something that it asks for is not there.
pub(super) async fn filled(script: &str) -> Result<HashSet<String>, NoGuard> {
    match run(&["-j", "-f", "-"], script).await {
        Ok(said) => Ok(filled_of(&said)),
        Err(NoGuard::Refused { said }) if is_missing(&said) => Ok(HashSet::new()),
        Err(error) => Err(error),
    }
}

/// Each list is a document on a line of its own; elements are told in plain text, also where JSON was asked for (nft 1.0.6).
pub(super) fn filled_of(said: &[u8]) -> HashSet<String> {
    let documents =
        said.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice::<Value>(line).ok());
    let mut chains = HashSet::new();
    for document in documents {
        let entries = document["nftables"].as_array().into_iter().flatten();
        chains.extend(entries.filter_map(|entry| entry["rule"]["chain"].as_str()).map(str::to_owned));
    }
    chains
}

fn is_missing(said: &str) -> bool {
    said.contains("No such file or directory")
}

/// Runs a script; returns what it prints.
async fn run(arguments: &[&str], script: &str) -> Result<Vec<u8>, NoGuard> {
    let mut child = start(arguments)?;
    let feeding = child.stdin.take();
    let fed = async {
        if let Some(mut stdin) = feeding {
            // One that ends early says why on its stderr.
            stdin.write_all(script.as_bytes()).await.ok();
        }
    };
    let ((), ended) = tokio::join!(fed, finish(child));
    ended
}

/// The devices that have a fence.
pub(super) async fn fenced() -> Result<Vec<String>, NoGuard> {
    let child = start(&["-j", "list", "map", "inet", TABLE, FORWARD_MAP])?;
    let listed = match finish(child).await {
        Ok(listed) => listed,
        // Nobody has loaded our tables: there is no fence.
        Err(NoGuard::Refused { said }) if is_missing(&said) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let listed: Value = serde_json::from_slice(&listed).unwrap_or_default();
    let maps = listed["nftables"].as_array().into_iter().flatten().map(|entry| &entry["map"]["elem"]);
    let elements = maps.filter_map(Value::as_array).flatten();
    Ok(elements.filter_map(|element| element[0].as_str()).map(str::to_owned).collect())
}

fn start(arguments: &[&str]) -> Result<Child, NoGuard> {
    for place in PLACES {
        let mut command = Command::new(place);
        command.args(arguments).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        match command.spawn() {
            Ok(child) => return Ok(child),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(NoGuard::ToolFailed { source }),
        }
    }
    Err(NoGuard::NoTool)
}

async fn finish(child: Child) -> Result<Vec<u8>, NoGuard> {
    let output = match timeout(LIMIT, child.wait_with_output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(source)) => return Err(NoGuard::ToolFailed { source }),
        Err(_elapsed) => return Err(NoGuard::ToolSilent),
    };
    if output.status.success() {
        return Ok(output.stdout);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    // The first line names the mistake, the rest repeats the script.
    let said = said.lines().next().unwrap_or("it said nothing").chars().take(SAID_MAX).collect();
    Err(NoGuard::Refused { said })
}
