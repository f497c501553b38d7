//! Key indexes: rows with the same key, within a load and against what is there.

use std::collections::{HashMap, HashSet};

use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::*;

fn index(text: &str, key: &[&str]) -> File {
    let mut keys = tempfile::tempfile().unwrap();
    let options = ReadOptions { key: strings(key), ..options() };
    let checked = check(&mut Drops(text.as_bytes(), 50), &options, Some(&mut keys)).unwrap();
    assert_ne!(checked, Checked::Foreign);
    keys
}

fn rows(bitmap: &RoaringBitmap) -> Vec<u32> {
    bitmap.iter().collect()
}

#[test]
fn the_last_row_of_a_key_wins_within_a_load() {
    let mut indexes = [index("id,n\n1,a\n2,b\n1,c\n", &["id"]), index("n,id\nd,2\ne,3\nf,3\n", &["id"])];
    let replaced = duplicates_within(&mut indexes).unwrap();
    assert_eq!(replaced.iter().map(rows).collect::<Vec<_>>(), [vec![0, 1], vec![1]]);
}

#[test]
fn rows_with_an_incoming_key_are_superseded() {
    let mut old = index("id,day\n1,mon\n1,tue\n2,mon\n", &["id", "day"]);
    let mut incoming =
        [index("day,id\ntue,\"1\"\n", &["id", "day"]), index("day,id\nmon,2\nwed,9\n", &["id", "day"])];
    assert_eq!(rows(&superseded(&mut old, &mut incoming).unwrap()), [1, 2]);
    assert_eq!(rows(&superseded(&mut old, &mut []).unwrap()), [0; 0]);
}

#[test]
fn a_key_is_its_values_not_their_bytes() {
    let mut old = index("a,b\nab,c\n\"x\"\"y\",\n\"l\nm\",1\n", &["a", "b"]);
    let mut other = [index("a,b\na,bc\nxy,\n", &["a", "b"])];
    assert_eq!(rows(&superseded(&mut old, &mut other).unwrap()), [0; 0]);
    let options = ReadOptions {
        key: strings(&["a", "b"]),
        dialect: Dialect { delimiter: b';', enclosure: b'\'' },
        ..options()
    };
    let keys = tempfile::tempfile().unwrap();
    let mut same = vec![keys.try_clone().unwrap()];
    let mut files = Some(SliceFiles { csv: tempfile::tempfile().unwrap(), keys: Some(keys) });
    ingest(&mut "a;b\r\n'ab';'c'\r\nx\"y;\r\n'l\nm';1\r\n".as_bytes(), &options, u64::MAX, &mut || {
        Ok(files.take().unwrap())
    })
    .unwrap();
    assert_eq!(rows(&superseded(&mut old, &mut same).unwrap()), [0, 1, 2]);
}

#[test]
fn every_slice_of_a_load_counts_its_own_rows() {
    for text in ["id,n\n1,a\n2,b\n1,c\n3,d\n2,e\n1,f\n", "id,n\r\n1,a\r\n2,b\r\n1,c\r\n3,d\r\n2,e\r\n1,f\r\n"]
    {
        let mut indexes = Vec::new();
        let options = ReadOptions { key: strings(&["id"]), ..options() };
        let slices = ingest(&mut text.as_bytes(), &options, 13, &mut || {
            let keys = tempfile::tempfile()?;
            indexes.push(keys.try_clone()?);
            Ok(SliceFiles { csv: tempfile::tempfile()?, keys: Some(keys) })
        });
        assert_eq!(slices.unwrap().iter().map(|facts| facts.rows).collect::<Vec<_>>(), [2, 2, 2]);
        let replaced = duplicates_within(&mut indexes).unwrap();
        assert_eq!(replaced.iter().map(rows).collect::<Vec<_>>(), [vec![0, 1], vec![0], vec![]]);
    }
}

#[test]
fn an_index_that_is_damaged_or_cut_short_is_refused() {
    let whole = {
        let mut file = index("id\n1\n2\n", &["id"]);
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        bytes
    };
    let mut wrong_kind = whole.clone();
    wrong_kind[0] = b'X';
    for bytes in (0..whole.len()).map(|length| whole[..length].to_vec()).chain([wrong_kind]) {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        assert!(superseded(&mut file, &mut []).is_err(), "{} bytes of {}", bytes.len(), whole.len());
    }
}

#[test]
fn a_large_slice_is_searched_for_few_keys_and_merged_for_many() {
    let many: Vec<String> = (0..600_000).map(|id| (id % 599_990).to_string()).collect();
    let mut old = index(&("id\n".to_owned() + &many.join("\n") + "\n"), &["id"]);
    let mut incoming = [index("id\n5\n123456\n599989\n599990\n-1\n", &["id"])];
    assert_eq!(rows(&superseded(&mut old, &mut incoming).unwrap()), [5, 123_456, 599_989, 599_995]);
    let odd: Vec<String> = (1..300_000).map(|half| (2 * half + 1).to_string()).collect();
    let mut incoming = [index(&("id\n".to_owned() + &odd.join("\n") + "\n"), &["id"])];
    let expected: Vec<u32> = (3..600_000).filter(|row| row % 599_990 > 1 && row % 2 == 1).collect();
    assert_eq!(rows(&superseded(&mut old, &mut incoming).unwrap()), expected);
    let replaced = duplicates_within(std::slice::from_mut(&mut old)).unwrap();
    assert_eq!(replaced.iter().map(rows).collect::<Vec<_>>(), [(0..10).collect::<Vec<_>>()]);
}

proptest! {
    #[test]
    fn merging_is_what_sets_would_do(
        slices in prop::collection::vec(prop::collection::vec(0_u8..40, 0..40), 1..4),
        old in prop::collection::vec(0_u8..40, 0..60),
        copies in 1_usize..60,
    ) {
        let text = |keys: &[u8]| keys.iter().fold("id,x\n".to_owned(), |text, key| text + &format!("{key},\n"));
        let mut indexes: Vec<File> = slices.iter().map(|keys| index(&text(keys), &["id"])).collect();

        let mut last = HashMap::new();
        for (slice, keys) in slices.iter().enumerate() {
            for (row, key) in keys.iter().enumerate() {
                last.insert(*key, (slice, row));
            }
        }
        let expected: Vec<Vec<u32>> = slices.iter().enumerate().map(|(slice, keys)| {
            let replaced = |(row, key): (usize, &u8)| (last[key] != (slice, row)).then_some(u32::try_from(row).unwrap());
            keys.iter().enumerate().filter_map(replaced).collect()
        }).collect();
        let found: Vec<Vec<u32>> = duplicates_within(&mut indexes).unwrap().iter().map(rows).collect();
        prop_assert_eq!(found, expected);

        // Repeated, so that the old side is now and then so much larger that keys are looked up.
        let old = old.repeat(copies);
        let incoming: HashSet<u8> = slices.into_iter().flatten().collect();
        let expected: Vec<u32> = (0..).zip(&old).filter(|(_, key)| incoming.contains(key)).map(|(row, _)| row).collect();
        let mut old = index(&text(&old), &["id"]);
        prop_assert_eq!(rows(&superseded(&mut old, &mut indexes).unwrap()), expected);
    }
}
