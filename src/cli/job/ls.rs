use serde::Serialize;

use crate::catalog::JobRecord;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, duration_text, grid, printable};

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
    code: Option<String>,
    message: Option<String>,
}

impl JobView {
    fn of(job: &JobRecord) -> Self {
        Self {
            id: job.id.to_string(),
            component: job.component.to_string(),
            configuration: job.configuration.as_ref().map(ToString::to_string),
            status: job.status.as_str(),
            created: job.created.to_string(),
            started: job.started.map(|time| time.to_string()),
            ended: job.ended.map(|time| time.to_string()),
            code: job.code.clone(),
            message: job.message.clone(),
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
    let took = match (job.started, job.ended) {
        (Some(started), Some(ended)) => duration_text(ended.duration_since(started).unsigned_abs()),
        (None, _) | (_, None) => String::new(),
    };
    let first_line = view.message.as_deref().and_then(|message| message.lines().next()).unwrap_or_default();
    let message: String = printable(first_line).chars().take(60).collect();
    vec![view.id.clone(), view.component.clone(), view.status.to_owned(), view.created.clone(), took, message]
}
