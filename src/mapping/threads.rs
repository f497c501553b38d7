//! File work runs on blocking threads, never on the threads that drive the job. This is the one way there.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::thread::available_parallelism;

/// Runs `deed` on a blocking thread. A panic in it goes on in the caller.
pub(super) async fn blocking<T: Send + 'static>(deed: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(deed).await {
        Ok(value) => value,
        // A blocking task is cancelled only when the whole runtime goes down, and then nobody waits here.
        Err(ended) => resume_unwind(match ended.try_into_panic() {
            Ok(panic) => panic,
            Err(cancelled) => Box::new(cancelled.to_string()),
        }),
    }
}

/// How many files are worked on at once: one per core, as every one of them keeps a core busy.
pub(super) fn at_once() -> usize {
    available_parallelism().map_or(2, NonZero::get)
}
