//! Docker's `config.json`: credentials in it, and the helpers that it names. Read, never written.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Command;

use super::credentials::{LoginSecret, Source};
use crate::job::Hidden;

/// A helper may ask a server of its own.
const HELPER_LIMIT: Duration = Duration::from_secs(30);
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// The user that stands for an identity token.
const TOKEN_USER: &str = "<token>";
/// All helpers of Docker's own say this on their standard output.
const NOT_FOUND: &str = "credentials not found";

/// Why Docker's configuration gives no answer. Nothing of what was read is repeated: it may be a password.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum DockerConfigError {
    #[error("cannot read Docker's configuration {}: {why}", path.display())]
    Unreadable { path: PathBuf, why: String },
    #[error("Docker's configuration {} is not as Docker writes it: {what}", path.display())]
    Malformed { path: PathBuf, what: &'static str },
    #[error("the credential helper docker-credential-{name} cannot be run: {why}")]
    HelperBroken { name: String, why: String },
    #[error("the credential helper docker-credential-{name} does not answer within {} seconds", after.as_secs())]
    HelperSilent { name: String, after: Duration },
    #[error("the credential helper docker-credential-{name} ended with {status}")]
    HelperFailed { name: String, status: String },
    #[error("the credential helper docker-credential-{name} gave something else than credentials")]
    HelperOdd { name: String },
}

/// What the configuration in `folder` says of a server; nothing where there is no file.
pub(super) async fn source(folder: &Path, server: &str) -> Result<Source, DockerConfigError> {
    let path = folder.join("config.json");
    let text = match tokio::fs::read_to_string(&path).await {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Source::Nobody),
        Err(error) => return Err(DockerConfigError::Unreadable { path, why: error.to_string() }),
    };
    let malformed = |what| DockerConfigError::Malformed { path: path.clone(), what };
    let document: Value = serde_json::from_str(&text).map_err(|_may_quote_it| malformed("it is no JSON"))?;
    from_document(&document, server).map_err(malformed)
}

/// A helper of the server's own comes first, then credentials in the file, then the helper for all servers: with one,
/// Docker leaves the entries in the file empty.
fn from_document(document: &Value, server: &str) -> Result<Source, &'static str> {
    let helper = |name: &Value| match name.as_str() {
        Some(name) if is_helper_name(name) => {
            Ok(Source::Helper { name: name.to_owned(), server: server.to_owned() })
        }
        Some(_) | None => Err("the name of a credential helper is odd"),
    };
    if let Some(name) = of_server(document.get("credHelpers"), server) {
        return helper(name);
    }
    if let Some(entry) = of_server(document.get("auths"), server)
        && let Some(source) = from_entry(entry)?
    {
        return Ok(source);
    }
    match document.get("credsStore") {
        Some(Value::String(name)) if name.is_empty() => Ok(Source::Nobody),
        Some(name) => helper(name),
        None => Ok(Source::Nobody),
    }
}

/// The entry of a server, which may be written as an address.
fn of_server<'a>(entries: Option<&'a Value>, server: &str) -> Option<&'a Value> {
    let entries = entries?.as_object()?;
    entries.get(server).or_else(|| {
        let same = entries.iter().find(|(key, _entry)| host_of(key) == host_of(server));
        same.map(|(_key, entry)| entry)
    })
}

fn host_of(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

fn from_entry(entry: &Value) -> Result<Option<Source>, &'static str> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (username, password) = if let Some(auth) = text("auth") {
        let wrong = "`auth` is not the Base64 of user:password";
        let bytes = STANDARD.decode(auth).map_err(|_may_quote_it| wrong)?;
        let plain = String::from_utf8(bytes).map_err(|_may_quote_it| wrong)?;
        let (username, password) = plain.split_once(':').ok_or(wrong)?;
        // Docker once padded passwords with zeros.
        (username.to_owned(), password.trim_end_matches('\0').to_owned())
    } else {
        let plain = |key| text(key).unwrap_or_default().to_owned();
        (plain("username"), plain("password"))
    };
    if let Some(token) = text("identitytoken") {
        let secret = LoginSecret::IdentityToken(Hidden::new(token));
        return Ok(Some(Source::DockerFile { username, secret }));
    }
    if username.is_empty() {
        return Ok(None);
    }
    let secret = LoginSecret::Password { username: username.clone(), password: Hidden::new(password) };
    Ok(Some(Source::DockerFile { username, secret }))
}

