//! The report as JSON: wire types only. `docs/certification.schema.json` describes it for machines.

use serde::Serialize;

use super::check::{CheckId, Level};
use crate::component::{Complaints, Component};
use crate::result::ImagePart;

/// Version of the document's shape; grows when a key changes its meaning or goes away.
const SHAPE_VERSION: u32 = 1;
/// What was seen may be a million times the same.
const SEEN_MAX: usize = 20;
const BLOCKED: &str = "it does not succeed on the given configuration";

#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    pub(crate) shape_version: u32,
    /// Of this program.
    pub(crate) longshore: &'static str,
    pub(crate) component: ComponentPart,
    pub(crate) image: Option<ImagePart>,
    /// Whether no required check failed, or was left out because the component failed before it.
    pub(crate) verdict: Verdict,
    pub(crate) started: String,
    pub(crate) ended: String,
    pub(crate) checks: Vec<CheckPart>,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct ComponentPart {
    pub(crate) spec: String,
    /// `None`: the spec is not valid.
    pub(crate) id: Option<String>,
    /// SHA-256 of the spec file.
    pub(crate) spec_sha256: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Passed,
    Failed,
}

#[derive(Debug, Clone, Serialize)]
pub(crate) struct CheckPart {
    pub(crate) id: &'static str,
    pub(crate) title: &'static str,
    /// `required` or `advice`.
    pub(crate) level: &'static str,
    /// `passed`, `failed` or `skipped`.
    pub(crate) status: &'static str,
    /// Why it failed or was skipped.
    pub(crate) reason: Option<String>,
    /// How to mend it; only where it failed.
    pub(crate) remedy: Option<&'static str>,
    /// What was seen, a sentence each.
    pub(crate) seen: Vec<String>,
    /// The runs it was judged by.
    pub(crate) runs: Vec<RunPart>,
    /// Left out because the component failed before: nobody can say that it would pass.
    #[serde(skip)]
    is_blocked: bool,
}

/// One run's facts.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct RunPart {
    /// What was special about it.
    pub(crate) name: String,
    /// A job's status: `success`, `warning`, `error`, `terminated`, `cancelled`.
    pub(crate) status: String,
    /// A failure's stable code.
    pub(crate) code: Option<String>,
    /// `None`: no container ran.
    pub(crate) exit_code: Option<i64>,
    pub(crate) message: String,
    /// From start to exit; the sum of all rows.
    pub(crate) seconds: f64,
    pub(crate) memory_peak_bytes: Option<u64>,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Judgement {
    Passed,
    Failed(String),
    /// It does not apply, or cannot be done here.
    Skipped(String),
    /// The component fails where the check would begin.
    Blocked,
}

/// A check's judgement with what it rests on.
#[derive(Debug, Clone)]
pub(super) struct Finding {
    pub(super) judgement: Judgement,
    pub(super) seen: Vec<String>,
    pub(super) runs: Vec<RunPart>,
}

impl Finding {
    pub(super) fn passed() -> Self {
        Self::of(Judgement::Passed)
    }

    pub(super) fn failed(reason: impl Into<String>) -> Self {
        Self::of(Judgement::Failed(reason.into()))
    }

    pub(super) fn skipped(reason: impl Into<String>) -> Self {
        Self::of(Judgement::Skipped(reason.into()))
    }

    pub(super) fn blocked() -> Self {
        Self::of(Judgement::Blocked)
    }

    pub(super) fn of(judgement: Judgement) -> Self {
        Self { judgement, seen: Vec::new(), runs: Vec::new() }
    }

    pub(super) fn saw(mut self, sentence: impl Into<String>) -> Self {
        self.seen.push(sentence.into());
        self
    }

    /// Several sentences; a single one is what the reason says already.
    pub(super) fn saw_all(mut self, sentences: Vec<String>) -> Self {
        if sentences.len() > 1 {
            self.seen.extend(sentences.into_iter().take(SEEN_MAX));
        }
        self
    }

    pub(super) fn by(mut self, runs: impl IntoIterator<Item = RunPart>) -> Self {
        self.runs.extend(runs);
        self
    }
}

impl CheckPart {
    pub(super) fn of(id: CheckId, component: &Component, finding: Finding) -> Self {
        Self::new(id, id.level(component), finding)
    }

    fn new(id: CheckId, level: Level, finding: Finding) -> Self {
        let is_blocked = finding.judgement == Judgement::Blocked;
        let (status, reason, remedy) = match finding.judgement {
            Judgement::Passed => ("passed", None, None),
            Judgement::Failed(reason) => ("failed", Some(reason), Some(id.remedy())),
            Judgement::Skipped(reason) => ("skipped", Some(reason), None),
            Judgement::Blocked => ("skipped", Some(BLOCKED.to_owned()), None),
        };
        let (title, level) = (id.title(), level.as_str());
        let (seen, runs) = (finding.seen, finding.runs);
        Self { id: id.as_str(), title, level, status, reason, remedy, seen, runs, is_blocked }
    }

    fn is_refusal(&self) -> bool {
        (self.status == "failed" || self.is_blocked) && self.level == Level::Required.as_str()
    }
}

impl Report {
    pub(super) fn begin(component: &Component) -> Self {
        Self::new(ComponentPart {
            spec: component.spec_path.display().to_string(),
            id: Some(component.id.to_string()),
            spec_sha256: Some(component.spec_hash.to_string()),
        })
    }

    fn new(component: ComponentPart) -> Self {
        Self {
            shape_version: SHAPE_VERSION,
            longshore: env!("CARGO_PKG_VERSION"),
            component,
            image: None,
            verdict: Verdict::Passed,
            started: jiff::Timestamp::now().to_string(),
            ended: String::new(),
            checks: Vec::new(),
        }
    }

    pub(super) fn of_invalid_spec(spec: &str, complaints: &Complaints, checks: &[CheckId]) -> Self {
        let mut report = Self::new(ComponentPart { spec: spec.to_owned(), id: None, spec_sha256: None });
        for id in CheckId::ALL.into_iter().filter(|id| checks.contains(id) || *id == CheckId::Spec) {
            let finding = if id == CheckId::Spec {
                let seen = complaints.0.iter().map(ToString::to_string).collect();
                Finding { seen, ..Finding::failed("the spec is not valid") }
            } else {
                Finding::skipped("the spec is not valid")
            };
            report.checks.push(CheckPart::new(id, Level::Required, finding));
        }
        report.conclude()
    }

    pub(super) fn conclude(mut self) -> Self {
        let is_refused = self.checks.iter().any(CheckPart::is_refusal);
        self.verdict = if is_refused { Verdict::Failed } else { Verdict::Passed };
        self.ended = jiff::Timestamp::now().to_string();
        self
    }
}
