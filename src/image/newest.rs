//! Looking at a registry without taking anything from it: has a tag moved?

use super::keeper::{Keeper, registry_trouble};
use super::registry_error::RegistryError;
use super::{ImageError, ImageReference};

impl Keeper {
    /// The digest that the registry has under the reference's tag now, by one small question. A pinned digest is its
    /// own answer. Asked once: who looks for news can do without.
    pub(crate) async fn newest(&self, reference: &ImageReference) -> Result<String, ImageError> {
        let tag = match (reference.digest(), reference.tag()) {
            (Some(digest), _) => return Ok(digest.to_owned()),
            (None, tag) => tag.unwrap_or_default(),
        };
        let source = self.source(reference).await?;
        let identity = self.identity(reference, source).await?;
        let never: fn(&RegistryError) -> bool = |_error| false;
        let asked = self.ask(reference, tag, &identity.login, self.options.patience_with_copy, never).await;
        asked.map_err(|error| registry_trouble(reference, &identity.source, error))
    }
}
