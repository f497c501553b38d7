//! Addresses of git repositories, as far as git may be trusted with them.
//!
//! Git takes options, helpers and commands of its own where it expects an address. What gets past here is none of them.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

/// An address that names a repository and nothing else. Holds no password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct GitAddress {
    text: String,
    scheme: GitScheme,
    /// Name or address with its port, as credentials are kept by; empty for files.
    authority: String,
}

/// How git reaches a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GitScheme {
    Https,
    /// Only of this very machine: nobody is in between.
    Http,
    Ssh,
    File,
}

/// The rule an address breaks. The address is not repeated: it may hold a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an address of a git repository: {rule}")]
pub(crate) struct GitAddressError {
    pub rule: &'static str,
}

impl GitScheme {
    /// As git names it in its lists of what is allowed.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Http => "http",
            Self::Ssh => "ssh",
            Self::File => "file",
        }
    }
}

impl GitAddress {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    pub(crate) fn scheme(&self) -> GitScheme {
        self.scheme
    }

    /// `host` or `host:port`.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// The last part of the path without `.git`.
    pub(crate) fn name(&self) -> &str {
        let path = self.text.trim_end_matches('/');
        let path = path.strip_suffix(".git").unwrap_or(path);
        path.rsplit(['/', ':']).next().unwrap_or(path)
    }
}

impl fmt::Display for GitAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for GitAddress {
    type Err = GitAddressError;

    fn from_str(text: &str) -> Result<Self, GitAddressError> {
        let (scheme, authority) = parse(text).map_err(|rule| GitAddressError { rule })?;
        Ok(Self { text: text.to_owned(), scheme, authority: authority.to_owned() })
    }
}

fn parse(text: &str) -> Result<(GitScheme, &str), &'static str> {
    if text.starts_with('-') {
        return Err("it begins with a dash, which git takes for an option");
    }
    if text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err("it holds blanks, control characters or backslashes");
    }
    if text.contains(['#', '?']) {
        return Err("it holds `#` or `?`: the branch, tag or commit is said by `ref`");
    }
    if let Some((scheme, rest)) = text.split_once("://") {
        return parse_url(scheme, rest);
    }
    if text.contains("::") {
        return Err("helpers such as `ext::` are refused");
    }
    match text.split_once(':') {
        Some((host, path)) if !host.contains('/') => {
            if path.is_empty() || path.starts_with('-') {
                return Err("the path of the repository is missing");
            }
            Ok((GitScheme::Ssh, ssh_authority(host)?))
        }
        Some(_) | None => Err("use https://…, ssh://… or user@host:path"),
    }
}

fn parse_url<'a>(scheme: &str, rest: &'a str) -> Result<(GitScheme, &'a str), &'static str> {
    if scheme == "file" {
        let is_absolute = rest.starts_with('/') && rest.len() > 1;
        return if is_absolute { Ok((GitScheme::File, "")) } else { Err("use file:///absolute/path") };
    }
    let (authority, path) = rest.split_once('/').ok_or("the path of the repository is missing")?;
    if path.is_empty() {
        return Err("the path of the repository is missing");
    }
    match scheme {
        "https" => Ok((GitScheme::Https, web_authority(authority)?)),
        "http" if is_loopback(host_of(authority)) => Ok((GitScheme::Http, web_authority(authority)?)),
        "http" => Err("plain http is refused except to this machine: use https"),
        "ssh" => Ok((GitScheme::Ssh, ssh_authority(authority)?)),
        _ if scheme.contains("::") => Err("helpers such as `ext::` are refused"),
        _ => Err("use https, ssh, or file where the settings allow it"),
    }
}

fn web_authority(authority: &str) -> Result<&str, &'static str> {
    if authority.contains('@') {
        return Err("it holds a user name: credentials belong into the settings, under `git.credentials`");
    }
    checked(authority)
}

