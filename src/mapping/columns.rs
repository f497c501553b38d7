//! Column names: brought to `[A-Za-z0-9_]` where a configuration asks for it. Pure.

use crate::job::TableOptions;

/// Runs of anything but `[A-Za-z0-9_]` become one `_`, outer `_` go, and letters lose their accents.
pub(super) fn sanitize(name: &str) -> String {
    let mut clean = String::with_capacity(name.len());
    for c in name.chars() {
        match (c.is_ascii_alphanumeric() || c == '_', plain_letters(c)) {
            (true, _) => clean.push(c),
            (false, Some(letters)) => clean.push_str(letters),
            (false, None) if clean.ends_with('_') => {}
            (false, None) => clean.push('_'),
        }
    }
    clean.trim_matches('_').to_owned()
}

/// Every column name that mapping or manifest say, sanitized like the file's own.
pub(super) fn sanitize_options(mut options: TableOptions) -> TableOptions {
    for names in [&mut options.columns, &mut options.primary_key].into_iter().flatten() {
        for name in names {
            *name = sanitize(name);
        }
    }
    for filter in options.delete_where.iter_mut().flatten().flat_map(|deletion| &mut deletion.filters) {
        filter.column = sanitize(&filter.column);
    }
    options
}

/// The letters of European languages written in Latin, without their marks.
fn plain_letters(c: char) -> Option<&'static str> {
    let letters = match c {
        'À'..='Å' | 'Ā' | 'Ă' | 'Ą' => "A",
        'à'..='å' | 'ā' | 'ă' | 'ą' => "a",
        'Æ' => "AE",
        'æ' => "ae",
        'Ç' | 'Ć' | 'Ĉ' | 'Ċ' | 'Č' => "C",
        'ç' | 'ć' | 'ĉ' | 'ċ' | 'č' => "c",
        'Ď' | 'Đ' | 'Ð' => "D",
        'ď' | 'đ' | 'ð' => "d",
        'È'..='Ë' | 'Ē' | 'Ĕ' | 'Ė' | 'Ę' | 'Ě' => "E",
        'è'..='ë' | 'ē' | 'ĕ' | 'ė' | 'ę' | 'ě' => "e",
        'Ĝ' | 'Ğ' | 'Ġ' | 'Ģ' => "G",
        'ĝ' | 'ğ' | 'ġ' | 'ģ' => "g",
        'Ì'..='Ï' | 'Ĩ' | 'Ī' | 'Ĭ' | 'Į' | 'İ' => "I",
        'ì'..='ï' | 'ĩ' | 'ī' | 'ĭ' | 'į' | 'ı' => "i",
        'Ĺ' | 'Ļ' | 'Ľ' | 'Ŀ' | 'Ł' => "L",
        'ĺ' | 'ļ' | 'ľ' | 'ŀ' | 'ł' => "l",
        'Ñ' | 'Ń' | 'Ņ' | 'Ň' => "N",
        'ñ' | 'ń' | 'ņ' | 'ň' => "n",
        'Ò'..='Ö' | 'Ø' | 'Ō' | 'Ŏ' | 'Ő' => "O",
        'ò'..='ö' | 'ø' | 'ō' | 'ŏ' | 'ő' => "o",
        'Œ' => "OE",
        'œ' => "oe",
        'Ŕ' | 'Ŗ' | 'Ř' => "R",
        'ŕ' | 'ŗ' | 'ř' => "r",
        'Ś' | 'Ŝ' | 'Ş' | 'Š' | 'Ș' => "S",
        'ś' | 'ŝ' | 'ş' | 'š' | 'ș' => "s",
        'ß' => "ss",
        'Ţ' | 'Ť' | 'Ŧ' | 'Ț' => "T",
        'ţ' | 'ť' | 'ŧ' | 'ț' => "t",
        'Þ' => "Th",
        'þ' => "th",
        'Ù'..='Ü' | 'Ũ' | 'Ū' | 'Ŭ' | 'Ů' | 'Ű' | 'Ų' => "U",
        'ù'..='ü' | 'ũ' | 'ū' | 'ŭ' | 'ů' | 'ű' | 'ų' => "u",
        'Ý' | 'Ÿ' | 'Ŷ' => "Y",
        'ý' | 'ÿ' | 'ŷ' => "y",
        'Ź' | 'Ż' | 'Ž' => "Z",
        'ź' | 'ż' | 'ž' => "z",
        _ => return None,
    };
    Some(letters)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::sanitize;

    #[rstest]
    #[case("order_id", "order_id")]
    #[case("Order ID", "Order_ID")]
    #[case(" __příliš žluťoučký!? ", "prilis_zlutoucky")]
    #[case("€", "")]
    #[case("a--b", "a_b")]
    #[case("Straße 5", "Strasse_5")]
    fn a_column_name_becomes_plain(#[case] name: &str, #[case] expected: &str) {
        assert_eq!(sanitize(name), expected);
    }
}
