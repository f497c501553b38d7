//! Stored configurations: every version stays, the newest counts.

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use crate::job::{ComponentId, ConfigurationId};

use super::error::doing;
use super::rows::{count, optional_text, parsed, stored_count, stored_now, stored_text, text, time};
use super::{Catalog, CatalogError};

/// A stored configuration at one version.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct StoredConfiguration {
    pub(crate) component: ComponentId,
    pub(crate) id: ConfigurationId,
    /// Counts from 1.
    pub(crate) version: u64,
    /// As it was put, YAML or JSON.
    pub(crate) document: String,
    pub(crate) note: Option<String>,
    pub(crate) created: Timestamp,
}

/// Versions by some condition.
macro_rules! select_configurations {
    ($rest:literal) => {
        concat!("SELECT component, id, version, document, note, created FROM configurations c ", $rest)
    };
}

impl Catalog {
    /// Stores a new version of a configuration, unless the newest one has the same document; returns the version. Put
    /// again after a lost answer, the document is the newest one and stays it.
    pub(crate) async fn put_configuration(
        &self,
        component: &ComponentId,
        id: &ConfigurationId,
        document: &str,
        note: Option<&str>,
    ) -> Result<u64, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            // One after the other, whoever puts: the next number is nobody else's.
            super::commit::hold_counter(&mut transaction, "commit_time").await?;
            let newest = read(&mut transaction, component, id, None).await?;
            let document = stored_text(document);
            let version = match newest {
                Some(newest) if newest.document == document => return Ok(newest.version),
                Some(newest) => newest.version + 1,
                None => 1,
            };
            insert(&mut transaction, (component, id, version), &document, note).await?;
            transaction.commit().await.map_err(doing(format!("store configuration {id} of {component}")))?;
            Ok(version)
        })
        .await
    }

    /// Stores a version after the one that was read; false: somebody has put another meanwhile.
    pub(crate) async fn follow_configuration(
        &self,
        read_before: &StoredConfiguration,
        document: &str,
        note: Option<&str>,
    ) -> Result<bool, CatalogError> {
        let StoredConfiguration { component, id, version, .. } = read_before;
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            super::commit::hold_counter(&mut transaction, "commit_time").await?;
            let newest = read(&mut transaction, component, id, None).await?;
            let document = stored_text(document);
            match newest {
                // Put already, and the answer was lost.
                Some(newest) if newest.document == document => return Ok(true),
                Some(newest) if newest.version == *version => {}
                Some(_) | None => return Ok(false),
            }
            insert(&mut transaction, (component, id, version + 1), &document, note).await?;
            transaction.commit().await.map_err(doing(format!("store configuration {id} of {component}")))?;
            Ok(true)
        })
        .await
    }

    /// A version of a configuration; `None` for the newest.
    pub(crate) async fn configuration(
        &self,
        component: &ComponentId,
        id: &ConfigurationId,
        version: Option<u64>,
    ) -> Result<Option<StoredConfiguration>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            read(&mut transaction, component, id, version).await
        })
        .await
    }

    /// The newest version of each configuration, by component and id.
    pub(crate) async fn configurations(&self) -> Result<Vec<StoredConfiguration>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(select_configurations!(
                "WHERE version = (SELECT MAX(n.version) FROM configurations n
                                  WHERE n.component = c.component AND n.id = c.id)"
            ))
            .fetch_all(&mut *transaction)
            .await
            .map_err(doing("list the configurations"))?;
            let mut newest = rows.iter().map(stored).collect::<Result<Vec<_>, _>>()?;
            // The databases sort text by different rules.
            newest.sort_by(|a, b| (&a.component, &a.id).cmp(&(&b.component, &b.id)));
            Ok(newest)
        })
        .await
    }

    /// All versions, oldest first.
    pub(crate) async fn configuration_history(
        &self,
        component: &ComponentId,
        id: &ConfigurationId,
    ) -> Result<Vec<StoredConfiguration>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows =
                sqlx::query(select_configurations!("WHERE component = $1 AND id = $2 ORDER BY version"))
                    .bind(component.as_str())
                    .bind(id.as_str())
                    .fetch_all(&mut *transaction)
                    .await
                    .map_err(doing(format!("read the history of configuration {id} of {component}")))?;
            rows.iter().map(stored).collect()
        })
        .await
    }
}

async fn insert(
    connection: &mut AnyConnection,
    (component, id, version): (&ComponentId, &ConfigurationId, u64),
    document: &str,
    note: Option<&str>,
) -> Result<(), CatalogError> {
    sqlx::query(
        "INSERT INTO configurations (component, id, version, document, note, created)
         VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(component.as_str())
    .bind(id.as_str())
    .bind(stored_count(version))
    .bind(document)
    .bind(note.map(stored_text))
    .bind(stored_now())
    .execute(connection)
    .await
    .map(drop)
    .map_err(doing(format!("store configuration {id} of {component}")))
}

async fn read(
    connection: &mut AnyConnection,
    component: &ComponentId,
    id: &ConfigurationId,
    version: Option<u64>,
) -> Result<Option<StoredConfiguration>, CatalogError> {
    let row = sqlx::query(select_configurations!(
        "WHERE component = $1 AND id = $2 AND version <= $3 ORDER BY version DESC LIMIT 1"
    ))
    .bind(component.as_str())
    .bind(id.as_str())
    .bind(version.map_or(i64::MAX, stored_count))
    .fetch_optional(connection)
    .await
    .map_err(doing(format!("read configuration {id} of {component}")))?;
    let found = row.as_ref().map(stored).transpose()?;
    Ok(found.filter(|found| version.is_none_or(|version| found.version == version)))
}

fn stored(row: &AnyRow) -> Result<StoredConfiguration, CatalogError> {
    Ok(StoredConfiguration {
        component: parsed(row, "component")?,
        id: parsed(row, "id")?,
        version: count(row, "version")?,
        document: text(row, "document")?,
        note: optional_text(row, "note")?,
        created: time(row, "created")?,
    })
}
