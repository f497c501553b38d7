//! The door that a component with `logging.type: gelf` sends its log messages to: at the host's address on the job's own network.

use std::net::{IpAddr, SocketAddr};

use super::news::News;
use super::scribe::Scribe;
use crate::component::{GelfTransport, LogChannel};
use crate::egress::{Enclosure, HostPort, SUBNET_PREFIX, Transport};
use crate::events::Level;
use crate::failure::Stop;
use crate::runtime::{Callers, GelfDoor, GelfEnd};

/// Opens the door where the component asks for one; at the address that its container was told already, if it was.
pub(super) async fn open(
    channel: LogChannel,
    enclosure: &mut Enclosure,
    told: Option<SocketAddr>,
) -> Result<Option<GelfDoor>, Stop> {
    let (LogChannel::Gelf(transport), Some(gateway)) = (channel, enclosure.gateway()) else {
        return Ok(None);
    };
    let host = IpAddr::V4(gateway);
    let callers = Callers { network: host, prefix: SUBNET_PREFIX };
    let door = match told {
        Some(address) => GelfDoor::open_at(transport, address, callers).await?,
        None => GelfDoor::open(transport, host, callers).await?,
    };
    let spoken = match transport {
        GelfTransport::Tcp | GelfTransport::Http => Transport::Tcp,
        GelfTransport::Udp => Transport::Udp,
    };
    enclosure.admit(&[HostPort { transport: spoken, port: door.address().port() }]).await?;
    Ok(Some(door))
}

/// How a container learns of the door (Keboola's common interface).
pub(super) fn environment(door: &GelfDoor) -> [(String, String); 2] {
    let address = door.address();
    [
        ("KBC_LOGGER_ADDR".to_owned(), address.ip().to_string()),
        ("KBC_LOGGER_PORT".to_owned(), address.port().to_string()),
    ]
}

/// Says once what was not taken.
pub(super) async fn tell_losses(end: GelfEnd, scribe: &Scribe, news: &News) {
    if end.refused > 0 {
        let line = format!(
            "{} log messages came from elsewhere than the component's own container and were refused",
            end.refused
        );
        scribe.say(Level::Warning, &line, news).await;
    }
    if end.incomplete > 0 {
        let line = format!("{} log messages were sent in chunks of which some never came", end.incomplete);
        scribe.say(Level::Warning, &line, news).await;
    }
}
