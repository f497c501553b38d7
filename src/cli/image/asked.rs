//! Which image a person means, and getting it.

use std::path::Path;

use crate::cli::component::load_trouble;
use crate::cli::exit::Trouble;
use crate::cli::home::Home;
use crate::cli::print::Printer;
use crate::cli::progress::Progress;
use crate::component::{self, Component, ImageSource, LoadError, Policy, Stale};
use crate::engine::PullProgress;
use crate::failure::Stop;
use crate::image::{AskedImage, BuildSource, ImageError, ImageReference, Keeper, ResolvedImage};

/// An image on the command line.
#[derive(Debug, clap::Args)]
pub(in crate::cli) struct ImageArguments {
    /// A component (a spec file, or an id from `component-specs/`), or an image's name
    pub(super) image: String,
    /// Another tag than the spec's
    #[arg(long)]
    tag: Option<String>,
}

impl ImageArguments {
    pub(super) fn asked(&self, home: &Home) -> Result<AskedImage, Trouble> {
        asked(&self.image, self.tag.as_deref(), home)
    }
}

/// The image of a component (by its id, or the path of its spec), or of a reference under the policy release.
pub(super) fn asked(argument: &str, tag: Option<&str>, home: &Home) -> Result<AskedImage, Trouble> {
    let settings = &home.settings;
    match component::load(argument, &settings.component_specs_dir, &settings.presets) {
        Ok(component) => of_component(&component, tag),
        // Neither an id nor the path of a file that is there: `debian:12`, `registry.example.com/acme/x`.
        Err(LoadError::NotFound { .. } | LoadError::Unreadable(_)) if is_reference(argument) => {
            let text = tag.map_or_else(|| argument.to_owned(), |tag| format!("{argument}:{tag}"));
            Ok(AskedImage::Registry {
                reference: parse_reference(&text)?,
                policy: Policy::Release,
                stale: Stale::Allow,
            })
        }
        Err(error) => Err(load_trouble(&error)),
    }
}

/// A plain word is rather the id of a component that is missing.
fn is_reference(argument: &str) -> bool {
    let is_file =
        Path::new(argument).extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json");
    argument.contains(['/', ':']) && !argument.starts_with(['.', '/']) && !is_file
}

fn of_component(component: &Component, tag: Option<&str>) -> Result<AskedImage, Trouble> {
    match &component.image {
        ImageSource::Registry { uri, tag: own, digest, policy, stale } => {
            let reference = match (tag, own.as_deref(), digest) {
                (Some(tag), _, _) | (None, Some(tag), None) => format!("{uri}:{tag}"),
                (None, Some(tag), Some(digest)) => format!("{uri}:{tag}@{digest}"),
                (None, None, Some(digest)) => format!("{uri}@{digest}"),
                (None, None, None) => format!("{uri}:latest"),
            };
            let reference = parse_reference(&reference)?;
            Ok(AskedImage::Registry { reference, policy: *policy, stale: *stale })
        }
        ImageSource::Build { .. } if tag.is_some() => {
            Err(Trouble::usage("an image that is built has no tag"))
        }
        ImageSource::Build { context, dockerfile, args, policy, stale } => {
            let source = BuildSource {
                context: context.clone(),
                dockerfile: dockerfile.clone(),
                args: args.clone(),
                spec_dir: component.spec_path.parent().map(Path::to_owned),
                stale: *stale,
            };
            Ok(AskedImage::Build { source, policy: *policy })
        }
    }
}

fn parse_reference(text: &str) -> Result<ImageReference, Trouble> {
    text.parse().map_err(|error: crate::image::ReferenceError| Trouble::user(error.to_string()))
}

pub(super) async fn keeper(home: &Home) -> Result<Keeper, Trouble> {
    let engine = home.engine().await.map_err(|error| Trouble::platform(&error))?;
    Ok(Keeper::new(engine, home.catalog.clone(), home.keeper_options()))
}

/// Makes sure that the image is here, and tells what was done.
pub(super) async fn ensure(
    asked: &AskedImage,
    home: &Home,
    printer: Printer,
) -> Result<ResolvedImage, Trouble> {
    let keeper = keeper(home).await?;
    let progress = Progress::bytes(printer, "asking for the image", None);
    let mut watch = |step: PullProgress| progress.pulling(&step);
    let ensured = keeper.ensure(asked, &mut watch).await;
    drop(progress);
    let image = ensured.map_err(image_trouble)?;
    for warning in &image.warnings {
        printer.note(warning);
    }
    printer.note(&image.words());
    Ok(image)
}

/// The same words and the same blame as in a job.
fn image_trouble(error: ImageError) -> Trouble {
    match Stop::from(error) {
        Stop::Failed(failure) => {
            Trouble { status: failure.code.blame().into(), messages: vec![failure.detail], hint: None }
        }
        Stop::Cancelled => Trouble::user("interrupted"),
    }
}
