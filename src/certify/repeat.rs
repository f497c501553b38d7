//! The same run once more: with the state of the one before, and from the beginning.

use super::error::CertifyError;
use super::examination::Examination;
use super::report::Finding;

impl Examination<'_> {
    pub(super) async fn state(&self) -> Result<Finding, CertifyError> {
        if let Some(fault) = self.state_fault() {
            return Ok(Finding::failed(fault).by([self.base.part()]));
        }
        if let Some(finding) = self.without_base() {
            return Ok(finding);
        }
        if !self.base.published.has_state {
            return Ok(Finding::skipped("it leaves no state").by([self.base.part()]));
        }
        let trial = self.trial("with the state of the run before")?;
        let ran = Box::pin(self.bench.run_in(&self.base_scratch, self.subject, trial)).await?;
        let finding = if ran.is_success() {
            Finding::passed()
        } else {
            Finding::failed(format!("it fails with the state that it left: {}", ran.message()))
        };
        Ok(finding.by([self.base.part(), ran.part()]))
    }

    pub(super) async fn deterministic(&self) -> Result<Finding, CertifyError> {
        if !self.subject.component.deterministic {
            return Ok(Finding::skipped("its spec does not promise it"));
        }
        if let Some(finding) = self.without_base() {
            return Ok(finding);
        }
        let ran = self.run(self.trial("from the beginning once more")?).await?;
        let runs = [self.base.part(), ran.part()];
        if !ran.is_success() {
            return Ok(Finding::failed(format!("the second run failed: {}", ran.message())).by(runs));
        }
        let differences = self.base.published.differences(&ran.published);
        let finding = if differences.is_empty() {
            Finding::passed()
                .saw(format!("outputs that are the same, byte for byte: {}", ran.published.count()))
        } else {
            Finding::failed(format!("two runs gave different outputs: {}", differences.join(", ")))
        };
        Ok(finding.by(runs))
    }
}
