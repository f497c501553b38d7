use std::io::{self, BufWriter, Write};

use serde_json::json;

use crate::blob::BlobReader;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, printable};
use crate::events::LogReader;
use crate::job::JobId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its id in `longshore job ls`
    job: JobId,
    /// Print the events in the catalog instead, the runner's own among them
    #[arg(long)]
    events: bool,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let record = super::record(arguments.job, home).await?;
    let Some(key) = record.log.filter(|_| !arguments.events) else {
        return print_events(arguments.job, home, printer).await;
    };
    let (blobs, format) = (home.blobs.clone(), printer.format);
    let done = tokio::task::spawn_blocking(move || print_log(blobs.open(&key)?, format)).await;
    done.map_err(|panicked| Trouble::platform(&panicked))?
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
            let line = match printer.format {
                Format::Text => {
                    format!("{} {:7} {}\n", event.time, event.level.as_str(), printable(&event.message))
                }
                Format::Json => {
                    let (level, source) = (event.level.as_str(), event.source.as_str());
                    let time = event.time.to_string();
                    format!(
                        "{}\n",
                        json!({ "sequence": event.sequence, "time": time, "level": level, "source": source, "message": event.message })
                    )
                }
            };
            printer.data(line.as_bytes())?;
        }
    }
}
