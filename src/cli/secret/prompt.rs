//! Reads a value that nobody is to see.

use std::fs::File;
use std::io::{self, IsTerminal, Read};
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::cli::exit::Trouble;
use crate::cli::print::Printer;
use crate::component::ReadError;

/// A secret is a password or a key, not a table.
const BYTES_MAX: u64 = 1 << 20;

/// The value of a file, of standard input, or of a person at the terminal; without the line end that editors and `echo`
/// add.
pub(super) fn value(file: Option<&Path>, printer: Printer) -> Result<Zeroizing<String>, Trouble> {
    let stdin = io::stdin();
    let mut value = match file.filter(|file| *file != Path::new("-")) {
        Some(path) => {
            let failed = |error| Trouble::user(crate::failure::chain(&ReadError::of(path, error)));
            read(File::open(path).map_err(failed)?).map_err(failed)?
        }
        None if stdin.is_terminal() => ask(printer).map_err(|error| Trouble::platform(&error))?,
        None => {
            read(stdin.lock()).map_err(|error| Trouble::user(format!("the value cannot be read: {error}")))?
        }
    };
    if value.ends_with('\n') {
        value.pop();
        if value.ends_with('\r') {
            value.pop();
        }
    }
    if value.is_empty() {
        return Err(Trouble::user("the value is empty")
            .hint("write it to standard input, or name a file that holds it"));
    }
    Ok(value)
}

fn read(input: impl Read) -> io::Result<Zeroizing<String>> {
    let mut text = Zeroizing::new(String::new());
    input.take(BYTES_MAX + 1).read_to_string(&mut text)?;
    if text.len() as u64 > BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it is larger than 1 MiB"));
    }
    Ok(text)
}

/// One line that the terminal does not show.
fn ask(printer: Printer) -> io::Result<Zeroizing<String>> {
    printer.note("the value, which is not shown:");
    let quiet = Quiet::new()?;
    let mut line = Zeroizing::new(String::new());
    io::stdin().read_line(&mut line)?;
    drop(quiet);
    Ok(line)
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Quiet(Termios);

impl Quiet {
    fn new() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // The terminal is gone when this fails, and with it who could see something.
        tcsetattr(io::stdin(), OptionalActions::Flush, &self.0).ok();
    }
}
