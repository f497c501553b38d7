//! Log lines.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tracing_subscriber::fmt::MakeWriter;

use super::super::log::subscriber;
use super::super::{Log, LogFormat};

/// Takes what is logged.
#[derive(Debug, Clone, Default)]
struct Paper(Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'p> MakeWriter<'p> for Paper {
    type Writer = Self;

    fn make_writer(&'p self) -> Self {
        self.clone()
    }
}

/// What is written while a job says something in a span of its own, and the house something outside of it.
fn written(format: LogFormat) -> String {
    let paper = Paper::default();
    let log = Log { format, filter: "info".into(), has_colour: false };
    tracing::subscriber::with_default(subscriber(&log, paper.clone()), || {
        let job = tracing::info_span!("job", job.id = "j-1", attempt = 2_u64);
        job.in_scope(|| {
            tracing::info_span!("upload", table = "out.c-main.a").in_scope(|| {
                tracing::warn!(
                    error = "disk \"full\"\n",
                    tries = 3_u64,
                    is_last = true,
                    "an upload was \u{1b}[31mlost"
                );
            });
            tracing::debug!("not asked for");
        });
        tracing::info!("the worker has started");
    });
    let bytes = paper.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_json_line_is_flat_and_has_the_job_of_the_span_it_was_said_in() {
    let text = written(LogFormat::Json);
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &mut lines {
        let time: jiff::Timestamp = line["time"].as_str().unwrap().parse().unwrap();
        assert!(time.duration_since(jiff::Timestamp::now()).as_secs().abs() < 3600);
        assert!(line["time"].as_str().unwrap().ends_with('Z'), "{line}");
        line.as_object_mut().unwrap().remove("time");
    }
    let target = "longshore::telemetry::tests::lines";
    assert_eq!(
        lines,
        [
            json!({
                "level": "warn", "target": target, "message": "an upload was \u{1b}[31mlost", "job.id": "j-1",
                "attempt": 2, "table": "out.c-main.a", "error": "disk \"full\"\n", "tries": 3, "is_last": true
            }),
            json!({ "level": "info", "target": target, "message": "the worker has started" }),
        ]
    );
}

#[test]
fn a_text_line_has_the_job_too_and_no_escape_sequences_of_others() {
    let text = written(LogFormat::Text);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].contains("job{job.id=\"j-1\" attempt=2}:upload{table=\"out.c-main.a\"}"), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    assert!(lines.iter().all(|line| line.split(' ').next().unwrap().ends_with('Z')), "{text}");
}
