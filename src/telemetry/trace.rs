//! A job as a trace: one span for an attempt, one below it for each phase. The trace id is the job's id, so that whoever
//! has the one finds the other. Spans are handed to the exporter when they end; where there is none they cost nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use opentelemetry::trace::{SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{IdGenerator as _, RandomIdGenerator, SpanData, SpanEvents, SpanLinks};
use tokio::sync::mpsc;

use crate::job::{AttemptNumber, ComponentId, ConfigurationId, FailureCode, JobId, JobStatus, Phase};

/// The door to the exporter. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Traces {
    queue: Option<SpanQueue>,
}

#[derive(Debug, Clone)]
struct SpanQueue {
    spans: mpsc::Sender<SpanData>,
    dropped: Arc<AtomicU64>,
}

impl SpanQueue {
    /// Never waits: a collector that is slow or away costs spans, not jobs.
    fn put(&self, span: SpanData) {
        if self.spans.try_send(span).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Traces {
    pub(super) fn to(spans: mpsc::Sender<SpanData>, dropped: Arc<AtomicU64>) -> Self {
        Self { queue: Some(SpanQueue { spans, dropped }) }
    }

    /// Begins the span of an attempt.
    pub(crate) fn job(
        &self,
        job: JobId,
        attempt: AttemptNumber,
        component: &ComponentId,
        configuration: Option<&ConfigurationId>,
    ) -> JobTrace {
        let Some(queue) = self.queue.clone() else {
            return JobTrace { open: None };
        };
        // An id of sixteen bytes is exactly what a trace is named by.
        let trace = TraceId::from_hex(&job.to_string().replace('-', "")).unwrap_or(TraceId::INVALID);
        let mut attributes = vec![
            KeyValue::new("job.id", job.to_string()),
            KeyValue::new("job.attempt", i64::from(attempt.0)),
            KeyValue::new("component.id", component.to_string()),
        ];
        if let Some(configuration) = configuration {
            attributes.push(KeyValue::new("configuration.id", configuration.to_string()));
        }
        let root = Span::begin("job".into(), SpanId::INVALID, attributes);
        JobTrace { open: Some(Box::new(Open { queue, trace, root, phase: None })) }
    }
}

/// The trace of an attempt that is on its way. One that is dropped without an end is never sent.
#[derive(Debug)]
#[must_use = "a trace is sent when it ends"]
pub(crate) struct JobTrace {
    open: Option<Box<Open>>,
}

#[derive(Debug)]
struct Open {
    queue: SpanQueue,
    trace: TraceId,
    root: Span,
    phase: Option<Span>,
}

impl JobTrace {
    /// A phase begins, and so ends the one before it.
    pub(crate) fn enter(&mut self, phase: Phase) {
        if let Some(open) = &mut self.open {
            open.end_phase();
            open.phase = Some(Span::begin(phase.as_str().into(), open.root.id, Vec::new()));
        }
    }

    /// `status` is the job's, or `waiting` where the attempt was put back.
    pub(crate) fn end(self, status: JobStatus, code: Option<FailureCode>) {
        let Some(open) = self.open else {
            return;
        };
        let mut open = *open;
        open.end_phase();
        let Open { queue, trace, mut root, phase: _ } = open;
        root.attributes.push(KeyValue::new("job.status", status.as_str()));
        let mut ended = Status::Ok;
        if let Some(code) = code {
            root.attributes.push(KeyValue::new("error.code", code.as_str()));
            root.attributes.push(KeyValue::new("error.blame", code.blame().as_str()));
            ended = Status::error(code.as_str());
        }
        queue.put(root.end(trace, ended));
    }
}

impl Open {
    fn end_phase(&mut self) {
        if let Some(phase) = self.phase.take() {
            self.queue.put(phase.end(self.trace, Status::Unset));
        }
    }
}

/// A span that has not ended.
#[derive(Debug)]
struct Span {
    id: SpanId,
    parent: SpanId,
    name: Cow<'static, str>,
    began: SystemTime,
    attributes: Vec<KeyValue>,
}

impl Span {
    fn begin(name: Cow<'static, str>, parent: SpanId, attributes: Vec<KeyValue>) -> Self {
        let id = RandomIdGenerator::default().new_span_id();
        Self { id, parent, name, began: SystemTime::now(), attributes }
    }

    fn end(self, trace: TraceId, status: Status) -> SpanData {
        SpanData {
            span_context: SpanContext::new(trace, self.id, TraceFlags::SAMPLED, false, TraceState::default()),
            parent_span_id: self.parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: self.name,
            start_time: self.began,
            end_time: SystemTime::now(),
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status,
            instrumentation_scope: InstrumentationScope::builder("longshore")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }
}
