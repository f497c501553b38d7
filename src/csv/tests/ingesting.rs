//! From any dialect to canonical slices.

use proptest::prelude::*;

use super::*;

fn checked(text: &str) -> Checked {
    check(&mut Drops(text.as_bytes(), 5), &options(), None).unwrap()
}

#[test]
fn a_canonical_file_is_a_slice_as_it_stands() {
    for text in [
        "a,b\n1,2\n",
        "a,b\n",
        "\"a\",\"b \"\"c\"\"\"\n\"1\",\"x\ny\"\n,\n",
        "a\n\"\"\n1\n",
        "n\n\"a\rb\"\n",
        "n\n\0\n",
        "\"a\nb\",c\n\"\"\"x\",2\n",
    ] {
        assert_eq!(checked(text), Checked::Canonical(facts_of(text)), "{text:?}");
        assert_eq!(slice(text.as_bytes(), &options()), text);
    }
}

#[test]
fn other_dialects_are_foreign_and_become_canonical() {
    for (text, canonical) in [
        ("a,b\r\n1,2\r\n", "a,b\n1,2\n"),
        ("a,b\r\n\"1\",\"2\"\r\n", "a,b\n\"1\",\"2\"\n"),
        ("a,b\r\n1,\"x\r\ny\"\r\n", "a,b\n1,\"x\r\ny\"\n"),
        ("\u{FEFF}a,b\n1,2\n", "a,b\n1,2\n"),
        ("\u{FEFF}\"a\",b\n1,2\n", "\"a\",b\n1,2\n"),
        ("a,b\n1,2", "a,b\n1,2\n"),
        ("a,b\n1,\"2\"", "a,b\n1,\"2\"\n"),
        ("a,b\n1,2\r", "a,b\n1,2\n"),
        ("a,b", "a,b\n"),
        ("a\n\n1\n", "a\n\"\"\n1\n"),
        ("a\r\n\r\n1\r\n", "a\n\"\"\n1\n"),
        ("a,b\nx\ry,2\n", "a,b\n\"x\ry\",2\n"),
    ] {
        assert_eq!(checked(text), Checked::Foreign, "{text:?}");
        assert_eq!(slice(text.as_bytes(), &options()), canonical, "{text:?}");
    }
}

#[test]
fn a_headless_file_gets_its_header() {
    let options = ReadOptions { header: Header::Absent { columns: strings(&["a", "b,c"]) }, ..options() };
    assert_eq!(check(&mut "1,2\n".as_bytes(), &options, None).unwrap(), Checked::Foreign);
    assert_eq!(slice(b"1,2\n3,4", &options), "a,\"b,c\"\n1,2\n3,4\n");
    assert_eq!(slice(b"", &options), "a,\"b,c\"\n");
    let error = ingested(b"1,2\n3\n", &options, 9).unwrap_err().to_string();
    assert!(error.starts_with("t.csv: record 2 (line 2, byte 4): expected 2 fields, found 1"), "{error}");
}

#[test]
fn a_replaced_header_is_skipped_whatever_it_holds() {
    let options = ReadOptions { header: Header::Replaced { columns: strings(&["a", "b"]) }, ..options() };
    assert_eq!(slice(b"x\n1,2\n", &options), "a,b\n1,2\n");
    assert_eq!(slice(b"", &options), "a,b\n");
}

#[test]
fn only_fields_that_must_be_are_written_again() {
    let read = |delimiter, enclosure, text: &str| {
        slice(text.as_bytes(), &ReadOptions { dialect: Dialect { delimiter, enclosure }, ..options() })
    };
    assert_eq!(read(b'\t', b'"', "a\tb\n1,5\t\"x\"\n"), "a,b\n\"1,5\",\"x\"\n");
    assert_eq!(read(b';', b'\'', "a;b\n'it''s';say \"hi\"\n"), "a,b\n\"it's\",\"say \"\"hi\"\"\"\n");
    assert_eq!(read(b';', b'\'', "a;b\n'\"';''\n"), "a,b\n\"\"\"\",\"\"\n");
}

