//! The images that a Dockerfile starts from, as the engine has them.

use super::key::Base;
use super::{BuildError, BuildSource};
use crate::engine::{Engine, EngineError};
use crate::image::ImageReference;

/// Makes sure that every base is there; gives the id of each.
///
/// A base that is present is taken as it is: nobody asks its registry, so that a build never brings a surprise.
pub(super) async fn ensure(
    engine: &Engine,
    source: &BuildSource,
    references: Vec<String>,
    say: &mut (dyn FnMut(String) + Send),
) -> Result<Vec<Base>, BuildError> {
    let mut bases = Vec::with_capacity(references.len());
    for reference in references {
        let failed = |error: EngineError| BuildError::Base {
            base: reference.clone(),
            source_name: source.reference(),
            source: error,
        };
        if let Some(id) = id_of(engine, &reference).await.map_err(failed)? {
            bases.push((reference, id));
            continue;
        }
        say(format!("pulling the base image {reference}"));
        let mut pull = engine.pull_image(&exact(&reference));
        while pull.next().await.map_err(failed)?.is_some() {}
        if let Some(id) = id_of(engine, &reference).await.map_err(failed)? {
            bases.push((reference, id));
        }
        // One that is still not there is the builder's to complain about, in the words people know.
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

async fn id_of(engine: &Engine, reference: &str) -> Result<Option<String>, EngineError> {
    Ok(engine.inspect_image(&exact(reference)).await?.map(|facts| facts.id))
}

/// With its tag, as a name alone would pull every tag.
fn exact(reference: &str) -> String {
    reference.parse().map_or_else(|_odd| reference.to_owned(), |parsed: ImageReference| parsed.exact())
}
