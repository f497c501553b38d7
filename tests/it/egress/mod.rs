//! What a component can reach. Each refusal has its control: somebody else reaches the same address.

mod adoption;
mod flushed;
mod listed;
mod town;

use std::net::{Ipv4Addr, UdpSocket};
use std::os::unix::net::UnixStream;
use std::process::Command;

use rstest::rstest;
use serde_json::{Value, json};

use crate::house::{House, Ran, docker, has_engine, ran};
use crate::running::Running;
use crate::service::eventually;
use town::{METADATA, OpenNetwork, THROUGH, Town, has_netfilter, host_reaches};

/// Says for an address with a port whether one gets through.
const TRY: &str = "try() { a=$(printf 'GET /page HTTP/1.0\\r\\n\\r\\n' | nc -w 20 ${1%:*} ${1#*:} 2>/dev/null | tail -n 1); \
                   echo \"${a:-refused $1}\"; }; ";

fn can_be_tried() -> bool {
    has_engine() && has_netfilter()
}

/// A run of a script with this `network` in its spec.
fn command(house: &House, network: &Value, script: &str) -> Command {
    let spec = std::fs::read_to_string(crate::house::fixture("components/raw-shell.yaml")).unwrap();
    let spec = spec.replace("network: none", &format!("network: {network}"));
    let spec = spec.replace("timeout: 30s", "timeout: 3m");
    let spec = house.write("component-specs/raw-shell.yaml", spec);
    let configuration = json!({ "parameters": { "script": format!("{TRY}{script}") } });
    let file = format!("task-{}.json", uuid::Uuid::now_v7());
    house.write(&file, configuration.to_string());
    house.command(&["run", spec.to_str().unwrap(), "--config", &file, "--format", "json"])
}

fn run(house: &House, network: &Value, script: &str) -> Ran {
    ran(command(house, network, script).output().unwrap())
}

/// What a component says that ends with a failure, without empty lines.
fn said(ran: Ran) -> Vec<String> {
    let message = ran.failed(1).message();
    message.lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

fn says(house: &House, network: &Value, script: &str) -> Vec<String> {
    said(run(house, network, &format!("{script}; exit 1")))
}

#[test]
fn a_bridge_reaches_neither_metadata_nor_private_ranges_nor_the_host() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[METADATA]);
    let inside = town.inside.to_string();
    let unguarded = OpenNetwork::make();
    for address in [METADATA, &inside] {
        assert!(host_reaches(address.parse::<Ipv4Addr>().unwrap(), 80), "{address}");
        assert_eq!(unguarded.run(&format!("{TRY}try {address}:80")).trim(), THROUGH, "{address}");
    }
    let service = std::net::TcpListener::bind("0.0.0.0:0").unwrap();
    let port = service.local_addr().unwrap().port();
    let gateway = "$(ip route | awk '/default/ { print $3 }')";
    let script = format!(
        "try {METADATA}:80; try {inside}:80; try {}:{port}; try {gateway}:{port} | sed 's/ [0-9.]*:/ gateway:/'",
        town.host
    );
    let house = House::new();
    let ran = run(&house, &json!("bridge"), &format!("{script}; exit 1"));
    let document = ran.document();
    assert_eq!(
        said(ran),
        [
            format!("refused {METADATA}:80"),
            format!("refused {inside}:80"),
            format!("refused {}:{port}", town.host),
            format!("refused gateway:{port}"),
        ]
    );
    assert_eq!(
        document["network"],
        json!({ "mode": "bridge", "guarded": true, "contacted": [], "refused": [], "left_out": 0 })
    );
    house.is_clean();
}

#[test]
fn a_private_range_that_is_listed_is_reached_and_its_neighbour_is_not() {
    if !can_be_tried() {
        return;
    }
    let town = Town::build(&[]);
    let second = Ipv4Addr::from_bits(town.inside.to_bits() + 1);
    let house = House::new();
    let network = json!({ "type": "bridge", "private": [town.inside.to_string()] });
    let script =
        format!("try {}:80; try {}:81; try {second}:80; try {}:80", town.inside, town.inside, town.host);
    assert_eq!(
        says(&house, &network, &script),
        [THROUGH, THROUGH, &format!("refused {second}:80"), &format!("refused {}:80", town.host)]
    );
    assert!(host_reaches(second, 80));
    house.is_clean();
}

