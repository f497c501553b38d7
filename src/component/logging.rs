//! How a component speaks, and what becomes of what it says.

use super::document::{Fields, Item};
use crate::events::{Verbosity, VerbosityMap};

/// A spec's `logging`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Logging {
    pub channel: LogChannel,
    pub verbosity: VerbosityMap,
    /// Failures of the component are told as failures of the user.
    pub no_application_errors: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogChannel {
    /// stdout and stderr.
    Standard,
    Gelf(GelfTransport),
}

/// What the component speaks to the listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GelfTransport {
    Tcp,
    Udp,
    Http,
}

impl Default for Logging {
    fn default() -> Self {
        Self {
            channel: LogChannel::Standard,
            verbosity: VerbosityMap::default(),
            no_application_errors: false,
        }
    }
}

pub(super) fn read_logging(item: &Item<'_>) -> Option<Logging> {
    let mut fields = item.fields()?;
    let channel = read_channel(&mut fields);
    let verbosity = fields.get("verbosity").map(|item| read_verbosity(&item)).unwrap_or_default();
    let no_application_errors =
        fields.get("no_application_errors").and_then(|item| item.flag()).unwrap_or(false);
    fields.finish();
    Some(Logging { channel, verbosity, no_application_errors })
}

fn read_channel(fields: &mut Fields<'_>) -> LogChannel {
    let is_gelf = fields.get("type").and_then(|item| item.one_of(&[("standard", false), ("gelf", true)]));
    let transports =
        [("tcp", GelfTransport::Tcp), ("udp", GelfTransport::Udp), ("http", GelfTransport::Http)];
    let server = fields.get("gelf_server_type");
    if is_gelf == Some(true) {
        let transport = server.and_then(|item| item.one_of(&transports)).unwrap_or(GelfTransport::Tcp);
        return LogChannel::Gelf(transport);
    }
    if let Some(server) = server {
        server.complain_with("means something only with type gelf", "set `logging.type: gelf`");
    }
    LogChannel::Standard
}

fn read_verbosity(item: &Item<'_>) -> VerbosityMap {
    let words = [
        ("none", Verbosity::Hidden),
        ("normal", Verbosity::Normal),
        ("verbose", Verbosity::Verbose),
        ("camouflage", Verbosity::Camouflage),
    ];
    let mut map = VerbosityMap::default();
    for (key, item) in item.entries() {
        // A level that is none is told whatever stands behind it.
        if !map.clone().set(key, Verbosity::Normal) {
            item.complain("not a level: use 100, 200, 250, 300, 400, 500, 550 or 600");
        } else if let Some(verbosity) = item.one_of(&words) {
            map.set(key, verbosity);
        }
    }
    map
}
