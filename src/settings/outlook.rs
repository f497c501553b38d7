//! What others see of a worker: its door for health and metrics, its log, its traces.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use super::secret::has_address;
use crate::component::document::{Item, Value};
use crate::telemetry::{LogFormat, OtlpOptions};

/// Only this machine reaches it: nothing there asks who is asking.
const LISTEN_DEFAULT: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9090);

/// Where health and metrics answer; `None` where nothing should.
pub(super) fn read_http(item: Option<Item<'_>>) -> Option<SocketAddr> {
    let Some(mut fields) = item.and_then(|item| item.fields()) else {
        return Some(LISTEN_DEFAULT);
    };
    let listen = fields.filled("listen").map_or(Some(LISTEN_DEFAULT), |item| read_listen(&item));
    fields.finish();
    listen
}

fn read_listen(item: &Item<'_>) -> Option<SocketAddr> {
    // YAML of the older kind writes `false` for `off`.
    if item.node.value == Value::Bool(false) || item.node.value == Value::Text("off".to_owned()) {
        return None;
    }
    let address = item.text()?.parse();
    if address.is_err() {
        item.complain("expected an address and a port such as 127.0.0.1:9090 or [::1]:9090, or off");
    }
    address.ok()
}

pub(super) fn read_log_format(item: &Item<'_>) -> Option<LogFormat> {
    let mut fields = item.fields()?;
    let words = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let format = fields.get("format").and_then(|item| item.one_of(&words));
    fields.finish();
    format
}

pub(super) fn read_otlp(item: &Item<'_>) -> Option<OtlpOptions> {
    let mut fields = item.fields()?;
    let endpoint = fields.filled("endpoint").and_then(|item| {
        let endpoint = item.text()?;
        if has_address(endpoint, &["https"]) {
            item.complain_with(
                "the exporter speaks plain http",
                "let a collector on this machine take it and forward it by https",
            );
            return None;
        }
        if !has_address(endpoint, &["http"]) {
            item.complain("expected the address of a collector such as http://127.0.0.1:4318");
            return None;
        }
        Some(endpoint.trim_end_matches('/').to_owned())
    });
    fields.finish();
    Some(OtlpOptions { endpoint: endpoint? })
}
