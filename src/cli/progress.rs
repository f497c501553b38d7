//! Progress bars with bytes and rows, for a person at a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use super::print::Printer;

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
            Some(_) => "{msg} [{bar:30}] {binary_bytes}/{binary_total_bytes} {binary_bytes_per_sec} {eta}",
            None => "{spinner} {msg} {binary_bytes} {binary_bytes_per_sec}",
        };
        let bar = total.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        bar.enable_steady_tick(Duration::from_millis(200));
        Self { bar }
    }

    pub(super) fn set(&self, bytes: u64) {
        self.bar.set_position(bytes);
    }

    pub(super) fn say(&self, message: impl Into<String>) {
        self.bar.set_message(message.into());
    }

    /// Writes a line above the bar without tearing it.
    pub(super) fn suspend(&self, print: impl FnOnce()) {
        self.bar.suspend(print);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
