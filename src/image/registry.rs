//! One question to a registry: which digest does this tag have? Answered by a `HEAD`, in at most a token's detour.
//!
//! Pulls are the engine's; this client never fetches a layer.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_TYPE, LOCATION, RETRY_AFTER, USER_AGENT, WWW_AUTHENTICATE,
};
use http::{HeaderValue, Method, Response, StatusCode, Uri};
use http_body_util::{BodyExt as _, Limited};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::challenge::{self, Challenge};
use super::credentials::{Login, LoginSecret};
use super::reference::{self, DOCKER_HUB, ImageReference};
use super::registry_error::RegistryError;
use super::retry_after;
use super::tls::{self, HttpClient, is_untrusted};
use crate::component::content_hash;
use crate::job::Hidden;

/// Connect, question and answer, each time.
const ASK_LIMIT: Duration = Duration::from_secs(20);
/// Manifests and tokens are some kilobytes; registries refuse manifests of more than this.
const BODY_BYTES_MAX: usize = 4 << 20;
const REDIRECTS_MAX: usize = 3;
/// Docker Hub's registry does not answer under the Hub's own name.
const DOCKER_HUB_HOST: &str = "registry-1.docker.io";
const AGENT: &str = concat!("longshore/", env!("CARGO_PKG_VERSION"));
/// Every kind of manifest and of lists of them: a registry converts, or says that there is none, where one is missing.
const MANIFESTS: &str = "application/vnd.oci.image.index.v1+json, \
    application/vnd.docker.distribution.manifest.list.v2+json, \
    application/vnd.oci.image.manifest.v1+json, \
    application/vnd.docker.distribution.manifest.v2+json";
const DIGEST_HEADER: &str = "docker-content-digest";

/// The digest that the registry has under a tag, or the digest itself where it has an image of that digest.
pub(super) async fn digest_of(
    reference: &ImageReference,
    tag_or_digest: &str,
    login: &Login,
) -> Result<String, RegistryError> {
    let registry = reference.registry();
    let client = tls::client(registry, login.ca_file.clone()).await?;
    let asker = Asker { client, registry, login };
    let host = if registry == DOCKER_HUB { DOCKER_HUB_HOST } else { registry };
    let path = format!("{host}/v2/{}/manifests/{tag_or_digest}", reference.repository());
    // As Docker does: on this machine a registry may speak plainly.
    let may_be_plain = is_loopback(registry) && login.ca_file.is_none();
    match asker.manifest(&format!("https://{path}")).await {
        Err(RegistryError::Unreachable { .. }) if may_be_plain => {
            asker.manifest(&format!("http://{path}")).await
        }
        answer => answer,
    }
}

struct Asker<'a> {
    client: HttpClient,
    registry: &'a str,
    login: &'a Login,
}

