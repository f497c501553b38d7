//! What is known of the images on the engine, put together: who wants them, who brought them, who runs them.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;
use serde::Deserialize;

use crate::catalog::{ImageLock, JobRecord};
use crate::cli::component::load_trouble;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::component::{self, BuildContext, Component, ImageSource, Policy};
use crate::engine::{Engine, HeldImage};

/// Older jobs are beyond what is looked at; locks remember the use of their images without them.
const JOBS_MAX: u64 = 10_000;
/// What an image was built from, on all images that Longshore built.
const BUILD_SOURCE_LABEL: &str = "longshore.build.source";
/// The repositories of built images, which tell them from images made from them.
const BUILD_REPOSITORY: &str = "longshore-build/";

/// Everything about the images of this project's engine.
#[derive(Debug)]
pub(super) struct Shelf {
    pub(super) images: Vec<KnownImage>,
    /// Components whose image is not here.
    pub(super) missing: Vec<MissingImage>,
    components: Vec<Component>,
}

#[derive(Debug)]
pub(super) struct KnownImage {
    pub(super) held: HeldImage,
    pub(super) origin: Origin,
    /// Whose spec names it.
    pub(super) components: BTreeSet<String>,
    /// References that are locked to it.
    pub(super) locks: Vec<ImageLock>,
    /// By a job or by its lock.
    pub(super) last_used: Option<Timestamp>,
    /// A container was made of it.
    pub(super) is_in_use: bool,
}

#[derive(Debug)]
pub(super) struct MissingImage {
    pub(super) component: String,
    pub(super) reference: String,
}

/// How an image came to be here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Origin {
    Pulled,
    Built,
    /// Somebody else brought it, or gave it a name.
    Foreign,
}

impl Origin {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Pulled => "pulled",
            Self::Built => "built",
            Self::Foreign => "foreign",
        }
    }
}

impl KnownImage {
    /// What people call it: its first name, else its id.
    pub(super) fn name(&self) -> String {
        let names = self.held.tags.iter().chain(&self.held.digests);
        names.into_iter().next().map_or_else(|| short_id(&self.held.id), Clone::clone)
    }

    pub(super) fn is_ours(&self) -> bool {
        self.origin != Origin::Foreign || !self.components.is_empty() || !self.locks.is_empty()
    }

    fn answers_to(&self, reference: &str) -> bool {
        let wanted = familiar(reference);
        self.held.tags.iter().chain(&self.held.digests).any(|name| *name == wanted)
    }
}

/// The part of a job's result document that tells its image.
#[derive(Debug, Deserialize)]
struct JobImage {
    image: Option<JobImagePart>,
}

#[derive(Debug, Deserialize)]
struct JobImagePart {
    id: String,
    action: String,
}

impl Shelf {
    /// Looks at engine, specs and catalog. A spec that cannot be read is trouble: nobody knows what it needs.
    pub(super) async fn look(home: &Home, engine: &Engine) -> Result<Self, Trouble> {
        let components = components(home)?;
        let used: HashSet<String> = images_in_use(engine).await?;
        let held = engine.list_images().await.map_err(|error| Trouble::platform(&error))?;
        let locks = home.catalog.image_locks().await?;
        let jobs = home.catalog.jobs(JOBS_MAX).await?;
        let runs = Runs::of(&jobs);
        let known = held.into_iter().map(|held| known(held, &locks, &runs, &used));
        let mut shelf = Self { images: known.collect(), missing: Vec::new(), components };
        shelf.match_components();
        shelf.images.sort_by_key(|image| (!image.is_ours(), image.name()));
        Ok(shelf)
    }

    /// The images of a component, by its id, or the one of a name or the beginning of an id.
    pub(super) fn find(&self, asked: &str) -> Vec<&KnownImage> {
        let digits = asked.strip_prefix("sha256:").unwrap_or(asked);
        let is_id = digits.len() >= 12 && digits.chars().all(|c| c.is_ascii_hexdigit());
        let fits = |image: &&KnownImage| {
            image.components.contains(asked)
                || image.answers_to(&with_tag(asked))
                || (is_id && image.held.id.trim_start_matches("sha256:").starts_with(digits))
        };
        self.images.iter().filter(fits).collect()
    }

    fn match_components(&mut self) {
        for component in &self.components {
            let id = component.id.to_string();
            let reference = reference_of(&component.image);
            let (policy, by_name) = match &component.image {
                ImageSource::Registry { policy, .. } => (*policy, self.by_name(&reference)),
                ImageSource::Build { policy, .. } => (*policy, self.newest_build(&reference)),
            };
            // A lock says better than a name which image a reference means.
            let found = self.by_lock(&reference, policy).or(by_name);
            match found.and_then(|index| self.images.get_mut(index)) {
                Some(image) => drop(image.components.insert(id)),
                None => self.missing.push(MissingImage { component: id, reference }),
            }
        }
    }

    fn by_lock(&self, reference: &str, policy: Policy) -> Option<usize> {
        let means = |lock: &ImageLock| lock.reference == reference && lock.policy == policy;
        self.images.iter().position(|image| image.locks.iter().any(means))
    }

    fn by_name(&self, reference: &str) -> Option<usize> {
        self.images.iter().position(|image| image.answers_to(reference))
    }

    fn newest_build(&self, source: &str) -> Option<usize> {
        let builds = self.images.iter().enumerate();
        let builds = builds.filter(|(_index, image)| build_source(&image.held) == Some(source));
        builds.max_by_key(|(_index, image)| image.held.created).map(|(index, _image)| index)
    }
}

/// The components of `component-specs/`; complaints about one are trouble.
fn components(home: &Home) -> Result<Vec<Component>, Trouble> {
    let settings = &home.settings;
    let specs = component::list_specs(&settings.component_specs_dir, &settings.presets);
    let specs = specs.map_err(|error| load_trouble(&error))?;
    specs.into_iter().map(|spec| spec.component.map_err(|error| load_trouble(&error))).collect()
}

