//! Health and metrics over HTTP, read-only: `/healthz`, `/readyz`, `/metrics`. Says how the worker is and nothing of its
//! jobs' data; there is no error text in it, because texts of servers may hold addresses and names.

mod guard;
#[cfg(test)]
mod tests;
mod view;

use std::io;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::telemetry::Meters;
use guard::Guarded;

const JSON: &str = "application/json";
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers until `stop`; what is being answered then is answered to its end.
pub(crate) async fn serve(listener: TcpListener, meters: Meters, stop: CancellationToken) -> io::Result<()> {
    let router = Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .with_state(meters);
    axum::serve(Guarded::new(listener), router).with_graceful_shutdown(stop.cancelled_owned()).await
}

/// Whether the process is alive: all its loops turn. Servers that are away do not matter, as a restart would not bring
/// them back.
async fn healthz(State(meters): State<Meters>) -> Response {
    let loops = meters.loops();
    let is_alive = loops.iter().all(|standing| !standing.is_stuck);
    answer(is_alive, JSON, view::health(is_alive, &loops))
}

/// Whether the worker takes jobs.
async fn readyz(State(meters): State<Meters>) -> Response {
    let readiness = meters.readiness();
    answer(readiness.is_ready(), JSON, view::readiness(&readiness))
}

async fn metrics(State(meters): State<Meters>) -> Response {
    answer(true, OPEN_METRICS, meters.text())
}

fn answer(is_well: bool, content_type: &'static str, body: String) -> Response {
    let status = if is_well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let headers: [(HeaderName, &str); 3] = [
        (header::CONTENT_TYPE, content_type),
        (header::CACHE_CONTROL, "no-store"),
        // A connection that is kept would have to be ended before the process can end.
        (header::CONNECTION, "close"),
    ];
    (status, headers, body).into_response()
}
