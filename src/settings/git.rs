//! `git`: which repositories images may be built from, and with what credentials.

use std::path::Path;

use crate::component::document::{Fields, Item};
use crate::component::{parse_bytes, read_text};
use crate::image::{GitCredential, GitOptions};
use crate::job::Hidden;

/// Who has a token needs a name all the same; the usual hosts take any.
const USERNAME_DEFAULT: &str = "git";

/// What git gets of our own environment: where programs lie, and the way out.
const PASSED_ON: [&str; 9] = [
    "PATH",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
    "ALL_PROXY",
    "all_proxy",
    "NO_PROXY",
    "no_proxy",
];

/// `None`: nothing is said.
pub(super) fn read_git(
    item: Option<Item<'_>>,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> GitOptions {
    let passed_on = PASSED_ON.iter().filter_map(|name| Some(((*name).to_owned(), environment(name)?)));
    let mut options = GitOptions { environment: passed_on.collect(), ..GitOptions::default() };
    let Some(mut fields) = item.and_then(|item| item.fields()) else {
        return options;
    };
    if let Some(is_allowed) = fields.get("allow_file").and_then(|item| item.flag()) {
        options.allow_file = is_allowed;
    }
    if let Some(size) = fields.get("size_max").and_then(|item| item.amount(parse_bytes)) {
        options.size_max_bytes = size;
    }
    if let Some(item) = fields.get("credentials") {
        let hosts = item.entries().into_iter();
        let read = |(host, item): (&str, Item<'_>)| read_credential(host, &item, folder, environment);
        options.credentials = hosts.filter_map(read).collect();
    }
    fields.finish();
    options
}

fn read_credential(
    host: &str,
    item: &Item<'_>,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<GitCredential> {
    let mut fields = item.fields()?;
    if host.is_empty() || host.contains(['/', '@']) || host.contains(char::is_whitespace) {
        item.complain("expected a host with an optional port, such as git.example.com:8443");
    }
    let mut path = |key| fields.filled(key).and_then(|item| item.text()).map(|path| folder.join(path));
    let ssh_key_file = path("ssh_key_file");
    let known_hosts_file = path("known_hosts_file");
    let ca_file = path("ca_file");
    let username = fields.filled("username").and_then(|item| item.text()).unwrap_or(USERNAME_DEFAULT);
    let credential = GitCredential {
        host: host.to_owned(),
        username: username.to_owned(),
        token: read_token(&mut fields, folder, environment),
        ssh_key_file,
        known_hosts_file,
        ca_file,
    };
    fields.finish();
    Some(credential)
}

/// Of a file, or of a variable of the environment: a token has no place in the settings themselves.
fn read_token(
    fields: &mut Fields<'_>,
    folder: &Path,
    environment: &dyn Fn(&str) -> Option<String>,
) -> Option<Hidden> {
    let (file, variable) = (fields.filled("token_file"), fields.filled("token_env"));
    let token = match (&file, &variable) {
        (Some(_file), Some(variable)) => {
            variable.complain("`token_file` is there too: give one of the two");
            return None;
        }
        (Some(file), None) => file.parsed(|path| read_text(&folder.join(path)))?,
        (None, Some(variable)) => {
            let token = environment(variable.text()?);
            if token.is_none() {
                variable.complain("there is no such variable in the environment");
            }
            token?
        }
        (None, None) => return None,
    };
    let token = token.trim_end_matches(['\r', '\n']);
    // The helper that gives it to git ends it at the line's end.
    if token.is_empty() || token.contains(char::is_control) {
        if let Some(item) = file.or(variable) {
            item.complain("expected a token on one line");
        }
        return None;
    }
    Some(Hidden::new(token))
}
