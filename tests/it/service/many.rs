//! Two workers and an orchestrator that speaks AMQP: everything ends, results match, order is kept.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::{COMPONENTS, Port, Worker, is_served};

const CONFIGURATIONS: u64 = 4;
const JOBS: u64 = 200;

/// Where the jobs of a configuration append their numbers.
fn table(component: &str, configuration: u64) -> String {
    format!("out.c-{component}.c{configuration}")
}

/// The `n`th job: a row with its number for the table of its configuration; every fiftieth is the user's mistake.
fn message(n: u64) -> (String, u64, Value) {
    let component = COMPONENTS[usize::try_from(n % 3).unwrap()];
    let configuration = n / 3 % CONFIGURATIONS;
    let script = if fails(n) {
        "echo wrong parameter >&2; exit 1".to_owned()
    } else {
        format!("printf 'n\\n{n}\\n' >out/tables/t.csv")
    };
    let output =
        json!({ "source": "t.csv", "destination": table(component, configuration), "incremental": true });
    let request = json!({
        "version": 1,
        "component": component,
        "configuration": format!("c{configuration}"),
        "data": { "parameters": { "script": script }, "storage": { "output": { "tables": [output] } } },
    });
    let lane = ["high", "normal", "low"][usize::try_from(configuration % 3).unwrap()];
    let message = json!({ "lane": lane, "message_id": format!("n{n}"), "correlation_id": n.to_string(), "request": request });
    (component.to_owned(), configuration, message)
}

fn fails(n: u64) -> bool {
    n % 50 == 49
}

#[test]
fn two_workers_end_every_job_of_an_orchestrator_in_the_order_of_its_configuration() {
    if !is_served() {
        return;
    }
    let port = Port::open(&json!({ "slots": 3 }));
    let workers: Vec<Worker> = (0..2).map(|_| port.worker(&[])).collect();
    let mut expected: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let mut messages = Vec::new();
    for n in 0..JOBS {
        let (component, configuration, message) = message(n);
        messages.push(message);
        if !fails(n) {
            expected.entry(table(&component, configuration)).or_default().push(n);
        }
    }
    let replies = port.orchestrator.call(&messages);

    let told: BTreeMap<u64, &Value> = replies
        .iter()
        .map(|reply| {
            (reply["correlation_id"].as_str().unwrap().parse().unwrap(), &reply["document"]["status"])
        })
        .collect();
    let wanted: Vec<_> = (0..JOBS).map(|n| (n, if fails(n) { "error" } else { "success" })).collect();
    assert_eq!(told.into_iter().map(|(n, status)| (n, status.as_str().unwrap())).collect::<Vec<_>>(), wanted);
    // Rows lie in the order of commits: each configuration's jobs ran one after the other, as they were published.
    for (table, numbers) in &expected {
        let rows: Vec<u64> =
            port.house.export(table).lines().skip(1).map(|row| row.parse().unwrap()).collect();
        assert_eq!(&rows, numbers, "{table}");
    }
    let jobs = port.jobs();
    let ids: BTreeSet<&str> = jobs.iter().map(|job| job["id"].as_str().unwrap()).collect();
    assert_eq!((jobs.len() as u64, ids.len() as u64), (JOBS, JOBS));
    assert_eq!(port.house.containers(), Vec::<String>::new());
    for worker in &workers {
        assert!(!worker.said().contains("panicked"), "{}", worker.said());
    }
}
