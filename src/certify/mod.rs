//! Runs a component against the contract and says, check by check, what it keeps of it.
//!
//! Every run is a true job with the true rooms, in a scratch project that is gone afterwards: nothing is published.
//! Never prints and never decides how the program exits.

mod basics;
mod bench;
mod check;
mod ending;
mod error;
mod examination;
mod inputs;
mod isolation;
mod published;
mod ran;
mod refusal;
mod repeat;
mod report;
mod sample;
mod secret;
mod subject;
mod trial;

use tokio_util::sync::CancellationToken;

use crate::component::Complaints;
use crate::runner::Runner;
use bench::Bench;
use examination::Examination;

pub(crate) use check::CheckId;
pub(crate) use error::CertifyError;
pub(crate) use report::{CheckPart, Report, Verdict};
pub(crate) use sample::find_sample;
pub(crate) use subject::Subject;

/// Who and what a certification is done with.
#[derive(Clone, Copy)]
pub(crate) struct Means<'a> {
    /// A runner of the project: its engine, image locks and options are used, its tables are not.
    pub(crate) runner: &'a Runner,
    /// The checks to do, in their own order; those that are not named are left out of the report.
    pub(crate) checks: &'a [CheckId],
    /// Told the name of each run as it begins.
    pub(crate) tell: &'a (dyn Fn(&str) + Sync),
    pub(crate) stop: &'a CancellationToken,
}

/// Does the checks. A component that keeps none of them is a report, not an error; an error is trouble that is not the
/// component's: a configuration that makes no sense, the platform, or somebody's wish to stop.
pub(crate) async fn certify(subject: &Subject, means: Means<'_>) -> Result<Report, CertifyError> {
    let mut report = Report::begin(&subject.component);
    let bench = Bench::open(means).await?;
    let examined = async {
        let examination = Examination::begin(&bench, subject).await?;
        report.image.clone_from(&examination.base.document.image);
        for id in CheckId::ALL.into_iter().filter(|id| means.checks.contains(id)) {
            let finding = Box::pin(examination.check(id)).await?;
            report.checks.push(CheckPart::of(id, &subject.component, finding));
        }
        Ok::<_, CertifyError>(())
    };
    let examined = Box::pin(examined).await;
    // Whatever went wrong, nothing is left behind.
    bench.clear().await?;
    examined?;
    Ok(report.conclude())
}

/// The report on a spec that cannot be read: everything else depends on it.
pub(crate) fn invalid_spec(spec: &str, complaints: &Complaints, checks: &[CheckId]) -> Report {
    Report::of_invalid_spec(spec, complaints, checks)
}
