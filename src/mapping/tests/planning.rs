use jiff::Timestamp;

use super::world::{id, input, keyed, mapped, output, words};
use crate::catalog::TableVersion;
use crate::job::{
    ChangedSince, DeleteWhere, Filter, FilterOperator, InputMapping, InputTable, LoadKind, OutputMapping,
    OutputTable, TableOptions, VersionNumber,
};
use crate::mapping::{InputsSeen, PlanComplaint, plan_inputs, plan_outputs};

fn orders() -> TableVersion {
    TableVersion {
        table: id("in.c-main.orders"),
        version: VersionNumber(3),
        created: Timestamp::UNIX_EPOCH,
        columns: words(&["id", "name"]),
        primary_key: words(&["id"]),
        rows: 0,
        bytes: 0,
        load: LoadKind::Replace,
        job: None,
        slices: Vec::new(),
    }
}

fn filter(column: &str) -> Filter {
    Filter { column: column.into(), operator: FilterOperator::Eq, values: words(&["x"]) }
}

fn complaint(path: &str, message: &str) -> PlanComplaint {
    PlanComplaint { path: path.into(), message: message.into() }
}

/// The tables, each in the place where it is.
fn inputs(mut tables: Vec<InputTable>) -> InputMapping {
    for (entry, table) in tables.iter_mut().enumerate() {
        table.entry = entry;
    }
    InputMapping { tables, files: Vec::new() }
}

fn plan_of(tables: Vec<InputTable>) -> Vec<PlanComplaint> {
    let heads: Vec<_> = tables.iter().map(|_table| Some(orders())).collect();
    plan_inputs(&inputs(tables), &heads, &InputsSeen::default()).1
}

#[test]
fn every_mistake_of_an_input_mapping_is_told_at_once() {
    let mut second = input("in.c-main.orders", "orders");
    second.columns = words(&["id", "nmae", "id"]);
    second.filters = vec![filter("colour")];
    let mapping = inputs(vec![input("in.c-main.missing", "a"), second]);
    let (fetches, complaints) = plan_inputs(&mapping, &[None, Some(orders())], &InputsSeen::default());
    assert_eq!(fetches, []);
    assert_eq!(
        complaints,
        [
            complaint("storage.input.tables[0].source", "table in.c-main.missing does not exist"),
            complaint(
                "storage.input.tables[1].columns[1]",
                r#"there is no column "nmae": table in.c-main.orders has "id", "name""#
            ),
            complaint("storage.input.tables[1].columns[2]", r#"column "id" is asked for twice"#),
            complaint(
                "storage.input.tables[1]",
                r#"a filter asks for column "colour", which is not there: table in.c-main.orders has "id", "name""#
            ),
        ]
    );
}

#[test]
fn destinations_that_clash_are_told() {
    let table = |destination: &str| input("in.c-main.orders", destination);
    assert_eq!(
        plan_of(vec![table("a.csv"), table("a.csv.manifest")]),
        [complaint(
            "storage.input.tables[1].destination",
            r#"destination "a.csv.manifest" clashes with the one of storage.input.tables[0]"#
        )]
    );
    assert_eq!(
        plan_of(vec![table("a/b"), table("a")]),
        [complaint(
            "storage.input.tables[0].destination",
            r#""a/b" needs a folder where storage.input.tables[1] puts a file"#
        )]
    );
    assert_eq!(plan_of(vec![table("a"), table("b"), table("c/a")]), []);
}

#[test]
fn an_adaptive_input_asks_for_all_rows_at_first_and_then_for_what_came_after() {
    let mut table = input("in.c-main.orders", "orders");
    table.changed_since = Some(ChangedSince::LastRun);
    let mapping = InputMapping { tables: vec![table], files: Vec::new() };
    let since = |seen: &InputsSeen| plan_inputs(&mapping, &[Some(orders())], seen).0[0].imported_since;
    assert_eq!(since(&InputsSeen::default()), None);
    let mut seen = InputsSeen::default();
    let last: Timestamp = "2024-05-01T00:00:00Z".parse().unwrap();
    seen.note_table(&id("in.c-main.orders"), last);
    assert_eq!(since(&seen), Some("2024-05-01T00:00:00.000001Z".parse().unwrap()));
}

#[test]
fn every_mistake_of_an_output_mapping_is_told_before_the_run() {
    let deleting = TableOptions {
        delete_where: Some(vec![DeleteWhere {
            changed_since: None,
            changed_until: None,
            filters: vec![filter("colour")],
        }]),
        ..TableOptions::default()
    };
    let named = TableOptions { columns: Some(words(&["a", "", "a"])), ..keyed(&["b"]) };
    let mapping = OutputMapping {
        default_bucket: Some("c-main".into()),
        ..mapped(vec![
            output("a.csv", "in.c-main.orders", keyed(&["name"])),
            output("b.csv", "in.c-main.orders", deleting),
            OutputTable { entry: 2, source: "c.csv".into(), destination: None, options: named },
        ])
    };
    let complaints = plan_outputs(&mapping, &[Some(orders()), Some(orders()), None]);
    let told: Vec<(&str, &str)> =
        complaints.iter().map(|found| (found.path.as_str(), found.message.as_str())).collect();
    assert_eq!(
        told,
        [
            (
                "storage.output.default_bucket",
                "\"c-main\" is not a bucket, expected stage.bucket, e.g. in.c-main (\"c-main.a\" is not a table id: \
                 expected three parts `stage.bucket.name`, e.g. in.c-main.orders)"
            ),
            (
                "storage.output.tables[0].primary_key",
                "primary key \"name\" differs from that of table in.c-main.orders, \"id\": allow the change by \
                 primary_key_change: true in the mapping, or --change-primary-key of an import"
            ),
            (
                "storage.output.tables[1].destination",
                "in.c-main.orders is already written by storage.output.tables[0]"
            ),
            (
                "storage.output.tables[1]",
                "delete_where asks for column \"colour\", which is not there: table in.c-main.orders has \"id\", \
                 \"name\""
            ),
            ("storage.output.tables[2].columns[1]", "a column needs a name"),
            ("storage.output.tables[2].columns[2]", "column \"a\" is named twice"),
            (
                "storage.output.tables[2].primary_key[0]",
                "primary key column \"b\" is not among the columns \"a\", \"\", \"a\""
            ),
        ]
    );
}

#[test]
fn the_same_key_in_another_order_or_with_permission_is_no_complaint() {
    let mut head = orders();
    head.primary_key = words(&["id", "name"]);
    let same = mapped(vec![output("a.csv", "in.c-main.orders", keyed(&["name", " id "]))]);
    assert_eq!(plan_outputs(&same, &[Some(head.clone())]), []);
    let allowed = TableOptions { primary_key_change: Some(true), ..keyed(&["name"]) };
    let change = mapped(vec![output("a.csv", "in.c-main.orders", allowed)]);
    assert_eq!(plan_outputs(&change, &[Some(head)]), []);
}