async fn images_in_use(engine: &Engine) -> Result<HashSet<String>, Trouble> {
    let used = engine.used_images().await.map_err(|error| Trouble::platform(&error))?;
    Ok(used.into_iter().collect())
}

/// What the catalog's jobs say of images, by id.
#[derive(Debug, Default)]
struct Runs {
    last: HashMap<String, Timestamp>,
    pulled: HashSet<String>,
}

impl Runs {
    fn of(jobs: &[JobRecord]) -> Self {
        let mut runs = Self::default();
        for job in jobs {
            // A job that has not come as far as its image has none in its document, or no document.
            let document = job.result.as_deref().and_then(|text| serde_json::from_str::<JobImage>(text).ok());
            let Some(image) = document.and_then(|document| document.image) else { continue };
            if image.action == "pulled" {
                runs.pulled.insert(image.id.clone());
            }
            let last = runs.last.entry(image.id).or_insert(job.created);
            *last = (*last).max(job.created);
        }
        runs
    }
}

fn known(held: HeldImage, locks: &[ImageLock], runs: &Runs, used: &HashSet<String>) -> KnownImage {
    let own = locks.iter().filter(|lock| {
        let bears = |digest: &String| {
            held.digests.iter().any(|known| known.split_once('@').is_some_and(|(_name, of)| of == digest))
        };
        lock.image.as_str() == held.id || lock.digest.as_ref().is_some_and(bears)
    });
    let own: Vec<ImageLock> = own.cloned().collect();
    let by_locks = own.iter().map(|lock| lock.last_used).max();
    KnownImage {
        origin: origin(&held, &own, locks, runs),
        components: BTreeSet::new(),
        last_used: by_locks.max(runs.last.get(&held.id).copied()),
        is_in_use: used.contains(&held.id),
        locks: own,
        held,
    }
}

/// Whether this project brought the image. Another project on the same engine knows what it needs of its own.
fn origin(held: &HeldImage, own: &[ImageLock], locks: &[ImageLock], runs: &Runs) -> Origin {
    if let Some(source) = build_source(held) {
        let is_known = runs.last.contains_key(&held.id) || locks.iter().any(|lock| lock.reference == source);
        return if is_known || !own.is_empty() { Origin::Built } else { Origin::Foreign };
    }
    // Who gave it a name of their own wants it. A lock without access was made of an image that was here before.
    let is_named_by_us =
        |tag: &String| locks.iter().any(|lock| lock.access.is_some() && familiar(&lock.reference) == *tag);
    let was_pulled = own.iter().any(|lock| lock.access.is_some()) || runs.pulled.contains(&held.id);
    if was_pulled && held.tags.iter().all(is_named_by_us) { Origin::Pulled } else { Origin::Foreign }
}

/// What an image was built from. Images made from a built one inherit its labels, but not its name.
fn build_source(held: &HeldImage) -> Option<&str> {
    let is_built = !held.tags.is_empty() && held.tags.iter().all(|tag| tag.starts_with(BUILD_REPOSITORY));
    held.labels.get(BUILD_SOURCE_LABEL).filter(|_source| is_built).map(String::as_str)
}

/// The reference as the engine shows it: Docker Hub's images by their short names.
pub(super) fn familiar(reference: &str) -> String {
    let hub = reference.strip_prefix("docker.io/").or_else(|| reference.strip_prefix("index.docker.io/"));
    let short = hub.map_or(reference, |path| path.strip_prefix("library/").unwrap_or(path));
    // Of `name:tag@digest` the engine keeps the digest.
    match short.split_once('@') {
        Some((name, digest)) => format!("{}@{digest}", without_tag(name)),
        None => short.to_owned(),
    }
}

fn without_tag(name: &str) -> &str {
    match name.rsplit_once(':') {
        Some((repository, tag)) if !tag.contains('/') => repository,
        Some(_) | None => name,
    }
}

fn with_tag(reference: &str) -> String {
    if reference.contains('@') || without_tag(reference) != reference {
        reference.to_owned()
    } else {
        format!("{reference}:latest")
    }
}

/// What the spec asks for, as locks and labels have it.
pub(super) fn reference_of(source: &ImageSource) -> String {
    match source {
        ImageSource::Registry { uri, tag, digest, .. } => match (tag, digest) {
            (Some(tag), Some(digest)) => format!("{uri}:{tag}@{digest}"),
            (Some(tag), None) => format!("{uri}:{tag}"),
            (None, Some(digest)) => format!("{uri}@{digest}"),
            (None, None) => format!("{uri}:latest"),
        },
        ImageSource::Build { context, .. } => build_reference(context),
    }
}

/// What built images have as their source.
pub(super) fn build_reference(context: &BuildContext) -> String {
    match context {
        BuildContext::Folder { path } => path.clone(),
        BuildContext::Git { url, reference: None, folder: None } => url.clone(),
        BuildContext::Git { url, reference, folder } => {
            let folder = folder.as_ref().map(|folder| format!(":{folder}")).unwrap_or_default();
            format!("{url}#{}{folder}", reference.as_deref().unwrap_or("HEAD"))
        }
    }
}

/// A name with as much of its digest as people compare.
pub(super) fn brief(name: &str) -> String {
    match name.split_once("sha256:") {
        Some((before, digits)) if digits.len() == 64 => format!("{before}sha256:{}…", short_id(digits)),
        Some(_) | None => name.to_owned(),
    }
}

/// Twelve digits, as people know ids.
pub(super) fn short_id(id: &str) -> String {
    id.trim_start_matches("sha256:").chars().take(12).collect()
}
