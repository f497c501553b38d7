//! The database under the catalog.

use clap::Subcommand;
use serde::Serialize;

use super::exit::{ExitStatus, Trouble};
use super::print::{Printer, bytes_text};
use crate::catalog::{CatalogPlace, DatabaseStatus};
use crate::settings::Settings;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Bring the database's schema up to this Longshore's; every other verb does so too
    Migrate,
    /// Say which database it is, its schema and its size; change nothing
    Status,
}

#[derive(Debug, Serialize)]
struct Migrated {
    /// Schema versions; 0 for none.
    from: u64,
    to: u64,
}

#[derive(Debug, Serialize)]
struct Status {
    database: String,
    place: String,
    schema_found: u64,
    schema_known: u64,
    bytes: u64,
    counts: serde_json::Map<String, serde_json::Value>,
}

pub(super) async fn act(verb: Verb, settings: &Settings, printer: Printer) -> Result<ExitStatus, Trouble> {
    let file = settings.state_dir.join("catalog.sqlite");
    let place = settings.catalog.as_ref().map_or(CatalogPlace::File(&file), CatalogPlace::Server);
    match verb {
        Verb::Migrate => {
            let from = place.migrate().await?;
            let to = known(place).await?;
            let text = if from == to {
                format!("the schema is at version {to} already\n")
            } else {
                format!("brought the schema from version {from} to {to}\n")
            };
            printer.report(&Migrated { from, to }, || text)?;
        }
        Verb::Status => {
            let Some(status) = place.status().await? else {
                return Err(Trouble::user(format!("there is no catalog at {} yet", file.display()))
                    .hint("longshore db migrate makes it, as does the first run"));
            };
            report(status, printer)?;
        }
    }
    Ok(ExitStatus::Success)
}

async fn known(place: CatalogPlace<'_>) -> Result<u64, Trouble> {
    Ok(place.status().await?.map_or(0, |status| status.schema_found))
}

fn report(status: DatabaseStatus, printer: Printer) -> Result<(), Trouble> {
    let counts = status.counts.iter().map(|(name, found)| ((*name).to_owned(), (*found).into())).collect();
    let DatabaseStatus { database, place, schema_found, schema_known, bytes, counts: lines } = status;
    let status = Status { database, place, schema_found, schema_known, bytes, counts };
    printer.report(&status, || {
        let mut text = format!(
            "{} at {}\nschema {} (this longshore knows {})\n{}\n",
            status.database,
            status.place,
            status.schema_found,
            status.schema_known,
            bytes_text(status.bytes)
        );
        for (name, found) in &lines {
            text += &format!("{found} {}\n", name.replace('_', " "));
        }
        text
    })
}
