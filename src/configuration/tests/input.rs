use super::*;
use crate::job::{ChangedSince, FileId, FileQuery, Filter, FilterOperator, InputFile, InputTable};

fn tables(entries: &str) -> String {
    format!("storage: {{input: {{tables: [\n{entries}\n]}}}}")
}

fn files(entries: &str) -> String {
    format!("storage: {{input: {{files: [\n{entries}\n]}}}}")
}

fn plain(entry: usize, source: &str) -> InputTable {
    InputTable {
        entry,
        source: source.parse().unwrap(),
        destination: source.into(),
        columns: Vec::new(),
        filters: Vec::new(),
        changed_since: None,
        rows_max: None,
    }
}

fn filter(column: &str, operator: FilterOperator, values: &[&str]) -> Filter {
    Filter {
        column: column.into(),
        operator,
        values: values.iter().map(|value| (*value).to_owned()).collect(),
    }
}

#[test]
fn a_table_mapping_says_what_is_staged_and_where() {
    let unit = unit(&tables(
        "{source: in.c-main.orders},
         {source: in.c-main.orders, destination: sub/orders.csv, columns: [id, '2'], limit: 10, days: 0,
          where_column: status, where_operator: ne, where_values: [new, 5],
          where_filters: [{column: total, operator: ge, values: [10]}, {column: c, values_from_set: [x]}],
          changed_since: -2 days, overwrite: false, load_type: COPY},
         {source: in.c-main.a, days: 1, limit: null},
         {source: in.c-main.b, changed_since: adaptive, where_column: '', where_values: [], where_operator: eq},
         {source: in.c-main.c, destination: '', column_types: [{source: x, type: VARCHAR}, {source: y}]}",
    ));
    let at = |text: &str| Some(ChangedSince::At(text.parse().unwrap()));
    let expected = [
        plain(0, "in.c-main.orders"),
        InputTable {
            destination: "sub/orders.csv".into(),
            columns: vec!["id".into(), "2".into()],
            filters: vec![
                filter("status", FilterOperator::Ne, &["new", "5"]),
                filter("total", FilterOperator::Ge, &["10"]),
                filter("c", FilterOperator::Eq, &["x"]),
            ],
            changed_since: at("2024-05-29T10:30:00Z"),
            rows_max: Some(10),
            ..plain(1, "in.c-main.orders")
        },
        InputTable { changed_since: at("2024-05-30T10:30:00Z"), ..plain(2, "in.c-main.a") },
        InputTable { changed_since: Some(ChangedSince::LastRun), ..plain(3, "in.c-main.b") },
        InputTable { columns: vec!["x".into(), "y".into()], ..plain(4, "in.c-main.c") },
    ];
    assert_eq!(unit.input.tables, expected);
}

