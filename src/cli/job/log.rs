use std::io::{self, BufWriter, Write};

use serde_json::json;

use super::named::JobName;
use crate::blob::BlobReader;
use crate::cli::exit::{ExitStatus, Trouble};
use crate::cli::follow::{Shown, Sought, Watch, Watched};
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, printable};
use crate::events::{Event, LogReader};
use crate::job::JobId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its id in `longshore job ls`, or the key it was submitted with
    job: JobName,
    /// Print the events in the catalog instead, the runner's own among them
    #[arg(long)]
    events: bool,
    /// Print the events as they come, until the job ends
    #[arg(long, short)]
    follow: bool,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<ExitStatus, Trouble> {
    let record = arguments.job.record(home).await?;
    if arguments.follow {
        let watch = Watch { home, printer, shown: Shown::Events, timeout: None };
        return match watch.until_end(&Sought::Job(record.id)).await? {
            Watched::Ended(_) | Watched::TimedOut => Ok(ExitStatus::Success),
            Watched::Interrupted => Ok(ExitStatus::Interrupted),
        };
    }
    let Some(key) = record.log.filter(|_| !arguments.events) else {
        print_events(record.id, home, printer).await?;
        return Ok(ExitStatus::Success);
    };
    let (blobs, format) = (home.blobs.clone(), printer.format);
    let done = tokio::task::spawn_blocking(move || print_log(blobs.open(&key)?, format)).await;
    done.map_err(|panicked| Trouble::platform(&panicked))??;
    Ok(ExitStatus::Success)
}

/// The bytes as they were said (masked); with JSON one object a line.
fn print_log(blob: BlobReader, format: Format) -> Result<(), Trouble> {
    let mut reader = LogReader::new(blob).map_err(|error| Trouble::platform(&error))?;
    let mut out = BufWriter::new(io::stdout().lock());
    while let Some(entry) = reader.next_entry().map_err(|error| Trouble::platform(&error))? {
        let written = match format {
            Format::Text => out
                .write_all(&entry.text)
                .and_then(|()| if entry.has_newline { out.write_all(b"\n") } else { Ok(()) }),
            Format::Json => {
                let text = String::from_utf8_lossy(&entry.text);
                let line =
                    json!({ "time": entry.time.to_string(), "stream": entry.source.as_str(), "text": text });
                writeln!(out, "{line}")
            }
        };
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
            Err(error) => return Err(Trouble::platform(&error)),
            Ok(()) => {}
        }
    }
    out.flush()
        .or_else(|error| if error.kind() == io::ErrorKind::BrokenPipe { Ok(()) } else { Err(error) })
        .map_err(|error| Trouble::platform(&error))
}

async fn print_events(job: JobId, home: &Home, printer: Printer) -> Result<(), Trouble> {
    const PAGE: u64 = 1000;
    let mut from = 0;
    loop {
        let events = home.catalog.events(job, from, PAGE).await?;
        let Some(last) = events.last() else { return Ok(()) };
        from = last.sequence + 1;
        for event in &events {
            print_event(event, printer)?;
        }
    }
}

/// One event: a line, or one JSON object a line.
pub(in crate::cli) fn print_event(event: &Event, printer: Printer) -> Result<(), Trouble> {
    let (time, level) = (event.time.to_string(), event.level.as_str());
    let line = match printer.format {
        Format::Text => {
            // What follows a first line stands indented, so that nobody's words pass for an event of their own.
            let lines: Vec<String> = event.message.lines().map(printable).collect();
            format!("{time} {level:7} {}\n", lines.join("\n    "))
        }
        Format::Json => {
            let source = event.source.as_str();
            let mut line = json!({ "sequence": event.sequence, "time": time, "level": level, "source": source, "message": event.message });
            if let Some(fields) = &event.fields {
                // What does not read is shown as it lies there.
                line["fields"] = serde_json::from_str(fields).unwrap_or_else(|_damaged| json!(fields));
            }
            format!("{line}\n")
        }
    };
    printer.data(line.as_bytes())
}
