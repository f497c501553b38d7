//! The S3 server that tests share.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::S3Options;
use crate::job::{Hidden, JobId};

/// A fresh prefix on the server of `scripts/s3.sh`. Without a server a test prints that it was skipped, in CI that is a failure.
pub(crate) fn test_bucket() -> Option<S3Options> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts/s3.sh");
    let run = |verb: &str| Command::new(&script).arg(verb).output().unwrap();
    if !run("answers").status.success() {
        #[expect(
            clippy::disallowed_methods,
            reason = "CI says by its environment that nothing may be skipped"
        )]
        let is_ci = std::env::var_os("CI").is_some();
        assert!(!is_ci, "no S3 server answers; scripts/s3.sh start starts one");
        eprintln!("SKIP (no S3 server): {:?}", std::thread::current().name());
        return None;
    }
    let said = String::from_utf8(run("env").stdout).unwrap();
    let value = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(&format!("LONGSHORE_BLOBS_S3_{name}=")));
        line.unwrap_or_else(|| panic!("scripts/s3.sh env says no {name}")).to_owned()
    };
    Some(S3Options {
        bucket: value("BUCKET"),
        prefix: format!("tests/{}", JobId::fresh()),
        endpoint: Some(value("ENDPOINT")),
        region: Some(value("REGION")),
        path_style: true,
        credentials: Some((value("ACCESS_KEY_ID"), Hidden::new(value("SECRET_ACCESS_KEY")))),
        patience: Duration::from_secs(30),
    })
}
