//! Stored files and their tags.

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use crate::job::{FileId, FileQuery, FileReceipt};

use super::commit::{Moment, Published, hold_counter, next_numbers};
use super::error::doing;
use super::rows::{blob_key, count, flag, optional_parsed, stored_count, stored_text, text, time};
use super::{Catalog, CatalogError, NewFile, StoredFile};

impl Catalog {
    /// The files that the query means, newest first, at most `files_max`; only those with a greater id than
    /// `newer_than` and stored at or after `since`.
    pub(crate) async fn files(
        &self,
        query: &FileQuery,
        newer_than: Option<FileId>,
        since: Option<Timestamp>,
        files_max: u64,
    ) -> Result<Vec<StoredFile>, CatalogError> {
        self.insist(|_| async move {
            let mut transaction = self.begin_read().await?;
            let rows = find(&mut transaction, query, newer_than, since, files_max).await?;
            let mut files = Vec::with_capacity(rows.len());
            for row in &rows {
                files.push(stored_file(&mut transaction, row).await?);
            }
            Ok(files)
        })
        .await
    }

    pub(crate) async fn file(&self, id: FileId) -> Result<Option<StoredFile>, CatalogError> {
        let query = FileQuery::Ids(vec![id]);
        Ok(self.files(&query, None, None, 1).await?.pop())
    }

    /// Forgets a file; its blob goes with the next gc. False: there was none; after a lost answer, one that is not there
    /// counts as removed by this call.
    pub(crate) async fn remove_file(&self, id: FileId) -> Result<bool, CatalogError> {
        let action = || doing(format!("remove file {id}"));
        self.insist(|turn| async move {
            let mut transaction = self.begin_write().await?;
            // A commit may be putting tags on it.
            hold_counter(&mut transaction, "commit_time").await?;
            let removed = sqlx::query("DELETE FROM files WHERE id = $1")
                .bind(stored_count(id.0))
                .execute(&mut *transaction)
                .await
                .map_err(action())?;
            transaction.commit().await.map_err(action())?;
            Ok(removed.rows_affected() > 0 || turn.is_again())
        })
        .await
    }
}

async fn find(
    connection: &mut AnyConnection,
    query: &FileQuery,
    newer_than: Option<FileId>,
    since: Option<Timestamp>,
    files_max: u64,
) -> Result<Vec<AnyRow>, CatalogError> {
    let mut sql = String::from(
        "SELECT id, blob, name, byte_count, is_permanent, is_public, created, job FROM files
         WHERE id > $1 AND created >= $2",
    );
    let conditions: Vec<String> = match query {
        FileQuery::Tags { include, exclude } => {
            let relations = include.iter().map(|_| "IN").chain(exclude.iter().map(|_| "NOT IN"));
            let tagged = |(relation, placeholder)| {
                format!(" AND id {relation} (SELECT file FROM file_tags WHERE tag = ${placeholder})")
            };
            relations.zip(4..).map(tagged).collect()
        }
        FileQuery::Ids(ids) if ids.is_empty() => return Ok(Vec::new()),
        FileQuery::Ids(ids) => {
            let placeholders: Vec<String> =
                (4..).take(ids.len()).map(|placeholder| format!("${placeholder}")).collect();
            vec![format!(" AND id IN ({})", placeholders.join(", "))]
        }
    };
    sql.push_str(&conditions.concat());
    sql.push_str(" ORDER BY id DESC LIMIT $3");
    // Only the number of placeholders varies; every value is bound.
    let mut bound = sqlx::query(AssertSqlSafe(sql))
        .bind(newer_than.map_or(0, |id| stored_count(id.0)))
        .bind(since.map_or(i64::MIN, Timestamp::as_microsecond))
        .bind(stored_count(files_max));
    match query {
        FileQuery::Tags { include, exclude } => {
            for tag in include.iter().chain(exclude) {
                bound = bound.bind(stored_text(tag));
            }
        }
        FileQuery::Ids(ids) => {
            for id in ids {
                bound = bound.bind(stored_count(id.0));
            }
        }
    }
    bound.fetch_all(connection).await.map_err(doing("find files"))
}

