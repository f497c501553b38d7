//! Sends ended spans to a collector, in batches. A collector that is away loses spans and holds up nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{
    ExporterBuildError, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _,
};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::options::OtlpOptions;
use super::trace::Traces;
use crate::job::WorkerId;

/// Spans that wait; a job has about a dozen.
const SPANS_MAX: usize = 4096;
const BATCH_MAX: usize = 512;
/// How long a batch is gathered.
const GATHER: Duration = Duration::from_secs(1);
/// For one request.
const TIMEOUT: Duration = Duration::from_secs(5);
/// For what is left when the worker ends.
const FAREWELL: Duration = Duration::from_secs(5);

/// Why there will be no traces.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TraceError {
    #[error("the collector's address cannot be used")]
    Address { source: ExporterBuildError },
}

/// The sending end, to be run beside the worker.
#[derive(Debug)]
pub(crate) struct TraceExport {
    exporter: SpanExporter,
    spans: mpsc::Receiver<SpanData>,
    dropped: Arc<AtomicU64>,
    is_away: bool,
}

/// Traces that go nowhere where no collector is set.
pub(crate) fn traces(
    options: Option<&OtlpOptions>,
    worker: &WorkerId,
) -> Result<(Traces, Option<TraceExport>), TraceError> {
    let Some(options) = options else {
        return Ok((Traces::default(), None));
    };
    let exporter = SpanExporter::builder()
        .with_http()
        .with_endpoint(format!("{}/v1/traces", options.endpoint))
        .with_timeout(TIMEOUT)
        // What waits meanwhile is the retry; another one would only make it wait longer.
        .with_retry_policy(RetryPolicy::disabled())
        .build();
    let mut exporter = exporter.map_err(|source| TraceError::Address { source })?;
    let resource = Resource::builder_empty()
        .with_attributes([
            KeyValue::new("service.name", "longshore"),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
            KeyValue::new("service.instance.id", worker.to_string()),
        ])
        .build();
    exporter.set_resource(&resource);
    let (sender, spans) = mpsc::channel(SPANS_MAX);
    let dropped = Arc::new(AtomicU64::new(0));
    let traces = Traces::to(sender, Arc::clone(&dropped));
    Ok((traces, Some(TraceExport { exporter, spans, dropped, is_away: false })))
}

impl TraceExport {
    /// Sends until `stop`, or until nobody can hand over spans any more; what waits then is still sent, for a short time.
    pub(crate) async fn run(mut self, stop: &CancellationToken) {
        while let Some(Some(span)) = stop.run_until_cancelled(self.spans.recv()).await {
            // Whether it was slept to the end or not: what has come meanwhile is the batch.
            stop.run_until_cancelled(tokio::time::sleep(GATHER)).await;
            self.send_from(span).await;
        }
        self.spans.close();
        let farewell = async {
            while let Some(span) = self.spans.recv().await {
                self.send_from(span).await;
            }
        };
        if tokio::time::timeout(FAREWELL, farewell).await.is_err() {
            tracing::warn!("the collector of traces did not take the last ones");
        }
    }

    /// Sends a span and those that wait behind it.
    async fn send_from(&mut self, first: SpanData) {
        let mut batch = vec![first];
        while batch.len() < BATCH_MAX
            && let Ok(span) = self.spans.try_recv()
        {
            batch.push(span);
        }
        let count = batch.len();
        match self.exporter.export(batch).await {
            Ok(()) if self.is_away => {
                let dropped = self.dropped.swap(0, Ordering::Relaxed);
                tracing::info!(dropped, "the collector of traces is back");
                self.is_away = false;
            }
            Ok(()) => {}
            Err(error) => {
                self.dropped.fetch_add(count as u64, Ordering::Relaxed);
                if !self.is_away {
                    tracing::warn!(%error, "the collector of traces is away, traces are dropped");
                    self.is_away = true;
                }
            }
        }
    }
}