/// A name becomes part of a program's, which must not leave the path of programs.
fn is_helper_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// Asks `docker-credential-<name> get`: the server on its standard input, the answer on its standard output. `None`:
/// it knows none for this server.
pub(super) async fn ask_helper(name: &str, server: &str) -> Result<Option<LoginSecret>, DockerConfigError> {
    let (status, answer) = match tokio::time::timeout(HELPER_LIMIT, run_helper(name, server)).await {
        Ok(Ok(ran)) => ran,
        Ok(Err(error)) => {
            return Err(DockerConfigError::HelperBroken { name: name.to_owned(), why: error.to_string() });
        }
        Err(_elapsed) => {
            return Err(DockerConfigError::HelperSilent { name: name.to_owned(), after: HELPER_LIMIT });
        }
    };
    if !status.success() {
        if String::from_utf8_lossy(&answer).contains(NOT_FOUND) {
            return Ok(None);
        }
        let status = status.to_string();
        return Err(DockerConfigError::HelperFailed { name: name.to_owned(), status });
    }
    let odd = || DockerConfigError::HelperOdd { name: name.to_owned() };
    let answer: Value = serde_json::from_slice(&answer).map_err(|_may_quote_it| odd())?;
    let text = |key: &str| answer.get(key).and_then(Value::as_str).ok_or_else(odd);
    let (username, secret) = (text("Username")?, Hidden::new(text("Secret")?));
    Ok(Some(if username == TOKEN_USER {
        LoginSecret::IdentityToken(secret)
    } else {
        LoginSecret::Password { username: username.to_owned(), password: secret }
    }))
}

async fn run_helper(name: &str, server: &str) -> io::Result<(std::process::ExitStatus, Vec<u8>)> {
    let mut child = Command::new(format!("docker-credential-{name}"))
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    if let Some(mut stdin) = stdin {
        match stdin.write_all(server.as_bytes()).await {
            // It knows without asking.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
            written => written?,
        }
    }
    let mut answer = Vec::new();
    if let Some(stdout) = stdout {
        stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer).await?;
    }
    Ok((child.wait().await?, answer))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn password(username: &str, password: &str) -> Source {
        let secret = LoginSecret::Password { username: username.to_owned(), password: Hidden::new(password) };
        Source::DockerFile { username: username.to_owned(), secret }
    }

    fn helper(name: &str, server: &str) -> Source {
        Source::Helper { name: name.to_owned(), server: server.to_owned() }
    }

    #[rstest]
    #[case::auth(json!({"auths": {"r.example:5000": {"auth": "YWxpY2U6cGE6c3M="}}}), password("alice", "pa:ss"))]
    #[case::an_address(json!({"auths": {"https://r.example:5000/v1/": {"auth": "YWxpY2U6cGE6c3M="}}}), password("alice", "pa:ss"))]
    #[case::plain(json!({"auths": {"r.example:5000": {"username": "bob", "password": "x"}}}), password("bob", "x"))]
    #[case::another_port(json!({"auths": {"r.example": {"auth": "YWxpY2U6cGE6c3M="}}}), Source::Nobody)]
    #[case::its_own_helper(
        json!({"credHelpers": {"r.example:5000": "ecr-login"}, "auths": {"r.example:5000": {"auth": "YWxpY2U6cGE6c3M="}}}),
        helper("ecr-login", "r.example:5000")
    )]
    #[case::a_store_for_all(json!({"credsStore": "pass", "auths": {"r.example:5000": {}}}), helper("pass", "r.example:5000"))]
    #[case::nothing(json!({}), Source::Nobody)]
    fn credentials_are_found_where_docker_keeps_them(#[case] document: Value, #[case] expected: Source) {
        assert_eq!(from_document(&document, "r.example:5000"), Ok(expected));
    }

    #[test]
    fn docker_hub_is_known_by_its_old_address() {
        let document = json!({"auths": {"https://index.docker.io/v1/": {"auth": "YWxpY2U6cGE6c3M="}}});
        let found = from_document(&document, "https://index.docker.io/v1/");
        assert_eq!(found, Ok(password("alice", "pa:ss")));
    }

    #[test]
    fn an_identity_token_takes_the_place_of_a_password() {
        let document = json!({"auths": {"r.example": {"auth": "YWxpY2U6", "identitytoken": "t0ken"}}});
        let secret = LoginSecret::IdentityToken(Hidden::new("t0ken"));
        let expected = Source::DockerFile { username: "alice".to_owned(), secret };
        assert_eq!(from_document(&document, "r.example"), Ok(expected));
    }

    #[rstest]
    #[case(json!({"auths": {"r.example": {"auth": "s3cret!"}}}))]
    #[case(json!({"credsStore": "../../bin/sh"}))]
    #[case(json!({"credHelpers": {"r.example": 7}}))]
    fn what_is_odd_is_told_without_repeating_it(#[case] document: Value) {
        let what = from_document(&document, "r.example").unwrap_err();
        assert!(!what.contains("s3cret") && !what.contains("bin/sh"), "{what}");
    }
}
