use serde::Serialize;

use super::bases::Bases;
use super::catalogue;
use super::ls::LockView;
use super::shelf::{KnownImage, Shelf};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, printable};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A component's id, an image's name, or at least twelve digits of its id
    image: String,
}

#[derive(Debug, Serialize)]
struct InspectView {
    id: String,
    tags: Vec<String>,
    digests: Vec<String>,
    origin: &'static str,
    components: Vec<String>,
    bytes: u64,
    created: String,
    last_used: Option<String>,
    in_use: bool,
    base: Option<String>,
    /// Of a base that should not be used any more.
    successor: Option<String>,
    locks: Vec<LockView>,
    labels: std::collections::BTreeMap<String, String>,
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let engine = home.engine().await.map_err(|error| Trouble::platform(&error))?;
    let shelf = Shelf::look(home, &engine).await?;
    let found = shelf.find(&arguments.image);
    if found.is_empty() {
        return Err(Trouble::user(format!("no image of {} is here", arguments.image))
            .hint("longshore image ls --all lists the images"));
    }
    let families = catalogue::load(&home.settings.project_dir).map_err(|error| catalogue::trouble(&error))?;
    let held = shelf.images.iter().map(|image| &image.held);
    let bases = Bases::look(&families, held, &engine).await.map_err(|error| Trouble::platform(&error))?;
    let mut views = Vec::with_capacity(found.len());
    for image in found {
        let base = bases.of(&image.held, &engine).await.map_err(|error| Trouble::platform(&error))?;
        let successor = base.as_ref().and_then(|base| base.superseded).map(|old| old.successor.clone());
        views.push(view(image, base.map(|base| base.reference), successor));
    }
    printer.report(&views, || views.iter().map(text).collect::<Vec<_>>().join("\n"))
}

fn view(image: &KnownImage, base: Option<String>, successor: Option<String>) -> InspectView {
    let held = &image.held;
    InspectView {
        id: held.id.clone(),
        tags: held.tags.clone(),
        digests: held.digests.clone(),
        origin: image.origin.as_str(),
        components: image.components.iter().cloned().collect(),
        bytes: held.bytes,
        created: held.created.to_string(),
        last_used: image.last_used.map(|time| time.to_string()),
        in_use: image.is_in_use,
        base,
        successor,
        locks: LockView::of(image),
        labels: held.labels.clone().into_iter().collect(),
    }
}

fn text(view: &InspectView) -> String {
    let mut lines = vec![("id", view.id.clone())];
    lines.extend(view.tags.iter().map(|tag| ("tag", tag.clone())));
    lines.extend(view.digests.iter().map(|digest| ("digest", digest.clone())));
    lines.push(("origin", view.origin.to_owned()));
    lines.extend(view.components.iter().map(|component| ("component", component.clone())));
    lines.push(("size", bytes_text(view.bytes)));
    lines.push(("created", view.created.clone()));
    lines.push(("used", view.last_used.clone().unwrap_or_else(|| "never".to_owned())));
    if let Some(base) = &view.base {
        let successor = view.successor.as_ref().map(|next| format!(" (superseded by {next})"));
        lines.push(("base", format!("{base}{}", successor.unwrap_or_default())));
    }
    lines.extend(view.locks.iter().map(|lock| ("lock", lock.text())));
    lines.extend(view.labels.iter().map(|(name, value)| ("label", format!("{name}={value}"))));
    let line = |(name, value): (&str, String)| format!("{name:<10} {}\n", printable(&value));
    lines.into_iter().map(line).collect()
}
