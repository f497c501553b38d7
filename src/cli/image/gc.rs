use std::path::PathBuf;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::ls::age_text;
use super::shelf::{KnownImage, Origin, Shelf};
use super::watermark::{Watermark, room};
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::{Printer, bytes_text, printable};
use crate::component::parse_duration;
use crate::engine::{Engine, ImageRemoval};

/// While jobs are at work, one that has just resolved its image may have no container yet, and a lock keeps its use to
/// the hour.
const JUST_NOW: SignedDuration = SignedDuration::from_hours(2);

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Remove only until the engine's disk has so much room (`20GiB`, `15%`), what was unused longest first
    #[arg(long, value_name = "ROOM")]
    keep_free: Option<Watermark>,
    /// Keep what was used, pulled or built within this time
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = parse_duration)]
    unused_for: Duration,
    /// Say what would go, remove nothing
    #[arg(long)]
    dry_run: bool,
}

/// Why an image stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    Foreign,
    InUse,
    Spec,
    Recent,
    /// There is room enough without it.
    Room,
}

impl Need {
    fn as_str(self) -> &'static str {
        match self {
            Self::Foreign => "foreign",
            Self::InUse => "in use",
            Self::Spec => "named by a spec",
            Self::Recent => "used recently",
            Self::Room => "room enough",
        }
    }
}

#[derive(Debug, Serialize)]
struct GcView {
    freed_bytes: u64,
    removed: Vec<RemovedView>,
    /// Of what Longshore brought.
    kept: Vec<KeptView>,
}

#[derive(Debug, Serialize)]
struct RemovedView {
    name: String,
    id: String,
    /// What it alone took; layers that others share stay.
    bytes: u64,
    last_used: Option<String>,
}

#[derive(Debug, Serialize)]
struct KeptView {
    name: String,
    id: String,
    why: &'static str,
}

impl KeptView {
    fn of(image: &KnownImage, why: Need) -> Self {
        Self { name: image.name(), id: image.held.id.clone(), why: why.as_str() }
    }
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let engine = home.engine().await.map_err(|error| Trouble::platform(&error))?;
    let disk = match arguments.keep_free {
        Some(watermark) => Some((watermark, disk_of(&engine).await?)),
        None => None,
    };
    // Asked on both sides of the look: a job that begins later looks for its image by itself.
    let was_busy = is_busy(home).await?;
    let shelf = Shelf::look(home, &engine).await?;
    let is_busy = was_busy || is_busy(home).await?;
    let before = engine.image_usage().await.map_err(|error| Trouble::platform(&error))?;
    let mut view = GcView { freed_bytes: 0, removed: Vec::new(), kept: Vec::new() };
    let now = Timestamp::now();
    let unused_for = SignedDuration::try_from(arguments.unused_for).unwrap_or(SignedDuration::MAX);
    let spared_for = if is_busy { unused_for.max(JUST_NOW) } else { unused_for };
    let (mut removable, mut kept) = (Vec::new(), Vec::new());
    for image in &shelf.images {
        match need(image, spared_for, now) {
            Some(Need::Foreign) => {}
            Some(why) => kept.push((image, why)),
            None => removable.push(image),
        }
    }
    removable.sort_by_key(|image| image.last_used.unwrap_or(image.held.created));
    for image in removable {
        if let Some((watermark, folder)) = &disk {
            // In a dry run nothing gets free, so what would have been freed is added.
            let pretended = if arguments.dry_run { view.freed_bytes } else { 0 };
            if is_roomy(*watermark, folder, pretended).await? {
                kept.push((image, Need::Room));
                continue;
            }
        }
        if !arguments.dry_run && remove(image, &engine).await? == ImageRemoval::Held {
            kept.push((image, Need::InUse));
            continue;
        }
        let bytes = before.own_bytes.get(&image.held.id).copied().unwrap_or(0);
        view.freed_bytes += bytes;
        let last_used = image.last_used.map(|time| time.to_string());
        view.removed.push(RemovedView { name: image.name(), id: image.held.id.clone(), bytes, last_used });
    }
    if !arguments.dry_run && !view.removed.is_empty() {
        let after = engine.image_usage().await.map_err(|error| Trouble::platform(&error))?;
        view.freed_bytes = before.bytes.saturating_sub(after.bytes);
    }
    view.kept = kept.into_iter().map(|(image, why)| KeptView::of(image, why)).collect();
    printer.report(&view, || text(&view, arguments.dry_run, now))
}

