//! Makes staged tables into ones that a component may not expect: certification gives it those.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;

use super::data_folder::{DataFolder, FolderError, set_mode};
use super::threads::blocking;

const HUGE_FIELD_BYTES: usize = 1 << 20;
/// What a table is grown to, to keep a component busy.
const MANY_ROWS_BYTES: u64 = 32 << 20;
/// Latin-1 and bytes that no UTF-8 text holds.
const INVALID_UTF8: &[u8] = b"caf\xe9 \xff\xfe";

/// What is done to every staged table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Alteration {
    /// No rows.
    HeaderOnly,
    /// One more row, with a field of 1 MiB.
    HugeField,
    /// One more row, with a field that is not UTF-8.
    InvalidUtf8,
    /// The rows again and again, up to 32 MiB.
    ManyRows,
}

/// Alters the tables staged as these destinations. A staged file may be a link to a stored slice, so each is written
/// anew beside the data folder and takes the old one's place.
pub(crate) async fn alter_tables(
    folder: &DataFolder,
    destinations: Vec<String>,
    alteration: Alteration,
) -> Result<(), FolderError> {
    let folder = folder.clone();
    blocking(move || {
        for destination in destinations {
            let (path, part) = (folder.input_table(&destination), folder.part(&destination, 0));
            let altered = alter(&path, &part, alteration).and_then(|()| fs::rename(&part, &path));
            altered.map_err(|source| FolderError { action: "alter", path: path.clone(), source })?;
            set_mode(&path, 0o644)?;
            folder.give(&path)?;
        }
        Ok(())
    })
    .await
}

fn alter(from: &Path, to: &Path, alteration: Alteration) -> io::Result<()> {
    let mut input = File::open(from)?;
    let (header_bytes, sample) = sample(&input)?;
    let mut output = BufWriter::new(File::create_new(to)?);
    input.seek(SeekFrom::Start(0))?;
    match alteration {
        Alteration::HeaderOnly => {
            io::copy(&mut input.take(header_bytes), &mut output)?;
        }
        Alteration::HugeField => {
            io::copy(&mut input, &mut output)?;
            write_row(&sample, &vec![b'x'; HUGE_FIELD_BYTES], &mut output)?;
        }
        Alteration::InvalidUtf8 => {
            io::copy(&mut input, &mut output)?;
            write_row(&sample, INVALID_UTF8, &mut output)?;
        }
        Alteration::ManyRows => {
            let written = io::copy(&mut input, &mut output)?;
            if written < MANY_ROWS_BYTES {
                input.seek(SeekFrom::Start(header_bytes))?;
                let mut rows = Vec::new();
                input.read_to_end(&mut rows)?;
                repeat(&rows, MANY_ROWS_BYTES - written, &mut output)?;
            }
        }
    }
    output.flush()
}

/// Writes `rows` until `bytes` or more are written; several times at once where there are few.
fn repeat(rows: &[u8], bytes: u64, output: &mut impl Write) -> io::Result<()> {
    if rows.is_empty() {
        return Ok(());
    }
    let block = rows.repeat((1_usize << 20).div_ceil(rows.len()));
    let mut written = 0;
    while written < bytes {
        output.write_all(&block)?;
        written += block.len() as u64;
    }
    Ok(())
}

/// Bytes of the header line and the fields of the first row, or as many of `1` as there are columns.
fn sample(input: &File) -> io::Result<(u64, Vec<Vec<u8>>)> {
    let mut reader = ::csv::ReaderBuilder::new().flexible(true).from_reader(BufReader::new(input));
    let columns = reader.byte_headers().map_err(io::Error::from)?.len();
    let header_bytes = reader.position().byte();
    let mut row = ::csv::ByteRecord::new();
    let fields = if reader.read_byte_record(&mut row).map_err(io::Error::from)? {
        row.iter().map(<[u8]>::to_vec).collect()
    } else {
        vec![b"1".to_vec(); columns]
    };
    Ok((header_bytes, fields))
}

/// The sample again, with `field` in place of its last text: a number would be refused for being none.
fn write_row(sample: &[Vec<u8>], field: &[u8], output: &mut impl Write) -> io::Result<()> {
    let is_number = |text: &[u8]| str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    let place = sample.iter().rposition(|text| !is_number(text)).unwrap_or(sample.len().saturating_sub(1));
    let mut writer = ::csv::Writer::from_writer(output);
    let fields = sample.iter().enumerate();
    let fields = fields.map(|(at, text)| if at == place { field } else { text.as_slice() });
    writer.write_record(fields).map_err(io::Error::from)?;
    writer.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn altered(table: &[u8], alteration: Alteration) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, table).unwrap();
        alter(&from, &to, alteration).unwrap();
        assert_eq!(fs::read(&from).unwrap(), table, "a stored slice may lie there");
        fs::read(&to).unwrap()
    }

    #[test]
    fn only_the_header_is_left_also_when_it_has_line_ends_in_it() {
        let table = b"id,\"a\nb\"\n1,x\n";
        assert_eq!(altered(table, Alteration::HeaderOnly), b"id,\"a\nb\"\n");
    }

    #[test]
    fn the_row_that_is_added_differs_in_a_text() {
        let table = b"id,name,amount\n1,Eva,2.5\n2,Jan,3\n";
        assert_eq!(
            altered(table, Alteration::InvalidUtf8),
            [table, &b"1,caf\xe9 \xff\xfe,2.5\n"[..]].concat()
        );
        assert_eq!(altered(table, Alteration::HugeField).len(), table.len() + (1 << 20) + b"1,,2.5\n".len());
    }

    #[test]
    fn rows_are_repeated_and_an_empty_table_stays_empty() {
        let grown = altered(b"id\n1\n", Alteration::ManyRows);
        assert!(grown.starts_with(b"id\n1\n1\n1\n") && grown.len() >= 32 << 20);
        assert_eq!(altered(b"id\n", Alteration::ManyRows), b"id\n");
    }
}
