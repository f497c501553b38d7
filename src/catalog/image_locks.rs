//! Which image a reference was found to mean. Locks are small and few; images themselves lie on the engines.

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;

use super::error::doing;
use super::rows::{named, optional_text, parsed, stored_now, text, time};
use super::{Catalog, CatalogError};
use crate::component::Policy;
use crate::job::ImageId;

/// A reference and the image it means. `reference` and `policy` together name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ImageLock {
    pub(crate) reference: String,
    pub(crate) policy: Policy,
    /// As the registry knows it; an image that never saw a registry has none.
    pub(crate) digest: Option<String>,
    /// On the engine that had it first. Another engine may call the same image by another id.
    pub(crate) image: ImageId,
    /// Under whose name the registry has shown it; `None`: it was on the engine already and nobody asked.
    pub(crate) access: Option<String>,
    pub(crate) resolved: Timestamp,
    /// To the hour: a write for each run would cost more than it tells.
    pub(crate) last_used: Timestamp,
}

/// Locks by some condition.
macro_rules! select_locks {
    ($rest:literal) => {
        concat!(
            "SELECT reference, policy, digest, image, access, resolved, last_used FROM image_locks ",
            $rest
        )
    };
}

/// What both ways to write a lock begin with.
macro_rules! insert_lock {
    ($rest:literal) => {
        concat!(
            "INSERT INTO image_locks (digest, image, access, resolved, last_used, reference, policy) \
             VALUES ($1, $2, $3, $4, $5, $6, $7) ",
            $rest
        )
    };
}

impl Catalog {
    pub(crate) async fn image_lock(
        &self,
        reference: &str,
        policy: Policy,
    ) -> Result<Option<ImageLock>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            read_lock(&mut transaction, reference, policy).await
        })
        .await
    }

    /// By reference.
    pub(crate) async fn image_locks(&self) -> Result<Vec<ImageLock>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = sqlx::query(select_locks!("ORDER BY reference, policy"))
                .fetch_all(&mut *transaction)
                .await
                .map_err(doing("list the image locks"))?;
            rows.iter().map(lock).collect()
        })
        .await
    }

    /// Locks a reference unless it is locked already; gives the lock that stands. Of several workers that resolve a
    /// tag at the same time one is the first, and all run what it found.
    pub(crate) async fn lock_image(&self, new: &ImageLock) -> Result<ImageLock, CatalogError> {
        let action = || doing(format!("lock the image {}", new.reference));
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            let insert = insert_lock!("ON CONFLICT DO NOTHING");
            bound(insert, new).execute(&mut *transaction).await.map_err(action())?;
            let stands = read_lock(&mut transaction, &new.reference, new.policy).await?;
            transaction.commit().await.map_err(action())?;
            Ok(stands.unwrap_or_else(|| new.clone()))
        })
        .await
    }

    /// Locks a reference, whatever it was locked to before.
    pub(crate) async fn move_image_lock(&self, new: &ImageLock) -> Result<(), CatalogError> {
        let action = || doing(format!("lock the image {}", new.reference));
        self.insist(|_| async move {
            let mut transaction = self.begin_write().await?;
            let upsert = insert_lock!(
                "ON CONFLICT (reference, policy) DO UPDATE SET digest = excluded.digest, image = excluded.image,
                     access = excluded.access, resolved = excluded.resolved, last_used = excluded.last_used"
            );
            bound(upsert, new).execute(&mut *transaction).await.map_err(action())?;
            transaction.commit().await.map_err(action())
        })
        .await
    }

    /// Remembers that a locked image was run just now.
    pub(crate) async fn use_image_lock(&self, reference: &str, policy: Policy) -> Result<(), CatalogError> {
        let action = || doing(format!("note the use of the image {reference}"));
        self.insist(|_| async move {
            let mut transaction = self.begin_note().await?;
            sqlx::query("UPDATE image_locks SET last_used = $1 WHERE reference = $2 AND policy = $3")
                .bind(stored_now())
                .bind(reference)
                .bind(policy.as_str())
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            transaction.commit().await.map_err(action())
        })
        .await
    }

    /// Lets a reference go under both policies, so that the next run resolves it anew. False: it was not locked.
    pub(crate) async fn unlock_image(&self, reference: &str) -> Result<bool, CatalogError> {
        let action = || doing(format!("unlock the image {reference}"));
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            let gone = sqlx::query("DELETE FROM image_locks WHERE reference = $1")
                .bind(reference)
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            transaction.commit().await.map_err(action())?;
            Ok(gone.rows_affected() > 0 || turn.is_again())
        })
        .await
    }
}

type BoundQuery<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

fn bound<'q>(statement: &'static str, lock: &'q ImageLock) -> BoundQuery<'q> {
    sqlx::query(statement)
        .bind(lock.digest.as_deref())
        .bind(lock.image.as_str())
        .bind(lock.access.as_deref())
        .bind(lock.resolved.as_microsecond())
        .bind(lock.last_used.as_microsecond())
        .bind(lock.reference.as_str())
        .bind(lock.policy.as_str())
}

async fn read_lock(
    connection: &mut AnyConnection,
    reference: &str,
    policy: Policy,
) -> Result<Option<ImageLock>, CatalogError> {
    let row = sqlx::query(select_locks!("WHERE reference = $1 AND policy = $2"))
        .bind(reference)
        .bind(policy.as_str())
        .fetch_optional(connection)
        .await
        .map_err(doing(format!("read the lock of the image {reference}")))?;
    row.as_ref().map(lock).transpose()
}

fn lock(row: &AnyRow) -> Result<ImageLock, CatalogError> {
    Ok(ImageLock {
        reference: text(row, "reference")?,
        policy: named(row, "policy", Policy::parse)?,
        digest: optional_text(row, "digest")?,
        image: parsed(row, "image")?,
        access: optional_text(row, "access")?,
        resolved: time(row, "resolved")?,
        last_used: time(row, "last_used")?,
    })
}
