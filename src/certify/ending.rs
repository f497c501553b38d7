//! Whether SIGTERM ends the component inside the grace.

use std::time::Duration;

use super::error::CertifyError;
use super::examination::Examination;
use super::ran::Ran;
use super::report::{Finding, RunPart};
use super::trial::Trial;
use crate::job::BadExit;
use crate::mapping::Alteration;

/// 128 + SIGKILL: it had to be killed.
const KILLED_CODE: i64 = 137;
/// A component that takes long is asked early.
const SIGNAL_AFTER_MAX: Duration = Duration::from_secs(2);
/// Time for an interpreter to be there.
const SIGNAL_AFTER_MIN: Duration = Duration::from_millis(200);

/// What the signal did.
enum Answer {
    Ended {
        code: i64,
    },
    Killed,
    /// It had ended, or went on to its own end as if nothing had been.
    NotMet,
}

impl Examination<'_> {
    /// The signal must meet a component that is at work: first in the middle of the time that the first run took, then,
    /// should it have ended by then, at work on tables of many rows.
    pub(super) async fn sigterm(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let took = self.base.took();
        let middle = (took / 2).min(SIGNAL_AFTER_MAX);
        let mut runs: Vec<RunPart> = Vec::new();
        let stopped = Trial { stop_after: Some(middle), ..self.trial("asked to end in the middle")? };
        let first = self.run(stopped).await?;
        runs.push(first.part());
        let mut answer = answer(&first, took);
        if matches!(answer, Answer::NotMet) && !self.base.document.input.tables.is_empty() {
            let longer = Trial {
                alteration: Some(Alteration::ManyRows),
                stop_after: Some(middle.max(SIGNAL_AFTER_MIN)),
                ..self.trial("asked to end while at work on many rows")?
            };
            let second = self.run(longer).await?;
            runs.push(second.part());
            answer = self::answer(&second, Duration::MAX);
        }
        let grace = self.bench.grace().as_secs_f64();
        let finding = match answer {
            Answer::Ended { code } => Finding::passed().saw(format!("it ended with exit code {code}")),
            Answer::Killed => {
                Finding::failed(format!("it was still there {grace} s after SIGTERM, and was killed"))
            }
            Answer::NotMet => Finding::skipped(
                "it ended by itself before the signal could meet it: give a configuration or tables that keep it busy",
            ),
        };
        Ok(finding.by(runs))
    }
}

/// `usual` is how long a run takes that nobody stops: one that ends well after that time has not been met.
fn answer(ran: &Ran, usual: Duration) -> Answer {
    if ran.bad_exit() != Some(&BadExit::Cancelled) {
        return Answer::NotMet;
    }
    match ran.exit_code() {
        Some(KILLED_CODE) => Answer::Killed,
        Some(0) if ran.took() >= usual.mul_f64(0.9) => Answer::NotMet,
        Some(code) => Answer::Ended { code },
        None => Answer::NotMet,
    }
}