async fn stored_file(connection: &mut AnyConnection, row: &AnyRow) -> Result<StoredFile, CatalogError> {
    let id = FileId(count(row, "id")?);
    let tags = sqlx::query("SELECT tag FROM file_tags WHERE file = $1 ORDER BY position, tag")
        .bind(stored_count(id.0))
        .fetch_all(connection)
        .await
        .map_err(doing(format!("read the tags of file {id}")))?;
    Ok(StoredFile {
        id,
        blob: blob_key(row, "blob")?,
        name: text(row, "name")?,
        bytes: count(row, "byte_count")?,
        tags: tags.iter().map(|tag| text(tag, "tag")).collect::<Result<_, _>>()?,
        is_permanent: flag(row, "is_permanent")?,
        is_public: flag(row, "is_public")?,
        created: time(row, "created")?,
        job: optional_parsed(row, "job")?,
    })
}

/// What was stored, in the order it was. A file that was removed since is not told.
pub(super) async fn receipts_of(
    connection: &mut AnyConnection,
    published: Published,
) -> Result<Vec<FileReceipt>, CatalogError> {
    let query = match published {
        Published::By(job) => {
            sqlx::query("SELECT id, name, byte_count FROM files WHERE job = $1 ORDER BY id")
                .bind(job.to_string())
        }
        Published::At(time) => {
            sqlx::query("SELECT id, name, byte_count FROM files WHERE created = $1 ORDER BY id").bind(time)
        }
    };
    let rows = query.fetch_all(connection).await.map_err(doing("read which files were stored"))?;
    rows.iter()
        .map(|row| {
            Ok(FileReceipt {
                id: FileId(count(row, "id")?),
                name: text(row, "name")?,
                bytes: count(row, "byte_count")?,
            })
        })
        .collect()
}

/// Stores one file of a commit, with its tags. The caller holds the transaction.
pub(super) async fn publish(
    connection: &mut AnyConnection,
    file: &NewFile,
    moment: Moment,
) -> Result<FileReceipt, CatalogError> {
    let id = next_numbers(connection, "file", 1).await?;
    let action = || doing(format!("store file {}", file.name));
    let row = sqlx::query(
        "INSERT INTO files (id, blob, name, byte_count, is_permanent, is_public, created, job)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING id",
    )
    .bind(id)
    .bind(file.blob.as_str())
    .bind(stored_text(&file.name))
    .bind(stored_count(file.bytes))
    .bind(i64::from(file.is_permanent))
    .bind(i64::from(file.is_public))
    .bind(moment.time)
    .bind(moment.job.map(|job| job.to_string()))
    .fetch_one(&mut *connection)
    .await
    .map_err(action())?;
    let id = FileId(count(&row, "id")?);
    add_tags(connection, id, &file.tags).await?;
    Ok(FileReceipt { id, name: stored_text(&file.name), bytes: file.bytes })
}

/// Puts tags on a file, after those that it has. Nothing happens to a file that is not there (any more).
pub(super) async fn add_tags(
    connection: &mut AnyConnection,
    file: FileId,
    tags: &[String],
) -> Result<(), CatalogError> {
    let action = || doing(format!("put tags on file {file}"));
    let last = sqlx::query(
        "SELECT COALESCE((SELECT MAX(position) FROM file_tags WHERE file = $1), -1) AS last FROM files WHERE id = $1",
    )
    .bind(stored_count(file.0))
    .fetch_optional(&mut *connection)
    .await
    .map_err(action())?;
    let Some(last) = last else { return Ok(()) };
    let last: i64 = last.try_get("last").map_err(action())?;
    for (position, tag) in (last + 1..).zip(tags) {
        sqlx::query("INSERT INTO file_tags (file, tag, position) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
            .bind(stored_count(file.0))
            .bind(stored_text(tag))
            .bind(position)
            .execute(&mut *connection)
            .await
            .map_err(action())?;
    }
    Ok(())
}
