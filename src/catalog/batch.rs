//! Many lines in one statement: a few at once bring nearly all that many would, and the statement stays prepared.

/// Lines of one statement.
pub(super) const BATCH: usize = 50;

/// `($1, $2), ($3, $4), …` for so many lines of so many columns.
pub(super) fn placeholders(lines: usize, columns: usize) -> String {
    let mut values = Vec::with_capacity(lines);
    for first in (1..).step_by(columns).take(lines) {
        let numbers: Vec<String> = (first..first + columns).map(|number| format!("${number}")).collect();
        values.push(format!("({})", numbers.join(", ")));
    }
    values.join(", ")
}
