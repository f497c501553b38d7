//! Messages that carry secrets in plain text: refused, or sealed before anything of them is stored.

use super::Worker;
use crate::request::{self, RequestDocument};
use crate::secret::{self, Binding, PLAIN_REFUSED, PlainPolicy};

/// The request as it may be stored, or why it is refused. No value is repeated.
pub(super) async fn sealed(
    worker: &Worker,
    mut document: RequestDocument,
) -> Result<RequestDocument, String> {
    let rules = &worker.runner.secrets;
    let Some(data) = &mut document.data else { return Ok(document) };
    let plain = secret::plain_values(data);
    if plain.is_empty() {
        return Ok(document);
    }
    let binding = Binding { component: &document.component, configuration: document.configuration.as_ref() };
    if rules.plain == PlainPolicy::Refuse {
        let line = |path| format!("message: data.{path}: {PLAIN_REFUSED}");
        let lines: Vec<String> = plain.into_iter().map(line).collect();
        return Err(format!("{}\nencrypt it: {}", lines.join("\n"), binding.encrypt_command()));
    }
    let failed = |error: &dyn std::error::Error| {
        format!("its secrets cannot be encrypted: {}", crate::failure::chain(error))
    };
    let keys = rules.keyring.keys_to_seal().await.map_err(|error| failed(&error))?;
    secret::seal_values(data, binding, &keys).map_err(|error| failed(&error))?;
    Ok(document)
}

/// The body that a refused message leaves among the dead letters. Where plain secrets are refused a message with any
/// can never become a job, so they are not kept for somebody who would put it back.
pub(super) fn buried(worker: &Worker, body: Vec<u8>) -> Vec<u8> {
    let holds_secrets =
        serde_json::from_slice(&body).is_ok_and(|body| !secret::plain_values(&body).is_empty());
    if worker.runner.secrets.plain == PlainPolicy::Refuse && holds_secrets {
        return request::preview(&body, usize::MAX).into_bytes();
    }
    body
}
