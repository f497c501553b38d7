//! Amounts as people write them: bytes (`256m`, `2g`, `512MiB`) and durations (`90s`, `15m`, `1h30m`).

use std::time::Duration;

/// Why a text is not an amount.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum QuantityError {
    #[error("{text:?} is not an amount of bytes: write e.g. 256m, 2g or 512MiB")]
    Bytes { text: String },
    #[error("{text:?} is not a duration: write e.g. 90s, 15m or 2h")]
    Duration { text: String },
    #[error("{text:?} is more than can be counted")]
    TooMuch { text: String },
}

/// One letter counts by 1024, as the container engine does; `MB` by 1000, `MiB` by 1024.
const BYTE_UNITS: [(&str, u64); 16] = [
    ("b", 1),
    ("k", 1 << 10),
    ("m", 1 << 20),
    ("g", 1 << 30),
    ("t", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("ki", 1 << 10),
    ("mi", 1 << 20),
    ("gi", 1 << 30),
];

const SECONDS_OF_UNIT: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];

/// Bytes; the unit must be named, in any case.
pub(crate) fn parse_bytes(text: &str) -> Result<u64, QuantityError> {
    let wrong = || QuantityError::Bytes { text: text.to_owned() };
    let (digits, unit) = split_amount(text.trim()).ok_or_else(wrong)?;
    let unit = unit.trim().to_lowercase();
    let (_name, bytes) = BYTE_UNITS.iter().find(|(name, _bytes)| *name == unit).ok_or_else(wrong)?;
    multiply(digits, *bytes, text)
}

/// A duration of one or more parts, each a whole number with its unit.
pub(crate) fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let wrong = || QuantityError::Duration { text: text.to_owned() };
    let mut rest = text.trim();
    let mut seconds: u64 = 0;
    loop {
        let (digits, after) = split_amount(rest).ok_or_else(wrong)?;
        let unit_end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, next) = after.split_at(unit_end);
        let (_name, factor) =
            SECONDS_OF_UNIT.iter().find(|(name, _seconds)| *name == unit).ok_or_else(wrong)?;
        let part = multiply(digits, *factor, text)?;
        seconds =
            seconds.checked_add(part).ok_or_else(|| QuantityError::TooMuch { text: text.to_owned() })?;
        rest = next.trim_start();
        if rest.is_empty() {
            return Ok(Duration::from_secs(seconds));
        }
    }
}

/// Bytes for people, by 1024: `64 MiB`, `1.5 GiB`; one decimal at most.
pub(crate) fn bytes_words(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let Some((size, unit)) = UNITS.into_iter().find(|(size, _unit)| bytes >= *size) else {
        return format!("{bytes} bytes");
    };
    let tenths = bytes % size * 10 / size;
    if tenths == 0 { format!("{} {unit}", bytes / size) } else { format!("{}.{tenths} {unit}", bytes / size) }
}

/// The digits at the start and what follows; `None` without digits.
fn split_amount(text: &str) -> Option<(&str, &str)> {
    let digits_end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    (digits_end > 0).then(|| text.split_at(digits_end))
}

fn multiply(digits: &str, factor: u64, text: &str) -> Result<u64, QuantityError> {
    let amount = digits.parse::<u64>().ok().and_then(|amount| amount.checked_mul(factor));
    amount.ok_or_else(|| QuantityError::TooMuch { text: text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_single_letter_counts_by_1024_and_mb_by_1000() {
        let bytes = |text| parse_bytes(text).unwrap();
        assert_eq!(["256m", "256M", "256MiB", "256 MiB"].map(bytes), [256 << 20; 4]);
        assert_eq!(["2g", "512MB", "1k", "7b"].map(bytes), [2 << 30, 512_000_000, 1024, 7]);
        for bad in ["", "256", "m", "1.5g", "-1m", "2 gallons", "0x10m"] {
            assert_eq!(parse_bytes(bad), Err(QuantityError::Bytes { text: bad.into() }), "{bad}");
        }
        assert!(matches!(parse_bytes("99999999999t"), Err(QuantityError::TooMuch { .. })));
    }

    #[test]
    fn bytes_are_told_in_the_largest_unit_that_they_fill() {
        let told = [0, 1023, 1024, 64 << 20, (3 << 30) / 2, (1 << 30) - 1, 5 << 40].map(bytes_words);
        assert_eq!(
            told,
            ["0 bytes", "1023 bytes", "1 KiB", "64 MiB", "1.5 GiB", "1023.9 MiB", "5 TiB"].map(str::to_owned)
        );
    }

    #[test]
    fn a_duration_may_have_several_parts() {
        let seconds = |text| parse_duration(text).unwrap().as_secs();
        assert_eq!(
            ["90s", "15m", "2h", "1h30m", "7d", "1h 30m"].map(seconds),
            [90, 900, 7200, 5400, 604_800, 5400]
        );
        for bad in ["", "90", "s", "1.5h", "15min", "2h x"] {
            assert_eq!(parse_duration(bad), Err(QuantityError::Duration { text: bad.into() }), "{bad}");
        }
    }
}
