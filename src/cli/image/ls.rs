use jiff::Timestamp;
use serde::Serialize;

use super::shelf::{KnownImage, Shelf, brief, short_id};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, grid, printable};

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Also images that no component runs and that Longshore did not bring
    #[arg(long)]
    all: bool,
}

/// A line of `image ls`; an image that is not here has no id.
#[derive(Debug, Serialize)]
struct ImageView {
    name: String,
    id: Option<String>,
    origin: Option<&'static str>,
    components: Vec<String>,
    bytes: Option<u64>,
    created: Option<String>,
    last_used: Option<String>,
    in_use: bool,
    locks: Vec<LockView>,
}

#[derive(Debug, Serialize)]
pub(super) struct LockView {
    reference: String,
    policy: &'static str,
    digest: Option<String>,
    resolved: String,
    last_used: String,
}

impl LockView {
    pub(super) fn of(image: &KnownImage) -> Vec<Self> {
        let view = |lock: &crate::catalog::ImageLock| Self {
            reference: lock.reference.clone(),
            policy: lock.policy.as_str(),
            digest: lock.digest.clone(),
            resolved: lock.resolved.to_string(),
            last_used: lock.last_used.to_string(),
        };
        image.locks.iter().map(view).collect()
    }

    pub(super) fn text(&self) -> String {
        let digest = self.digest.as_deref().unwrap_or("no digest");
        format!("{} ({}) = {digest}, resolved {}", self.reference, self.policy, self.resolved)
    }
}

impl ImageView {
    fn of(image: &KnownImage) -> Self {
        Self {
            name: image.name(),
            id: Some(image.held.id.clone()),
            origin: Some(image.origin.as_str()),
            components: image.components.iter().cloned().collect(),
            bytes: Some(image.held.bytes),
            created: Some(image.held.created.to_string()),
            last_used: image.last_used.map(|time| time.to_string()),
            in_use: image.is_in_use,
            locks: LockView::of(image),
        }
    }
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let engine = home.engine().await.map_err(|error| Trouble::platform(&error))?;
    let shelf = Shelf::look(home, &engine).await?;
    let shown: Vec<&KnownImage> =
        shelf.images.iter().filter(|image| arguments.all || image.is_ours()).collect();
    let missing = shelf.missing.iter().map(|missing| ImageView {
        name: missing.reference.clone(),
        id: None,
        origin: None,
        components: vec![missing.component.clone()],
        bytes: None,
        created: None,
        last_used: None,
        in_use: false,
        locks: Vec::new(),
    });
    let views: Vec<ImageView> = shown.iter().map(|image| ImageView::of(image)).chain(missing).collect();
    let now = Timestamp::now();
    printer.report(&views, || {
        let mut rows: Vec<_> = shown.iter().map(|image| row(image, now)).collect();
        rows.extend(shelf.missing.iter().map(|missing| {
            let dash = || "-".to_owned();
            let name = printable(&missing.reference);
            vec![name, dash(), missing.component.clone(), dash(), dash(), dash(), "not here".to_owned()]
        }));
        grid(
            &["IMAGE", "ID", "COMPONENTS", "SIZE", "CREATED", "USED", "STATE"],
            &[false, false, false, true, true, true],
            &rows,
        )
    })
}

fn row(image: &KnownImage, now: Timestamp) -> Vec<String> {
    let components: Vec<&str> = image.components.iter().map(String::as_str).collect();
    let mut state = vec![image.origin.as_str().to_owned()];
    state.extend(image.locks.iter().map(|lock| format!("locked by {}", lock.policy.as_str())));
    if image.is_in_use {
        state.push("in use".to_owned());
    }
    state.dedup();
    vec![
        printable(&brief(&image.name())),
        short_id(&image.held.id),
        if components.is_empty() { "-".to_owned() } else { components.join(",") },
        bytes_text(image.held.bytes),
        age_text(image.held.created, now),
        image.last_used.map_or_else(|| "never".to_owned(), |time| age_text(time, now)),
        state.join(", "),
    ]
}

/// How long ago, in the largest unit that fits.
pub(super) fn age_text(time: Timestamp, now: Timestamp) -> String {
    let minutes = now.duration_since(time).as_mins().max(0);
    match minutes {
        0..60 => format!("{minutes} min"),
        60..2880 => format!("{} h", minutes / 60),
        _ => format!("{} d", minutes / 1440),
    }
}
