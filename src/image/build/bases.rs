//! The images that a Dockerfile starts from, as the engine has them.

use super::key::Base;
use super::{BuildError, BuildSource};
use crate::engine::{Engine, EngineError};
use crate::image::{ImageReference, Keeper};

/// Makes sure that every base is there; gives the id of each.
///
/// A base that is present is taken as it is: nobody asks its registry, so that a build never brings a surprise.
pub(super) async fn ensure(
    keeper: &Keeper,
    source: &BuildSource,
    references: Vec<String>,
    say: &mut (dyn FnMut(String) + Send),
) -> Result<Vec<Base>, BuildError> {
    let failed = |source_error| BuildError::Engine { source_name: source.reference(), source: source_error };
    let mut bases = Vec::with_capacity(references.len());
    for base in references {
        // What is no reference is the builder's to complain about, in the words people know.
        let Ok(reference) = base.parse::<ImageReference>() else { continue };
        if let Some(id) = id_of(&keeper.engine, &base).await.map_err(failed)? {
            bases.push((base, id));
            continue;
        }
        say(format!("pulling the base image {base}"));
        let id = keeper.fetch_base(&reference).await.map_err(|error| BuildError::Base {
            base: base.clone(),
            source_name: source.reference(),
            source: Box::new(error),
        })?;
        bases.push((base, id.to_string()));
    }
    Ok(bases)
}

/// Whether the bases a build was made on are still the ones the engine has. One that is gone did not move.
pub(super) async fn have_stayed(engine: &Engine, bases: &[Base]) -> Result<bool, EngineError> {
    for (reference, id) in bases {
        let found = id_of(engine, reference).await?;
        if found.is_some_and(|found| found != *id) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn id_of(engine: &Engine, base: &str) -> Result<Option<String>, EngineError> {
    // With its tag, as a name alone may mean several.
    let exact = base.parse().map_or_else(|_odd| base.to_owned(), |parsed: ImageReference| parsed.exact());
    Ok(engine.inspect_image(&exact).await?.map(|facts| facts.id))
}
