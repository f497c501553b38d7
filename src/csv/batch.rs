//! Records on their way through the buffer.

/// Room after what is read, so that a short field may be copied by a load of fixed size. Its first byte may become the
/// line end that a file lacks.
pub(super) const SLACK: usize = 64;

/// Complete records with the same number of fields.
#[derive(Debug, Clone, Copy)]
pub(super) struct Batch<'a> {
    /// The buffer; nearly [`SLACK`] bytes follow the last record.
    pub(super) bytes: &'a [u8],
    /// Where the first record begins.
    pub(super) start: usize,
    /// Where the fields of all records end; where only records are wanted, only their ends.
    pub(super) ends: &'a [u32],
    /// How many entries of `ends` a record has.
    pub(super) ends_per_record: usize,
    /// Whether a carriage return was seen outside quotes, here or in what was read ahead.
    pub(super) carriage_return: bool,
}

impl<'a> Batch<'a> {
    pub(super) fn rows(&self) -> usize {
        self.ends.len() / self.ends_per_record
    }

    /// The first `rows` records, and the others.
    pub(super) fn split_at(&self, rows: usize) -> (Self, Self) {
        let (head, tail) = self.ends.split_at((rows * self.ends_per_record).min(self.ends.len()));
        let head = Self { ends: head, ..*self };
        (head, Self { start: head.end(), ends: tail, ..*self })
    }

    /// How many records it takes to have `bytes` bytes, or all.
    pub(super) fn rows_for(&self, bytes: u64) -> usize {
        if (self.text().len() as u64) < bytes {
            return self.rows();
        }
        let reaches = |(_, ends): &(usize, &[u32])| {
            ends.last().is_some_and(|end| (*end as usize + 1 - self.start) as u64 >= bytes)
        };
        self.records().position(|record| reaches(&record)).map_or(self.rows(), |index| index + 1)
    }

    /// Whether its text is UTF-8 and every carriage return after a closing quote belongs to a line end. The scanner
    /// lets all of those pass, as it does not look one byte further.
    pub(super) fn is_sound(&self, enclosure: u8) -> bool {
        let is_closed = |raw: &[u8]| raw.first() != Some(&enclosure) || raw.last() == Some(&enclosure);
        let are_closed = |(start, ends): (usize, &[u32])| {
            trim_return(fields(self.bytes, start, ends), ends.len()).all(is_closed)
        };
        simdutf8::basic::from_utf8(self.text()).is_ok()
            && (!self.carriage_return || self.records().all(are_closed))
    }

    /// The bytes of all its records.
    pub(super) fn text(&self) -> &'a [u8] {
        self.bytes.get(self.start..self.end()).unwrap_or_default()
    }

    /// Where the byte after the last record lies.
    pub(super) fn end(&self) -> usize {
        self.ends.last().map_or(self.start, |end| *end as usize + 1)
    }

    /// The start and the field ends of each record.
    #[inline]
    pub(super) fn records(&self) -> impl Iterator<Item = (usize, &'a [u32])> + use<'a> {
        let mut start = self.start;
        self.ends.chunks_exact(self.ends_per_record).map(move |ends| {
            let record = start;
            if let Some(end) = ends.last() {
                start = *end as usize + 1;
            }
            (record, ends)
        })
    }
}

/// The raw fields of one record.
#[inline]
pub(super) fn fields<'a>(bytes: &'a [u8], start: usize, ends: &'a [u32]) -> impl Iterator<Item = &'a [u8]> {
    let mut start = start;
    ends.iter().map(move |end| {
        let field = bytes.get(start..*end as usize).unwrap_or_default();
        start = *end as usize + 1;
        field
    })
}

/// Takes the carriage return of a line end off the last of `count` fields.
pub(super) fn trim_return<'a>(
    fields: impl Iterator<Item = &'a [u8]>,
    count: usize,
) -> impl Iterator<Item = &'a [u8]> {
    (1..).zip(fields).map(move |(number, raw)| match raw {
        [field @ .., b'\r'] if number == count => field,
        _ => raw,
    })
}
