//! The scanner against its own fallback and against a plain walk, at every border of blocks and buffers.

use proptest::prelude::*;

use super::super::batch::fields;
use super::super::records::{Records, Trust};
use super::super::scanner::{BLOCK, Level, Scanner, Wanted};
use super::super::structure::Structure;
use super::*;

/// What there is to know of a text: ends, records, lines, carriage return, fault, whether it ends inside quotes.
type Found = (Vec<u32>, usize, u64, bool, bool, bool);

fn scanned(text: &[u8], wanted: Wanted, level: Level) -> Found {
    let mut scanner = Scanner::new(Dialect::CANONICAL, wanted, level);
    let mut found = Structure::default();
    let (blocks, tail) = text.as_chunks::<BLOCK>();
    scanner.scan(blocks, 0, &mut found);
    scanner.scan_tail(tail, u32::try_from(blocks.len() * BLOCK).unwrap(), &mut found);
    let ends = found.ends().to_vec();
    (
        ends,
        found.records(),
        found.lines(),
        found.has_carriage_return(),
        found.has_fault(),
        scanner.is_quoted(),
    )
}

/// The same, one byte after the other.
fn walked(text: &[u8], wanted: Wanted) -> Found {
    let (mut ends, mut records, mut lines) = (Vec::new(), 0, 0);
    let (mut carriage_return, mut fault, mut quoted) = (false, false, false);
    for (position, byte) in (0..).zip(text) {
        let before = (position as usize).checked_sub(1).map(|before| text[before]);
        let after = text.get(position as usize + 1);
        lines += u64::from(*byte == b'\n');
        match byte {
            b'"' => {
                quoted = !quoted;
                fault |= quoted && !matches!(before, None | Some(b',' | b'\n' | b'"'));
                fault |= !quoted && !matches!(after, None | Some(b',' | b'\n' | b'\r' | b'"'));
            }
            b'\r' if !quoted => carriage_return = true,
            b'\n' if !quoted => {
                records += 1;
                ends.push(position);
            }
            b',' if !quoted && wanted == Wanted::Fields => ends.push(position),
            _ => {}
        }
    }
    (ends, records, lines, carriage_return, fault, quoted)
}

/// All records of a text, read through a buffer that begins with `buffer` bytes, `size` bytes at a time.
fn read(text: &str, buffer: usize, size: usize) -> Result<Vec<Vec<String>>, CsvError> {
    let mut input = Drops(text.as_bytes(), size);
    let mut records = Records::with_buffer(&mut input, "t.csv", Dialect::CANONICAL, Trust::Foreign, buffer);
    records.open()?;
    let Some(header) = records.header()? else {
        return Ok(Vec::new());
    };
    records.begin_rows(&header.names, Wanted::Fields);
    let mut rows = vec![header.names];
    while let Some(batch) = records.next_batch()? {
        for (start, ends) in batch.records() {
            let row = fields(batch.bytes, start, ends).map(|raw| String::from_utf8_lossy(raw).into_owned());
            rows.push(row.collect());
        }
    }
    Ok(rows)
}

proptest! {
    #[test]
    fn every_level_finds_what_a_plain_walk_finds(text in "[a\",\r\n\u{e9}]{0,400}") {
        for wanted in [Wanted::Fields, Wanted::Records] {
            let expected = walked(text.as_bytes(), wanted);
            prop_assert_eq!(&scanned(text.as_bytes(), wanted, Level::Portable), &expected);
            prop_assert_eq!(&scanned(text.as_bytes(), wanted, Level::detect()), &expected);
        }
    }
}

#[test]
fn every_byte_is_told_from_every_other() {
    let text: Vec<u8> = (0..=255).cycle().take(4 * 256 + 31).collect();
    for wanted in [Wanted::Fields, Wanted::Records] {
        let expected = walked(&text, wanted);
        assert_eq!(scanned(&text, wanted, Level::Portable), expected);
        assert_eq!(scanned(&text, wanted, Level::detect()), expected);
    }
}

#[test]
fn no_border_of_a_read_or_a_buffer_shows() {
    let text = "a,b\n1,\"x\n\"\"y\"\"\"\n,\n\"\",long ".to_owned()
        + &"and longer ".repeat(20)
        + "\n5,\"6\n\"\n\u{e9},\"\u{20ac}\"\n";
    let whole = read(&text, 1 << 16, 1 << 16).unwrap();
    assert_eq!(whole.len(), 6);
    for size in 1..text.len() {
        for buffer in [3, 64, 65, 100, 1000] {
            assert_eq!(
                read(&text, buffer, size).unwrap(),
                whole,
                "{size} bytes at a time, buffer of {buffer}"
            );
        }
    }
}

#[test]
fn no_border_of_a_read_or_a_buffer_hides_a_fault() {
    let sound = "a,b\n".to_owned() + &"1,\"x\n\"\n".repeat(40);
    for (broken, expected) in [
        ("1,2\"\n", "t.csv: record 41 (line 82, byte 287): a quote inside"),
        ("1,\"2\" \n", "t.csv: record 41 (line 82, byte 289): text after the closing quote"),
        ("1\n", "t.csv: record 41 (line 82, byte 284): expected 2 fields, found 1"),
        ("1,\"2", "t.csv: record 41 (line 82, byte 286): the quote opened here"),
    ] {
        for size in [1, 5, 63, 64, 65, 128, 300] {
            for buffer in [3, 64, 100, 1000] {
                let message = read(&(sound.clone() + broken), buffer, size).unwrap_err().to_string();
                assert!(
                    message.starts_with(expected),
                    "{message}; {size} bytes at a time, buffer of {buffer}"
                );
            }
        }
    }
}
