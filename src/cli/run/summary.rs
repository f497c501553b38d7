//! The end of a run in words: outputs, times, memory.

use std::time::Duration;

use crate::cli::exit::{ExitStatus, Trouble};
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, duration_text, grid};
use crate::job::Blame;
use crate::result::ResultDocument;

pub(in crate::cli) fn print(document: &ResultDocument, home: &Home, printer: Printer) {
    if !document.output.tables.is_empty() {
        printer.note("");
        for line in tables(document).lines() {
            printer.note(line);
        }
    }
    for file in &document.output.files {
        printer.note(&format!("file {} {} ({})", file.id, file.name, bytes_text(file.bytes)));
    }
    if !document.phases.is_empty() {
        printer.note(&times(document));
    }
    if let Some(line) = memory(document) {
        printer.note(&line);
    }
    match &document.error {
        None => printer.note_marked(
            &printer.paint("32;1", &document.status),
            &format!("{}: {}", document.job, document.message),
        ),
        Some(error) => {
            let mut messages: Vec<String> = document.message.lines().map(str::to_owned).collect();
            // The message is for whoever configured the job. Who reads this has the platform at hand, too.
            if error.blame == Blame::Platform.as_str() && error.detail != document.message {
                messages.extend(error.detail.lines().map(str::to_owned));
            }
            let trouble = Trouble {
                status: ExitStatus::User,
                messages,
                hint: Some(format!(
                    "{} ({}); longshore job show {} tells more",
                    error.code, error.blame, document.job
                )),
            };
            printer.trouble(&trouble);
            let quarantine = home.quarantine_dir().join(&document.job);
            if quarantine.exists() {
                printer.note(&format!(
                    "what the component left is kept for a while in {}",
                    quarantine.display()
                ));
            }
        }
    }
}

fn tables(document: &ResultDocument) -> String {
    let row = |table: &crate::result::OutputTablePart| {
        vec![
            table.id.clone(),
            table.version.to_string(),
            table.load.clone(),
            table.rows_loaded.to_string(),
            table.rows_deleted.to_string(),
            table.rows_total.to_string(),
            bytes_text(table.bytes_loaded),
        ]
    };
    let rows: Vec<_> = document.output.tables.iter().map(row).collect();
    let head = ["TABLE", "VERSION", "LOAD", "LOADED", "DELETED", "ROWS", "SIZE"];
    grid(&head, &[false, true, false, true, true, true, true], &rows)
}

fn times(document: &ResultDocument) -> String {
    let mut sums: Vec<(&str, f64)> = Vec::new();
    for part in &document.phases {
        match sums.iter_mut().find(|(phase, _)| *phase == part.phase) {
            Some((_, sum)) => *sum += part.milliseconds,
            None => sums.push((&part.phase, part.milliseconds)),
        }
    }
    let words: Vec<String> = sums
        .iter()
        .map(|(phase, millis)| format!("{phase} {}", duration_text(Duration::from_secs_f64(millis / 1000.0))))
        .collect();
    format!("time    {}", words.join(", "))
}

fn memory(document: &ResultDocument) -> Option<String> {
    let peak = document.usage.memory_peak_bytes?;
    let limit = document.usage.memory_limit_bytes;
    let cpu = document.usage.cpu_seconds.map(|seconds| format!(", cpu {seconds:.2} s")).unwrap_or_default();
    Some(format!("memory  peak {} of {}{cpu}", bytes_text(peak), bytes_text(limit)))
}
