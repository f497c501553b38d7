//! The client of the S3 server, made of the options.

use std::time::Duration;

use aws_config::BehaviorVersion;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::RetryConfig;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials, Region, SharedHttpClient, StalledStreamProtectionConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::blob::S3Options;

/// A machine that does not answer at all is tried again rather than waited for.
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Servers of one's own seldom care, but the signature needs a region.
const REGION_OF_AN_ENDPOINT: &str = "us-east-1";

/// Reads the usual chain of credentials where the options name none; asks the store nothing.
pub(super) async fn connect(options: &S3Options) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http_client(options))
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT_LIMIT).build())
        // Our own loop tries again: it knows how long, and goes on in the middle of a body.
        .retry_config(RetryConfig::disabled())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    if let Some(region) = region(options) {
        loader = loader.region(Region::new(region));
    }
    if let Some((id, secret)) = &options.credentials {
        let credentials = Credentials::builder()
            .access_key_id(id)
            .secret_access_key(secret.reveal())
            .provider_name("longshore.yaml")
            .build();
        loader = loader.credentials_provider(credentials);
    }
    let shared = loader.load().await;
    let mut config = aws_sdk_s3::config::Builder::from(&shared).force_path_style(options.path_style);
    if let Some(endpoint) = &options.endpoint {
        config = config.endpoint_url(endpoint);
    }
    Client::from_conf(config.build())
}

fn region(options: &S3Options) -> Option<String> {
    let region = options.region.clone();
    region.or_else(|| options.endpoint.as_ref().map(|_endpoint| REGION_OF_AN_ENDPOINT.to_owned()))
}

/// Without TLS nobody needs the system's certificates, which take a while to read.
fn http_client(options: &S3Options) -> SharedHttpClient {
    if options.endpoint.as_deref().is_some_and(|endpoint| endpoint.starts_with("http://")) {
        return Builder::new().build_http();
    }
    Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https()
}
