//! What a component leaves behind is hostile until proven: each trick is refused with its path, and nothing leaks.

use std::fs;

use rstest::rstest;
use serde_json::json;

use crate::house::{House, NO_VERSIONS, has_engine};

#[rstest]
#[case::a_symlink_to_a_host_file("ln -s /etc/shadow out/tables/a.csv", "out/tables/a.csv is a symbolic link")]
#[case::a_symlink_to_an_input(
    "ln -s ../../config.json out/tables/a.csv",
    "out/tables/a.csv is a symbolic link"
)]
#[case::a_folder_that_is_a_symlink(
    "rm -r out/tables; ln -s /etc out/tables",
    "out/tables is a symbolic link"
)]
#[case::a_fifo("mkfifo out/tables/a.csv", "out/tables/a.csv is a named pipe")]
#[case::a_file_among_files_that_is_a_symlink(
    "ln -s /etc/passwd out/files/a",
    "out/files/a is a symbolic link"
)]
#[case::a_name_with_a_line_break("touch \"out/tables/a\nb.csv\"", "control character")]
#[case::names_that_differ_in_case(
    "echo a >out/tables/a.csv; echo a >out/tables/A.csv",
    "differ only in case"
)]
fn a_trick_is_refused_with_its_path(#[case] script: &str, #[case] expected: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let storage = json!({ "output": { "default_bucket": "out.c-main" } });
    let ran = house.run_script(script, &storage).failed(1);
    assert_eq!(ran.error_code(), "output_unsafe", "{}", ran.message());
    assert!(ran.message().contains(expected), "{:?} does not say {expected:?}", ran.message());
    house.is_clean();
}

#[test]
fn a_symlink_leaks_no_byte_of_the_host_file() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let secret = house.write("outside.csv", "id\nthe-content-of-a-host-file\n");
    let script = format!("ln -s {0} out/tables/a.csv; ln -s {0} out/files/b", secret.display());
    house.run_script(&script, &json!({ "output": { "default_bucket": "out.c-main" } })).failed(1);
    let needle = b"the-content-of-a-host-file";
    assert!(!house.all_bytes().windows(needle.len()).any(|window| window == needle));
}

#[test]
fn a_sparse_giant_is_refused_and_costs_no_disk() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "dd if=/dev/zero of=out/tables/a.csv bs=1 count=0 seek=1099511627776 2>/dev/null";
    let ran = house.run_script(script, &json!({ "output": { "default_bucket": "out.c-main" } })).failed(1);
    // Whoever looks first refuses it: the watchdog while the component runs, or the collection after it.
    assert!(["size_limit", "output_unsafe"].contains(&ran.error_code().as_str()), "{}", ran.error_code());
    house.is_clean();
}

#[test]
fn a_component_that_fills_the_data_folder_is_stopped() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "while :; do head -c 8m /dev/zero >>out/files/big; sleep 0.05; done";
    let ran = house.run_script(script, &json!({})).failed(1);
    assert_eq!(ran.error_code(), "size_limit");
    assert!(ran.message().contains("data folder"), "{}", ran.message());
    house.is_clean();
}

#[rstest]
#[case::a_ragged_row("id,name\n1,a\n2\n", "record 2")]
#[case::an_open_quote("id,name\n1,\"a\n", "quot")]
#[case::text_after_a_quote("id,name\n1,\"a\"b\n", "quot")]
#[case::a_column_twice("id,id\n1,2\n", "id")]
#[case::no_column_name("id,\n1,2\n", "column")]
fn a_malformed_table_is_refused_with_its_place(#[case] csv: &str, #[case] expected: &str) {
    if !has_engine() {
        return;
    }
    let house = House::new();
    house.import("in.c-main.given", "text\nx\n");
    let script = format!("printf '{}' >out/tables/a.csv", csv.replace('\n', "\\n"));
    let storage = json!({ "output": { "tables": [{ "source": "a.csv", "destination": "out.c-main.a" }] } });
    let ran = house.run_script(&script, &storage).failed(1);
    assert_eq!(ran.error_code(), "output_invalid", "{}", ran.message());
    assert!(ran.message().contains("out/tables/a.csv"), "{}", ran.message());
    assert!(ran.message().contains(expected), "{:?} does not say {expected:?}", ran.message());
    assert_eq!(house.versions("out.c-main.a"), NO_VERSIONS);
    house.is_clean();
}

#[test]
fn a_bad_table_keeps_the_good_ones_back_and_all_complaints_come_at_once() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let script = "printf 'id\\n1\\n' >out/tables/good.csv; printf 'id,b\\n1\\n' >out/tables/bad.csv; printf 'x,x\\n' >out/tables/worse.csv";
    let storage = json!({ "output": { "default_bucket": "out.c-main" } });
    let ran = house.run_script(script, &storage).failed(1);
    assert!(ran.message().contains("bad.csv") && ran.message().contains("worse.csv"), "{}", ran.message());
    for table in ["good", "bad", "worse"] {
        assert_eq!(house.versions(&format!("out.c-main.{table}")), NO_VERSIONS);
    }
}

#[test]
fn what_a_failed_component_left_is_kept_for_its_developer_without_the_configuration() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house.run_script("printf 'half' >out/tables/a.csv; exit 1", &json!({})).failed(1);
    let kept = house.path().join(".longshore/quarantine").join(ran.job()).join("0");
    assert_eq!(fs::read_to_string(kept.join("tables/a.csv")).unwrap(), "half");
    assert!(!kept.join("config.json").exists());
}

#[test]
fn a_link_in_place_of_the_outputs_is_not_kept_to_lead_its_finder_elsewhere() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let ran = house.run_script("rm -r out; ln -s /etc out; exit 1", &json!({})).failed(1);
    assert!(!house.path().join(".longshore/quarantine").join(ran.job()).exists());
    house.is_clean();
}

#[test]
fn the_container_has_no_rights_and_no_network() {
    if !has_engine() {
        return;
    }
    let script = "grep -E '^(CapEff|NoNewPrivs|Uid)' /proc/self/status; ls /sys/class/net; test -S /var/run/docker.sock && echo socket; true";
    let house = House::new();
    let ran = house.run_script(script, &json!({})).succeeded();
    let log = house.call(&["job", "log", &ran.job()]).succeeded().stdout;
    assert!(log.contains("CapEff:\t0000000000000000") && log.contains("NoNewPrivs:\t1"), "{log}");
    assert!(!log.contains("Uid:\t0\t") && !log.contains("eth0") && !log.contains("socket"), "{log}");
}
