//! Progress bars with bytes and rows, for a person at a terminal.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use super::print::{Printer, bytes_text};
use crate::engine::PullProgress;
use crate::mapping::ProgressSink;

/// A bar that counts bytes towards a known end, or a spinner when the end is not known.
#[derive(Debug)]
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// Draws nothing where nobody watches.
    pub(super) fn bytes(printer: Printer, what: &str, total: Option<u64>) -> Self {
        if !printer.shows_progress() {
            return Self { bar: ProgressBar::hidden() };
        }
        let template = match total {
            Some(_) => {
                "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes}{prefix} {binary_bytes_per_sec} {eta}"
            }
            None => "{spinner} {msg} {binary_bytes}{prefix} {binary_bytes_per_sec}",
        };
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    /// Shows what is reported. The bar goes with this value, not with the sink.
    pub(super) fn sink(&self) -> ProgressSink {
        let bar = self.bar.clone();
        let (bytes, rows) = (AtomicU64::new(0), AtomicU64::new(0));
        ProgressSink::new(move |step| {
            let bytes = bytes.fetch_add(step.bytes, Ordering::Relaxed) + step.bytes;
            let rows = rows.fetch_add(step.rows, Ordering::Relaxed) + step.rows;
            show(&bar, bytes, rows);
        })
    }

    /// So many bytes and rows in all.
    pub(super) fn moved(&self, bytes: u64, rows: u64) {
        show(&self.bar, bytes, rows);
    }

    pub(super) fn say(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// How far a pull is.
    pub(super) fn pulling(&self, step: &PullProgress) {
        self.say(format!("pulling the image: {}", pull_words(step)));
    }

    /// Writes a line above the bar without tearing it.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

fn show(bar: &ProgressBar, bytes: u64, rows: u64) {
    bar.set_position(bytes);
    if rows > 0 {
        bar.set_prefix(format!(", {} rows", HumanCount(rows)));
    }
}

fn pull_words(step: &PullProgress) -> String {
    let layers = match step.layers_total {
        0 => step.status.clone(),
        total => format!("{} of {total} layers", step.layers_done),
    };
    match (step.bytes_done, step.bytes_total) {
        (Some(done), Some(total)) => format!("{layers}, {} of {}", bytes_text(done), bytes_text(total)),
        (_, None) | (None, _) => layers,
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