#[test]
fn slices_are_cut_at_record_borders() {
    for text in ["a,b\n1,2\n3,\"4\n5\"\n6,7\n8,9\n", "a,b\r\n1,2\r\n3,\"4\n5\"\r\n6,7\r\n8,9\r\n"] {
        let slices = ingested(text.as_bytes(), &options(), 12).unwrap();
        let texts: Vec<&str> = slices.iter().map(|(text, _)| text.as_str()).collect();
        assert_eq!(texts, ["a,b\n1,2\n3,\"4\n5\"\n", "a,b\n6,7\n8,9\n"]);
        assert!(slices.iter().all(|(text, facts)| *facts == facts_of(text)));
    }
}

/// Values of all the kinds that make CSV hard.
fn value() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9]{0,4}",
        "[-a,;'\"\t |\r\n]{0,6}",
        "\\PC{0,3}",
        Just("\r".to_owned()),
        Just("\"\"".to_owned()),
        "[a-z]{60,70}"
    ]
}

prop_compose! {
    fn table()(width in 1_usize..5)(
        rows in prop::collection::vec(prop::collection::vec(value(), width), 0..20), width in Just(width)
    ) -> (Vec<String>, Vec<Vec<String>>) {
        ((0..width).map(|column| format!("c{column}")).collect(), rows)
    }
}

prop_compose! {
    fn dialect()(
        delimiter in prop::sample::select(b",;\t|".to_vec()), enclosure in prop::sample::select(b"\"'".to_vec())
    ) -> Dialect {
        Dialect { delimiter, enclosure }
    }
}

/// The table as another writer writes it.
fn written(columns: &[String], rows: &[Vec<String>], dialect: Dialect, crlf: bool, always: bool) -> Vec<u8> {
    let mut writer = ::csv::WriterBuilder::new()
        .delimiter(dialect.delimiter)
        .quote(dialect.enclosure)
        .quote_style(if always { ::csv::QuoteStyle::Always } else { ::csv::QuoteStyle::Necessary })
        .terminator(if crlf { ::csv::Terminator::CRLF } else { ::csv::Terminator::Any(b'\n') })
        .from_writer(Vec::new());
    writer.write_record(columns).unwrap();
    for row in rows {
        writer.write_record(row).unwrap();
    }
    writer.into_inner().unwrap()
}

proptest! {
    #[test]
    fn what_another_writer_wrote_is_read_back_by_another_reader(
        (columns, rows) in table(), dialect in dialect(), crlf: bool, always: bool, size in 1_usize..200, max in 1_u64..400
    ) {
        let text = written(&columns, &rows, dialect, crlf, always);
        let options = ReadOptions { dialect, ..options() };
        let slices = ingested(&text, &options, max).unwrap();
        let mut found = Vec::new();
        for (text, facts) in &slices {
            let (header, rows) = parsed(text, Dialect::CANONICAL);
            prop_assert_eq!(&header, &columns);
            prop_assert_eq!(facts, &facts_of(text));
            let again = check(&mut Drops(text.as_bytes(), size), &super::options(), None).unwrap();
            prop_assert_eq!(again, Checked::Canonical(facts.clone()));
            found.extend(rows);
        }
        prop_assert_eq!(found, rows);
    }

    #[test]
    fn no_text_makes_trouble(text in "[a,\"\r\n\u{e9}]{0,80}", size in 1_usize..90) {
        let whole = check(&mut text.as_bytes(), &options(), None);
        let drops = check(&mut Drops(text.as_bytes(), size), &options(), None);
        match (whole, drops, ingested(text.as_bytes(), &options(), 20)) {
            (Err(whole), Err(drops), Err(ingest)) => {
                prop_assert_eq!(whole.to_string(), drops.to_string());
                prop_assert!(!matches!(ingest, CsvError::Damaged { .. }), "{}", ingest);
            }
            (Ok(whole), Ok(drops), Ok(slices)) => {
                prop_assert_eq!(&whole, &drops);
                let rows = parsed(&text, Dialect::CANONICAL).1.len();
                let found: u64 = slices.iter().map(|(_, facts)| facts.rows).sum();
                // The other reader skips empty lines and ends records at bare carriage returns.
                prop_assert!(found == rows as u64 || whole == Checked::Foreign);
            }
            (Ok(Checked::Foreign), _, Err(_)) | (_, Ok(Checked::Foreign), Err(_)) => {}
            (whole, drops, ingest) => prop_assert!(false, "{whole:?} {drops:?} {ingest:?}"),
        }
    }
}
