use std::path::PathBuf;

use serde_json::json;

use crate::cli::exit::Trouble;
use crate::cli::print::{Format, Printer};
use crate::secret::Generated;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Write the key into this file (mode 0600, never over another) and print its public half
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub(super) fn act(arguments: &Arguments, printer: Printer) -> Result<(), Trouble> {
    let generated = Generated::fresh();
    let public = &generated.public;
    let Some(out) = &arguments.out else {
        printer.note(&format!("public key: {public}"));
        return printer.data(generated.file.reveal().as_bytes());
    };
    generated.write(out)?;
    match printer.format {
        Format::Text => printer.data(format!("{public}\n").as_bytes())?,
        Format::Json => {
            printer.report(&json!({ "public_key": public, "file": out }), String::new)?;
        }
    }
    printer.note(&format!("keep {} where only Longshore can read it: secrets.identity_file", out.display()));
    Ok(())
}
