//! Random loads of one keyed table against a map.

use std::collections::BTreeMap;
use std::fmt::Write;

use proptest::collection::vec;
use proptest::prelude::*;
use tokio::runtime::Runtime;

use super::world::{World, incremental, keyed, words};
use crate::job::{DeleteWhere, Filter, FilterOperator, TableOptions};

#[derive(Debug, Clone)]
enum Load {
    Replace(Vec<(u8, u8)>),
    Upsert(Vec<(u8, u8)>),
    /// Deletes the rows with this value first.
    DeleteAndUpsert(u8, Vec<(u8, u8)>),
}

fn load() -> impl Strategy<Value = Load> {
    let rows = || vec((0_u8..12, 0_u8..4), 0..10);
    prop_oneof![
        1 => rows().prop_map(Load::Replace),
        4 => rows().prop_map(Load::Upsert),
        2 => (0_u8..4, rows()).prop_map(|(value, rows)| Load::DeleteAndUpsert(value, rows)),
    ]
}

fn csv(rows: &[(u8, u8)]) -> String {
    let mut text = "id,v\n".to_owned();
    for (id, value) in rows {
        writeln!(text, "{id},{value}").unwrap();
    }
    text
}

async fn apply(world: &World, load: &Load, model: &mut BTreeMap<u8, u8>) {
    let (rows, options) = match load {
        Load::Replace(rows) => {
            model.clear();
            (rows, TableOptions::default())
        }
        Load::Upsert(rows) => (rows, incremental()),
        Load::DeleteAndUpsert(value, rows) => {
            model.retain(|_id, held| held != value);
            let filters = vec![Filter {
                column: "v".into(),
                operator: FilterOperator::Eq,
                values: words(&[&value.to_string()]),
            }];
            let deletion = DeleteWhere { changed_since: None, changed_until: None, filters };
            (rows, TableOptions { delete_where: Some(vec![deletion]), ..incremental() })
        }
    };
    model.extend(rows.iter().copied());
    world.import("in.c-x.a", &csv(rows), options).await;
}

fn sorted(text: &str) -> Vec<String> {
    let mut rows: Vec<String> = text.lines().skip(1).map(str::to_owned).collect();
    rows.sort_unstable();
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_loads_gives_the_rows_a_map_would(loads in vec(load(), 1..8)) {
        Runtime::new().unwrap().block_on(async {
            let world = World::new().await;
            world.import("in.c-x.a", "id,v\n", keyed(&["id"])).await;
            let mut model = BTreeMap::new();
            let mut versions = Vec::new();
            for load in &loads {
                apply(&world, load, &mut model).await;
                let rows: Vec<(u8, u8)> = model.iter().map(|(id, value)| (*id, *value)).collect();
                let head = world.head("in.c-x.a").await;
                assert_eq!(head.rows, rows.len() as u64);
                versions.push((head, sorted(&csv(&rows))));
            }
            for (version, expected) in versions {
                assert_eq!(sorted(&world.text_of(version).await), expected);
            }
        });
    }
}
