use super::*;
use crate::job::{DeleteWhere, FileOptions, Filter, FilterOperator, OutputFile, OutputTable, TableOptions};

fn tables(entries: &str) -> String {
    format!("storage: {{output: {{tables: [\n{entries}\n]}}}}")
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn only_what_a_table_mapping_says_is_said() {
    let unit = unit(&tables(
        "{source: a.csv, destination: out.c-main.a},
         {source: b, primary_key: [' id ', id, ''], incremental: false, delimiter: \"\\t\", enclosure: \"'\",
          columns: [id, x], has_header: true, write_always: true, description: d, primary_key_change: true,
          metadata: [{key: k, value: v}], column_metadata: {}, distribution_key: [], tags: [t]},
         {source: c, primary_key: [], columns: [], destination: ''}",
    ));
    let expected = [
        OutputTable {
            source: "a.csv".into(),
            destination: Some("out.c-main.a".parse().unwrap()),
            options: TableOptions::default(),
        },
        OutputTable {
            source: "b".into(),
            destination: None,
            options: TableOptions {
                incremental: Some(false),
                primary_key: Some(words(&["id"])),
                primary_key_change: Some(true),
                columns: Some(words(&["id", "x"])),
                has_header: Some(true),
                delimiter: Some(b'\t'),
                enclosure: Some(b'\''),
                delete_where: None,
                write_always: Some(true),
                description: Some("d".into()),
            },
        },
        OutputTable {
            source: "c".into(),
            destination: None,
            options: TableOptions {
                primary_key: Some(Vec::new()),
                ..TableOptions::default()
            },
        },
    ];
    assert_eq!(unit.output.tables, expected);
}

#[test]
fn rows_to_delete_are_named_in_the_old_form_or_in_the_new() {
    let unit = unit(&tables(
        "{source: a, delete_where_column: c, delete_where_values: [x, 1], delete_where_operator: ne},
         {source: b, delete_where: [
           {where_filters: [{column: c, operator: eq, values_from_set: [x]}, {column: d, operator: lt, values: [5]}]},
           {changed_since: -1 day, changed_until: now}]}",
    ));
    let filter = |column: &str, operator, values: &[&str]| Filter {
        column: column.into(),
        operator,
        values: words(values),
    };
    let deletion = |filters| DeleteWhere {
        changed_since: None,
        changed_until: None,
        filters,
    };
    let found: Vec<_> = unit
        .output
        .tables
        .iter()
        .map(|table| table.options.delete_where.clone().unwrap())
        .collect();
    let expected = [
        vec![deletion(vec![filter("c", FilterOperator::Ne, &["x", "1"])])],
        vec![
            deletion(vec![
                filter("c", FilterOperator::Eq, &["x"]),
                filter("d", FilterOperator::Lt, &["5"]),
            ]),
            DeleteWhere {
                changed_since: Some("2024-05-30T10:30:00Z".parse().unwrap()),
                changed_until: Some(now()),
                filters: Vec::new(),
            },
        ],
    ];
    assert_eq!(found, expected);
}

#[test]
fn invalid_output_mappings_are_refused_with_a_remedy() {
    let text = tables(
        "{destination: out.c-main.a}, {source: ../a}, {source: sub/a}, {source: a.manifest},
         {source: b, destination: sums},
         {source: c, delimiter: ';;', enclosure: ''}, {source: d, delimiter: ',', enclosure: ','},
         {source: e, primary_key: [id], columns: [a, b]},
         {source: f, delete_where_column: x}, {source: g, delete_where: [{}]},
         {source: h, delete_where: [{where_filters: [{column: a, values_from_storage: {}}]}]},
         {source: i, schema: [{name: a}], columns: [a]}, {source: j, unload_strategy: direct-grant},
         {source: k, destination: out.c-main.k}, {source: k, destination: out.c-main.k},
         {source: k, destination: out.c-main.other}",
    );
    insta::assert_snapshot!(said(&text), @"");
}

#[test]
fn files_are_kept_with_their_tags() {
    let (units, said) = read(
        "storage: {output: {files: [{source: a.bin, tags: [x, 2], is_permanent: true, notify: false}, {source: b},
           {source: b}, {source: sub/c}, {source: d, is_public: 1}]}}",
    );
    let file = |source: &str, options| OutputFile {
        source: source.into(),
        options,
    };
    let options = FileOptions {
        tags: words(&["x", "2"]),
        is_permanent: true,
        is_public: false,
    };
    assert_eq!(
        units[0].output.files[..2],
        [file("a.bin", options), file("b", FileOptions::default())]
    );
    insta::assert_snapshot!(said, @"");
}

#[test]
fn what_would_change_data_and_is_left_out_is_noticed() {
    let unit = unit(
        "storage: {output: {treat_values_as_null: [NA], data_type_support: none,
           tables: [{source: a, deduplication_strategy: insert}, {source: b, deduplication_strategy: upsert}]}}",
    );
    assert_eq!(
        unit.notices,
        [
            "storage.output.tables[0].deduplication_strategy is ignored: rows with a primary key are always deduplicated",
            "storage.output.treat_values_as_null is ignored: tables keep every value as it was written",
        ]
    );
}

#[test]
fn a_manifest_says_the_same_as_a_mapping() {
    let (options, destination) = manifest_table_options(
        r#"{"destination": "sums", "incremental": true, "primary_key": ["id"], "delimiter": "\t",
            "metadata": [], "column_metadata": {"id": []}, "manifest_type": "out"}"#,
        "sums.csv.manifest",
    )
    .unwrap();
    let expected = TableOptions {
        incremental: Some(true),
        primary_key: Some(words(&["id"])),
        delimiter: Some(b'\t'),
        ..TableOptions::default()
    };
    assert_eq!((options, destination.as_deref()), (expected, Some("sums")));
}

#[test]
fn a_schema_names_columns_and_key() {
    let text = "schema:\n  - {name: id, primary_key: true, data_type: {base: {type: INTEGER}}, nullable: false}\n  - name: x\ntable_metadata: {a: b}\n";
    let (options, destination) = manifest_table_options(text, "a.manifest").unwrap();
    let expected = TableOptions {
        columns: Some(words(&["id", "x"])),
        primary_key: Some(words(&["id"])),
        ..TableOptions::default()
    };
    assert_eq!((options, destination), (expected, None));
}

#[test]
fn a_wrong_manifest_tells_all_its_mistakes() {
    let table = "{\n \"incremental\": \"yes\",\n \"primary_keys\": [],\n \"schema\": [{\"nam\": \"a\"}]\n}";
    let file = "{\"tags\": \"a\", \"is_publik\": true}";
    let said = [
        manifest_table_options(table, "a.manifest")
            .unwrap_err()
            .to_string(),
        manifest_file_options(file, "b.manifest").unwrap_err().to_string(),
        manifest_file_options("{", "c.manifest").unwrap_err().to_string(),
        manifest_table_options("", "d.manifest").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(said.join("\n"), @"");
    assert_eq!(
        manifest_file_options("{\"tags\": [\"a\"], \"is_encrypted\": true}", "b.manifest").unwrap(),
        FileOptions {
            tags: words(&["a"]),
            ..FileOptions::default()
        }
    );
}
