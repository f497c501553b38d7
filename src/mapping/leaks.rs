//! Looks for the job's own secrets in what a component leaves to be published: tables, files, their manifests and names,
//! and the state outside of its `#` keys.

use futures_util::{StreamExt, stream};
use serde_json::Value;

use super::beneath::{EntryKind, OutputFolder, PlainFile};
use super::collect::CollectError;
use super::data_folder::DataFolder;
use super::several::Several;
use super::threads::{at_once, blocking};
use crate::events::Redactor;
use crate::job::OutputLimits;
use crate::secret;

/// A secret in an output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leak {
    /// As people know it, masked: `out/tables/orders.csv`.
    pub(crate) path: String,
    pub(crate) place: LeakPlace,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LeakPlace {
    /// Of the file, from 1: the first that holds one.
    Line(u64),
    Name,
    /// Somewhere in the component's state.
    State,
}

/// One leak of each output that holds one. With the limits that collecting had, so that nothing is published unseen. A file
/// is read once, whole, beside others; no memory grows with it.
pub(crate) async fn find_leaks(
    (folder, limits): (&DataFolder, OutputLimits),
    state: &Value,
    redactor: &Redactor,
) -> Result<Vec<Leak>, Several<CollectError>> {
    if redactor.is_blind() {
        return Ok(Vec::new());
    }
    let (files, mut leaks) = {
        let (folder, redactor) = (folder.clone(), redactor.clone());
        blocking(move || outputs(&folder, limits, &redactor)).await?
    };
    let searched = stream::iter(files).map(|file| {
        let redactor = redactor.clone();
        blocking(move || search(&file, &redactor))
    });
    let mut searched = searched.buffered(at_once());
    while let Some(found) = searched.next().await {
        leaks.extend(found?);
    }
    if holds_secret(state, redactor) {
        leaks.push(Leak { path: "the state".to_owned(), place: LeakPlace::State });
    }
    Ok(leaks)
}

/// Every file that may be published, and the names that hold a secret themselves.
fn outputs(
    folder: &DataFolder,
    limits: OutputLimits,
    redactor: &Redactor,
) -> Result<(Vec<PlainFile>, Vec<Leak>), CollectError> {
    let (mut files, mut leaks) = (Vec::new(), Vec::new());
    let mut folders = vec!["out/tables".to_owned(), "out/files".to_owned()];
    while let Some(shown) = folders.pop() {
        let Some(opened) = OutputFolder::open(&folder.data(), &shown, limits)? else { continue };
        // What is wrong with an entry was said when it was collected.
        for entry in opened.entries().0 {
            if redactor.finds(&entry.name) {
                let path = format!("{shown}/{}", redactor.mask(&entry.name));
                leaks.push(Leak { path, place: LeakPlace::Name });
            }
            match entry.kind {
                EntryKind::File(file) => files.push(file),
                // The slices of a table; folders of files are not kept.
                EntryKind::Folder if shown == "out/tables" => folders.push(format!("{shown}/{}", entry.name)),
                EntryKind::Folder => {}
            }
        }
    }
    files.sort_by(|a, b| a.shown.cmp(&b.shown));
    Ok((files, leaks))
}

fn search(file: &PlainFile, redactor: &Redactor) -> Result<Option<Leak>, CollectError> {
    let failed = |source| super::UnsafeError::Io { path: file.shown.clone(), source };
    let line = redactor.first_line(&mut file.open()?).map_err(failed)?;
    Ok(line.map(|line| Leak { path: redactor.mask(&file.shown), place: LeakPlace::Line(line) }))
}

/// A component may remember a secret under a `#` key: that is sealed.
fn holds_secret(state: &Value, redactor: &Redactor) -> bool {
    match state {
        Value::String(text) => redactor.finds(text),
        Value::Array(values) => values.iter().any(|value| holds_secret(value, redactor)),
        Value::Object(map) => map.iter().any(|(key, value)| {
            redactor.finds(key) || (!secret::is_secret_key(key) && holds_secret(value, redactor))
        }),
        Value::Number(number) => redactor.finds(&number.to_string()),
        Value::Null | Value::Bool(_) => false,
    }
}
