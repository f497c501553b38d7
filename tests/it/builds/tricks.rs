//! Repositories that are not to be trusted.

use std::fs;
use std::os::unix::fs::symlink;

use super::{Site, image, saying};
use crate::house::{House, has_engine, ran};
use crate::repository::Repository;

#[test]
fn a_repository_that_tries_tricks_is_refused() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let mark = house.path().join("mark");
    for url in
        [format!("ext::sh -c touch% {}", mark.display()), format!("--upload-pack=touch {}", mark.display())]
    {
        house.write("built.yaml", format!("id: built\nimage: {{build: {{git: '{url}'}}}}\n"));
        house.write("task.json", "{}");
        let ran = house.call(&Site::arguments()).failed(1);
        assert!(ran.stderr.contains("image.build.git: not an address"), "{}", ran.stderr);
    }
    assert!(!mark.exists());

    let linked = Repository::new(&[("real/Dockerfile", &saying("linked"))]);
    symlink("real/Dockerfile", linked.path().join("Dockerfile")).unwrap();
    symlink("real", linked.path().join("folder")).unwrap();
    linked.commit(&[]);
    let said = Site::of(&linked, "").refused("configuration_invalid");
    assert!(said.contains("Dockerfile is a symbolic link"), "{said}");
    let said = Site::of(&linked, "context: folder").refused("configuration_invalid");
    assert!(said.contains("folder is not a plain folder"), "{said}");

    let inner = Repository::new(&[("x", "x")]);
    let outer = Repository::new(&[("Dockerfile", &saying("outer"))]);
    outer.git(&["submodule", "--quiet", "add", &inner.url(), "vendor/inner"]);
    outer.commit(&[]);
    let said = Site::of(&outer, "").refused("configuration_invalid");
    assert!(said.contains("submodule vendor/inner"), "{said}");

    let site = Site::of(&linked, "context: real");
    site.house.write("longshore.yaml", "");
    assert!(site.refused("configuration_invalid").contains("git.allow_file"));
}

#[test]
fn nothing_that_a_repository_or_the_machine_configures_is_run() {
    if !has_engine() {
        return;
    }
    let attributes = "* filter=evil\n";
    let repository = Repository::new(&[("Dockerfile", &saying("quiet")), (".gitattributes", attributes)]);
    let site = Site::of(&repository, "");
    let mark = site.house.path().join("mark");
    let touch = format!("touch {}", mark.display());
    let hook = site.house.write("hooks/reference-transaction", format!("#!/bin/sh\n{touch}\n"));
    let mut permissions = fs::metadata(&hook).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    fs::set_permissions(&hook, permissions).unwrap();
    let hooks = hook.parent().unwrap().display().to_string();
    let text =
        format!("[core]\nhooksPath = {hooks}\nfsmonitor = {touch}\n[filter \"evil\"]\nsmudge = {touch}\n");
    let configuration = site.house.write("gitconfig", text);
    let mut command = site.house.command(&Site::arguments());
    command.env("GIT_CONFIG_GLOBAL", configuration).env("GIT_TEMPLATE_DIR", site.house.path());
    assert_eq!(image(&ran(command.output().unwrap()).succeeded())["action"], "built");
    assert!(!mark.exists());
}

#[test]
fn a_context_that_is_too_large_is_refused() {
    if !has_engine() {
        return;
    }
    // Bytes that cannot be packed smaller, and bytes that can.
    let mut noise = 0_u64;
    let mut next = || {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{noise:016x}")
    };
    let hard: String = (0..200_000).map(|_| next()).collect();
    for (bytes, words) in [(hard, "bytes packed"), ("x".repeat(3 << 20), "more than the 1048576 allowed")] {
        let repository = Repository::new(&[("Dockerfile", &saying("large")), ("bytes", &bytes)]);
        let site = Site::of(&repository, "");
        site.house.write("longshore.yaml", "git: {allow_file: true, size_max: 1m}\n");
        let said = site.refused("configuration_invalid");
        assert!(said.contains(words), "{said}");
        site.house.is_clean();
    }
}
