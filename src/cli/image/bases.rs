//! Which base an image was made from: its label says it, which it inherits, or else its layers do.

use std::collections::HashMap;

use super::catalogue::{BaseFamily, Superseded};
use super::shelf::familiar;
use crate::engine::{Engine, EngineError, HeldImage};

/// On a base image, and by inheritance on all made from it.
const BASE_LABEL: &str = "longshore.base";

/// A base that an image stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base<'a> {
    /// With its tag.
    pub(super) reference: String,
    /// `None`: the version is current, or the base is unknown to us.
    pub(super) superseded: Option<&'a Superseded>,
}

/// Knows the bases that are on the engine.
#[derive(Debug)]
pub(super) struct Bases<'a> {
    families: &'a [BaseFamily],
    /// References of known bases by their layers.
    by_layers: HashMap<Vec<String>, String>,
}

impl<'a> Bases<'a> {
    /// Looks at the layers of every known base among the images.
    pub(super) async fn look(
        families: &'a [BaseFamily],
        images: impl Iterator<Item = &HeldImage>,
        engine: &Engine,
    ) -> Result<Self, EngineError> {
        let mut by_layers = HashMap::new();
        for image in images {
            let is_base = |tag: &&String| families.iter().any(|family| version_of(tag, family).is_some());
            if let Some(tag) = image.tags.iter().find(is_base) {
                by_layers.insert(engine.image_layers(&image.id).await?, tag.clone());
            }
        }
        // An image without layers would be everybody's base.
        by_layers.remove(&Vec::new());
        Ok(Self { families, by_layers })
    }

    /// The base of an image; `None` where nothing tells.
    pub(super) async fn of(
        &self,
        image: &HeldImage,
        engine: &Engine,
    ) -> Result<Option<Base<'a>>, EngineError> {
        let said = image.labels.get(BASE_LABEL).filter(|reference| !reference.is_empty()).cloned();
        let reference = match said {
            Some(reference) => Some(reference),
            None => self.below(&engine.image_layers(&image.id).await?),
        };
        Ok(reference.map(|reference| Base { superseded: self.superseded(&reference), reference }))
    }

    /// The base with the most layers that an image begins with.
    fn below(&self, layers: &[String]) -> Option<String> {
        (1..layers.len()).rev().find_map(|count| self.by_layers.get(layers.get(..count)?).cloned())
    }

    fn superseded(&self, reference: &str) -> Option<&'a Superseded> {
        self.families.iter().find_map(|family| {
            let version = version_of(reference, family)?;
            family.superseded.iter().find(|old| old.version == version)
        })
    }
}

/// The version that a reference names of a base.
fn version_of(reference: &str, family: &BaseFamily) -> Option<String> {
    let named = familiar(reference);
    Some(named.strip_prefix(family.image.as_str())?.strip_prefix(':')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_without_a_label_stands_on_the_highest_base_that_it_begins_with() {
        let layers = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let by_layers = [("a", "longshore/debian:12-1"), ("a b", "longshore/python:1.0.0")];
        let by_layers = by_layers.map(|(base, name)| (layers(base), name.to_owned()));
        let families = [BaseFamily {
            image: "longshore/python".into(),
            version: "3.11-1".into(),
            note: String::new(),
            superseded: vec![Superseded {
                version: "1.0.0".into(),
                successor: "longshore/python:3.11-1".into(),
                why: "old".into(),
            }],
        }];
        let bases = Bases { families: &families, by_layers: by_layers.into() };
        assert_eq!(bases.below(&layers("a b c")).as_deref(), Some("longshore/python:1.0.0"));
        assert_eq!(bases.below(&layers("a c")).as_deref(), Some("longshore/debian:12-1"));
        assert_eq!(bases.below(&layers("b a")), None);
        assert_eq!(bases.below(&layers("a")), None, "a base is not its own base");
        assert_eq!(bases.superseded("docker.io/longshore/python:1.0.0"), Some(&families[0].superseded[0]));
        assert_eq!(bases.superseded("longshore/python:3.11-1"), None);
    }
}
