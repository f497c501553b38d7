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
            entry: 0,
            source: "a.csv".into(),
            destination: Some("out.c-main.a".parse().unwrap()),
            options: TableOptions::default(),
        },
        OutputTable {
            entry: 1,
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
            entry: 2,
            source: "c".into(),
            destination: None,
            options: TableOptions { primary_key: Some(Vec::new()), ..TableOptions::default() },
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
    let deletion = |filters| DeleteWhere { changed_since: None, changed_until: None, filters };
    let found: Vec<_> =
        unit.output.tables.iter().map(|table| table.options.delete_where.clone().unwrap()).collect();
    let expected = [
        vec![deletion(vec![filter("c", FilterOperator::Ne, &["x", "1"])])],
        vec![
            deletion(vec![filter("c", FilterOperator::Eq, &["x"]), filter("d", FilterOperator::Lt, &["5"])]),
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
         {source: h, delete_where: [{where_filters: [{column: a, values_from_storage: {x: y}}]}]},
         {source: i, schema: [{name: a}], columns: [a]}, {source: j, unload_strategy: direct-grant},
         {source: k, destination: out.c-main.k}, {source: k, destination: out.c-main.k},
         {source: k, destination: out.c-main.other}",
    );
    insta::assert_snapshot!(said(&text), @r#"
    config.yaml:2:1: storage.output.tables[0]: `source` is missing
    config.yaml:2:39: storage.output.tables[1].source: the path must not have empty parts, `.` or `..`
    config.yaml:2:55: storage.output.tables[2].source: a name of a file directly in the folder is expected, without `/`
    config.yaml:2:72: storage.output.tables[3].source: a name must not end in `.manifest`: that is where the description goes
    config.yaml:3:35: storage.output.tables[4].destination: "sums" is not a table id: expected three parts `stage.bucket.name`, e.g. in.c-main.orders
    config.yaml:4:33: storage.output.tables[5].delimiter: expected one ASCII character, not a line end
    config.yaml:4:50: storage.output.tables[5].enclosure: expected one ASCII character, not a line end
    config.yaml:4:94: storage.output.tables[6].enclosure: delimiter and enclosure are the same character
    config.yaml:5:35: storage.output.tables[7].primary_key: id is none of `columns`
    config.yaml:6:43: storage.output.tables[8].delete_where_column: `delete_where_values` is missing
    config.yaml:6:74: storage.output.tables[9].delete_where[0]: would delete every row (give `where_filters`, `changed_since` or `changed_until`)
    config.yaml:7:87: storage.output.tables[10].delete_where[0].where_filters[0].values_from_storage: is not supported (list the values in `values`)
    config.yaml:8:30: storage.output.tables[11].schema: `schema` excludes `columns` and `primary_key`
    config.yaml:8:87: storage.output.tables[12].unload_strategy: `unload_strategy` is not supported: there is no workspace to unload
    config.yaml:9:50: storage.output.tables[14]: k is mapped to the same destination twice
    "#);
}

#[test]
fn files_are_kept_with_their_tags() {
    let (units, said) = read(
        "storage: {output: {files: [{source: a.bin, tags: [x, 2], is_permanent: true, notify: false}, {source: b},
           {source: b}, {source: sub/c}, {source: d, is_public: 1}]}}",
    );
    let file = |source: &str, options| OutputFile { source: source.into(), options };
    let options = FileOptions { tags: words(&["x", "2"]), is_permanent: true, is_public: false };
    assert_eq!(units[0].output.files[..2], [file("a.bin", options), file("b", FileOptions::default())]);
    insta::assert_snapshot!(said, @r"
    config.yaml:2:12: storage.output.files[2]: b is mapped twice
    config.yaml:2:34: storage.output.files[3].source: a name of a file directly in the folder is expected, without `/`
    config.yaml:2:65: storage.output.files[4].is_public: expected true or false, found the number 1
    ");
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
        manifest_table_options(table, "a.manifest").unwrap_err().to_string(),
        manifest_file_options(file, "b.manifest").unwrap_err().to_string(),
        manifest_file_options("{", "c.manifest").unwrap_err().to_string(),
        manifest_table_options("", "d.manifest").unwrap_err().to_string(),
    ];
    insta::assert_snapshot!(said.join("\n"), @r"
    a.manifest:2:17: incremental: expected true or false, found a text
    a.manifest:3:2: primary_keys: unknown key (did you mean primary_key?)
    a.manifest:4:13: schema[0]: `name` is missing
    a.manifest:4:14: schema[0].nam: unknown key (did you mean name?)
    b.manifest:1:10: tags: expected a list, found a text
    b.manifest:1:15: is_publik: unknown key (did you mean is_public?)
    c.manifest:1:1: this is not JSON: EOF while parsing an object
    d.manifest:1:1: expected a mapping, found nothing
    ");
    assert_eq!(
        manifest_file_options("{\"tags\": [\"a\"], \"is_encrypted\": true}", "b.manifest").unwrap(),
        FileOptions { tags: words(&["a"]), ..FileOptions::default() }
    );
}
