use super::*;

fn places(text: &str, file: &str) -> Vec<(String, Option<(usize, usize)>)> {
    let node = parse(text, file).unwrap();
    ["a", "a[0]", "a[1].b", "c", "c[\"x.y\"]", "c.z", "d"]
        .into_iter()
        .map(|path| (path.to_owned(), node.locate(path).map(|place| (place.line, place.column))))
        .collect()
}

#[test]
fn yaml_and_json_give_the_same_tree_and_the_places_of_every_value() {
    let yaml = "# ä comment\na:\n  - 1\n  - b: [true, null]\nc: {x.y: \"é\", z: -2.5}\n";
    let json = "{\"a\": [1,\n\t{\"b\" : [true , null]}],\n \"c\": {\"x.y\": \"\\u00e9\", \"z\": -2.5}}";
    assert_eq!(parse(yaml, "a.yaml").unwrap().to_json(), parse(json, "a.json").unwrap().to_json());
    let expected = |places: [Option<(usize, usize)>; 7]| places.to_vec();
    let found = |text, file| places(text, file).into_iter().map(|(_path, place)| place).collect::<Vec<_>>();
    assert_eq!(
        found(yaml, "a.yaml"),
        expected([
            Some((3, 3)),
            Some((3, 5)),
            Some((4, 8)),
            Some((5, 4)),
            Some((5, 10)),
            Some((5, 18)),
            None
        ])
    );
    assert_eq!(
        found(json, "a.json"),
        expected([
            Some((1, 7)),
            Some((1, 8)),
            Some((2, 9)),
            Some((3, 7)),
            Some((3, 15)),
            Some((3, 30)),
            None
        ])
    );
}

#[test]
fn keys_know_their_places_in_both_languages() {
    for (text, file) in [("k:\n  100: v\n", "a.yaml"), ("{\"k\":\n  {\"100\": \"v\"}}", "a.json")] {
        let node = parse(text, file).unwrap();
        let Value::Map(entries) = &node.get("k").unwrap().value else { panic!("not a mapping") };
        assert_eq!((entries[0].key.as_str(), entries[0].place.line), ("100", 2), "{file}");
    }
}

#[test]
fn json_keeps_tabs_surrogate_pairs_slashes_and_big_numbers() {
    let node =
        parse("{\n\t\"a\":\t\"\\ud83d\\ude00 \\/ \\t\",\n\t\"b\": 18446744073709551615,\"c\":1e3}", "a")
            .unwrap();
    assert_eq!(node.to_json(), serde_json::json!({"a": "😀 / \t", "b": u64::MAX, "c": 1000.0}));
}

#[test]
fn yaml_words_that_only_look_like_other_types_stay_texts() {
    let node =
        parse("a: yes\nb: 007\nc: 1_000\nd: 2024-01-02\ne: NO\nf: true\ng: 12:30\n", "a.yaml").unwrap();
    assert_eq!(
        node.to_json(),
        serde_json::json!({"a":"yes","b":"007","c":"1_000","d":"2024-01-02","e":"NO","f":true,"g":"12:30"})
    );
}

#[test]
fn a_text_that_is_no_document_says_where_it_breaks() {
    let said = |text: &str, file: &str| parse(text, file).unwrap_err().to_string();
    assert_eq!(said("{\"a\": 1,\n \"b\" 2}", "a.json"), "a.json:2:6: this is not JSON: expected `:`");
    assert!(
        said("a: [1, 2\nb: 3\n", "a.yaml").starts_with("a.yaml:"),
        "{}",
        said("a: [1, 2\nb: 3\n", "a.yaml")
    );
    assert_eq!(
        said("{\"a\": 1, \"a\": 2}", "a.json"),
        "a.json:1:12: this is not JSON: the key \"a\" is there twice"
    );
    assert!(said("a: 1\na: 2\n", "a.yaml").starts_with("a.yaml:2:1: "), "{}", said("a: 1\na: 2\n", "a.yaml"));
}

#[test]
fn aliases_that_would_explode_are_refused() {
    let line = |n: u32| {
        let below = n.checked_sub(1).map_or_else(|| "x".to_owned(), |below| format!("*a{below}"));
        format!("a{n}: &a{n} [{}]\n", vec![below; 9].join(", "))
    };
    let text: String = (0..12).map(line).collect();
    assert!(parse(&text, "bomb.yaml").is_err());
}

#[test]
fn an_empty_text_is_an_empty_document() {
    for text in ["", "\n", "# nothing\n", "\u{feff}"] {
        assert_eq!(parse(text, "a.yaml").unwrap().value, Value::Null, "{text:?}");
        assert_eq!(parse(text, "a.json").unwrap().value, Value::Null, "{text:?}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_readers_panic(text in "\\PC{0,60}", markup in "[\\[\\]{}:,\"'&*!|>#\\- \n\tab0]{0,60}") {
        for file in ["a.yaml", "a.json"] {
            drop(parse(&text, file));
            drop(parse(&markup, file));
        }
    }
}
