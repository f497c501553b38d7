//! Every way a file can be wrong, with its exact place.

use super::*;

/// Both ways in must refuse the text, with the same words, however it is cut into reads.
fn refused(text: impl AsRef<[u8]>) -> String {
    let text = text.as_ref();
    let message = ingested(text, &options(), u64::MAX).unwrap_err().to_string();
    for size in [1, 2, 3, 63, 64, 65, 1000] {
        let error = check(&mut Drops(text, size), &options(), None).unwrap_err();
        assert_eq!(error.to_string(), message, "read {size} bytes at a time");
        assert!(error.io().is_none());
    }
    message
}

#[test]
fn a_ragged_row_names_file_record_and_line() {
    assert_eq!(
        refused("a,b\n1,\"x\ny\"\n2\n3,4\n"),
        "t.csv: record 2 (line 4, byte 12): expected 2 fields, found 1; \
         fields that hold the delimiter or a line end must be quoted"
    );
    assert_eq!(
        refused("a,b\n1,2,3\n"),
        "t.csv: record 1 (line 2, byte 4): expected 2 fields, found 3; \
         fields that hold the delimiter or a line end must be quoted"
    );
}

#[test]
fn ragged_rows_that_cancel_out_are_found() {
    assert!(
        refused("a,b\n1\n1,2,3\n")
            .starts_with("t.csv: record 1 (line 2, byte 4): expected 2 fields, found 1;")
    );
    assert!(
        refused("a,b\n1,2,3,4\n")
            .starts_with("t.csv: record 1 (line 2, byte 4): expected 2 fields, found 4;")
    );
}

#[test]
fn an_empty_line_between_wider_rows_is_an_error() {
    assert_eq!(
        refused("a,b\n1,2\n\n"),
        "t.csv: record 2 (line 3, byte 8): expected 2 fields, found an empty line; remove it"
    );
}

#[test]
fn a_quote_inside_an_unquoted_field_is_found() {
    assert_eq!(
        refused("a,b\n1,2\n3,5\" screw\n"),
        "t.csv: record 2 (line 3, byte 11): a quote inside the unquoted field \"b\"; \
         quote the field and double the quotes in it"
    );
}

#[test]
fn text_after_a_closing_quote_is_found() {
    let remedy = "double the quotes inside a quoted field";
    assert_eq!(
        refused("a,b\n\"1\"x,2\n"),
        format!(
            "t.csv: record 1 (line 2, byte 7): text after the closing quote of the field \"a\"; {remedy}"
        )
    );
}

#[test]
fn a_carriage_return_is_text_after_a_closing_quote_when_no_line_ends_there() {
    let fault = |text: &str| ingested(text.as_bytes(), &options(), u64::MAX).unwrap_err().to_string();
    assert!(
        fault("a,b\n1,\"2\"\r,\n")
            .starts_with("t.csv: record 1 (line 2, byte 9): text after the closing quote")
    );
    assert!(
        fault("a,b\n\"1\"\r,2\n")
            .starts_with("t.csv: record 1 (line 2, byte 7): text after the closing quote")
    );
}

#[test]
fn a_quote_left_open_is_named_by_where_it_opened() {
    assert_eq!(
        refused("a,b\n1,2\n3,\"4\n5,6\n"),
        "t.csv: record 2 (line 3, byte 10): the quote opened here, in the field \"b\", is never closed"
    );
}

#[test]
fn a_record_longer_than_the_limit_is_refused_before_it_fills_the_memory() {
    let endless = std::io::repeat(b'x');
    let mut input = "a,b\n1,\"".as_bytes().chain(endless.take(1 << 30));
    let error = check(&mut input, &options(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "t.csv: record 1 (line 2, byte 4): the record is longer than 67108864 bytes; \
         is a quote left open, or does the file not end its lines with LF?"
    );
}

#[test]
fn bytes_that_are_not_utf_8_are_named() {
    assert_eq!(
        refused(b"id,name\n1,ok\n2,caf\xE9\n"),
        "t.csv: record 2 (line 3, byte 18): expected UTF-8, found the byte 0xE9 in the field \"name\"; \
         convert the file to UTF-8"
    );
    assert!(
        refused(b"n\xE9,b\n")
            .starts_with("t.csv: header (line 1, byte 1): expected UTF-8, found the byte 0xE9")
    );
    assert_eq!(refused(b"\xFF\xFEa\0"), "t.csv: expected UTF-8, found UTF-16; convert the file to UTF-8");
}

#[test]
fn an_empty_file_says_what_to_do() {
    assert_eq!(
        refused(""),
        "t.csv: the file is empty; write a header line, or name the columns where the file is described"
    );
    assert!(matches!(ingested(b"\xEF\xBB\xBF", &options(), 9), Err(CsvError::Empty { .. })));
}

#[test]
fn columns_without_a_name_or_named_twice_are_refused() {
    assert_eq!(
        refused("a,\n1,2\n"),
        "t.csv: header (line 1, byte 0): column 2 has no name; every column needs one"
    );
    assert_eq!(
        refused("\n1\n"),
        "t.csv: header (line 1, byte 0): column 1 has no name; every column needs one"
    );
    assert_eq!(
        refused("a,b,\"a\"\n"),
        "t.csv: header (line 1, byte 0): columns 1 and 3 are both named \"a\"; rename one of them"
    );
}

#[test]
fn too_many_columns_are_refused() {
    let header = "x,".repeat(20_000) + "\n";
    assert_eq!(
        refused(header),
        "t.csv: header (line 1, byte 0): more than 16384 columns; is the delimiter right?"
    );
}

#[test]
fn lines_that_end_like_an_old_macintosh_s_are_refused() {
    assert_eq!(
        refused("a,b\r1,2\r3,4\r"),
        "t.csv: header (line 1, byte 0): lines end with a carriage return alone; end them with LF or CR LF"
    );
}

#[test]
fn a_missing_key_column_is_named() {
    let options = ReadOptions { key: strings(&["id", "day"]), ..options() };
    let error = check(&mut "id,name\n".as_bytes(), &options, None).unwrap_err();
    assert_eq!(error.to_string(), "t.csv: the key column \"day\" is not among the columns (id, name)");
}

#[test]
fn an_impossible_dialect_is_refused() {
    for (delimiter, enclosure) in [(b',', b','), (b'\n', b'"'), (0xA7, b'"'), (b',', 0)] {
        let options = ReadOptions { dialect: Dialect { delimiter, enclosure }, ..options() };
        assert!(matches!(ingested(b"a\n", &options, 9), Err(CsvError::Dialect { .. })));
    }
}

#[test]
fn a_failing_disk_is_told_from_a_wrong_file() {
    struct Failing;
    impl Read for Failing {
        fn read(&mut self, _buffer: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    let error = check(&mut "a,b\n".as_bytes().chain(Failing), &options(), None).unwrap_err();
    assert_eq!(error.io().and_then(std::io::Error::raw_os_error), Some(5));
    assert_eq!(error.to_string(), "t.csv: reading failed");
}

#[test]
fn the_first_of_several_faults_is_told() {
    let text = "a,b\n".to_owned() + &"1,2\n".repeat(100_000) + "1\n" + &"1,2\n".repeat(1000) + "1,\"2\n";
    assert!(
        refused(text)
            .starts_with("t.csv: record 100001 (line 100002, byte 400004): expected 2 fields, found 1")
    );
}
