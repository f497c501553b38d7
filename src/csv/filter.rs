//! Conditions on rows, prepared once so that a row is judged by its raw bytes.

use std::cmp::Ordering;
use std::collections::HashSet;

use super::Dialect;
use super::field;
use crate::job::{Filter, FilterOperator};

/// Values up to this length are compared as one number.
const SHORT_BYTES: usize = 16;

/// Sets up to this size are faster searched through than hashed.
const LIST_LENGTH_MAX: usize = 12;

/// All conditions of a selection against the columns of one slice.
#[derive(Debug)]
pub(super) struct Filters {
    tests: Vec<(usize, Test)>,
    /// A condition on a column that the slice lacks does not hold, so no row passes.
    none_passes: bool,
}

#[derive(Debug)]
enum Test {
    Among {
        values: Values,
        wanted: bool,
    },
    /// Holds when the row's value compares to `value` as one of `wanted`.
    Compared {
        value: Vec<u8>,
        wanted: [Option<Ordering>; 2],
    },
}

/// Values as they stand between quotes: with theirs doubled. An unquoted field holds no quote, so it equals a value
/// in this form exactly when it equals the value.
#[derive(Debug)]
enum Values {
    Short(Vec<Short>),
    Set(HashSet<Vec<u8>>),
}

#[derive(Debug)]
struct Short {
    length: usize,
    bytes: u128,
    mask: u128,
}

impl Filters {
    /// Prepares `filters` for a slice with these columns.
    pub(super) fn new(filters: &[Filter], columns: &[String]) -> Self {
        let mut tests = Vec::with_capacity(filters.len());
        let mut none_passes = false;
        for filter in filters {
            let test = Test::new(filter);
            match columns.iter().position(|name| *name == filter.column) {
                Some(field) => tests.push((field, test)),
                // An older slice lacks a column that was added later: its value is empty in every row.
                None => none_passes |= !test.holds(&[], 0, 0),
            }
        }
        Self { tests, none_passes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tests.is_empty() && !self.none_passes
    }

    pub(super) fn none_passes(&self) -> bool {
        self.none_passes
    }

    /// Whether all conditions hold for the row that starts at `start` and whose fields end at `ends`.
    #[inline]
    pub(super) fn pass(&self, bytes: &[u8], start: usize, ends: &[u32]) -> bool {
        self.tests.iter().all(|(index, test)| {
            let from = index
                .checked_sub(1)
                .and_then(|before| ends.get(before))
                .map_or(start, |end| *end as usize + 1);
            let to = ends.get(*index).map_or(from, |end| *end as usize);
            test.holds(bytes, from, to)
        })
    }
}

impl Test {
    fn new(filter: &Filter) -> Self {
        let value = || filter.values.first().map(|value| value.clone().into_bytes());
        let wanted = match filter.operator {
            FilterOperator::Eq => {
                return Self::Among { values: Values::new(&filter.values), wanted: true };
            }
            FilterOperator::Ne => {
                return Self::Among { values: Values::new(&filter.values), wanted: false };
            }
            FilterOperator::Gt => [Some(Ordering::Greater), None],
            FilterOperator::Ge => [Some(Ordering::Greater), Some(Ordering::Equal)],
            FilterOperator::Lt => [Some(Ordering::Less), None],
            FilterOperator::Le => [Some(Ordering::Less), Some(Ordering::Equal)],
        };
        match value() {
            Some(value) => Self::Compared { value, wanted },
            // Nothing compares to a value that is not there.
            None => Self::Compared { value: Vec::new(), wanted: [None, None] },
        }
    }