/// Without the user, whose name is no secret.
fn ssh_authority(authority: &str) -> Result<&str, &'static str> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    if user.is_some_and(|user| user.contains(':')) {
        return Err("it holds a password: credentials belong into the settings, under `git.credentials`");
    }
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if user.is_some_and(|user| user.is_empty() || user.starts_with('-') || !user.chars().all(is_plain)) {
        return Err("the user's name has other characters than letters, digits, `.`, `_` and `-`");
    }
    checked(host)
}

fn checked(authority: &str) -> Result<&str, &'static str> {
    let host = host_of(authority);
    let port = authority.strip_prefix(host).and_then(|port| port.strip_prefix(':'));
    let port_fits = authority.len() == host.len() || port.is_some_and(|port| port.parse::<u16>().is_ok());
    let label_fits = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let is_address = unbracketed(host).is_some_and(|address| address.parse::<IpAddr>().is_ok());
    if port_fits && (is_address || host.split('.').all(label_fits)) {
        Ok(authority)
    } else {
        Err("the host is not a name or address with an optional port")
    }
}

/// Without the port; the colons of `[::1]` are not a port's.
fn host_of(authority: &str) -> &str {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        Some(_) | None => authority,
    }
}

fn unbracketed(host: &str) -> Option<&str> {
    host.strip_prefix('[')?.strip_suffix(']')
}

fn is_loopback(host: &str) -> bool {
    let address = unbracketed(host).unwrap_or(host).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("https://example.com/a/b.git", GitScheme::Https, "example.com", "b")]
    #[case("https://example.com:8443/a/b/", GitScheme::Https, "example.com:8443", "b")]
    #[case("http://127.0.0.1:80/x.git", GitScheme::Http, "127.0.0.1:80", "x")]
    #[case("http://[::1]:80/x", GitScheme::Http, "[::1]:80", "x")]
    #[case("ssh://git@example.com:22/a/b.git", GitScheme::Ssh, "example.com:22", "b")]
    #[case("git@example.com:a/b.git", GitScheme::Ssh, "example.com", "b")]
    #[case("git@example.com:b", GitScheme::Ssh, "example.com", "b")]
    #[case("file:///srv/git/b.git", GitScheme::File, "", "b")]
    fn an_address_falls_into_its_parts(
        #[case] text: &str,
        #[case] scheme: GitScheme,
        #[case] authority: &str,
        #[case] name: &str,
    ) {
        let address: GitAddress = text.parse().unwrap();
        assert_eq!((address.scheme(), address.authority(), address.name()), (scheme, authority, name));
        assert_eq!(address.to_string(), text);
    }

    #[rstest]
    #[case("--upload-pack=touch /tmp/x", "a dash")]
    #[case("ext::sh -c touch% /tmp/x", "blanks")]
    #[case("ext::sh", "helpers")]
    #[case("fd::7", "helpers")]
    #[case("ext::https://example.com/x", "helpers")]
    #[case("https://user:password@example.com/x", "git.credentials")]
    #[case("https://token@example.com/x", "git.credentials")]
    #[case("ssh://user:password@example.com/x", "git.credentials")]
    #[case("ssh://-oProxyCommand=touch/x", "the host")]
    #[case("-oProxyCommand=x@example.com:y", "a dash")]
    #[case("ssh://-l@example.com/x", "the user's name")]
    #[case("git@-oProxyCommand:y", "the host")]
    #[case("host:-y", "the path")]
    #[case("http://example.com/x", "use https")]
    #[case("http://127.0.0.1.example.com/x", "use https")]
    #[case("git://example.com/x", "use https, ssh")]
    #[case("file://relative", "file:///")]
    #[case("/srv/git/x", "use https")]
    #[case("../x", "use https")]
    #[case("https://example.com", "the path")]
    #[case("https://example.com/x#main", "`ref`")]
    #[case("https://example.com:port/x", "the host")]
    #[case("https://exam%70le.com/x", "the host")]
    #[case("", "use https")]
    fn tricks_and_passwords_are_refused(#[case] text: &str, #[case] rule: &str) {
        let error = text.parse::<GitAddress>().unwrap_err().to_string();
        assert!(error.contains(rule), "{error}");
        assert!(!error.contains("password@"), "{error}");
    }
}