#[test]
fn invalid_table_mappings_are_refused_with_a_remedy() {
    let text = tables(
        "{source: in.c-main.a, where_values: [x]},
         {source: in.c-main.b, where_column: a, where_values: [x], where_operator: like},
         {source: in.c-main.c, where_filters: [{column: a, operator: lt, values: [1, 2]}, {operator: eq}]},
         {source: in.c-main.d, changed_since: soon},
         {source: in.c-main.e, changed_since: yesterday, days: 3},
         {source: in.c-main.f, columns: [a, a, '']},
         {source: in.c-main.g, columns: [a, b], column_types: [{source: b}, {source: c}]},
         {source: in.c-main.h, destination: /etc/passwd},
         {source: in.c-main.i, destination: one}, {source: in.c-main.j, destination: one},
         {source: in.c-main.k, destination: one/two},
         {source: in.c-main.l, limit: -1, file_type: parquet, source_branch_id: 5},
         {destination: x, where_colum: y}, 7",
    );
    insta::assert_snapshot!(said(&text), @r#"
    config.yaml:2:37: storage.input.tables[0].where_values: `where_column` is missing (name the column to compare)
    config.yaml:3:84: storage.input.tables[1].where_operator: expected one of eq, ne, gt, ge, lt, le, found "like"
    config.yaml:4:82: storage.input.tables[2].where_filters[0].values: the operator lt needs exactly one value, found 2
    config.yaml:4:91: storage.input.tables[2].where_filters[1]: `column` is missing
    config.yaml:4:91: storage.input.tables[2].where_filters[1]: `values` is missing
    config.yaml:5:47: storage.input.tables[3].changed_since: "soon" is not a moment: write e.g. 2024-05-01, 2024-05-01T10:00:00Z, -2 days, 3 hours ago or yesterday
    config.yaml:6:64: storage.input.tables[4].days: `days` and `changed_since` exclude each other (keep `changed_since`)
    config.yaml:7:41: storage.input.tables[5].columns: the column a is there twice
    config.yaml:7:41: storage.input.tables[5].columns: a column name is empty
    config.yaml:8:63: storage.input.tables[6].column_types: has no entry for a of `columns`
    config.yaml:8:63: storage.input.tables[6].column_types: names c, which `columns` does not
    config.yaml:9:45: storage.input.tables[7].destination: an absolute path is not allowed
    config.yaml:10:86: storage.input.tables[9].destination: the destination one is already taken by storage.input.tables[8].destination (give it another `destination`)
    config.yaml:11:45: storage.input.tables[10].destination: the destination one/two does not fit beside one of storage.input.tables[8].destination (give it another `destination`)
    config.yaml:12:39: storage.input.tables[11].limit: expected a whole number, found the number -1
    config.yaml:12:54: storage.input.tables[11].file_type: only csv is supported
    config.yaml:12:81: storage.input.tables[11].source_branch_id: reading from another branch is not supported
    config.yaml:13:10: storage.input.tables[12]: `source` is missing
    config.yaml:13:27: storage.input.tables[12].where_colum: unknown key (did you mean where_column?)
    config.yaml:13:44: storage.input.tables[13]: expected a mapping, found the number 7
    "#);
}

#[test]
fn a_file_mapping_selects_by_tags_or_by_ids() {
    let unit = unit(&files(
        "{tags: [a, b], processed_tags: [done], overwrite: true},
         {source: {tags: [{name: a}, {name: b, match: exclude}]}, limit: 5, changed_since: adaptive, query: ''},
         {file_ids: [7, '8'], tags: []}",
    ));
    let expected = [
        InputFile {
            entry: 0,
            query: FileQuery::Tags { include: vec!["a".into(), "b".into()], exclude: Vec::new() },
            changed_since: None,
            files_max: 100,
            processed_tags: vec!["done".into()],
        },
        InputFile {
            entry: 1,
            query: FileQuery::Tags { include: vec!["a".into()], exclude: vec!["b".into()] },
            changed_since: Some(ChangedSince::LastRun),
            files_max: 5,
            processed_tags: Vec::new(),
        },
        InputFile {
            entry: 2,
            query: FileQuery::Ids(vec![FileId(7), FileId(8)]),
            changed_since: None,
            files_max: u64::MAX,
            processed_tags: Vec::new(),
        },
    ];
    assert_eq!(unit.input.files, expected);
}

#[test]
fn invalid_file_mappings_are_refused_with_a_remedy() {
    let text = files(
        "{}, {query: 'name: x'}, {tags: [a], source: {tags: []}}, {tags: [a], file_ids: [1]},
         {tags: [a], overwrite: false, limit: 0}, {source: {tags: [{match: include}, {name: a, match: maybe}]}}",
    );
    insta::assert_snapshot!(said(&text), @r#"
    config.yaml:2:1: storage.input.files[0]: no files are selected (give `tags`, `source.tags` or `file_ids`)
    config.yaml:2:13: storage.input.files[1].query: `query` is not supported (select the files with `tags` or `source.tags`)
    config.yaml:2:45: storage.input.files[2].source: `tags` and `source.tags` exclude each other
    config.yaml:2:65: storage.input.files[3].tags: does not go with `file_ids` (see storage.input.files[3].file_ids)
    config.yaml:3:33: storage.input.files[4].overwrite: `overwrite: false` has no meaning: the folder is new in every run
    config.yaml:3:47: storage.input.files[4].limit: must be at least 1
    config.yaml:3:68: storage.input.files[5].source.tags[0]: `name` is missing
    config.yaml:3:103: storage.input.files[5].source.tags[1].match: expected one of include, exclude, found "maybe"
    "#);
}
