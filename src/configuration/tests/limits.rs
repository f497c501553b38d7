//! What a run may use, by the word of the spec, the configuration and the settings.

use super::{now, read_for};
use crate::component::document::{Item, Report, parse as parse_document};
use crate::component::{Allotment, AskedResources, Component, LimitKind, Presets, parse_spec, read_presets};
use crate::configuration::parse;

fn presets(settings: &str) -> Presets {
    let node = parse_document(settings, "longshore.yaml").unwrap();
    let report = Report::new("longshore.yaml");
    let mut fields = Item::root(&node, "", &report).fields().unwrap();
    let presets = read_presets(fields.get("presets"), fields.get("ceilings"));
    assert_eq!(report.into_complaints(), []);
    presets
}

fn component(more: &str, settings: &str) -> Component {
    let text = format!("id: acme.echo\nimage: {{uri: acme/echo}}\n{more}");
    parse_spec(&text, "specs/acme.echo.yaml", &presets(settings)).unwrap()
}

fn allotment(component: &Component, configuration: &str) -> Allotment {
    let (units, said) = read_for(component, configuration);
    assert_eq!((units.len(), said.as_str()), (1, ""), "{configuration}");
    units[0].allotment.clone()
}

#[test]
fn every_limit_says_where_it_came_from() {
    let settings = "presets: {large: {pids: 9}}\n";
    let nothing = component("", settings);
    assert_eq!(
        allotment(&nothing, "{}").told(LimitKind::Memory),
        "memory limit 1 GiB, from the default preset small"
    );
    let some = component("resources: {preset: xsmall, disk: 3g, cpus: 1.5}\n", settings);
    let told = |configuration: &str, kind| allotment(&some, configuration).told(kind);
    assert_eq!(told("{}", LimitKind::Memory), "memory limit 256 MiB, from preset xsmall of the spec");
    assert_eq!(
        told("{}", LimitKind::Disk),
        "disk limit 3 GiB, from `resources.disk` of the spec (acme.echo.yaml:3)"
    );
    let large = "runtime: {backend: {type: large}, process_timeout: 90}\n";
    assert_eq!(
        LimitKind::ALL.map(|kind| told(large, kind)),
        [
            "memory limit 8 GiB, from preset large of the configuration's `runtime.backend.type`",
            "processor limit 1.5 processors, from `resources.cpus` of the spec (acme.echo.yaml:3)",
            "process limit 9 processes, from preset large of the configuration's `runtime.backend.type` \
             (`presets.large.pids` in the settings)",
            "disk limit 3 GiB, from `resources.disk` of the spec (acme.echo.yaml:3)",
            "time limit 90 s, from `runtime.process_timeout` of the configuration",
            "limit of /tmp 2 GiB, from preset large of the configuration's `runtime.backend.type`",
        ]
    );
}

#[test]
fn a_size_that_is_not_known_here_is_a_notice() {
    let (units, said) = read_for(&component("", "{}"), "runtime: {backend: {type: huge, context: x}}\n");
    assert_eq!((units.len(), said.as_str()), (1, ""));
    assert_eq!(
        units[0].notices,
        [
            "`runtime.backend.type` \"huge\" is none of the sizes known here (xsmall, small, medium, large, xlarge): \
          the component's own limits hold"
        ]
    );
    assert_eq!(units[0].allotment, component("", "{}").resources.allot(AskedResources::default()));
}

#[test]
fn whatever_is_over_a_ceiling_is_told_at_once_with_both_origins() {
    let settings = "ceilings: {memory: 512m, cpus: 1, pids: 100, disk: 1g, timeout: 30m, tmp: 64m}\n";
    let component = component("resources: {memory: 600m, disk: 900m, tmp: 64m}\n", settings);
    let text = "runtime:\n  backend: {type: xlarge}\n  process_timeout: 2h\n";
    let (_units, said) = read_for(&component, text);
    insta::assert_snapshot!(said, @r"
    specs/acme.echo.yaml:3:21: resources.memory: memory limit 600 MiB, from `resources.memory` of the spec (acme.echo.yaml:3), is over the ceiling of 512 MiB, from `ceilings.memory` in the settings (lower `resources.memory` in the spec, or have the ceiling raised)
    config.yaml:2:19: runtime.backend.type: processor limit 8 processors, from preset xlarge of the configuration's `runtime.backend.type`, is over the ceiling of 1 processor, from `ceilings.cpus` in the settings (ask for a smaller size, or have the ceiling raised)
    config.yaml:2:19: runtime.backend.type: process limit 2048 processes, from preset xlarge of the configuration's `runtime.backend.type`, is over the ceiling of 100 processes, from `ceilings.pids` in the settings (ask for a smaller size, or have the ceiling raised)
    config.yaml:3:20: runtime.process_timeout: time limit 7200 s, from `runtime.process_timeout` of the configuration, is over the ceiling of 1800 s, from `ceilings.timeout` in the settings (ask for less, or have the ceiling raised)
    ");
    let (_units, said) =
        read_for(&component, "rows: [{id: a, configuration: {runtime: {process_timeout: 7200}}}, {id: b}]");
    insta::assert_snapshot!(said, @r"
    specs/acme.echo.yaml: resources: processor limit 2 processors, from the default preset small, is over the ceiling of 1 processor, from `ceilings.cpus` in the settings (lower `resources.cpus` in the spec, or have the ceiling raised)
    specs/acme.echo.yaml: resources: process limit 256 processes, from the default preset small, is over the ceiling of 100 processes, from `ceilings.pids` in the settings (lower `resources.pids` in the spec, or have the ceiling raised)
    specs/acme.echo.yaml: resources: time limit 3600 s, from the default preset small, is over the ceiling of 1800 s, from `ceilings.timeout` in the settings (lower `resources.timeout` in the spec, or have the ceiling raised)
    config.yaml:1:59: rows[0].configuration.runtime.process_timeout: time limit 7200 s, from `runtime.process_timeout` of the configuration, is over the ceiling of 1800 s, from `ceilings.timeout` in the settings (ask for less, or have the ceiling raised)
    specs/acme.echo.yaml:3:21: resources.memory: memory limit 600 MiB, from `resources.memory` of the spec (acme.echo.yaml:3), is over the ceiling of 512 MiB, from `ceilings.memory` in the settings (lower `resources.memory` in the spec, or have the ceiling raised)
    ");
}

#[test]
fn the_largest_row_decides_what_room_a_job_needs() {
    let component = component("", "{}");
    let text = "runtime: {backend: {type: xsmall}}\nrows: [{id: a}, {id: b, configuration: {runtime: {backend: {type: medium}}}}]\n";
    let configuration = parse(text, "c.yaml").configuration;
    assert_eq!(configuration.limits(&component).memory_bytes, 2 << 30);
    assert_eq!(configuration.units(&component, None, now()).0[0].allotment.limits.memory_bytes, 256 << 20);
}
