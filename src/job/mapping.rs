//! What goes in and what comes out: the mapping of one run, parsed and typed.

use jiff::Timestamp;

use super::output_limits::OutputLimits;
use super::{FileId, TableId};

/// Everything staged before the component starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct InputMapping {
    pub tables: Vec<InputTable>,
    pub files: Vec<InputFile>,
}

/// Everything asked of `out/` after a clean exit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct OutputMapping {
    pub tables: Vec<OutputTable>,
    pub files: Vec<OutputFile>,
    /// `stage.bucket` for outputs whose manifest or file name gives only a table name.
    pub default_bucket: Option<String>,
    /// What the configuration asks of columns whose names are not `[A-Za-z0-9_]`.
    pub sanitize_column_names: bool,
    /// The settings' word on what is taken at all.
    pub limits: OutputLimits,
}

/// One table to stage as `in/tables/<destination>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputTable {
    /// Place among the entries as written: others may have been dropped because nothing could be made of them.
    pub entry: usize,
    pub source: TableId,
    /// File name below `in/tables/`, never absolute, never with `..`.
    pub destination: String,
    /// In the order asked for; empty means all.
    pub columns: Vec<String>,
    /// All must hold.
    pub filters: Vec<Filter>,
    pub changed_since: Option<ChangedSince>,
    pub rows_max: Option<u64>,
}

/// Which rows are new enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ChangedSince {
    /// Rows imported at or after this moment.
    At(Timestamp),
    /// Rows imported after the last successful run of this configuration; all rows on the first.
    LastRun,
}

/// One condition on a column. `Eq` holds when any value matches, `Ne` when none does; the others take one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub column: String,
    pub operator: FilterOperator,
    pub values: Vec<String>,
}

/// Ordering compares as numbers when both sides are decimal numbers, else byte by byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilterOperator {
    Eq,
    Ne,
    Gt,
    Ge,
    Lt,
    Le,
}

impl FilterOperator {
    pub(crate) const ALL: [Self; 6] = [Self::Eq, Self::Ne, Self::Gt, Self::Ge, Self::Lt, Self::Le];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Eq => "eq",
            Self::Ne => "ne",
            Self::Gt => "gt",
            Self::Ge => "ge",
            Self::Lt => "lt",
            Self::Le => "le",
        }
    }
}

/// Files to stage as `in/files/<id>_<name>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct InputFile {
    /// Place among the entries as written: others may have been dropped because nothing could be made of them.
    pub entry: usize,
    pub query: FileQuery,
    pub changed_since: Option<ChangedSince>,
    pub files_max: u64,
    /// Put on the matched files in the commit of the job, never on a failed one.
    pub processed_tags: Vec<String>,
}

/// Which stored files are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileQuery {
    /// Files that bear every `include` tag and no `exclude` tag, newest first.
    Tags { include: Vec<String>, exclude: Vec<String> },
    /// Exactly these.
    Ids(Vec<FileId>),
}

/// One table to publish from `out/tables/<source>`, as the configuration asks for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputTable {
    /// Place among the entries as written: others may have been dropped because nothing could be made of them.
    pub entry: usize,
    pub source: String,
    pub destination: Option<TableId>,
    pub options: TableOptions,
}

/// What mapping and manifest may both say of an output table. `None` is "not said":
/// a key present in the mapping wins, an absent one leaves the manifest's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TableOptions {
    pub incremental: Option<bool>,
    pub primary_key: Option<Vec<String>>,
    /// Allows the load to change the key of an existing table.
    pub primary_key_change: Option<bool>,
    /// Declares the file headless (unless `has_header`) and names its columns.
    pub columns: Option<Vec<String>>,
    /// With `columns`: the first record is a header to be skipped.
    pub has_header: Option<bool>,
    pub delimiter: Option<u8>,
    pub enclosure: Option<u8>,
    pub delete_where: Option<Vec<DeleteWhere>>,
    /// Published even when the component fails.
    pub write_always: Option<bool>,
    pub description: Option<String>,
}

impl TableOptions {
    /// The mapping's word where it has one, else the manifest's.
    #[must_use]
    pub(crate) fn over(self, manifest: Self) -> Self {
        Self {
            incremental: self.incremental.or(manifest.incremental),
            primary_key: self.primary_key.or(manifest.primary_key),
            primary_key_change: self.primary_key_change.or(manifest.primary_key_change),
            columns: self.columns.or(manifest.columns),
            has_header: self.has_header.or(manifest.has_header),
            delimiter: self.delimiter.or(manifest.delimiter),
            enclosure: self.enclosure.or(manifest.enclosure),
            delete_where: self.delete_where.or(manifest.delete_where),
            write_always: self.write_always.or(manifest.write_always),
            description: self.description.or(manifest.description),
        }
    }

    /// How the rows meet the rows that are there. `primary_key` is the effective one (the table's own when not said).
    pub(crate) fn load_kind(&self, primary_key: &[String]) -> LoadKind {
        match (self.incremental.unwrap_or(false), primary_key.is_empty()) {
            (false, _) => LoadKind::Replace,
            (true, true) => LoadKind::Append,
            (true, false) => LoadKind::Upsert,
        }
    }
}

/// One deletion before a load: rows for which all its filters hold. Several deletions each delete theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeleteWhere {
    pub changed_since: Option<Timestamp>,
    pub changed_until: Option<Timestamp>,
    pub filters: Vec<Filter>,
}

/// How a load changes a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LoadKind {
    /// The rows of the load are the table.
    Replace,
    /// The rows are added.
    Append,
    /// Rows with an incoming key are deleted, the incoming rows are added.
    Upsert,
}

impl LoadKind {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Replace => "replace",
            Self::Append => "append",
            Self::Upsert => "upsert",
        }
    }
}

/// One file to keep from `out/files/<source>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OutputFile {
    pub source: String,
    pub options: FileOptions,
}

/// What mapping or manifest say of an output file; the mapping wins as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct FileOptions {
    pub tags: Vec<String>,
    pub is_permanent: bool,
    pub is_public: bool,
}
