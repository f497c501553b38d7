//! Contexts of local folders; those of commits are met at the door, by true repositories.

use std::fs;
use std::os::unix::fs::symlink;

use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::*;

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = TempDir::new().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    folder
}

fn archive(folder: &TempDir) -> Result<(Vec<String>, String), ContextError> {
    let mut context = Context::of_folder(folder.path(), "Dockerfile", 1000)?;
    let mut bytes = Vec::new();
    let written = write(&mut context, &mut bytes, &CancellationToken::new())?;
    assert_eq!(written.bytes, bytes.len() as u64);
    let mut archive = tar::Archive::new(bytes.as_slice());
    let paths = archive.entries().unwrap().map(|entry| {
        let entry = entry.unwrap();
        let path = entry.path().unwrap().display().to_string();
        format!("{path} {:o}", entry.header().mode().unwrap())
    });
    Ok((paths.collect(), written.hash))
}

#[test]
fn a_folder_is_sent_without_git_and_what_is_ignored() {
    let folder = folder(&[
        ("Dockerfile", "FROM x"),
        (".dockerignore", "*.log\nDockerfile\n.dockerignore\nempty"),
        ("a.log", "x"),
        ("src/deep/main", "x"),
        (".git/config", "x"),
        ("src/.git/config", "x"),
    ]);
    fs::create_dir(folder.path().join("empty")).unwrap();
    symlink("/etc/passwd", folder.path().join("src/link")).unwrap();
    let (paths, _hash) = archive(&folder).unwrap();
    assert_eq!(
        paths,
        [
            ".dockerignore 644",
            "Dockerfile 644",
            "src 755",
            "src/deep 755",
            "src/deep/main 644",
            "src/link 777"
        ]
    );
}

#[test]
fn equal_files_are_an_equal_archive_and_others_are_not() {
    let files = [("Dockerfile", "FROM x"), ("a", "1")];
    let (one, same) = (folder(&files), folder(&files));
    let hash = archive(&one).unwrap().1;
    assert_eq!(hash, archive(&same).unwrap().1);
    fs::write(same.path().join("a"), "2").unwrap();
    assert_ne!(hash, archive(&same).unwrap().1);
    let mut permissions = fs::metadata(one.path().join("a")).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o700);
    fs::set_permissions(one.path().join("a"), permissions).unwrap();
    assert_ne!(hash, archive(&one).unwrap().1);
}

#[test]
fn what_cannot_be_sent_is_named() {
    let said = |folder: &TempDir| archive(folder).unwrap_err().to_string();
    assert_eq!(said(&folder(&[("a", "")])), "it has no Dockerfile Dockerfile");
    let linked = folder(&[("other", "FROM x")]);
    symlink("other", linked.path().join("Dockerfile")).unwrap();
    assert_eq!(said(&linked), "Dockerfile is a symbolic link or the like, which is not followed here");
    let large = folder(&[("Dockerfile", "FROM x"), ("a", &"x".repeat(1000))]);
    assert!(said(&large).starts_with("its files have 1006 bytes, more than the 1000 allowed"));
    let piped = folder(&[("Dockerfile", "FROM x")]);
    let status = std::process::Command::new("mkfifo").arg(piped.path().join("pipe")).status().unwrap();
    assert!(status.success());
    assert!(said(&piped).starts_with("pipe is neither a file nor a folder"));
}

#[test]
fn the_work_can_be_called_off() {
    let folder = folder(&[("Dockerfile", "FROM x")]);
    let mut context = Context::of_folder(folder.path(), "Dockerfile", 1000).unwrap();
    let called_off = CancellationToken::new();
    called_off.cancel();
    let ended = write(&mut context, Vec::new(), &called_off);
    assert!(matches!(ended, Err(ContextError::CalledOff)), "{ended:?}");
}
