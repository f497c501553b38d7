//! Whether a secret of the configuration comes out again: in what is said, in tables, files or the state.

use super::error::CertifyError;
use super::examination::Examination;
use super::ran::Ran;
use super::report::Finding;

impl Examination<'_> {
    /// A value that nobody else uses is put under a `#` key, and looked for in every form that masking knows. A
    /// component that refuses keys it does not know gets it by way of its image parameters instead, so that its outputs
    /// are looked at too.
    pub(super) async fn secret(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let document = self.subject.with_parameter("#canary", &canary())?;
        let ran = self.run(self.trial_of("with a secret parameter", &document)?).await?;
        let (mut leaks, mut runs) = (leaks(&ran), vec![self.base.part(), ran.part()]);
        leaks.extend(self::leaks(&self.base));
        let mut is_success = ran.is_success();
        if !is_success && self.base.is_success() {
            let mut trial = self.trial("with a secret image parameter")?;
            trial.component.image_parameters["#canary"] = canary().into();
            let ran = self.run(trial).await?;
            leaks.extend(self::leaks(&ran));
            runs.push(ran.part());
            is_success = ran.is_success();
        }
        leaks.sort();
        leaks.dedup();
        let finding = match leaks.first() {
            Some(first) => {
                let reason = format!("a secret came out: {first}");
                Finding::failed(reason).saw_all(leaks)
            }
            None if is_success => Finding::passed(),
            None => {
                Finding::passed().saw("no run with a secret succeeded, so only what it said was looked at")
            }
        };
        Ok(finding.by(runs))
    }
}

/// Long enough to be no accident, and with characters that each encoding writes in its own way.
fn canary() -> String {
    format!("canary/{:016x}+{:016x}=\u{e9}", fastrand::u64(..), fastrand::u64(..))
}

/// Where a secret was seen. Lines are quoted as they were masked.
fn leaks(ran: &Ran) -> Vec<String> {
    let said = ran.masked_lines.iter().map(|line| format!("it said {line:?}"));
    said.chain(ran.leaks.iter().cloned()).collect()
}
