use serde::Serialize;

use crate::catalog::JobRecord;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, cut, duration_text, grid};
use crate::job::{FailureCode, JobState};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// At most this many
    #[arg(long, default_value_t = 20, value_name = "N")]
    limit: u64,
}

#[derive(Debug, Serialize)]
struct JobView {
    id: String,
    component: String,
    configuration: Option<String>,
    status: &'static str,
    created: String,
    started: Option<String>,
    ended: Option<String>,
    code: Option<&'static str>,
    message: Option<String>,
}

/// What fits beside the rest; `job show` has it whole.
const MESSAGE_WIDTH_MAX: usize = 60;

impl JobView {
    fn of(job: &JobRecord) -> Self {
        let (started, ended, end) = match &job.state {
            JobState::Waiting => (None, None, None),
            JobState::Processing { since, .. } => (Some(*since), None, None),
            JobState::Done { started, ended, end } => (*started, Some(*ended), Some(end)),
        };
        Self {
            id: job.id.to_string(),
            component: job.component.to_string(),
            configuration: job.configuration.as_ref().map(ToString::to_string),
            status: job.state.status().as_str(),
            created: job.created.to_string(),
            started: started.map(|time| time.to_string()),
            ended: ended.map(|time| time.to_string()),
            code: end.and_then(|end| end.code).map(FailureCode::as_str),
            message: end.map(|end| end.message.clone()),
        }
    }
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let jobs = home.catalog.jobs(arguments.limit).await?;
    let views: Vec<JobView> = jobs.iter().map(JobView::of).collect();
    printer.report(&views, || {
        let rows: Vec<_> = jobs.iter().zip(&views).map(|(job, view)| row(job, view)).collect();
        grid(
            &["JOB", "COMPONENT", "STATUS", "CREATED", "TOOK", "MESSAGE"],
            &[false, false, false, false, true],
            &rows,
        )
    })
}

fn row(job: &JobRecord, view: &JobView) -> Vec<String> {
    let took = match &job.state {
        JobState::Done { started: Some(started), ended, .. } => {
            duration_text(ended.duration_since(*started).unsigned_abs())
        }
        JobState::Waiting | JobState::Processing { .. } | JobState::Done { started: None, .. } => {
            String::new()
        }
    };
    let first_line = view.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
    let message = cut(first_line, MESSAGE_WIDTH_MAX);
    vec![view.id.clone(), view.component.clone(), view.status.to_owned(), view.created.clone(), took, message]
}
