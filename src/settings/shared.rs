//! What several workers share: the catalog's server, the blobs' bucket, the broker.

use std::path::Path;
use std::time::Duration;

use super::secret::{has_address, read_secret, require_secret};
use crate::blob::S3Options;
use crate::catalog::PostgresOptions;
use crate::component::document::{Fields, Item};
use crate::component::{read_positive, read_timeout};
use crate::job::Hidden;
use crate::queue::QueueOptions;

/// Long enough for a server that restarts or a store that slows us down.
const PATIENCE_DEFAULT: Duration = Duration::from_secs(60);
const CONNECTIONS_MAX_DEFAULT: u32 = 10;
/// Readers, writers and notes wait for each other with less.
const CONNECTIONS_MIN: u32 = 3;
/// A silent connection is given up after two of these.
const HEARTBEAT_DEFAULT: Duration = Duration::from_secs(10);
/// The protocol carries it as sixteen bits of seconds.
const HEARTBEAT_MAX: Duration = Duration::from_secs(u16::MAX as u64);
const QUEUE_PREFIX_DEFAULT: &str = "longshore";
/// The broker takes names of 255 bytes, and ours get an end.
const QUEUE_PREFIX_LENGTH_MAX: usize = 200;

pub(super) fn read_catalog(item: &Item<'_>, folder: &Path) -> Option<PostgresOptions> {
    let mut fields = item.fields()?;
    let schemes = ["postgres", "postgresql"];
    let url = require_address(&mut fields, folder, &schemes, "postgres://user:password@host:5432/database");
    let connections_max = fields.get("connections_max").and_then(|item| read_u32(&item, CONNECTIONS_MIN));
    let patience = read_patience(&mut fields);
    fields.finish();
    Some(PostgresOptions {
        url: url?,
        connections_max: connections_max.unwrap_or(CONNECTIONS_MAX_DEFAULT),
        patience,
    })
}

pub(super) fn read_blobs(item: &Item<'_>, folder: &Path) -> Option<S3Options> {
    let mut fields = item.fields()?;
    let patience = read_patience(&mut fields);
    let bucket = fields.required("s3").and_then(|item| read_s3(&item, folder, patience));
    fields.finish();
    bucket
}

fn read_s3(item: &Item<'_>, folder: &Path, patience: Duration) -> Option<S3Options> {
    let mut fields = item.fields()?;
    let text = |item: Option<Item<'_>>| item.and_then(|item| item.text()).map(str::to_owned);
    let bucket = text(fields.required("bucket"));
    let prefix = text(fields.filled("prefix")).unwrap_or_default();
    let endpoint = fields.filled("endpoint");
    if let Some(item) = &endpoint
        && item.text().is_some_and(|address| !has_address(address, &["http", "https"]))
    {
        item.complain("expected an address such as https://s3.example.com");
    }
    let key_id = fields.filled("access_key_id");
    let secret = read_secret(&mut fields, ("secret_access_key", "secret_access_key_file"), folder);
    let has_secret =
        fields.filled("secret_access_key").is_some() || fields.filled("secret_access_key_file").is_some();
    match &key_id {
        Some(item) if !has_secret => {
            item.complain("`secret_access_key` (or `secret_access_key_file`) is missing beside it");
        }
        None if has_secret => fields.item.complain("`access_key_id` is missing beside the secret"),
        Some(_) | None => {}
    }
    let options = S3Options {
        bucket: bucket?,
        prefix: prefix.trim_matches('/').to_owned(),
        // Stores of one's own have no names by bucket, and Amazon has no endpoint to be set.
        path_style: fields.get("path_style").and_then(|item| item.flag()).unwrap_or(endpoint.is_some()),
        endpoint: text(endpoint),
        region: text(fields.filled("region")),
        credentials: text(key_id).zip(secret),
        patience,
    };
    fields.finish();
    Some(options)
}

pub(super) fn read_queue(item: &Item<'_>, folder: &Path) -> Option<QueueOptions> {
    let mut fields = item.fields()?;
    let url =
        require_address(&mut fields, folder, &["amqp", "amqps"], "amqp://user:password@host:5672/vhost");
    let ca_file = fields.filled("ca_file").and_then(|item| item.text()).map(|path| folder.join(path));
    let prefix = fields.filled("prefix").and_then(|item| read_prefix(&item));
    let heartbeat = fields.get("heartbeat").and_then(|item| {
        let heartbeat = read_timeout(&item)?;
        if heartbeat > HEARTBEAT_MAX {
            item.complain(format!("at most {}s", HEARTBEAT_MAX.as_secs()));
        }
        Some(heartbeat)
    });
    let publish_events = fields.get("publish_events").and_then(|item| item.flag());
    fields.finish();
    Some(QueueOptions {
        url: url?,
        ca_file,
        prefix: prefix.unwrap_or_else(|| QUEUE_PREFIX_DEFAULT.to_owned()),
        heartbeat: heartbeat.unwrap_or(HEARTBEAT_DEFAULT),
        publish_events: publish_events.unwrap_or(false),
    })
}

/// Letters, digits, `.`, `-` and `_`: the names that the broker's own tools take without quotes.
fn read_prefix(item: &Item<'_>) -> Option<String> {
    let prefix = item.text()?;
    let is_plain = prefix.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if !is_plain || prefix.len() > QUEUE_PREFIX_LENGTH_MAX || prefix.starts_with("amq.") {
        item.complain(format!(
            "expected at most {QUEUE_PREFIX_LENGTH_MAX} letters, digits, dots, dashes or underscores, not beginning \
             with amq."
        ));
        return None;
    }
    Some(prefix.to_owned())
}

/// The section's `url`, or the content of its `url_file`.
fn require_address(
    fields: &mut Fields<'_>,
    folder: &Path,
    schemes: &[&str],
    example: &str,
) -> Option<Hidden> {
    let url = require_secret(fields, ("url", "url_file"), folder)?;
    if has_address(url.reveal(), schemes) {
        return Some(url);
    }
    let said = fields.filled("url").or_else(|| fields.filled("url_file"));
    said.unwrap_or_else(|| fields.item.clone()).complain(format!("expected an address such as {example}"));
    None
}

fn read_patience(fields: &mut Fields<'_>) -> Duration {
    fields.get("patience").and_then(|item| read_timeout(&item)).unwrap_or(PATIENCE_DEFAULT)
}

/// A whole number from `least` on.
pub(super) fn read_u32(item: &Item<'_>, least: u32) -> Option<u32> {
    let number = read_positive(item)?;
    match u32::try_from(number) {
        Ok(number) if number >= least => Some(number),
        Ok(_) => {
            item.complain(format!("must be at least {least}"));
            None
        }
        Err(_) => {
            item.complain(format!("must be at most {}", u32::MAX));
            None
        }
    }
}
