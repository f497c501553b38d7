//! How much room the engine's disk is to have: a size, or a part of the whole.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::component::parse_bytes;

/// Room that is to be free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Watermark {
    Bytes(u64),
    /// Of the whole disk, 1 to 99.
    Percent(u64),
}

/// A disk's room in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub(super) free: u64,
    total: u64,
}

impl Watermark {
    pub(super) fn bytes(self, room: Room) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Percent(percent) => room.total / 100 * percent,
        }
    }
}

impl FromStr for Watermark {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_suffix('%') {
            Some(number) => match number.trim().parse() {
                Ok(percent @ 1..=99) => Ok(Self::Percent(percent)),
                Ok(_) | Err(_) => Err("expected 1% to 99%".to_owned()),
            },
            None => parse_bytes(text).map(Self::Bytes).map_err(|error| error.to_string()),
        }
    }
}

/// The room that others than root have on the disk of a folder. Blocking.
pub(super) fn room(folder: &Path) -> std::io::Result<Room> {
    // The folder of the engine may be root's alone, while the disk below it can be asked by anybody.
    let parents: Vec<PathBuf> = folder.ancestors().map(Path::to_owned).collect();
    let mut last = std::io::Error::from(std::io::ErrorKind::NotFound);
    for parent in parents {
        match rustix::fs::statvfs(&parent) {
            Ok(disk) => {
                return Ok(Room {
                    free: disk.f_bavail * disk.f_frsize,
                    total: disk.f_blocks * disk.f_frsize,
                });
            }
            Err(error) => last = error.into(),
        }
    }
    Err(last)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("20GiB", Ok(20 << 30))]
    #[case("15%", Ok(150))]
    #[case("0%", Err(()))]
    #[case("100%", Err(()))]
    #[case("many", Err(()))]
    fn a_watermark_is_a_size_or_a_part(#[case] text: &str, #[case] bytes: Result<u64, ()>) {
        let room = Room { free: 1, total: 1_000 };
        let found: Result<Watermark, String> = text.parse();
        assert_eq!(found.map(|mark| mark.bytes(room)).map_err(drop), bytes);
    }
}