/// Two jobs serve, on a shared bridge and on a network of their own; a third one looks for both.
#[rstest]
#[case::from_the_shared_bridge(json!("bridge"))]
#[case::from_a_network_with_every_private_range(
    json!({ "type": "bridge", "private": ["172.16.0.0/12", "192.168.0.0/16", "198.18.0.0/15", "10.0.0.0/8"] })
)]
#[case::from_a_list_with_every_private_range(
    json!({ "allow": ["172.16.0.0/12:8000", "192.168.0.0/16:8000", "198.18.0.0/15:8000", "10.0.0.0/8:8000"] })
)]
fn a_neighbour_is_not_reached(#[case] network: Value) {
    if !can_be_tried() {
        return;
    }
    let serve = format!("mkdir /tmp/w; echo {THROUGH} >/tmp/w/page; echo begun; httpd -f -p 8000 -h /tmp/w");
    let houses = [House::new(), House::new()];
    let networks = [json!("bridge"), json!({ "allow": ["example.com:443"] })];
    let served: Vec<(Running, String)> = (houses.iter().zip(&networks))
        .map(|(house, network)| {
            let mut running = Running::start(&mut command(house, network, &serve));
            running.wait_for("begun");
            let format = "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}";
            (running, docker(&["inspect", "--format", format, &house.containers()[0]]).trim().to_owned())
        })
        .collect();
    for ((_, address), house) in served.iter().zip(&houses) {
        let ask = format!("{TRY}try {address}:8000");
        eventually("the neighbour serves, as it sees itself", || {
            let said = docker(&["exec", &house.containers()[0], "sh", "-c", &ask]);
            (said.trim() == THROUGH).then_some(())
        });
    }
    let house = House::new();
    let script = format!("try {}:8000; try {}:8000", served[0].1, served[1].1);
    let heard = says(&house, &network, &script);
    let refused: Vec<String> = served.iter().map(|(_, address)| format!("refused {address}:8000")).collect();
    assert_eq!(heard, refused);
    house.is_clean();
    for ((running, _), house) in served.into_iter().zip(&houses) {
        running.signal("INT");
        running.finish().failed(130);
        house.is_clean();
    }
}

#[test]
fn without_a_guard_a_bridge_says_what_is_open_and_a_list_is_refused_with_the_remedy() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let run = |network: Value, guard: &str| {
        ran(command(&house, &network, "true").env("LONGSHORE_NETWORK_GUARD", guard).output().unwrap())
    };
    let open = run(json!("bridge"), "off").succeeded();
    let notice = "private ranges and the host itself are not blocked for the component: settings say `network.guard: off`";
    assert_eq!(open.document()["notices"], json!([notice]));
    assert_eq!(open.document()["network"]["guarded"], false);

    let listed = run(json!({ "allow": ["10.1.2.3:80"] }), "off").failed(4);
    let refused = "the component lists what it may connect to, which cannot be enforced here: settings say `network.guard: off`";
    assert_eq!(listed.message(), refused);
    let private = run(json!({ "type": "bridge", "private": ["10.0.0.0/8"] }), "off").failed(4);
    assert!(private.message().starts_with("the component lists private ranges"), "{}", private.message());
    house.is_clean();
}

/// An engine that is spoken to over the network has its bridges on another machine, as far as anybody knows.
#[test]
fn where_the_guard_is_required_nothing_runs_without_it() {
    if !has_engine() {
        return;
    }
    let house = House::new();
    let address = forward_to_the_engine();
    let run = |network: Value, guard: &str| {
        let mut command = command(&house, &network, "true");
        let command =
            command.env("LONGSHORE_NETWORK_GUARD", guard).env("DOCKER_HOST", format!("tcp://{address}"));
        ran(command.output().unwrap())
    };
    let refused = run(json!("bridge"), "required").failed(4);
    assert_eq!(
        refused.message(),
        "settings say `network.guard: required`, which cannot be enforced here: the engine is on another machine; run \
         the worker beside it"
    );
    run(json!("none"), "required").succeeded();
    let open = run(json!("bridge"), "auto").succeeded();
    assert_eq!(open.document()["network"]["guarded"], false);
    house.is_clean();
}

