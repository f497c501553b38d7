//! GELF by HTTP: `POST /gelf`, answered by 202 when the message lies in the spool.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Body as _, Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
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

/// A payload on its way to the spool.
struct Posted {
    payload: Vec<u8>,
    /// Told when it lies there.
    kept: oneshot::Sender<()>,
}

enum Wake {
    Posted(Posted),
    Over,
}

/// Hears one connection, request after request. Messages are kept beside the connection and not within it: a write that
/// is dropped with its connection would leave the spool's readers at odds with its file.
pub(super) async fn hear(
    stream: TcpStream,
    sink: Arc<Sink>,
    budget: Arc<Budget>,
    ended: CancellationToken,
) -> Result<(), SpoolError> {
    let (post, mut posted) = mpsc::channel(1);
    let service =
        service_fn(async |request| Ok::<_, Infallible>(respond(answer(request, &post, &budget).await)));
    let mut builder = http1::Builder::new();
    // Clients that do not wait for the answer close after the request, which counts all the same.
    builder.half_close(true);
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_LIMIT).max_buf_size(HEAD_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    loop {
        let wake = tokio::select! {
            biased;
            () = sink.full.cancelled() => Wake::Over,
            Some(message) = posted.recv() => Wake::Posted(message),
            // What is no HTTP is the sender's own trouble, and it was told.
            _served = &mut connection => Wake::Over,
            () = silent_after(&ended) => Wake::Over,
        };
        match wake {
            Wake::Posted(message) => keep(message, &sink).await?,
            Wake::Over => break,
        }
    }
    // Of a sender that broke off while it waited for its answer.
    match posted.try_recv() {
        Ok(message) => keep(message, &sink).await,
        Err(_nothing_left) => Ok(()),
    }
}

async fn keep(message: Posted, sink: &Sink) -> Result<(), SpoolError> {
    sink.take(inflate(message.payload).await).await?;
    // Who does not wait for the answer has none.
    message.kept.send(()).ok();
    Ok(())
}

async fn answer(request: Request<Incoming>, post: &mpsc::Sender<Posted>, budget: &Arc<Budget>) -> StatusCode {
    if request.uri().path().trim_end_matches('/') != "/gelf" {
        return StatusCode::NOT_FOUND;
    }
    if request.method() != Method::POST {
        return StatusCode::METHOD_NOT_ALLOWED;
    }
    if request.body().size_hint().lower() > MESSAGE_BYTES_MAX as u64 {
        return StatusCode::PAYLOAD_TOO_LARGE;
    }
    // Reserved in whole, because a body says late how long it is; and until it is kept.
    let mut share = budget.share();
    if !share.grow(MESSAGE_BYTES_MAX) {
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    let Ok(body) = Limited::new(request.into_body(), MESSAGE_BYTES_MAX).collect().await else {
        return StatusCode::PAYLOAD_TOO_LARGE;
    };
    let (kept, is_kept) = oneshot::channel();
    let message = Posted { payload: body.to_bytes().to_vec(), kept };
    if post.send(message).await.is_ok() && is_kept.await.is_ok() {
        StatusCode::ACCEPTED
    } else {
        StatusCode::SERVICE_UNAVAILABLE
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
