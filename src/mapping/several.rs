//! All that is wrong at once, not the first of it.

use std::error::Error;
use std::fmt;

/// One or more errors of one step, in the order they were found. Printed one per line.
#[derive(Debug)]
pub(crate) struct Several<E> {
    pub first: E,
    pub rest: Vec<E>,
}

impl<E> Several<E> {
    /// `Ok` when nothing was found.
    pub(super) fn none_of(found: Vec<E>) -> Result<(), Self> {
        let mut found = found.into_iter();
        match found.next() {
            Some(first) => Err(Self { first, rest: found.collect() }),
            None => Ok(()),
        }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &E> {
        std::iter::once(&self.first).chain(&self.rest)
    }
}

impl<E> From<E> for Several<E> {
    fn from(first: E) -> Self {
        Self { first, rest: Vec::new() }
    }
}

impl<E: fmt::Display> fmt::Display for Several<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.first.fmt(f)?;
        self.rest.iter().try_for_each(|error| write!(f, "\n{error}"))
    }
}

impl<E: Error + 'static> Error for Several<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        // Only a single error has one cause to tell; of several, each is asked by itself.
        if self.rest.is_empty() { self.first.source() } else { None }
    }
}
