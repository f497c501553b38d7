//! What `--format json` prints: wire types of the command line, named by the documents people script against.

use serde::Serialize;

use crate::catalog::{StoredFile, TableSummary, TableVersion};
use crate::component::Complaint;

/// A line of `table ls` and `table history`.
#[derive(Debug, Serialize)]
pub(super) struct TableView {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) created: String,
    pub(super) load: &'static str,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) columns: Vec<String>,
    pub(super) primary_key: Vec<String>,
    pub(super) job: Option<String>,
}

impl TableView {
    pub(super) fn of(summary: &TableSummary) -> Self {
        Self {
            id: summary.table.to_string(),
            version: summary.version.0,
            created: summary.created.to_string(),
            load: summary.load.as_str(),
            rows: summary.rows,
            bytes: summary.bytes,
            columns: summary.columns.clone(),
            primary_key: summary.primary_key.clone(),
            job: summary.job.map(|job| job.to_string()),
        }
    }
}

/// `table show`.
#[derive(Debug, Serialize)]
pub(super) struct VersionView {
    pub(super) id: String,
    pub(super) version: u64,
    pub(super) created: String,
    pub(super) load: &'static str,
    pub(super) rows: u64,
    pub(super) bytes: u64,
    pub(super) columns: Vec<String>,
    pub(super) primary_key: Vec<String>,
    pub(super) job: Option<String>,
    pub(super) slices: Vec<SliceView>,
}

#[derive(Debug, Serialize)]
pub(super) struct SliceView {
    pub(super) blob: String,
    pub(super) rows: u64,
    pub(super) deleted: u64,
    pub(super) bytes: u64,
    pub(super) checksum: String,
    pub(super) imported: String,
}

impl VersionView {
    pub(super) fn of(version: &TableVersion) -> Self {
        let slices = version.slices.iter().map(|slice| SliceView {
            blob: slice.blob.to_string(),
            rows: slice.rows,
            deleted: slice.deleted.len(),
            bytes: slice.bytes,
            checksum: format!("xxh3-128:{:032x}", slice.checksum),
            imported: slice.imported.to_string(),
        });
        Self {
            id: version.table.to_string(),
            version: version.version.0,
            created: version.created.to_string(),
            load: version.load.as_str(),
            rows: version.rows,
            bytes: version.bytes,
            columns: version.columns.clone(),
            primary_key: version.primary_key.clone(),
            job: version.job.map(|job| job.to_string()),
            slices: slices.collect(),
        }
    }
}

/// `component check`.
#[derive(Debug, Serialize)]
pub(super) struct CheckView {
    pub(super) component: Option<String>,
    pub(super) is_valid: bool,
    pub(super) complaints: Vec<ComplaintView>,
}

#[derive(Debug, Serialize)]
pub(super) struct ComplaintView {
    pub(super) file: String,
    pub(super) line: Option<usize>,
    pub(super) column: Option<usize>,
    pub(super) path: String,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl ComplaintView {
    pub(super) fn of(complaint: &Complaint) -> Self {
        Self {
            file: complaint.file.clone(),
            line: complaint.line,
            column: complaint.column,
            path: complaint.path.clone(),
            message: complaint.message.clone(),
            hint: complaint.hint.clone(),
        }
    }
}

/// A line of `file ls`.
#[derive(Debug, Serialize)]
pub(super) struct FileView {
    pub(super) id: u64,
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) tags: Vec<String>,
    pub(super) created: String,
    pub(super) job: Option<String>,
}

impl FileView {
    pub(super) fn of(file: &StoredFile) -> Self {
        Self {
            id: file.id.0,
            name: file.name.clone(),
            bytes: file.bytes,
            tags: file.tags.clone(),
            created: file.created.to_string(),
            job: file.job.map(|job| job.to_string()),
        }
    }
}
