//! Selected rows of slices.

use proptest::prelude::*;
use roaring::RoaringBitmap;
use rstest::rstest;

use super::*;

const ORDERS: &str = "id,name,amount,category\n1,\"a, b\",10,x\n2,\"say \"\"hi\"\"\",9.50,\"y\"\n3,,-1,\n4,\"two\nlines\",010,z\n";

fn copied(text: &str, selection: &Selection, deleted: &[u32], rows_max: u64, write: WriteDialect) -> String {
    let deleted: RoaringBitmap = deleted.iter().collect();
    let mut out = Vec::new();
    let mut input = Drops(text.as_bytes(), 11);
    let copied = copy_rows(&mut input, "s", selection, Some(&deleted), rows_max, write, &mut out).unwrap();
    assert_eq!(copied.bytes, out.len() as u64);
    String::from_utf8(out).unwrap()
}

fn select(columns: &[&str], filters: &[Filter]) -> Selection {
    Selection { columns: strings(columns), filters: filters.to_vec() }
}

/// The ids of the rows for which one condition holds.
fn ids(condition: Filter) -> String {
    copied(ORDERS, &select(&["id"], &[condition]), &[], u64::MAX, WriteDialect::CANONICAL).replace('\n', "")
}

#[rstest]
#[case::all(&[], "1,\"a, b\",10,x\n2,\"say \"\"hi\"\"\",9.50,\"y\"\n3,,-1,\n4,\"two\nlines\",010,z\n")]
#[case::neighbours(&["name", "amount"], "\"a, b\",10\n\"say \"\"hi\"\"\",9.50\n,-1\n\"two\nlines\",010\n")]
#[case::reordered(&["category", "id"], "x,1\n\"y\",2\n,3\nz,4\n")]
#[case::lacking(&["new", "id", "newer"], ",1,\n,2,\n,3,\n,4,\n")]
#[case::one(&["category"], "x\n\"y\"\n\"\"\nz\n")]
#[case::one_lacking(&["new"], "\"\"\n\"\"\n\"\"\n\"\"\n")]
fn columns_come_as_asked_for_with_their_bytes_unchanged(#[case] columns: &[&str], #[case] expected: &str) {
    assert_eq!(copied(ORDERS, &select(columns, &[]), &[], u64::MAX, WriteDialect::CANONICAL), expected);
}

#[rstest]
#[case("category", FilterOperator::Eq, &["y", "z"], "24")]
#[case("category", FilterOperator::Ne, &["y", "z"], "13")]
#[case("category", FilterOperator::Eq, &[""], "3")]
#[case("category", FilterOperator::Eq, &[], "")]
#[case("category", FilterOperator::Ne, &[], "1234")]
#[case("name", FilterOperator::Eq, &["say \"hi\""], "2")]
#[case("name", FilterOperator::Eq, &["two\nlines", "a value that is far longer than the others"], "4")]
#[case("amount", FilterOperator::Eq, &["10"], "1")]
#[case("amount", FilterOperator::Ge, &["10"], "14")]
#[case("amount", FilterOperator::Gt, &["9.5"], "14")]
#[case("amount", FilterOperator::Lt, &["9.51"], "23")]
#[case("amount", FilterOperator::Le, &["-1.0"], "3")]
#[case("category", FilterOperator::Lt, &["y"], "13")]
#[case("name", FilterOperator::Gt, &["say \""], "24")]
#[case("new", FilterOperator::Eq, &[""], "1234")]
#[case("new", FilterOperator::Ne, &[""], "")]
#[case("amount", FilterOperator::Ge, &[], "")]
fn a_condition_keeps_the_rows_for_which_it_holds(
    #[case] column: &str,
    #[case] operator: FilterOperator,
    #[case] values: &[&str],
    #[case] expected: &str,
) {
    assert_eq!(ids(filter(column, operator, values)), expected);
    let rows = matching_rows(&mut ORDERS.as_bytes(), "s", &[filter(column, operator, values)]).unwrap();
    assert_eq!(rows.iter().map(|row| (row + 1).to_string()).collect::<String>(), expected);
}

#[test]
fn numbers_compare_exactly_however_long_they_are() {
    let text = "id,n\na,9007199254740993\nb,9007199254740992\nc,1e3\nd,-0.0\ne,+7\nf,.5\ng,\n";
    let keeps = |operator, value: &str| {
        let selection = select(&["id"], &[filter("n", operator, &[value])]);
        copied(text, &selection, &[], u64::MAX, WriteDialect::CANONICAL).replace('\n', "")
    };
    assert_eq!(keeps(FilterOperator::Gt, "9007199254740992"), "a");
    assert_eq!(keeps(FilterOperator::Ge, "0"), "abcdef");
    assert_eq!(keeps(FilterOperator::Lt, "0.50"), "dg");
    assert_eq!(keeps(FilterOperator::Gt, "00006.99"), "abce");
}

#[test]
fn deleted_rows_are_skipped_and_the_limit_counts_what_is_left() {
    let all = select(&[], &[]);
    assert_eq!(
        copied(ORDERS, &all, &[0, 3], u64::MAX, WriteDialect::CANONICAL),
        "2,\"say \"\"hi\"\"\",9.50,\"y\"\n3,,-1,\n"
    );
    assert_eq!(copied(ORDERS, &all, &[0], 1, WriteDialect::CANONICAL), "2,\"say \"\"hi\"\"\",9.50,\"y\"\n");
    assert_eq!(copied(ORDERS, &select(&["id"], &[]), &[1, 2], 2, WriteDialect::CANONICAL), "1\n4\n");
    assert_eq!(copied(ORDERS, &all, &[], 0, WriteDialect::CANONICAL), "");
}

