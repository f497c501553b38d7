//! Secrets in every form that masks know.

use proptest::prelude::*;

use super::*;

fn masked_in_pieces(redactor: &Redactor, text: &[u8], piece: usize) -> String {
    let (mut stream, mut out) = (redactor.stream(), Vec::new());
    for part in text.chunks(piece) {
        stream.push(part, &mut out);
    }
    stream.finish(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn a_secret_is_hidden_however_it_is_written() {
    let secret = "P\"ss/W \u{f6}rd";
    let redactor = Redactor::new([secret]);
    let json = serde_json::to_string(secret).unwrap();
    let encoded = ["P%22ss%2FW%20%C3%B6rd", "P%22ss%2fW%20%c3%b6rd"].map(str::to_owned);
    for said in [secret.to_owned(), json].into_iter().chain(encoded) {
        let masked = redactor.mask(&format!("user=x&{said}&y"));
        assert!(masked.contains("[hidden]") && !masked.contains("ss"), "{said} became {masked}");
    }
}

#[test]
fn a_secret_is_hidden_whichever_encoder_wrote_it() {
    let redactor = Redactor::new(["Se-cr_et/K\u{e9}y+1 \u{1f511}!"]);
    for said in [
        // Python: quote, quote(safe=""), quote_plus, json.dumps
        "Se-cr_et/K%C3%A9y%2B1%20%F0%9F%94%91%21",
        "Se-cr_et%2FK%C3%A9y%2B1%20%F0%9F%94%91%21",
        "Se-cr_et%2FK%C3%A9y%2B1+%F0%9F%94%91%21",
        "Se-cr_et/K\\u00e9y+1 \\ud83d\\udd11!",
        // PHP: json_encode; JavaScript: encodeURIComponent; .NET: small digits
        "Se-cr_et\\/K\\u00e9y+1 \\ud83d\\udd11!",
        "Se-cr_et%2FK%C3%A9y%2B1%20%F0%9F%94%91!",
        "Se-cr_et%2fK%c3%a9y%2b1+%f0%9f%94%91!",
    ] {
        assert_eq!(redactor.mask(&format!("<{said}>")), "<[hidden]>", "{said}");
    }
}

#[test]
fn a_secret_is_hidden_in_other_letters_digits_and_entities() {
    let redactor = Redactor::new(["Sword<fish>&9000"]);
    for said in [
        "SWORD<FISH>&9000",
        "sword<fish>&9000",
        "53776f72643c666973683e2639303030",
        "53776F72643C666973683E2639303030",
        "53:77:6f:72:64:3c:66:69:73:68:3e:26:39:30:30:30",
        "53:77:6F:72:64:3C:66:69:73:68:3E:26:39:30:30:30",
        "53 77 6f 72 64 3c 66 69 73 68 3e 26 39 30 30 30",
        "53 77 6F 72 64 3C 66 69 73 68 3E 26 39 30 30 30",
        "53\\x77\\x6f\\x72\\x64\\x3c\\x66\\x69\\x73\\x68\\x3e\\x26\\x39\\x30\\x30\\x30",
        "53\\x77\\x6F\\x72\\x64\\x3C\\x66\\x69\\x73\\x68\\x3E\\x26\\x39\\x30\\x30\\x30",
        "\\u0053\\u0077\\u006f\\u0072\\u0064\\u003c\\u0066\\u0069\\u0073\\u0068\\u003e\\u0026\\u0039\\u0030\\u0030\\u0030",
        "Sword&lt;fish&gt;&amp;9000",
    ] {
        assert_eq!(redactor.mask(&format!("({said})")), "([hidden])", "{said}");
    }
    assert_eq!(Redactor::new([" a blank too many\t"]).mask("(a blank too many)"), "([hidden])");
    // Short ones mean something else in another case.
    assert_eq!(Redactor::new(["Pass"]).mask("pass PASS 50617373"), "pass PASS [hidden]");
}

#[test]
fn base64_is_found_at_each_offset_in_both_alphabets() {
    let secret = "horse>>>???battery>>>???";
    let redactor = Redactor::new([secret]);
    for engine in [STANDARD, URL_SAFE] {
        for before in ["", "a", "ab", "abc"] {
            let encoded = engine.encode(format!("{before}{secret};tail"));
            let masked = redactor.mask(&encoded);
            assert!(masked.replace(MASK, "").len() <= 16, "{encoded} became {masked}");
        }
    }
}

#[test]
fn words_like_true_and_single_letters_are_left_alone() {
    let redactor = Redactor::new(["true", "a", "", "42"]);
    assert_eq!(redactor.mask("it is true, a 42"), "it is true, a 42");
}

#[test]
fn a_secret_of_several_lines_is_hidden_line_by_line() {
    let redactor = Redactor::new(["-----BEGIN KEY-----\nMIIEvQIBADANBg\n-----END KEY-----\n"]);
    assert_eq!(redactor.mask("got MIIEvQIBADANBg here"), "got [hidden] here");
}

#[test]
fn debug_shows_no_secret() {
    assert!(!format!("{:?}", Redactor::new(["hunter22"])).contains("hunter22"));
}

proptest! {
    #[test]
    fn pieces_are_masked_like_the_whole(
        parts in proptest::collection::vec(prop_oneof![Just("hunter22"), Just("hunt"), Just("\n"), Just("x"), Just("hunter22hunter")], 0..20),
        piece in 1_usize..20,
    ) {
        let redactor = Redactor::new(["hunter22", "hunter22hunter23"]);
        let text = parts.concat();
        prop_assert_eq!(masked_in_pieces(&redactor, text.as_bytes(), piece), redactor.mask(&text));
    }
}
