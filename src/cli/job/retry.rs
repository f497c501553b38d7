use serde_json::json;

use super::named::JobName;
use crate::catalog::NewJob;
use crate::cli::exit::{ExitStatus, Trouble};
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer};
use crate::job::JobId;
use crate::request;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its id in `longshore job ls`, or the key it was submitted with
    job: JobName,
}

/// A new job with the same request: the old one keeps its end.
pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let record = arguments.job.record(home).await?;
    let old = record.id;
    if !record.state.status().is_done() {
        return Err(Trouble::user(format!("job {old} has not ended: {}", record.state.status().as_str()))
            .hint(format!("longshore job cancel {old} stops it")));
    }
    let request = home.catalog.request_of(old).await?.ok_or_else(|| arguments.job.missing())?;
    let text = request.document;
    let document =
        request::parse(text.as_bytes(), &format!("the request of job {old}")).map_err(|found| Trouble {
            status: ExitStatus::User,
            messages: found.0.iter().map(ToString::to_string).collect(),
            hint: Some("a job of `longshore run` is repeated by running it again".to_owned()),
        })?;
    let job = JobId::fresh();
    let new = NewJob {
        id: job,
        key: None,
        component: document.component.clone(),
        configuration: document.configuration.clone(),
        priority: document.priority.unwrap_or_default(),
        request: text,
        attempts_max: home.attempts_max(),
        reply: None,
    };
    home.catalog.accept_jobs(&[new]).await?;
    match printer.format {
        Format::Json => {
            let report = json!({ "job": job.to_string(), "retry_of": old.to_string() });
            printer.report(&report, String::new)?;
        }
        Format::Text => printer.data(format!("{job}\n").as_bytes())?,
    }
    printer.note(&format!("job {job} asks for the same as job {old}"));
    Ok(())
}
