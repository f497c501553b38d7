//! Hosts to be reached or not: a network namespace of the test's own behind a pair of devices, with a small server in it.
//! No packet for its addresses leaves this machine.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::house::docker;

const IMAGE: &str = "longshore/shell-transformation:1.1.0";
/// What the servers say to whoever gets through.
pub(super) const THROUGH: &str = "through";
/// Where clouds tell a machine's credentials to whoever asks.
pub(super) const METADATA: &str = "169.254.169.254";

pub(super) struct Town {
    name: String,
    /// Of the host, on its side of the pair.
    pub(super) host: Ipv4Addr,
    /// In the town; so is the one after it.
    pub(super) inside: Ipv4Addr,
    servers: Vec<Child>,
    page: TempDir,
    _only_one: Option<File>,
}

impl Town {
    /// With servers on ports 80 and 81 of all its addresses, which are two of its own and the ones named.
    pub(super) fn build(addresses: &[&str]) -> Self {
        // The route to an address that is the same everywhere can be one town's at a time.
        let only_one = (!addresses.is_empty()).then(|| {
            let lock = File::create(std::env::temp_dir().join("longshore-test-town.lock")).unwrap();
            lock.lock().unwrap();
            lock
        });
        // The last bytes are random.
        let random = &uuid::Uuid::now_v7().into_bytes()[12..];
        let (b, c) = (200 + random[0] % 50, random[1]);
        let name = random.iter().fold("lst".to_owned(), |name, byte| name + &format!("{byte:02x}"));
        let (host, inside) = (Ipv4Addr::new(10, b, c, 1), Ipv4Addr::new(10, b, c, 2));
        let page = TempDir::new().unwrap();
        std::fs::write(page.path().join("page"), THROUGH).unwrap();
        let mut town = Self { name, host, inside, servers: Vec::new(), page, _only_one: only_one };
        let (name, second) = (&town.name.clone(), Ipv4Addr::new(10, b, c, 3));
        ip(&format!("netns add {name}"));
        ip(&format!("link add {name} type veth peer name eth0 netns {name}"));
        ip(&format!("addr add {host}/24 dev {name}"));
        ip(&format!("link set {name} up"));
        for address in [format!("{inside}/24"), format!("{second}/24")] {
            ip(&format!("-n {name} addr add {address} dev eth0"));
        }
        ip(&format!("-n {name} link set eth0 up"));
        for address in addresses {
            ip(&format!("-n {name} addr add {address}/32 dev eth0"));
            ip(&format!("route add {address}/32 dev {name}"));
        }
        town.serve(80);
        town.serve(81);
        town
    }

    fn serve(&mut self, port: u16) {
        let server = Command::new("ip")
            .args(["netns", "exec", &self.name, "busybox", "httpd", "-f", "-p", &port.to_string(), "-h"])
            .arg(self.page.path())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.servers.push(server);
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect((self.inside, port)).is_err() {
            assert!(Instant::now() < deadline, "no server answers in the town");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Town {
    fn drop(&mut self) {
        for server in &mut self.servers {
            server.kill().ok();
            server.wait().ok();
        }
        // The pair goes with its one end.
        Command::new("ip").args(["netns", "del", &self.name]).status().ok();
    }
}

/// Whether a program on the host itself gets through to an address.
pub(super) fn host_reaches(address: impl Into<IpAddr>, port: u16) -> bool {
    let Ok(mut server) = TcpStream::connect((address.into(), port)) else { return false };
    server.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    server.write_all(b"GET /page HTTP/1.0\r\n\r\n").unwrap();
    let mut said = String::new();
    server.read_to_string(&mut said).is_ok() && said.ends_with(THROUGH)
}

/// A network of the engine's that nobody guards.
pub(super) struct OpenNetwork(String);

impl OpenNetwork {
    pub(super) fn make() -> Self {
        let name = format!("longshore-test-{}", uuid::Uuid::now_v7().simple());
        docker(&["network", "create", &name]);
        Self(name)
    }

    /// What a container on it says that runs a script.
    pub(super) fn run(&self, script: &str) -> String {
        docker(&["run", "--rm", "--network", &self.0, "--entrypoint", "sh", IMAGE, "-c", script])
    }
}

impl Drop for OpenNetwork {
    fn drop(&mut self) {
        Command::new("docker").args(["network", "rm", &self.0]).stdout(Stdio::null()).status().ok();
    }
}

fn ip(words: &str) {
    let output = Command::new("ip").args(words.split(' ')).output().unwrap();
    assert!(output.status.success(), "ip {words}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Whether this machine lets us have namespaces and netfilter.
pub(super) fn has_netfilter() -> bool {
    let can = |program: &str, arguments: &[&str]| {
        Command::new(program).args(arguments).output().is_ok_and(|output| output.status.success())
    };
    if rustix::process::geteuid().is_root()
        && can("nft", &["list", "tables"])
        && can("ip", &["netns", "list"])
        && can("busybox", &["true"])
    {
        return true;
    }
    #[expect(clippy::disallowed_methods, reason = "CI says by its environment that nothing may be skipped")]
    let is_ci = std::env::var_os("CI").is_some();
    assert!(!is_ci, "no network namespaces or no nft: scripts/setup.sh installs what is missing; be root");
    eprintln!("SKIP (not root, or no nft, ip, busybox): {:?}", std::thread::current().name());
    false
}
