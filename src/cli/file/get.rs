use std::io;
use std::path::PathBuf;

use serde_json::json;

use crate::blob::Delivery;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Format, Printer, bytes_text};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Its number in `longshore file ls`
    id: u64,
    /// Where to; `-` is stdout. Default: the file's own name here
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let file = super::stored(arguments.id, home).await?;
    if arguments.output.as_deref().is_some_and(|path| path.as_os_str() == "-") {
        let blobs = home.blobs.clone();
        let copied = tokio::task::spawn_blocking(move || {
            let mut blob = blobs.open(&file.blob)?;
            match io::copy(&mut blob, &mut io::stdout().lock()) {
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Trouble::platform(&error)),
                Ok(_) | Err(_) => Ok(()),
            }
        });
        return copied.await.map_err(|panicked| Trouble::platform(&panicked))?;
    }
    // A stored name came from a component: only its last part may name a file here.
    let safe_name = file.name.rsplit(['/', '\\']).next().filter(|name| !matches!(*name, "" | "." | ".."));
    let path = match (arguments.output, safe_name) {
        (Some(path), _) => path,
        (None, Some(name)) => PathBuf::from(name),
        (None, None) => {
            return Err(Trouble::usage("the stored name is no file name").hint("give one with --output"));
        }
    };
    if path.exists() {
        return Err(
            Trouble::user(format!("{} exists", path.display())).hint("give another name with --output")
        );
    }
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
        return Err(Trouble::user(format!("the folder {} does not exist", folder.display())));
    }
    let bytes = home.blobs.deliver(&file.blob, &path, Delivery::Copy).await?;
    if printer.format == Format::Json {
        let view = json!({ "id": arguments.id, "name": file.name, "bytes": bytes, "file": path });
        printer.report(&view, String::new)?;
    }
    printer.note(&format!("wrote {} to {}", bytes_text(bytes), path.display()));
    Ok(())
}
