//! Our own transformations beside Python: the same configuration forms, the same manners.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house::{House, Ran, has_engine};

fn spec(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("component-specs").join(name)
}

/// Whether the R image is there: it is large, so it is built only on demand, and in CI.
pub(crate) fn has_r() -> bool {
    if !has_engine() {
        return false;
    }
    let inspected =
        Command::new("docker").args(["image", "inspect", "longshore/r-transformation:1.0.0"]).output();
    if inspected.is_ok_and(|output| output.status.success()) {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "the R image is missing; `scripts/base-images.sh r` builds it");
    eprintln!("SKIP (no R image; `make base-images` builds it): {:?}", std::thread::current().name());
    false
}

fn run_r(house: &House, parameters: &str) -> Ran {
    let storage = "storage:\n  input: {tables: [{source: in.c-main.orders, destination: orders.csv}]}\n\
        \x20 output: {tables: [{source: totals.csv, destination: out.c-main.totals}]}\n";
    house.write("task.yaml", format!("{parameters}{storage}"));
    let spec = spec("r-transformation.yaml");
    house.call(&["run", spec.to_str().unwrap(), "--config", "task.yaml", "--format", "json"])
}

#[test]
fn r_code_joins_tables_in_blocks_that_share_their_names() {
    if !has_r() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.orders", "country,amount\nCZ,1.5\nDE,\"2\"\nCZ,3\n");
    let parameters = "parameters:\n  blocks:\n    - name: read\n      script:\n\
        \x20       - library(data.table)\n        - ''\n        - orders <- fread(\"in/tables/orders.csv\")\n\
        \x20   - name: write\n      codes:\n        - name: totals\n          script: |\n\
        \x20           totals <- orders[, .(total = sum(amount), city = 'Plzeň \"1\"'), keyby = country]\n\
        \x20           fwrite(totals, 'out/tables/totals.csv')\n\
        \x20           cat(nrow(totals), 'země\\n')\n";
    let ran = run_r(&house, parameters).succeeded();
    assert_eq!(
        house.export("out.c-main.totals"),
        "country,total,city\nCZ,4.5,\"Plzeň \"\"1\"\"\"\nDE,2,\"Plzeň \"\"1\"\"\"\n"
    );
    assert_eq!(house.call(&["job", "log", &ran.job()]).succeeded().stdout, "2 země\n");
    house.is_clean();
}

#[test]
fn an_error_in_r_code_names_block_and_line_and_is_the_users() {
    if !has_r() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.orders", "country,amount\nCZ,1\n");
    for (script, said) in [
        (
            "total <- function(x) {\n  y <- x\n  stop('no such sum')\n}\ntotal(1)",
            "error in <sums>, line 3 (total(1)): no such sum\n  reached from <sums>, line 5: total(1)",
        ),
        (
            "x <- 1\nprint(missing_table)",
            "error in <sums>, line 2 (print(missing_table)): object 'missing_table' not found\n  print(missing_table)",
        ),
        (
            "x <- 1\ny <- ) 2",
            "error in the code: <sums>:2:6: unexpected ')'\n1: x <- 1\n2: y <- )\n        ^",
        ),
        ("quit(status = 7)", "the code left with exit code 7"),
    ] {
        let blocks = serde_json::json!([{ "name": "sums", "script": script }]);
        let ran = run_r(&house, &format!("parameters: {{blocks: {blocks}}}\n")).failed(1);
        assert_eq!((ran.error_code().as_str(), ran.message().as_str()), ("component_user_error", said));
    }
    assert_eq!(house.versions("out.c-main.totals"), crate::house::NO_VERSIONS);
}

#[test]
fn what_r_cannot_do_is_told_before_it_runs() {
    if !has_r() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.orders", "country,amount\nCZ,1\n");
    for (parameters, said) in [
        ("parameters: {}\n", "parameters.script is missing: the R code to run"),
        ("parameters: {skript: '1'}\n", "parameters.skript is unknown; expected script or blocks"),
        (
            "parameters: {script: '1', blocks: []}\n",
            "parameters.script and parameters.blocks exclude each other",
        ),
        ("parameters: {script: [1]}\n", "parameters.script must be a string or a list of lines"),
        ("parameters: {blocks: [{name: a}]}\n", "parameters.blocks[0].script is missing"),
        (
            "parameters: {script: '1', packages: [dplyr]}\n",
            "parameters.packages is not supported: nothing is installed at run time; \
             use a component whose image holds the packages",
        ),
    ] {
        let ran = run_r(&house, parameters).failed(1);
        assert_eq!(ran.message(), said);
    }
}
