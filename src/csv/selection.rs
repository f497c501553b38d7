//! Which rows and columns of a slice are wanted, and how its records become rows of the answer.

use super::filter::Filters;
use super::scanner::Wanted;
use super::{Dialect, WriteDialect, batch, field};
use crate::job::Filter;

/// Which rows and columns of a table are wanted.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// Output columns in order; empty for the slice's own. A column that an older slice lacks comes out empty.
    pub columns: Vec<String>,
    /// All must hold.
    pub filters: Vec<Filter>,
}

/// A selection against the columns of one slice.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) filters: Filters,
    pub(super) shape: Shape,
}

/// What happens to a record that is kept.
#[derive(Debug)]
pub(super) enum Shape {
    /// Copied as it stands.
    Whole,
    /// Stretches of fields copied as they stand.
    Spans(Vec<Span>),
    /// Written field by field in another dialect; `None` is a column that the slice lacks.
    Encoded { fields: Vec<Option<usize>>, write: WriteDialect },
}

/// A part of an output row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// Neighbouring fields of the slice, in its order: one copy instead of several.
    Fields { first: usize, last: usize },
    /// A column that the slice lacks.
    Empty,
}

impl Plan {
    pub(super) fn new(selection: &Selection, columns: &[String], write: WriteDialect) -> Self {
        let find = |name: &String| columns.iter().position(|column| column == name);
        let fields: Vec<Option<usize>> = if selection.columns.is_empty() {
            (0..columns.len()).map(Some).collect()
        } else {
            selection.columns.iter().map(find).collect()
        };
        let shape = if write != WriteDialect::CANONICAL {
            Shape::Encoded { fields, write }
        } else if fields.iter().copied().eq((0..columns.len()).map(Some)) {
            Shape::Whole
        } else {
            Shape::Spans(spans(&fields))
        };
        Self { filters: Filters::new(&selection.filters, columns), shape }
    }

    /// What the scanner must find for this.
    pub(super) fn wanted(&self) -> Wanted {
        match &self.shape {
            Shape::Whole if self.filters.is_empty() => Wanted::Records,
            Shape::Whole | Shape::Spans(_) | Shape::Encoded { .. } => Wanted::Fields,
        }
    }
}

fn spans(fields: &[Option<usize>]) -> Vec<Span> {
    let mut spans: Vec<Span> = Vec::with_capacity(fields.len());
    for field in fields {
        match (spans.last_mut(), field) {
            (Some(Span::Fields { last, .. }), Some(field)) if *last + 1 == *field => *last = *field,
            (_, Some(field)) => spans.push(Span::Fields { first: *field, last: *field }),
            (_, None) => spans.push(Span::Empty),
        }
    }
    spans
}

/// Appends one row of a slice in another dialect.
pub(super) fn encode_row(
    bytes: &[u8],
    start: usize,
    ends: &[u32],
    (wanted, write): (&[Option<usize>], WriteDialect),
    out: &mut Vec<u8>,
) {
    let row_start = out.len();
    for (index, wanted) in wanted.iter().enumerate() {
        if index > 0 {
            out.push(write.dialect.delimiter);
        }
        let raw = wanted.and_then(|field| batch::fields(bytes, start, ends).nth(field));
        field::transcode(raw.unwrap_or_default(), Dialect::CANONICAL, write.dialect, out);
    }
    if out.len() == row_start {
        // A row of one empty value would be an empty line, which most readers skip.
        out.extend_from_slice(&[write.dialect.enclosure; 2]);
    }
    field::end_record(write, out);
}
