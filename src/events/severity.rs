//! The many ways of writing a level.

use serde_json::Value;

use super::Level;

/// The level that a record names. `None`: the value is no level at all (an object, a list, nothing). A word or number that nobody
/// knows counts as an error, so that it is not overlooked.
pub(super) fn level_of(value: &Value) -> Option<Level> {
    match value {
        Value::Number(number) => Some(number.as_i64().map_or(Level::Error, of_number)),
        Value::String(word) => {
            let word = word.trim();
            Some(word.parse().map_or_else(|_not_a_number| of_word(word), of_number))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// 0 to 7 are syslog's (RFC 5424, 6.2.1), up to 99 those of Python's `logging`, from 100 on Monolog's. In between a number counts
/// as the known one below it.
fn of_number(number: i64) -> Level {
    match number {
        0 | 600..700 => Level::Emergency,
        1 | 550..600 => Level::Alert,
        2 | 50..100 | 500..550 => Level::Critical,
        4 | 30..40 | 300..400 => Level::Warning,
        5 | 250..300 => Level::Notice,
        6 | 20..30 | 200..250 => Level::Info,
        7..20 | 100..200 => Level::Debug,
        _ => Level::Error,
    }
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
