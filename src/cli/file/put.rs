use std::path::PathBuf;

use serde_json::json;

use crate::cli::exit::{Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::cli::progress::Progress;
use crate::cli::table::import_trouble;
use crate::component::check_readable;
use crate::job::FileOptions;
use crate::mapping;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The file, which stays where it is
    file: PathBuf,
    /// Tag it; may be given several times
    #[arg(long = "tag", value_name = "TAG")]
    tags: Vec<String>,
    /// Store it under another name
    #[arg(long)]
    name: Option<String>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let path = &arguments.file;
    let metadata = check_readable(path).map_err(|error| Trouble::user(chain(&error)))?;
    let own_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = arguments.name.or(own_name).filter(|_| metadata.is_file()) else {
        return Err(Trouble::user(format!("{} is not a plain file", path.display())));
    };
    // A person may name a file by a link; the store follows none.
    let path = path.canonicalize().map_err(|error| Trouble::platform(&error))?;
    let options = FileOptions { tags: arguments.tags, is_permanent: true, is_public: false };
    let bar = Progress::bytes(printer, &format!("storing {name}"), None);
    let stored = mapping::import_file(&path, &name, options, &home.catalog, &home.blobs).await;
    drop(bar);
    for file in stored.map_err(|error| import_trouble(&error))?.files {
        printer.report(&json!({ "id": file.id.0, "name": file.name, "bytes": file.bytes }), || {
            format!("{}\n", file.id)
        })?;
        printer.note(&format!("stored {} as file {}", file.name, file.id));
    }
    Ok(())
}
