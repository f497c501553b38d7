use std::io::{self, BufWriter, IsTerminal, Write};

use serde_json::json;

use super::named::JobName;
use crate::blob::BlobReader;
use crate::cli::exit::{ExitStatus, Trouble};
use crate::cli::follow::{Shown, Sought, Watch, Watched};
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, inert_json, printable};
use crate::events::{Event, LogEntry, LogReader, Source};
use crate::job::{JobId, JobState};

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
    /// Only what came on this stream
    #[arg(long, value_enum, conflicts_with_all = ["events", "follow"])]
    stream: Option<Stream>,
    /// Every byte as it was said, also to a terminal, which may obey it
    #[arg(long, conflicts_with_all = ["events", "follow"])]
    raw: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Stream {
    Out,
    Err,
    /// Records that were sent to the job's GELF listener
    Gelf,
}

impl Stream {
    fn is_of(self, source: Source) -> bool {
        match source {
            Source::Stdout => self == Self::Out,
            Source::Stderr => self == Self::Err,
            Source::Gelf => self == Self::Gelf,
            Source::Runner => false,
        }
    }
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
    // Of a job that runs, it is the log of its earlier rows.
    let has_ended = matches!(record.state, JobState::Done { .. });
    let Some(key) = record.log.filter(|_| has_ended && !arguments.events) else {
        print_events(record.id, home, printer).await?;
        return Ok(ExitStatus::Success);
    };
    let blobs = home.blobs.clone();
    let wish = Wish { format: printer.format, stream: arguments.stream, is_raw: arguments.raw };
    let done = tokio::task::spawn_blocking(move || print_log(blobs.open(&key)?, wish)).await;
    done.map_err(|panicked| Trouble::platform(&panicked))??;
    Ok(ExitStatus::Success)
}

/// How the complete log is to be printed.
#[derive(Debug, Clone, Copy)]
struct Wish {
    format: Format,
    stream: Option<Stream>,
    is_raw: bool,
}

/// The bytes as they were said (masked); with JSON one object a line.
fn print_log(blob: BlobReader, wish: Wish) -> Result<(), Trouble> {
    let mut reader = LogReader::new(blob).map_err(|error| Trouble::platform(&error))?;
    let stdout = io::stdout();
    // A terminal obeys what it is sent; a file or another program gets the very bytes.
    let is_shown = stdout.is_terminal() && !wish.is_raw;
    let mut out = BufWriter::new(stdout.lock());
    let mut open: Option<Source> = None;
    while let Some(entry) = reader.next_entry().map_err(|error| Trouble::platform(&error))? {
        if wish.stream.is_some_and(|stream| !stream.is_of(entry.source)) {
            continue;
        }
        // A line that is not at its end yet does not run into another stream's.
        let is_torn = open.is_some_and(|open| open != entry.source);
        open = (!entry.has_newline).then_some(entry.source);
        let written = match wish.format {
            Format::Text => print_entry(&mut out, &entry, is_torn, is_shown),
            Format::Json => {
                let text = String::from_utf8_lossy(&entry.text);
                let line =
                    json!({ "time": entry.time.to_string(), "stream": entry.source.as_str(), "text": text });
                writeln!(out, "{}", inert_json(&line.to_string()))
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

fn print_entry(out: &mut impl Write, entry: &LogEntry, is_torn: bool, is_shown: bool) -> io::Result<()> {
    if is_torn {
        out.write_all(b"\n")?;
    }
    if is_shown {
        out.write_all(printable(&String::from_utf8_lossy(&entry.text)).as_bytes())?;
    } else {
        out.write_all(&entry.text)?;
    }
    if entry.has_newline { out.write_all(b"\n") } else { Ok(()) }
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
            format!("{}\n", inert_json(&line.to_string()))
        }
    };
    printer.data(line.as_bytes())
}
