//! The program `nft`: scripts on its standard input, each one transaction.

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
    let mut child = start(&["-f", "-"])?;
    let feeding = child.stdin.take();
    let fed = async {
        if let Some(mut stdin) = feeding {
            // One that ends early says why on its stderr.
            stdin.write_all(script.as_bytes()).await.ok();
        }
    };
    let ((), ended) = tokio::join!(fed, finish(child));
    ended.map(drop)
}

/// The devices that have a fence.
pub(super) async fn fenced() -> Result<Vec<String>, NoGuard> {
    let child = start(&["-j", "list", "map", "inet", TABLE, FORWARD_MAP])?;
    let listed = match finish(child).await {
        Ok(listed) => listed,
        // Nobody has loaded our tables: there is no fence.
        Err(NoGuard::Refused { said }) if said.contains("No such file or directory") => {
            return Ok(Vec::new());
        }
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