#[test]
fn other_dialects_get_fields_written_again() {
    let write = WriteDialect { dialect: Dialect { delimiter: b';', enclosure: b'\'' }, crlf: true };
    assert_eq!(
        copied(ORDERS, &select(&["name", "id"], &[]), &[], u64::MAX, write),
        "'a, b';1\r\n'say \"hi\"';2\r\n;3\r\n'two\nlines';4\r\n"
    );
    assert_eq!(copied(ORDERS, &select(&["category"], &[]), &[0, 1, 3], 9, write), "''\r\n");
    let mut header = Vec::new();
    assert_eq!(write_header(&strings(&["a;b", "it's"]), write, &mut header).unwrap(), 15);
    assert_eq!(header, b"'a;b';'it''s'\r\n");
}

#[test]
fn a_whole_slice_is_copied_without_its_header() {
    let text = "a\n".to_owned() + &"1234567\n".repeat(100_000);
    let mut out = Vec::new();
    assert_eq!(copy_all(&mut Drops(text.as_bytes(), 70_000), "s", &mut out).unwrap(), 800_000);
    assert_eq!(out, &text.as_bytes()[2..]);
}

#[test]
fn a_damaged_slice_is_refused() {
    for text in ["a,b\n1,2\n3", "a,b\n1,2\n3\n", "a,b\n1,2\n\"3,4\n"] {
        let filters = [filter("a", FilterOperator::Eq, &["1"])];
        let error = matching_rows(&mut text.as_bytes(), "slice 7", &filters).unwrap_err();
        assert_eq!(
            error.to_string(),
            "slice 7: record 1 (line 2, byte 4): the slice is damaged: expected 2 fields in every record"
        );
    }
}

/// Few values, so that conditions hold often; some long, some quoted.
fn value() -> impl Strategy<Value = String> {
    prop::sample::select(strings(&[
        "",
        "1",
        "01",
        "2.5",
        "-3",
        "a",
        "b\"",
        "\"",
        "x,y",
        "\n",
        "a value longer than any register holds, twice",
    ]))
}

fn condition() -> impl Strategy<Value = Filter> {
    let column = prop::sample::select(vec!["a", "b", "c", "lacking"]);
    let operator = prop::sample::select(FilterOperator::ALL.to_vec());
    let values = prop_oneof![prop::collection::vec(value(), 0..4), prop::collection::vec(value(), 13..20)];
    (column, operator, values).prop_map(|(column, operator, values)| Filter {
        column: column.into(),
        operator,
        values,
    })
}

/// The condition as its definition reads.
fn holds(filter: &Filter, found: &str) -> bool {
    let compared = || {
        let value = filter.values.first()?;
        match (found.parse::<f64>(), value.parse::<f64>()) {
            (Ok(found), Ok(value)) => found.partial_cmp(&value),
            _ => Some(found.cmp(value)),
        }
    };
    match filter.operator {
        FilterOperator::Eq => filter.values.iter().any(|value| value == found),
        FilterOperator::Ne => !filter.values.iter().any(|value| value == found),
        FilterOperator::Gt => compared().is_some_and(std::cmp::Ordering::is_gt),
        FilterOperator::Ge => compared().is_some_and(std::cmp::Ordering::is_ge),
        FilterOperator::Lt => compared().is_some_and(std::cmp::Ordering::is_lt),
        FilterOperator::Le => compared().is_some_and(std::cmp::Ordering::is_le),
    }
}

proptest! {
    #[test]
    fn copying_is_what_a_plain_reader_would_do(
        rows in prop::collection::vec(prop::collection::vec(value(), 3), 0..60),
        columns in prop::sample::subsequence(vec!["a", "b", "c", "lacking"], 1..=4).prop_shuffle(),
        filters in prop::collection::vec(condition(), 0..3),
        deleted in prop::collection::btree_set(0_u32..60, 0..10),
        rows_max in prop_oneof![Just(u64::MAX), 0_u64..20],
        always: bool,
        semicolons: bool,
    ) {
        let style = if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary };
        let mut writer = ::csv::WriterBuilder::new().quote_style(style).from_writer(Vec::new());
        writer.write_record(["a", "b", "c"]).unwrap();
        for row in &rows {
            writer.write_record(row).unwrap();
        }
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let cell = |row: &[String], column: &str| {
            ["a", "b", "c"].iter().position(|name| *name == column).map(|index| row[index].clone()).unwrap_or_default()
        };
        let passes = |row: &[String]| filters.iter().all(|filter| holds(filter, &cell(row, &filter.column)));
        let expected: Vec<Vec<String>> = (0_u32..)
            .zip(&rows)
            .filter(|(number, row)| !deleted.contains(number) && passes(row))
            .take(usize::try_from(rows_max).unwrap_or(usize::MAX))
            .map(|(_, row)| columns.iter().map(|column| cell(row, column)).collect())
            .collect();
        let dialect = if semicolons { Dialect { delimiter: b';', enclosure: b'"' } } else { Dialect::CANONICAL };
        let deleted: Vec<u32> = deleted.into_iter().collect();
        let write = WriteDialect { dialect, crlf: semicolons };
        let out = copied(&text, &select(&columns, &filters), &deleted, rows_max, write);
        let mut whole = Vec::new();
        write_header(&strings(&columns), write, &mut whole).unwrap();
        let whole = String::from_utf8(whole).unwrap() + &out;
        prop_assert_eq!(parsed(&whole, dialect).1, expected);
    }
}
