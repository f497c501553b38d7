//! Wrong configurations and hostile inputs: how the component takes them.

use super::error::CertifyError;
use super::examination::Examination;
use super::refusal::{judge, judge_code, poor_message};
use super::report::{Finding, Judgement};
use super::trial::Trial;
use crate::mapping::Alteration;

impl Examination<'_> {
    pub(super) async fn user_error(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let empty = self.empty().await?;
        let mut finding = Finding::of(judge_code(empty)).by([empty.part()]);
        if finding.judgement == Judgement::Passed
            && let Some(document) = self.subject.without_parameters()?
        {
            let ran = self.run(self.trial_of("without parameters", &document)?).await?;
            finding.judgement = judge_code(&ran);
            finding = finding.by([ran.part()]);
        }
        if empty.is_clean() {
            finding = finding.saw("the configuration {} is enough for it");
        }
        Ok(finding)
    }

    pub(super) async fn message(&self) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_start() {
            return Ok(finding);
        }
        let ran = self.empty().await?;
        if ran.is_clean() {
            return Ok(Finding::skipped("the configuration {} is enough for it, so it had nothing to say"));
        }
        let finding = match poor_message(ran) {
            Some(reason) => Finding::failed(reason),
            None => Finding::passed().saw(format!("it said: {}", ran.message())),
        };
        Ok(finding.by([ran.part()]))
    }

    pub(super) async fn empty_input(&self) -> Result<Finding, CertifyError> {
        self.altered("with tables without rows", Alteration::HeaderOnly).await
    }

    pub(super) async fn huge_field(&self) -> Result<Finding, CertifyError> {
        self.altered("with a field of 1 MiB in every table", Alteration::HugeField).await
    }

    pub(super) async fn invalid_utf8(&self) -> Result<Finding, CertifyError> {
        self.altered("with a field that is not UTF-8 in every table", Alteration::InvalidUtf8).await
    }

    async fn altered(&self, name: &str, alteration: Alteration) -> Result<Finding, CertifyError> {
        if let Some(finding) = self.without_base() {
            return Ok(finding);
        }
        if self.base.document.input.tables.is_empty() {
            return Ok(Finding::skipped(
                "the configuration maps no input table: give one that does, and the table with --table",
            ));
        }
        let ran = self.run(Trial { alteration: Some(alteration), ..self.trial(name)? }).await?;
        // Bytes that were passed on as they came are refused in the output, with their place: nobody is misled.
        let is_passed_on = alteration == Alteration::InvalidUtf8 && ran.is_clean() && !ran.is_success();
        let finding = if is_passed_on {
            Finding::passed().saw(format!("it passed them on, and its output was refused: {}", ran.message()))
        } else if ran.is_success() {
            Finding::passed().saw("it succeeded")
        } else {
            match judge(&ran) {
                Judgement::Passed => Finding::passed().saw(format!("it refused: {}", ran.message())),
                judgement @ (Judgement::Failed(_) | Judgement::Skipped(_) | Judgement::Blocked) => {
                    Finding::of(judgement)
                }
            }
        };
        Ok(finding.by([ran.part()]))
    }
}