    #[inline]
    fn holds(&self, bytes: &[u8], from: usize, to: usize) -> bool {
        let enclosure = Dialect::CANONICAL.enclosure;
        match self {
            Self::Among { values, wanted } => {
                let is_quoted = bytes.get(from) == Some(&enclosure) && to > from + 1;
                let (from, to) = if is_quoted { (from + 1, to - 1) } else { (from, to) };
                values.contain(bytes, from, to) == *wanted
            }
            Self::Compared { value, wanted } => {
                let found = field::value(bytes.get(from..to).unwrap_or_default(), enclosure);
                wanted.contains(&Some(compare(&found, value)))
            }
        }
    }
}

impl Values {
    fn new(values: &[String]) -> Self {
        let doubled = |value: &String| value.replace('"', "\"\"").into_bytes();
        if values.len() <= LIST_LENGTH_MAX && values.iter().all(|value| doubled(value).len() <= SHORT_BYTES) {
            Self::Short(values.iter().map(|value| Short::new(&doubled(value))).collect())
        } else {
            Self::Set(values.iter().map(doubled).collect())
        }
    }

    #[inline]
    fn contain(&self, bytes: &[u8], from: usize, to: usize) -> bool {
        match self {
            Self::Short(values) => {
                let head = match bytes.get(from..).and_then(|tail| tail.first_chunk()) {
                    Some(head) => u128::from_le_bytes(*head),
                    // Only where fewer bytes follow than in a batch.
                    None => Short::new(bytes.get(from..to).unwrap_or_default()).bytes,
                };
                values.iter().any(|value| value.length == to - from && (head ^ value.bytes) & value.mask == 0)
            }
            Self::Set(values) => bytes.get(from..to).is_some_and(|content| values.contains(content)),
        }
    }
}

impl Short {
    fn new(value: &[u8]) -> Self {
        let mut bytes = [0; SHORT_BYTES];
        let mut mask = [0; SHORT_BYTES];
        for ((byte, mask), value) in bytes.iter_mut().zip(&mut mask).zip(value) {
            *byte = *value;
            *mask = u8::MAX;
        }
        Self { length: value.len(), bytes: u128::from_le_bytes(bytes), mask: u128::from_le_bytes(mask) }
    }
}

/// As numbers when both are decimal numbers, else byte by byte.
fn compare(left: &[u8], right: &[u8]) -> Ordering {
    match (Decimal::parse(left), Decimal::parse(right)) {
        (Some(left), Some(right)) => left.compare(&right),
        _ => left.cmp(right),
    }
}

/// A decimal number of any length, exactly: `-12.50` is the digits `12` and `5` and a sign. No exponents.
#[derive(Debug, PartialEq, Eq)]
struct Decimal<'a> {
    is_negative: bool,
    /// Without leading zeros.
    whole: &'a [u8],
    /// Without trailing zeros.
    fraction: &'a [u8],
}

impl<'a> Decimal<'a> {
    fn parse(text: &'a [u8]) -> Option<Self> {
        let (is_negative, digits) = match text {
            [b'-', digits @ ..] => (true, digits),
            [b'+', digits @ ..] | digits => (false, digits),
        };
        let point = digits.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(at) => (digits.get(..at)?, digits.get(at + 1..)?),
            None => (digits, &digits[digits.len()..]),
        };
        let is_number = !(whole.is_empty() && fraction.is_empty())
            && whole.iter().chain(fraction).all(u8::is_ascii_digit);
        let first = whole.iter().position(|digit| *digit != b'0').unwrap_or(whole.len());
        let last = fraction.iter().rposition(|digit| *digit != b'0').map_or(0, |at| at + 1);
        let (whole, fraction) = (whole.get(first..)?, fraction.get(..last)?);
        let is_zero = whole.is_empty() && fraction.is_empty();
        is_number.then_some(Self { is_negative: is_negative && !is_zero, whole, fraction })
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self.is_negative, other.is_negative) {
            (false, true) => Ordering::Greater,
            (true, false) => Ordering::Less,
            (false, false) => self.size().cmp(&other.size()),
            (true, true) => other.size().cmp(&self.size()),
        }
    }

    /// Sorts like the number without its sign.
    fn size(&self) -> (usize, &[u8], &[u8]) {
        (self.whole.len(), self.whole, self.fraction)
    }
}
