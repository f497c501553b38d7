//! The many ways of writing a level.

use serde_json::Value;

use super::Level;

/// The level that a record names. `None`: the value is no level at all (an object, a list, nothing). A word or number that nobody
/// knows counts as an error, so that it is not overlooked.
pub(super) fn level_of(value: &Value) -> Option<Level> {
    match value {
        Value::Number(number) => {
            Some(number.as_f64().map_or(Level::Error, |number| of_number(number.trunc())))
        }
        Value::String(word) => Some(match word.trim().parse::<f64>() {
            Ok(number) => of_number(number.trunc()),
            Err(_a_word) => of_word(word.trim()),
        }),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// 0 to 7 are syslog's (RFC 5424, 6.2.1), up to 99 those of Python's `logging`, from 100 on Monolog's.
fn of_number(number: f64) -> Level {
    const SYSLOG: [Level; 8] = [
        Level::Emergency,
        Level::Alert,
        Level::Critical,
        Level::Error,
        Level::Warning,
        Level::Notice,
        Level::Info,
        Level::Debug,
    ];
    const FLOORS: [(f64, Level); 13] = [
        (600.0, Level::Emergency),
        (550.0, Level::Alert),
        (500.0, Level::Critical),
        (400.0, Level::Error),
        (300.0, Level::Warning),
        (250.0, Level::Notice),
        (200.0, Level::Info),
        (100.0, Level::Debug),
        (50.0, Level::Critical),
        (40.0, Level::Error),
        (30.0, Level::Warning),
        (20.0, Level::Info),
        (8.0, Level::Debug),
    ];
    let syslog = (0_u8..8).zip(SYSLOG).find(|(known, _level)| f64::from(*known) == number);
    let floor = || FLOORS.into_iter().find(|(floor, _level)| number >= *floor && number < 700.0);
    syslog
        .map(|(_number, level)| level)
        .or_else(|| floor().map(|(_floor, level)| level))
        .unwrap_or(Level::Error)
}

/// Words of syslog, Python, Monolog, log4j, `java.util.logging` and Go.
fn of_word(word: &str) -> Level {
    match word.to_ascii_lowercase().as_str() {
        "trace" | "debug" | "verbose" | "fine" | "finer" | "finest" | "config" => Level::Debug,
        "info" | "information" | "informational" | "success" => Level::Info,
        "notice" => Level::Notice,
        "warn" | "warning" => Level::Warning,
        "crit" | "critical" | "fatal" | "panic" => Level::Critical,
        "alert" => Level::Alert,
        "emerg" | "emergency" => Level::Emergency,
        _ => Level::Error,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!(0), Some(Level::Emergency))]
    #[case(json!(7), Some(Level::Debug))]
    #[case(json!("4"), Some(Level::Warning))]
    #[case(json!(30), Some(Level::Warning))]
    #[case(json!(35), Some(Level::Warning))]
    #[case(json!(250), Some(Level::Notice))]
    #[case(json!(600), Some(Level::Emergency))]
    #[case(json!("WARN"), Some(Level::Warning))]
    #[case(json!("Information"), Some(Level::Info))]
    #[case(json!("fatal"), Some(Level::Critical))]
    #[case(json!("strange"), Some(Level::Error))]
    #[case(json!(-3), Some(Level::Error))]
    #[case(json!(1e300), Some(Level::Error))]
    #[case(json!(null), None)]
    #[case(json!({"of": "detail"}), None)]
    fn a_level_is_understood_however_it_is_written(#[case] written: Value, #[case] level: Option<Level>) {
        assert_eq!(level_of(&written), level);
    }
}