impl Asker<'_> {
    async fn manifest(&self, address: &str) -> Result<String, RegistryError> {
        let answer = self.introduced(Method::HEAD, address).await?;
        if let Some(digest) = answer.headers().get(DIGEST_HEADER) {
            return self.digest(digest);
        }
        // Some registries say the digest to nobody; it is the hash of what they give.
        let answer = self.introduced(Method::GET, address).await?;
        let body = self.body(answer).await?;
        Ok(format!("sha256:{}", content_hash(&body).as_str()))
    }

    fn digest(&self, header: &HeaderValue) -> Result<String, RegistryError> {
        let digest = header.to_str().ok().filter(|digest| reference::digest_is_valid(digest));
        digest.map(str::to_owned).ok_or_else(|| self.odd("gave no digest that can be read"))
    }

    /// Asks, and asks again with credentials where the registry wants to know who we are.
    async fn introduced(&self, method: Method, address: &str) -> Result<Response<Body>, RegistryError> {
        let answer = self.ask(&method, address, None).await?;
        if answer.status() != StatusCode::UNAUTHORIZED {
            return self.accepted(answer);
        }
        let lines = answer.headers().get_all(WWW_AUTHENTICATE).iter();
        let authorization = match challenge::strongest(lines.filter_map(|line| line.to_str().ok())) {
            Some(Challenge::Basic) => match &self.login.secret {
                Some(LoginSecret::Password { username, password }) => basic(username, password),
                // A token belongs to a token server, and without credentials there is nothing to say.
                Some(LoginSecret::IdentityToken(_)) | None => return Err(self.refused(answer.status())),
            },
            Some(Challenge::Bearer { realm, service, scope }) => {
                self.token(&realm, service.as_deref(), scope.as_deref()).await?
            }
            None => return Err(self.odd("asks for credentials in a way that is not known")),
        };
        let answer = self.ask(&method, address, Some(&authorization)).await?;
        self.accepted(answer)
    }

    /// Fetches a token for this one question; without credentials a token for anybody.
    async fn token(
        &self,
        realm: &str,
        service: Option<&str>,
        scope: Option<&str>,
    ) -> Result<Hidden, RegistryError> {
        let is_private = realm.starts_with("https://");
        if self.login.secret.is_some() && !is_private && !is_loopback(host_of(realm)) {
            return Err(self.odd("wants the password without encryption"));
        }
        let encoded = |(key, value): (&str, Option<&str>)| {
            Some(format!("{key}={}", utf8_percent_encode(value?, NON_ALPHANUMERIC)))
        };
        let asked = [("service", service), ("scope", scope)].into_iter().filter_map(encoded);
        let mut form: Vec<String> = asked.collect();
        let answer = if let Some(LoginSecret::IdentityToken(token)) = &self.login.secret {
            form.extend(["grant_type=refresh_token".to_owned(), "client_id=longshore".to_owned()]);
            form.extend(encoded(("refresh_token", Some(token.reveal()))));
            self.send(&Method::POST, realm, None, form.join("&")).await?
        } else {
            let joint = if realm.contains('?') { '&' } else { '?' };
            let address = format!("{realm}{joint}{}", form.join("&"));
            let authorization = match &self.login.secret {
                Some(LoginSecret::Password { username, password }) => Some(basic(username, password)),
                Some(LoginSecret::IdentityToken(_)) | None => None,
            };
            self.send(&Method::GET, &address, authorization.as_ref(), String::new()).await?
        };
        let body = self.body(self.accepted(answer)?).await?;
        let document: Option<Value> = serde_json::from_slice(&body).ok();
        let token = document.as_ref().and_then(|document| {
            let text = |key: &str| document.get(key).and_then(Value::as_str);
            text("token").or_else(|| text("access_token"))
        });
        let token = token.ok_or_else(|| self.odd("gave no token"))?;
        Ok(Hidden::new(format!("Bearer {token}")))
    }

    /// Follows redirects, telling who we are to nobody but the host that asked.
    async fn ask(
        &self,
        method: &Method,
        address: &str,
        authorization: Option<&Hidden>,
    ) -> Result<Response<Body>, RegistryError> {
        let mut address = address.to_owned();
        let mut authorization = authorization;
        for _redirect in 0..=REDIRECTS_MAX {
            let answer = self.send(method, &address, authorization, String::new()).await?;
            if !answer.status().is_redirection() {
                return Ok(answer);
            }
            let location = answer.headers().get(LOCATION).and_then(|location| location.to_str().ok());
            let location = location.ok_or_else(|| self.odd("redirects to nowhere"))?;
            let next = match location.strip_prefix('/') {
                Some(path) => format!("{}/{path}", origin_of(&address)),
                None => location.to_owned(),
            };
            if origin_of(&next) != origin_of(&address) {
                authorization = None;
            }
            address = next;
        }
        Err(self.odd("redirects without end"))
    }

    async fn send(
        &self,
        method: &Method,
        address: &str,
        authorization: Option<&Hidden>,
        body: String,
    ) -> Result<Response<Body>, RegistryError> {
        let uri: Uri = address.parse().map_err(|_invalid| self.odd("names an address that is none"))?;
        let mut request = http::Request::builder().method(method).uri(uri).header(USER_AGENT, AGENT);
        request = if *method == Method::POST {
            request.header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        } else {
            request.header(ACCEPT, MANIFESTS)
        };
        if let Some(authorization) = authorization {
            let value = HeaderValue::from_str(authorization.reveal());
            let mut value = value.map_err(|_invalid| self.odd("cannot be sent these credentials"))?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(body).map_err(|_invalid| self.odd("cannot be asked this"))?;
        let registry = || self.registry.to_owned();
        match tokio::time::timeout(ASK_LIMIT, self.client.request(request)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if is_untrusted(&error) => {
                Err(RegistryError::Untrusted { registry: registry(), source: std::sync::Arc::new(error) })
            }
            Ok(Err(error)) => {
                Err(RegistryError::Unreachable { registry: registry(), source: std::sync::Arc::new(error) })
            }
            Err(_elapsed) => Err(RegistryError::Silent { registry: registry(), after: ASK_LIMIT }),
        }
    }

    fn accepted(&self, answer: Response<Body>) -> Result<Response<Body>, RegistryError> {
        let (status, registry) = (answer.status(), self.registry.to_owned());
        if status.is_success() {
            return Ok(answer);
        }
        Err(match status.as_u16() {
            401 | 403 => self.refused(status),
            404 => RegistryError::Missing { registry },
            408 | 429 | 500..=599 => {
                let header = answer.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
                let after = header.and_then(|header| retry_after::parse(header, jiff::Timestamp::now()));
                RegistryError::Busy { registry, status: status.as_u16(), after }
            }
            status => RegistryError::Odd { registry, what: format!("answered with status {status}") },
        })
    }

    async fn body(&self, answer: Response<Body>) -> Result<Vec<u8>, RegistryError> {
        let read = Limited::new(answer.into_body(), BODY_BYTES_MAX).collect();
        match tokio::time::timeout(ASK_LIMIT, read).await {
            Ok(Ok(body)) => Ok(body.to_bytes().to_vec()),
            Ok(Err(_broken)) => Err(self.odd("broke off its answer")),
            Err(_elapsed) => {
                Err(RegistryError::Silent { registry: self.registry.to_owned(), after: ASK_LIMIT })
            }
        }
    }

    fn refused(&self, status: StatusCode) -> RegistryError {
        RegistryError::Refused { registry: self.registry.to_owned(), status: status.as_u16() }
    }

    fn odd(&self, what: &str) -> RegistryError {
        RegistryError::Odd { registry: self.registry.to_owned(), what: what.to_owned() }
    }
}