/// A TCP address for the engine's socket. The threads end with the test's process.
pub(crate) fn forward_to_the_engine() -> std::net::SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let engine = UnixStream::connect("/var/run/docker.sock").unwrap();
            let (mut there, mut back) = (client.try_clone().unwrap(), client);
            let (mut to, mut from) = (engine.try_clone().unwrap(), engine);
            std::thread::spawn(move || {
                std::io::copy(&mut there, &mut to).ok();
                to.shutdown(std::net::Shutdown::Write).ok();
            });
            std::thread::spawn(move || {
                std::io::copy(&mut from, &mut back).ok();
                back.shutdown(std::net::Shutdown::Both).ok();
            });
        }
    });
    address
}

#[test]
fn what_the_spec_opens_is_on_the_record_of_the_job() {
    if !can_be_tried() {
        return;
    }
    let house = House::new();
    let network = json!({ "type": "bridge", "private": ["10.99.0.0/16"] });
    let ran = run(&house, &network, "true").succeeded();
    let isolation = &ran.document()["isolation"];
    assert_eq!(
        isolation["opt_outs"],
        json!(["network: bridge", "private range 10.99.0.0/16", "writable root"])
    );
    assert_eq!((&isolation["no_new_privileges"], &isolation["capabilities"]), (&json!(true), &json!([])));
    let closed = house.run_script("true", &json!({})).succeeded().document();
    assert_eq!(closed["isolation"]["opt_outs"], json!(["writable root"]));
    assert_eq!(closed["network"]["mode"], "none");
}

/// Beside the rules, and also where these are lost: what the engine itself holds of each kind of network.
#[rstest]
#[case::a_list("network: {allow: ['example.com:443']}", false, "false")]
#[case::private_ranges("network: {type: bridge, private: ['10.99.0.0/16']}", false, "true")]
#[case::only_a_listener("network: none\nlogging: {type: gelf}", true, "false")]
fn a_network_of_a_job_is_made_as_closed_as_the_engine_can(
    #[case] network: &str,
    #[case] is_internal: bool,
    #[case] masquerade: &str,
) {
    if !can_be_tried() {
        return;
    }
    let house = House::new();
    let mut command = command(&house, &json!("none"), "echo begun; sleep 170");
    let path = house.path().join("component-specs/raw-shell.yaml");
    let spec = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, spec.replace("network: \"none\"", network)).unwrap();
    let mut running = Running::start(&mut command);
    running.wait_for("begun");
    let container = house.containers()[0].clone();
    let inspected: Value =
        serde_json::from_str(&docker(&["network", "inspect", "--format", "{{json .}}", &container])).unwrap();
    let (options, device) = (&inspected["Options"], device(&container));
    running.signal("INT");
    running.finish().failed(130);
    let flags = (&inspected["Driver"], &inspected["EnableIPv6"], &inspected["Internal"]);
    assert_eq!(flags, (&json!("bridge"), &json!(false), &json!(is_internal)));
    assert_eq!(
        options,
        &json!({
            "com.docker.network.bridge.enable_icc": "false",
            "com.docker.network.bridge.enable_ip_masquerade": masquerade,
            "com.docker.network.bridge.name": device,
        })
    );
    house.is_clean();
    assert!(!rules().contains(&device), "its rules outlive it");
}

/// All that netfilter holds for us.
fn rules() -> String {
    let output = Command::new("nft").args(["list", "table", "inet", "longshore"]).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The device of the network that bears a container's name.
fn device(container: &str) -> String {
    let option = "{{index .Options \"com.docker.network.bridge.name\"}}";
    docker(&["network", "inspect", "--format", option, container]).trim().to_owned()
}

/// A datagram to the host: whether it arrives.
fn arrives(socket: &UdpSocket) -> bool {
    socket.set_nonblocking(true).unwrap();
    socket.recv(&mut [0; 1500]).is_ok()
}
