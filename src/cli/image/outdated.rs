use serde::Serialize;

use super::asked;
use super::bases::{Base, Bases};
use super::catalogue;
use super::shelf::{KnownImage, MissingImage, Shelf, brief};
use crate::catalog::ImageLock;
use crate::cli::exit::{Trouble, chain};
use crate::cli::home::Home;
use crate::cli::print::{Printer, grid, printable};
use crate::component::Policy;
use crate::image::Keeper;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct Arguments {
    /// Ask no registry
    #[arg(long)]
    offline: bool,
}

/// A line of `image outdated`.
#[derive(Debug, Serialize)]
struct OutdatedView {
    component: String,
    image: String,
    base: Option<String>,
    /// The base to move to.
    successor: Option<String>,
    why: Option<String>,
    /// What the tag means in the registry now, where it is another image than the locked one.
    newest_digest: Option<String>,
    /// Why the registry did not say.
    unknown: Option<String>,
    is_outdated: bool,
    /// False: nobody can say what it starts from.
    is_here: bool,
}

impl OutdatedView {
    fn of(component: &str, image: &KnownImage, base: Option<Base<'_>>, tag: &TagNews) -> Self {
        let superseded = base.as_ref().and_then(|base| base.superseded);
        Self {
            component: component.to_owned(),
            image: image.name(),
            successor: superseded.map(|old| old.successor.clone()),
            why: superseded.map(|old| old.why.clone()),
            is_outdated: superseded.is_some() || tag.moved_to.is_some(),
            base: base.map(|base| base.reference),
            newest_digest: tag.moved_to.clone(),
            unknown: tag.unknown.clone(),
            is_here: true,
        }
    }

    fn missing(missing: &MissingImage) -> Self {
        Self {
            component: missing.component.clone(),
            image: missing.reference.clone(),
            base: None,
            successor: None,
            why: None,
            newest_digest: None,
            unknown: None,
            is_outdated: false,
            is_here: false,
        }
    }

    fn row(&self) -> Vec<String> {
        let mut state = Vec::new();
        if let Some(successor) = &self.successor {
            state
                .push(format!("base superseded by {successor}: {}", self.why.as_deref().unwrap_or_default()));
        }
        if let Some(digest) = &self.newest_digest {
            state.push(format!("tag moved to {}: longshore image lock {}", brief(digest), self.component));
        }
        if let Some(why) = &self.unknown {
            state.push(format!("tag unknown: {why}"));
        }
        if !self.is_here {
            state.push("not here".to_owned());
        }
        if state.is_empty() {
            state.push("current".to_owned());
        }
        let base = self.base.as_deref().unwrap_or("-");
        [self.component.as_str(), &brief(&self.image), base, &state.join("; ")].map(printable).into()
    }
}

/// What a registry says of a locked tag.
#[derive(Debug, Default)]
struct TagNews {
    moved_to: Option<String>,
    unknown: Option<String>,
}

impl TagNews {
    /// Asks about a tag that the policy release keeps. Images that never saw a registry have no digest to compare.
    async fn ask(image: &KnownImage, keeper: &Keeper) -> Self {
        // A lock of what was built has a commit instead.
        let has_digest = |lock: &ImageLock| lock.digest.as_ref().is_some_and(|it| it.starts_with("sha256:"));
        let is_kept = |lock: &&ImageLock| lock.policy == Policy::Release && has_digest(lock);
        let Some(lock) = image.locks.iter().find(is_kept) else { return Self::default() };
        let Ok(reference) = lock.reference.parse() else { return Self::default() };
        match keeper.newest(&reference).await {
            Ok(newest) => {
                Self { moved_to: Some(newest).filter(|new| lock.digest.as_ref() != Some(new)), unknown: None }
            }
            Err(error) => Self { moved_to: None, unknown: Some(chain(&error)) },
        }
    }
}

pub(super) async fn act(arguments: Arguments, home: &Home, printer: Printer) -> Result<(), Trouble> {
    let engine = home.engine().await.map_err(|error| Trouble::platform(&error))?;
    let families = catalogue::load(&home.settings.project_dir).map_err(|error| catalogue::trouble(&error))?;
    let shelf = Shelf::look(home, &engine).await?;
    let keeper = asked::keeper(home).await?;
    let held = shelf.images.iter().map(|image| &image.held);
    let bases = Bases::look(&families, held, &engine).await.map_err(|error| Trouble::platform(&error))?;
    let mut views: Vec<OutdatedView> = shelf.missing.iter().map(OutdatedView::missing).collect();
    for image in shelf.images.iter().filter(|image| !image.components.is_empty()) {
        let base = bases.of(&image.held, &engine).await.map_err(|error| Trouble::platform(&error))?;
        let tag = if arguments.offline { TagNews::default() } else { TagNews::ask(image, &keeper).await };
        let view = |component: &String| OutdatedView::of(component, image, base.clone(), &tag);
        views.extend(image.components.iter().map(view));
    }
    views.sort_by(|a, b| (!a.is_outdated, &a.component).cmp(&(!b.is_outdated, &b.component)));
    printer.report(&views, || {
        let rows: Vec<_> = views.iter().map(OutdatedView::row).collect();
        grid(&["COMPONENT", "IMAGE", "BASE", "STATE"], &[], &rows)
    })
}
