//! Who we are at registries.

use super::*;
use crate::image::RegistryOptions;
use crate::job::Hidden;

#[test]
fn passwords_come_from_a_file_the_environment_or_the_settings_themselves() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("token"), "from a file\n").unwrap();
    let text = "registries:\n\
                \x20 a.example: {username: alice, password_file: token, ca_file: ca.pem}\n\
                \x20 \"b.example:5000\": {username: bob, password_env: B_TOKEN}\n\
                \x20 docker.io: {username: carol, password: written}\n\
                \x20 127.0.0.1:5000: {ca_file: /etc/ca.pem}\n";
    fs::write(folder.path().join(FILE_NAME), text).unwrap();
    let environment = |name: &str| {
        let known = [("B_TOKEN", "from the environment"), ("HOME", "/home/dev")];
        known.into_iter().find(|(known, _value)| *known == name).map(|(_, value)| value.to_owned())
    };
    let settings = Settings::load(folder.path(), None, environment).unwrap();
    let login = |username: &str, password: &str| Some((username.to_owned(), Hidden::new(password)));
    let options = |registry: &str, login, ca_file: Option<PathBuf>| RegistryOptions {
        registry: registry.to_owned(),
        login,
        ca_file,
    };
    let expected = RegistryAccess {
        registries: vec![
            options("a.example", login("alice", "from a file"), Some(folder.path().join("ca.pem"))),
            options("b.example:5000", login("bob", "from the environment"), None),
            options("docker.io", login("carol", "written"), None),
            options("127.0.0.1:5000", None, Some("/etc/ca.pem".into())),
        ],
        docker_config_dir: Some("/home/dev/.docker".into()),
    };
    assert_eq!(settings.registries, expected);
    let shown = format!("{settings:?}");
    assert!(!shown.contains("from ") && !shown.contains("written"), "{shown}");
}

#[test]
fn dockers_own_variable_says_where_its_configuration_lies() {
    let settings = load("", &[("HOME", "/home/dev"), ("DOCKER_CONFIG", "/elsewhere")]).unwrap();
    assert_eq!(settings.registries.docker_config_dir, Some("/elsewhere".into()));
}

#[test]
fn credentials_that_cannot_be_are_told_and_not_repeated() {
    let text = "registries:\n\
                \x20 https://a.example: {}\n\
                \x20 b.example: {username: bob}\n\
                \x20 c.example: {password: s3cret}\n\
                \x20 d.example: {username: dora, password: s3cret, password_env: X}\n\
                \x20 e.example: {username: eve, password_env: NOT_SET}\n\
                \x20 f.example: {usrname: fred}\n\
                \x20 somewhere: {}\n";
    let said = said(text, &[]);
    for what in [
        "longshore.yaml:2:22: registries[\"https://a.example\"]: expected a host",
        "longshore.yaml:3:14: registries[\"b.example\"]: `password_file`, `password_env` or `password` is missing",
        "longshore.yaml:4:14: registries[\"c.example\"]: `username` is missing",
        "registries[\"d.example\"].password_env: the password is written in another way too",
        "registries[\"e.example\"].password_env: the variable NOT_SET is not set",
        "registries[\"f.example\"].usrname: unknown key",
        "registries.somewhere: expected a host",
    ] {
        assert!(said.contains(what), "{what} is not in\n{said}");
    }
    assert!(!said.contains("s3cret"), "{said}");
}
