use super::*;
use crate::job::{ChangedSince, FileId, FileQuery, Filter, FilterOperator, InputFile, InputTable};

fn tables(entries: &str) -> String {
    format!("storage: {{input: {{tables: [\n{entries}\n]}}}}")
}

fn files(entries: &str) -> String {
    format!("storage: {{input: {{files: [\n{entries}\n]}}}}")
}

fn plain(source: &str) -> InputTable {
    InputTable {
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
        plain("in.c-main.orders"),
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
            ..plain("in.c-main.orders")
        },
        InputTable {
            changed_since: at("2024-05-30T10:30:00Z"),
            ..plain("in.c-main.a")
        },
        InputTable {
            changed_since: Some(ChangedSince::LastRun),
            ..plain("in.c-main.b")
        },
        InputTable {
            columns: vec!["x".into(), "y".into()],
            ..plain("in.c-main.c")
        },
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
    insta::assert_snapshot!(said(&text), @"");
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
            query: FileQuery::Tags {
                include: vec!["a".into(), "b".into()],
                exclude: Vec::new(),
            },
            changed_since: None,
            files_max: 100,
            processed_tags: vec!["done".into()],
        },
        InputFile {
            query: FileQuery::Tags {
                include: vec!["a".into()],
                exclude: vec!["b".into()],
            },
            changed_since: Some(ChangedSince::LastRun),
            files_max: 5,
            processed_tags: Vec::new(),
        },
        InputFile {
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
    insta::assert_snapshot!(said(&text), @"");
}
