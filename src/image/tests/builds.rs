//! Several jobs of one process that want the same build.

use tempfile::TempDir;
use tokio::task::JoinSet;

use super::house::{House, docker};
use crate::component::{BuildContext, Policy, Stale};
use crate::image::{BuildSource, ImageError, ResolvedImage};
use crate::job::JobId;

/// How it ended for one job, and what it heard.
type Ended = (Result<ResolvedImage, ImageError>, Vec<String>);

/// A folder with a Dockerfile; the images that are built of it go with it.
struct Source {
    folder: TempDir,
    name: String,
}

impl Source {
    fn new(dockerfile: &str) -> Self {
        let source = Self { folder: TempDir::new().unwrap(), name: format!("t-{}", JobId::fresh()) };
        let folder = source.folder.path().join(&source.name);
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("Dockerfile"), dockerfile).unwrap();
        std::fs::write(folder.join("word"), &source.name).unwrap();
        source
    }

    /// Wants the image five times at once.
    async fn build_together(&self, house: &House) -> Vec<Ended> {
        let mut jobs = JoinSet::new();
        for _job in 0..5 {
            let source = BuildSource {
                context: BuildContext::Folder { path: self.name.clone() },
                dockerfile: "Dockerfile".into(),
                args: Vec::new(),
                spec_dir: Some(self.folder.path().to_owned()),
                stale: Stale::Allow,
            };
            let keeper = house.keeper.clone();
            jobs.spawn(async move {
                let mut heard = Vec::new();
                let built = keeper.built(&source, Policy::Release, &mut |line| heard.push(line)).await;
                (built, heard)
            });
        }
        jobs.join_all().await
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let filter = format!("reference=longshore-build/{}", self.name);
        for id in docker(&["images", "--quiet", "--filter", &filter]).lines() {
            docker(&["rmi", "--force", id]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn five_jobs_share_one_build() {
    let Some(house) = House::open().await else { return };
    let source = Source::new("FROM scratch\nCOPY word /word\n");
    let ended = source.build_together(&house).await;
    let mut done: Vec<&str> =
        ended.iter().map(|(built, _heard)| built.as_ref().unwrap().done.as_str()).collect();
    done.sort_unstable();
    assert_eq!(done, ["built", "present", "present", "present", "present"]);
    assert_eq!(ended.iter().filter(|(_built, heard)| !heard.is_empty()).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_for_one_is_told_to_all_who_waited() {
    let Some(house) = House::open().await else { return };
    let source = Source::new("FROM scratch\nCOPY nowhere /\n");
    let ended = source.build_together(&house).await;
    for (built, _heard) in &ended {
        let said = built.as_ref().unwrap_err().to_string();
        assert!(said.contains("nowhere") && said.contains("Step 2/"), "{said}");
    }
    assert_eq!(ended.iter().filter(|(_built, heard)| !heard.is_empty()).count(), 1);
}
