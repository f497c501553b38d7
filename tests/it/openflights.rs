//! Real tables: the `OpenFlights` route database and New York taxi trips, imported, joined, exported, and counted by
//! another CSV reader.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use crate::house::{House, has_engine};

/// The tables lie beside the project where they are at all.
fn data() -> Option<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data");
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("SKIP (no real tables beside the project): {:?}", std::thread::current().name());
    None
}

const TABLES: [(&str, &str); 4] = [
    (
        "airports",
        "id,name,city,country,iata,icao,latitude,longitude,altitude,utc_offset,dst,zone,type,source",
    ),
    ("airlines", "id,name,alias,iata,icao,callsign,country,active"),
    ("routes", "airline,airline_id,from,from_id,to,to_id,codeshare,stops,equipment"),
    ("countries", "name,iso,dafif"),
];

fn records(path: &Path, has_headers: bool) -> Vec<csv::StringRecord> {
    let mut reader = csv::ReaderBuilder::new().has_headers(has_headers).from_path(path).unwrap();
    reader.records().map(Result::unwrap).collect()
}

#[test]
fn real_tables_are_imported_joined_and_exported_with_every_row() {
    let Some(data) = data() else { return };
    if !has_engine() {
        return;
    }
    let house = House::new();
    for (name, columns) in TABLES {
        let file = data.join(format!("{name}.dat"));
        let table = format!("in.c-flights.{name}");
        let file = file.to_str().unwrap();
        house.call(&["table", "import", &table, file, "--no-header", "--columns", columns]).succeeded();
    }
    house.write("flights.yaml", CONFIGURATION);
    let spec = Path::new(env!("CARGO_MANIFEST_DIR")).join("component-specs/python-transformation.yaml");
    house.call(&["run", spec.to_str().unwrap(), "--config", "flights.yaml"]).succeeded();

    let mut countries: HashMap<String, String> = HashMap::new();
    for record in records(&data.join("airports.dat"), false) {
        countries.insert(record[0].to_owned(), record[3].to_owned());
    }
    let mut expected: HashMap<String, u64> = HashMap::new();
    for record in records(&data.join("routes.dat"), false) {
        if let Some(country) = countries.get(&record[3]) {
            *expected.entry(country.clone()).or_default() += 1;
        }
    }
    let exported = house.path().join("departures.csv");
    let arguments = ["table", "export", "out.c-flights.departures", "--output", exported.to_str().unwrap()];
    house.call(&arguments).succeeded();
    let found: HashMap<String, u64> = records(&exported, true)
        .iter()
        .map(|record| (record[0].to_owned(), record[1].parse().unwrap()))
        .collect();
    assert_eq!(found, expected);
}

#[test]
fn every_real_table_comes_back_with_the_same_values() {
    let Some(data) = data() else { return };
    let house = House::new();
    for (name, columns) in TABLES {
        let file = data.join(format!("{name}.dat"));
        let table = format!("in.c-flights.{name}");
        let path = file.to_str().unwrap();
        house.call(&["table", "import", &table, path, "--no-header", "--columns", columns]).succeeded();
        let exported = house.path().join(format!("{name}.csv"));
        house.call(&["table", "export", &table, "--output", exported.to_str().unwrap()]).succeeded();
        assert!(records(&exported, true) == records(&file, false), "{name} changed on its way");
    }
    let taxis = data.join("taxis.csv");
    house.call(&["table", "import", "in.c-taxis.trips", taxis.to_str().unwrap()]).succeeded();
    assert_eq!(house.export("in.c-taxis.trips"), std::fs::read_to_string(&taxis).unwrap());
}

const CONFIGURATION: &str = r#"
parameters:
  script: |
    import csv
    with open("in/tables/airports.csv", newline="", encoding="utf-8") as file:
        country = {row["id"]: row["country"] for row in csv.DictReader(file)}
    departures = {}
    with open("in/tables/routes.csv", newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["from_id"] in country:
                key = country[row["from_id"]]
                departures[key] = departures.get(key, 0) + 1
    with open("out/tables/departures.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["country", "routes"])
        writer.writerows(sorted(departures.items()))
storage:
  input:
    tables:
      - {source: in.c-flights.airports, destination: airports.csv, columns: [id, country]}
      - {source: in.c-flights.routes, destination: routes.csv, columns: [from_id]}
      - {source: in.c-flights.airlines, destination: airlines.csv}
      - {source: in.c-flights.countries, destination: countries.csv}
  output:
    tables:
      - {source: departures.csv, destination: out.c-flights.departures}
"#;
