//! The HTTP client for registries, and whom it trusts: the system's authorities, those of the settings, and those that
//! Docker itself is given for a registry.

use std::error::Error;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::registry_error::RegistryError;

const CONNECT_LIMIT: Duration = Duration::from_secs(10);
/// Where Docker looks for the authorities of a registry.
const DOCKER_CERTIFICATES: &str = "/etc/docker/certs.d";

pub(super) type HttpClient = Client<HttpsConnector<HttpConnector>, String>;
pub(super) type AnswerBody = hyper::body::Incoming;

/// A client for one question. Certificates are read anew each time: an authority that was added must not need a
/// restart, and questions are rare.
pub(super) async fn client(registry: &str, ca_file: Option<PathBuf>) -> Result<HttpClient, RegistryError> {
    let folder = Path::new(DOCKER_CERTIFICATES).join(registry);
    let reading = tokio::task::spawn_blocking(move || roots(ca_file.as_deref(), &folder));
    let roots = match reading.await {
        Ok(roots) => roots?,
        Err(cut_off) => {
            let registry = registry.to_owned();
            return Err(RegistryError::Unreachable { registry, source: Arc::new(cut_off) });
        }
    };
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = config.map_err(|error| RegistryError::Untrusted {
        registry: registry.to_owned(),
        source: Arc::new(error),
    })?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_connect_timeout(Some(CONNECT_LIMIT));
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain);
    // One question may become three, to one host or two.
    Ok(Client::builder(TokioExecutor::new()).pool_max_idle_per_host(1).build(connector))
}

/// Blocking.
fn roots(ca_file: Option<&Path>, docker_folder: &Path) -> Result<RootCertStore, RegistryError> {
    let mut roots = RootCertStore::empty();
    // Single certificates that cannot be read are other programs' concern.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    for path in ca_file.map(Path::to_owned).into_iter().chain(docker_files(docker_folder)) {
        let unreadable = |why: String| RegistryError::Certificates { path: path.clone(), why };
        let read = CertificateDer::pem_file_iter(&path).map_err(|error| unreadable(error.to_string()))?;
        let read: Result<Vec<_>, _> = read.collect();
        let found = read.map_err(|error| unreadable(error.to_string()))?;
        if found.is_empty() {
            return Err(unreadable("there is no certificate in it".to_owned()));
        }
        for certificate in found {
            roots.add(certificate).map_err(|error| unreadable(error.to_string()))?;
        }
    }
    Ok(roots)
}

/// The authorities (`*.crt`) of one registry; a folder that is not there or closed to us has none.
fn docker_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
    let paths = entries.map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|extension| extension == "crt")).collect()
}

/// Whether a connection failed over the other side's certificate.
pub(super) fn is_untrusted(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if is_certificate_error(error) {
            return true;
        }
        // An IO error hides what it wraps from `source`.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        if wrapped.is_some_and(|wrapped| is_untrusted(wrapped)) {
            return true;
        }
        cause = error.source();
    }
    false
}

fn is_certificate_error(error: &(dyn Error + 'static)) -> bool {
    matches!(error.downcast_ref::<rustls::Error>(), Some(rustls::Error::InvalidCertificate(_)))
}
