//! Components that are only a git repository, or a folder.

mod engine;
mod git;
mod tricks;

use std::process::Command;

use serde_json::Value;

use crate::house::{House, Ran, docker};
use crate::repository::Repository;

/// A house with a component that is built. The images that were built in it go with it.
struct Site {
    house: House,
    /// As the images name where they are from.
    source: String,
}

impl Site {
    fn of(repository: &Repository, more: &str) -> Self {
        Self::new(&repository.url(), "", more)
    }

    /// `policy` and further keys of the build as they stand in the spec.
    fn new(url: &str, policy: &str, more: &str) -> Self {
        let site = Self { house: House::new(), source: url.to_owned() };
        site.house.write("longshore.yaml", "git: {allow_file: true}\n");
        site.write_spec(&format!("{{{policy} build: {{git: '{url}', {more}}}}}"));
        site
    }

    fn write_spec(&self, image: &str) {
        let spec = format!("id: built\nimage: {image}\nresources: {{preset: xsmall}}\nnetwork: none\n");
        self.house.write("built.yaml", spec);
        self.house.write("task.json", "{}");
    }

    fn arguments() -> [&'static str; 6] {
        ["run", "built.yaml", "--config", "task.json", "--format", "json"]
    }

    fn run(&self) -> Ran {
        self.house.call(&Self::arguments())
    }

    /// What was done for the image, and what the component said.
    fn run_to_words(&self) -> (String, String) {
        let ran = self.run().succeeded();
        let said = self.house.call(&["job", "log", &ran.job()]).succeeded().stdout;
        (image(&ran)["action"].as_str().unwrap().to_owned(), said.trim().to_owned())
    }

    fn refused(&self, code: &str) -> String {
        let ran = self.run();
        assert_eq!(ran.error_code(), code, "{}", ran.stdout);
        ran.message()
    }

    fn events(&self, job: &str) -> String {
        self.house.call(&["job", "log", job, "--events"]).succeeded().stdout
    }

    /// Ids of the images that say they are from here.
    fn images(&self) -> Vec<String> {
        let listed = docker(&["images", "--filter", "label=longshore.build.source", "--format", "{{.ID}}"]);
        let is_ours = |id: &&str| {
            let format = "{{index .Config.Labels \"longshore.build.source\"}}";
            // An image of another test may be gone by now.
            let output = Command::new("docker").args(["inspect", "--format", format, id]).output().unwrap();
            String::from_utf8_lossy(&output.stdout).starts_with(&self.source)
        };
        listed.lines().filter(is_ours).map(str::to_owned).collect()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        for id in self.images() {
            Command::new("docker").args(["rmi", "--force", &id]).output().ok();
        }
    }
}

fn image(ran: &Ran) -> Value {
    ran.document()["image"].clone()
}

/// A Dockerfile whose component says a word.
fn saying(word: &str) -> String {
    format!("FROM longshore/shell:1.35-1\nRUN echo {word} > /word\nENTRYPOINT [\"cat\", \"/word\"]\n")
}
