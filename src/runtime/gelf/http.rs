//! GELF by HTTP: `POST /gelf`, answered by 202 when the message lies in the spool.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use super::MESSAGE_BYTES_MAX;
use super::budget::Budget;
use super::inflate::inflate;
use super::sink::Sink;
use super::tcp::silent_after;
use crate::runtime::SpoolError;

/// For the head of a request.
const HEAD_LIMIT: Duration = Duration::from_secs(30);
const HEAD_BYTES_MAX: usize = 16 << 10;

/// Hears one connection, request after request.
pub(super) async fn hear(
    stream: TcpStream,
    sink: Arc<Sink>,
    budget: Arc<Budget>,
    ended: CancellationToken,
) -> Result<(), SpoolError> {
    let broken = std::sync::Mutex::new(None);
    let service = service_fn(async |request| {
        let status = match answer(request, &sink, &budget).await {
            Ok(status) => status,
            Err(error) => {
                // The service can only answer; the error is for whoever hears the connection.
                if let Ok(mut broken) = broken.lock() {
                    *broken = Some(error);
                }
                StatusCode::SERVICE_UNAVAILABLE
            }
        };
        Ok::<_, Infallible>(respond(status))
    });
    let mut builder = http1::Builder::new();
    // Clients that do not wait for the answer close after the request, which counts all the same.
    builder.half_close(true);
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_BYTES_MAX);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        biased;
        () = sink.full.cancelled() => {}
        // What is no HTTP is the sender's own trouble, and it was told.
        served = connection => drop(served),
        () = silent_after(&ended) => {}
    }
    broken.into_inner().unwrap_or_default().map_or(Ok(()), Err)
}

async fn answer(request: Request<Incoming>, sink: &Sink, budget: &Budget) -> Result<StatusCode, SpoolError> {
    if request.uri().path().trim_end_matches('/') != "/gelf" {
        return Ok(StatusCode::NOT_FOUND);
    }
    if request.method() != Method::POST {
        return Ok(StatusCode::METHOD_NOT_ALLOWED);
    }
    if request.body().size_hint().lower() > MESSAGE_BYTES_MAX as u64 {
        return Ok(StatusCode::PAYLOAD_TOO_LARGE);
    }
    // Reserved in whole, because a body says late how long it is.
    if !budget.take(MESSAGE_BYTES_MAX) {
        return Ok(StatusCode::SERVICE_UNAVAILABLE);
    }
    let body = Limited::new(request.into_body(), MESSAGE_BYTES_MAX).collect().await;
    budget.give(MESSAGE_BYTES_MAX);
    match body {
        Ok(body) => {
            sink.take(inflate(body.to_bytes().to_vec()).await).await?;
            Ok(StatusCode::ACCEPTED)
        }
        Err(_too_long_or_broken) => Ok(StatusCode::PAYLOAD_TOO_LARGE),
    }
}

fn respond(status: StatusCode) -> Response<Empty<Bytes>> {
    let mut response = Response::new(Empty::new());
    *response.status_mut() = status;
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(header::ALLOW, http::HeaderValue::from_static("POST"));
    }
    response
}
