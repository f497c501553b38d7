//! Waiting for a container's end, with the certainty that the engine is listening before we go on: without it a short
//! container may start and end unseen.

use serde::Deserialize;

use super::plain::PlainAnswer;
use super::{Engine, EngineError};

/// The engine has said that it is listening for the container's end.
#[derive(Debug)]
pub(crate) struct ExitWait {
    answer: PlainAnswer,
}

#[derive(Deserialize)]
struct WaitAnswer {
    #[serde(rename = "StatusCode")]
    status_code: i64,
}

impl Engine {
    /// Asks for the next exit of a container that was not started yet. Returns once the engine listens.
    pub(crate) async fn wait_next_exit(&self, id: &str) -> Result<ExitWait, EngineError> {
        self.wait(id, "next-exit").await
    }

    /// Asks for the end of a container that was started; one that has ended already answers at once.
    pub(crate) async fn wait_not_running(&self, id: &str) -> Result<ExitWait, EngineError> {
        self.wait(id, "not-running").await
    }

    async fn wait(&self, id: &str, condition: &str) -> Result<ExitWait, EngineError> {
        let target = format!("/containers/{id}/wait?condition={condition}");
        let answer = self.speak("wait for", format!("container {id}"), "POST", &target).await?;
        Ok(ExitWait { answer })
    }
}

impl ExitWait {
    /// Waits for the exit code, as long as the container runs: no deadline of its own, and an engine that vanishes
    /// without a word is not noticed, so the caller looks at the container now and then. May be dropped and called
    /// again.
    pub(crate) async fn exit_code(&mut self) -> Result<i64, EngineError> {
        while self.answer.more().await? {}
        serde_json::from_slice::<WaitAnswer>(&self.answer.body)
            .map(|answer| answer.status_code)
            .map_err(|error| self.answer.broken(error))
    }
}