/// Whether jobs are at work whose images are not known yet.
async fn is_busy(home: &Home) -> Result<bool, Trouble> {
    Ok(home.workers.has_others(&home.folder.worker)? || !home.catalog.open_attempts().await?.is_empty())
}

/// Why an image must stay; `None`: it may go. What was used, pulled or built within `spared_for` stays.
fn need(image: &KnownImage, spared_for: SignedDuration, now: Timestamp) -> Option<Need> {
    if image.origin == Origin::Foreign {
        return Some(Need::Foreign);
    }
    if image.is_in_use {
        return Some(Need::InUse);
    }
    if !image.components.is_empty() {
        return Some(Need::Spec);
    }
    let times = image.locks.iter().map(|lock| lock.resolved).chain(image.last_used);
    let built = (image.origin == Origin::Built).then_some(image.held.created);
    let is_recent = times.chain(built).any(|time| now.duration_since(time) < spared_for);
    is_recent.then_some(Need::Recent)
}

/// Takes off all names; the last one takes the image with it. Its lock stays, so that the same image comes back.
async fn remove(image: &KnownImage, engine: &Engine) -> Result<ImageRemoval, Trouble> {
    for tag in &image.held.tags {
        let removal = engine.remove_image(tag).await.map_err(|error| Trouble::platform(&error))?;
        if removal == ImageRemoval::Held {
            return Ok(removal);
        }
    }
    engine.remove_image(&image.held.id).await.map_err(|error| Trouble::platform(&error))
}

/// The folder whose disk holds the images.
async fn disk_of(engine: &Engine) -> Result<PathBuf, Trouble> {
    let facts = engine.facts().await.map_err(|error| Trouble::platform(&error))?;
    let remote = || {
        Trouble::usage("the engine is on another machine, whose disk cannot be measured from here")
            .hint("leave --keep-free out, or run this where the engine is")
    };
    if !facts.local {
        return Err(remote());
    }
    let root = engine.root_dir().await.map_err(|error| Trouble::platform(&error))?;
    root.ok_or_else(remote)
}

async fn is_roomy(watermark: Watermark, folder: &std::path::Path, pretended: u64) -> Result<bool, Trouble> {
    let folder = folder.to_owned();
    let measured = tokio::task::spawn_blocking(move || room(&folder)).await;
    let room =
        measured.map_err(std::io::Error::other).flatten().map_err(|error| Trouble::platform(&error))?;
    Ok(room.free.saturating_add(pretended) >= watermark.bytes(room))
}

fn text(view: &GcView, is_dry: bool, now: Timestamp) -> String {
    let mut text = String::new();
    for image in &view.removed {
        let last_used = image.last_used.as_ref().and_then(|time| time.parse::<Timestamp>().ok());
        let unused = last_used.map_or_else(
            || "used by no job that is remembered".to_owned(),
            |time| format!("last used {} ago", age_text(time, now)),
        );
        let verb = if is_dry { "would remove" } else { "removed" };
        text.push_str(&format!("{verb} {} ({unused})\n", printable(&image.name)));
    }
    let mut reasons: Vec<&str> = view.kept.iter().map(|kept| kept.why).collect();
    reasons.sort_unstable();
    let counted = reasons.chunk_by(|a, b| a == b).map(|chunk| format!("{} {}", chunk.len(), chunk[0]));
    let kept: Vec<String> = counted.collect();
    let kept = if kept.is_empty() { String::new() } else { format!("; kept {}", kept.join(", ")) };
    let verb = if is_dry { "would free at least" } else { "freed" };
    text + &format!("{verb} {} in {} images{kept}\n", bytes_text(view.freed_bytes), view.removed.len())
}
