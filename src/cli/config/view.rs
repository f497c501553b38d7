use serde::Serialize;

use crate::catalog::StoredConfiguration;

/// A stored configuration without its text.
#[derive(Debug, Serialize)]
pub(super) struct ConfigurationView {
    pub(super) component: String,
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) note: Option<String>,
    pub(super) created: String,
}

impl ConfigurationView {
    pub(super) fn of(stored: &StoredConfiguration) -> Self {
        Self {
            component: stored.component.to_string(),
            id: stored.id.to_string(),
            version: stored.version,
            note: stored.note.clone(),
            created: stored.created.to_string(),
        }
    }
}
