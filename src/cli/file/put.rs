use std::path::PathBuf;

use crate::blob::{BlobKey, Source};
use crate::catalog::{Commit, NewFile};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::job::JobId;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
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
    let own_name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let Some(name) = arguments.name.or(own_name).filter(|_| path.is_file()) else {
        return Err(Trouble::user(format!("{} is not a file", path.display())));
    };
    let blob = BlobKey::parse(format!("files/{}/0", JobId::fresh()))?;
    let bytes = home.blobs.put_file(&blob, path, Source::Copy).await?;
    let file = NewFile {
        blob,
        name,
        bytes,
        tags: arguments.tags,
        is_permanent: true,
        is_public: false,
        is_sliced: false,
    };
    let commit = Commit { files: vec![file], ..Commit::default() };
    let receipt = home.catalog.commit(&commit).await.map_err(|error| Trouble::platform(&error))?;
    for file in receipt.files {
        printer.report(
            &serde_json::json!({ "id": file.id.0, "name": file.name, "bytes": file.bytes }),
            || format!("{}\n", file.id),
        )?;
        printer.note(&format!("stored {} as file {}", file.name, file.id));
    }
    Ok(())
}