type Body = tls::AnswerBody;

fn basic(username: &str, password: &Hidden) -> Hidden {
    Hidden::new(format!("Basic {}", STANDARD.encode(format!("{username}:{}", password.reveal()))))
}

/// `https://host:port` of an address.
fn origin_of(address: &str) -> &str {
    let after_scheme = address.find("://").map_or(0, |at| at + 3);
    let rest = address.get(after_scheme..).unwrap_or_default();
    let end = rest.find(['/', '?']).map_or(address.len(), |at| after_scheme + at);
    address.get(..end).unwrap_or(address)
}

fn host_of(address: &str) -> &str {
    origin_of(address).split("://").nth(1).unwrap_or_default()
}

/// Whether `host[:port]` is this machine, where Docker too takes a registry without encryption.
pub(super) fn is_loopback(registry: &str) -> bool {
    let host = match registry.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => host,
        Some(_) | None => registry,
    };
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_may_speak_plainly() {
        let plain = ["localhost", "localhost:5000", "127.0.0.1:5000", "127.9.9.9", "[::1]:5000"];
        assert!(plain.iter().all(|registry| is_loopback(registry)));
        let others = ["r.example:5000", "10.0.0.1:5000", "localhost.example", "docker.io", "[::2]:5000"];
        assert!(!others.iter().any(|registry| is_loopback(registry)));
    }

    #[test]
    fn an_origin_is_an_address_without_its_path() {
        assert_eq!(origin_of("https://r.example:5000/v2/x?y"), "https://r.example:5000");
        assert_eq!(origin_of("http://r.example?y"), "http://r.example");
        assert_eq!(host_of("http://127.0.0.1:80/token"), "127.0.0.1:80");
    }
}
