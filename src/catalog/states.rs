//! States of configurations, for whoever must look at all of them. A run stores its own with its commit.

use sqlx::any::AnyRow;

use super::error::doing;
use super::rows::{parsed, stored_text, text};
use super::{Catalog, CatalogError, StateKey};

impl Catalog {
    /// Every state document (JSON text), by component, configuration and row.
    pub(crate) async fn states(&self) -> Result<Vec<(StateKey, String)>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(
                "SELECT component, configuration, row_id, document FROM states
                 ORDER BY component, configuration, row_id",
            )
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the states"))?;
            rows.iter().map(stored).collect()
        })
        .await
    }

    /// Puts a document in the place of the one that was read; false: a run has stored another meanwhile.
    pub(crate) async fn replace_state(
        &self,
        key: &StateKey,
        read: &str,
        document: &str,
    ) -> Result<bool, CatalogError> {
        let action = || doing(format!("replace the state of {}, {}", key.component, key.configuration));
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            let replaced = sqlx::query(
                "UPDATE states SET document = $1
                 WHERE component = $2 AND configuration = $3 AND row_id = $4 AND document = $5",
            )
            .bind(stored_text(document))
            .bind(key.component.as_str())
            .bind(key.configuration.as_str())
            .bind(key.row.as_ref().map_or("", |row| row.as_str()))
            .bind(stored_text(read))
            .execute(&mut *transaction)
            .await
            .map_err(action())?;
            transaction.commit().await.map_err(action())?;
            Ok(replaced.rows_affected() == 1)
        })
        .await
    }
}

fn stored(row: &AnyRow) -> Result<(StateKey, String), CatalogError> {
    let row_id = text(row, "row_id")?;
    let key = StateKey {
        component: parsed(row, "component")?,
        configuration: parsed(row, "configuration")?,
        row: if row_id.is_empty() { None } else { Some(parsed(row, "row_id")?) },
    };
    Ok((key, text(row, "document")?))
}
