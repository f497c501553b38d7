//! Where images may be built from.

use super::*;
use crate::image::GitCredential;
use crate::job::Hidden;

#[test]
fn a_host_has_a_token_or_a_key() {
    let tokens = tempfile::tempdir().unwrap();
    let file = tokens.path().join("token");
    fs::write(&file, "from-a-file\n").unwrap();
    let text = format!(
        "git:\n  allow_file: true\n  size_max: 5MiB\n  credentials:\n    \
         git.example.com: {{username: me, token_file: {}}}\n    \
         git.example.com:8443: {{token_env: GIT_TOKEN, ca_file: /ca.pem}}\n    \
         ssh.example.com: {{ssh_key_file: /keys/id, known_hosts_file: /keys/known}}\n",
        file.display()
    );
    let environment = [("GIT_TOKEN", "from-a-variable"), ("PATH", "/bin"), ("HOME", "/root")];
    let none = GitCredential {
        host: String::new(),
        username: "git".into(),
        token: None,
        ssh_key_file: None,
        known_hosts_file: None,
        ca_file: None,
    };
    let settings = load(&text, &environment).unwrap();
    assert_eq!(
        settings.git,
        GitOptions {
            allow_file: true,
            size_max_bytes: 5 << 20,
            credentials: vec![
                GitCredential {
                    host: "git.example.com".into(),
                    username: "me".into(),
                    token: Some(Hidden::new("from-a-file")),
                    ..none.clone()
                },
                GitCredential {
                    host: "git.example.com:8443".into(),
                    token: Some(Hidden::new("from-a-variable")),
                    ca_file: Some("/ca.pem".into()),
                    ..none.clone()
                },
                GitCredential {
                    host: "ssh.example.com".into(),
                    ssh_key_file: Some("/keys/id".into()),
                    known_hosts_file: Some("/keys/known".into()),
                    ..none
                },
            ],
            environment: vec![("PATH".into(), "/bin".into())],
        }
    );
    assert!(!format!("{settings:?}").contains("from-a"));
}

#[test]
fn what_is_wrong_with_a_credential_is_said_without_it() {
    let text = "git:\n  credentials:\n    https://h/x: {token: secret}\n    h: {token_env: NOT_THERE}\n    \
                i: {token_env: TWO_LINES}\n    j: {token_file: /nowhere, token_env: TWO_LINES}\n";
    let said = said(text, &[("TWO_LINES", "secret\nmore")]);
    for words in [
        "expected a host",
        "unknown key",
        "no such variable",
        "expected a token on one line",
        "`token_file` is there too",
    ] {
        assert!(said.contains(words), "{words} is not in\n{said}");
    }
    assert!(!said.contains("secret"), "{said}");
}
