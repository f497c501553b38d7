//! One certification: the run that everything is compared with, and who does which check.

use tokio::sync::OnceCell;

use super::bench::{Bench, Scratch};
use super::check::CheckId;
use super::error::CertifyError;
use super::ran::Ran;
use super::report::Finding;
use super::subject::{Subject, configuration_of};
use super::trial::Trial;
use serde_json::{Value, json};

pub(super) struct Examination<'a> {
    pub(super) bench: &'a Bench<'a>,
    pub(super) subject: &'a Subject,
    /// The run on the given configuration, and the scratch project that it left.
    pub(super) base: Ran,
    pub(super) base_scratch: Scratch,
    /// The run with the configuration `{}`, made when a check first needs it.
    empty: OnceCell<Ran>,
}

impl<'a> Examination<'a> {
    pub(super) async fn begin(bench: &'a Bench<'a>, subject: &'a Subject) -> Result<Self, CertifyError> {
        let scratch = bench.scratch(subject).await?;
        let trial = Trial {
            name: "on the given configuration".to_owned(),
            component: subject.component.clone(),
            configuration: subject.configuration()?,
            alteration: None,
            environment: Vec::new(),
            stop_after: None,
        };
        let base = bench.run_in(&scratch, subject, trial).await?;
        Ok(Self { bench, subject, base, base_scratch: scratch, empty: OnceCell::new() })
    }

    pub(super) async fn check(&self, id: CheckId) -> Result<Finding, CertifyError> {
        match id {
            CheckId::Spec => Ok(Finding::passed()),
            CheckId::Image => Ok(self.image()),
            CheckId::Entrypoint => Ok(self.entrypoint()),
            CheckId::Success => Ok(self.success()),
            CheckId::Prompt => Ok(self.prompt()),
            CheckId::Outputs => Ok(self.outputs()),
            CheckId::State => self.state().await,
            CheckId::Unprivileged => self.unprivileged().await,
            CheckId::ReadOnlyRoot => self.read_only_root().await,
            CheckId::Writes => Ok(self.writes()),
            CheckId::Network => self.network().await,
            CheckId::Processes => self.processes().await,
            CheckId::Sigterm => self.sigterm().await,
            CheckId::UserError => self.user_error().await,
            CheckId::Message => self.message().await,
            CheckId::EmptyInput => self.empty_input().await,
            CheckId::HugeField => self.huge_field().await,
            CheckId::InvalidUtf8 => self.invalid_utf8().await,
            CheckId::Secret => self.secret().await,
            CheckId::Deterministic => self.deterministic().await,
            CheckId::Memory => Ok(self.memory()),
        }
    }

    /// A run as the first one, to be changed in one point.
    pub(super) fn trial(&self, name: &str) -> Result<Trial, CertifyError> {
        Ok(Trial {
            name: name.to_owned(),
            component: self.subject.component.clone(),
            configuration: self.subject.configuration()?,
            alteration: None,
            environment: Vec::new(),
            stop_after: None,
        })
    }

    /// A run with another configuration.
    pub(super) fn trial_of(&self, name: &str, document: &Value) -> Result<Trial, CertifyError> {
        Ok(Trial { configuration: configuration_of(document)?, ..self.trial(name)? })
    }

    pub(super) async fn run(&self, trial: Trial) -> Result<Ran, CertifyError> {
        Box::pin(self.bench.run(self.subject, trial)).await
    }

    /// What a person gets who configured nothing.
    pub(super) async fn empty(&self) -> Result<&Ran, CertifyError> {
        let run = async { self.run(self.trial_of("with the configuration {}", &json!({}))?).await };
        self.empty.get_or_try_init(|| run).await
    }

    /// Why a check that compares with the first run cannot be done.
    pub(super) fn without_base(&self) -> Option<Finding> {
        if self.base.is_success() {
            return None;
        }
        Some(Finding::blocked().by([self.base.part()]))
    }

    /// Why a check that needs any run at all cannot be done.
    pub(super) fn without_start(&self) -> Option<Finding> {
        let reason = if self.base.containers.is_empty() {
            "there was no container to run"
        } else if matches!(self.base.bad_exit(), Some(crate::job::BadExit::CouldNotStart(_))) {
            "the entrypoint does not start"
        } else {
            return None;
        };
        Some(Finding::skipped(reason))
    }
}
