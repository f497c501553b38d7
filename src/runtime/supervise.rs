//! Stands beside a running container until it has ended: one loop, one state, one place that waits.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::follow::{Follower, LogEnd};
use super::measure::{self, OutputLimits};
use super::{ContainerPlan, RuntimeError, SpoolError};
use crate::engine::{Engine, EngineError, ExitWait, SignalOutcome};
use crate::job::BadExit;

/// Between two measurements of `out/`.
const MEASURE_PAUSE: Duration = Duration::from_secs(1);
/// An engine may lose the news of an exit; now and then we look for ourselves.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// The engine itself tries for about 12 seconds to kill.
const KILL_LIMIT: Duration = Duration::from_secs(60);
/// How long a restarting engine may be away.
const ENGINE_AWAY_LIMIT: Duration = Duration::from_secs(60);
const ENGINE_AWAY_PAUSE: Duration = Duration::from_secs(1);

/// What the watch saw.
#[derive(Debug)]
pub(super) struct Watched {
    /// Why we stopped it; nothing when it ended by itself.
    pub(super) stopped_for: Option<BadExit>,
    pub(super) log: LogEnd,
    pub(super) ran: Duration,
    pub(super) drain: Duration,
}

/// Why the container must end.
#[derive(Debug)]
enum Stop {
    Exit(BadExit),
    /// The platform is in trouble; this becomes an error after the container is gone.
    Trouble(RuntimeError),
}

#[derive(Debug, Clone, Copy)]
enum State {
    Running {
        time_up: Option<Instant>,
    },
    /// SIGTERM was sent.
    Asked {
        kill_at: Instant,
    },
    Killed {
        give_up_at: Instant,
    },
    /// It had ended before our signal; the news is on its way.
    Ending,
}

enum Wake {
    Exited(Result<i64, EngineError>),
    Cancelled,
    Task(Option<Result<TaskEnd, JoinError>>),
    TimeUp,
    Look,
}

#[derive(Debug)]
enum TaskEnd {
    Log(Result<LogEnd, SpoolError>),
    Output(io::Result<BadExit>),
}

pub(super) struct Supervisor<'a> {
    engine: &'a Engine,
    id: &'a str,
    plan: &'a ContainerPlan,
    state: State,
    stop: Option<Stop>,
    log: Option<LogEnd>,
    tasks: JoinSet<TaskEnd>,
    /// Tells the follower that the container has ended.
    ended: CancellationToken,
    started: Instant,
}

impl<'a> Supervisor<'a> {
    /// Begins right after the start.
    pub(super) fn begin(
        engine: &'a Engine,
        id: &'a str,
        plan: &'a ContainerPlan,
        follower: Follower,
    ) -> Self {
        let started = Instant::now();
        let ended = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let follower_ended = ended.clone();
        tasks.spawn(async move { TaskEnd::Log(follower.run(follower_ended).await) });
        let limits = OutputLimits {
            bytes_max: plan.output_bytes_max,
            files_max: plan.output_files_max,
        };
        let data_folder = plan.data_folder.clone();
        tasks.spawn(async move { TaskEnd::Output(watch_output(data_folder, limits).await) });
        let state = State::Running {
            time_up: plan.timeout.map(|timeout| started + timeout),
        };
        Self {
            engine,
            id,
            plan,
            state,
            stop: None,
            log: None,
            tasks,
            ended,
            started,
        }
    }

    /// Watches to the end, whoever brings it about. The container is stopped when it comes back, unless the error is
    /// that it would not, or that the engine is gone.
    pub(super) async fn watch(
        mut self,
        mut exit: ExitWait,
        cancel: &CancellationToken,
    ) -> Result<Watched, RuntimeError> {
        let mut look_at = Instant::now() + LOOK_INTERVAL;
        loop {
            let wake = self.wake(&mut exit, cancel, look_at).await;
            match wake {
                Wake::Exited(Ok(_code)) => break,
                Wake::Exited(Err(error)) => {
                    warn!(container.id = self.id, %error, "the wait for the container broke off");
                    match self.find_again().await? {
                        Some(again) => exit = again,
                        None => break,
                    }
                }
                Wake::Cancelled => self.ask_to_end(Stop::Exit(BadExit::Cancelled)).await,
                Wake::Task(task) => self.task_ended(task).await,
                Wake::TimeUp => self.time_up().await?,
                Wake::Look => {
                    look_at = Instant::now() + LOOK_INTERVAL;
                    if self.has_ended().await {
                        break;
                    }
                }
            }
        }
        self.wind_up().await
    }

    async fn wake(&mut self, exit: &mut ExitWait, cancel: &CancellationToken, look_at: Instant) -> Wake {
        let running = matches!(self.state, State::Running { .. });
        let time_up = match self.state {
            State::Running { time_up } => time_up,
            State::Asked { kill_at } => Some(kill_at),
            State::Killed { give_up_at } => Some(give_up_at),
            State::Ending => None,
        };
        tokio::select! {
            // The exit first: a container that has ended by itself was not stopped by us.
            biased;
            exited = exit.exit_code() => Wake::Exited(exited),
            () = cancel.cancelled(), if running => Wake::Cancelled,
            task = self.tasks.join_next(), if !self.tasks.is_empty() => Wake::Task(task),
            () = sleep_until(time_up.unwrap_or(look_at)), if time_up.is_some() => Wake::TimeUp,
            () = sleep_until(look_at) => Wake::Look,
        }
    }

    async fn time_up(&mut self) -> Result<(), RuntimeError> {
        match self.state {
            State::Running { .. } => {
                let limit = self.plan.timeout.unwrap_or_default();
                self.ask_to_end(Stop::Exit(BadExit::TimeLimit { limit })).await;
                Ok(())
            }
            State::Asked { .. } => {
                self.state = State::Killed {
                    give_up_at: Instant::now() + KILL_LIMIT,
                };
                self.signal("SIGKILL").await;
                Ok(())
            }
            State::Killed { .. } => Err(RuntimeError::WillNotDie {
                id: self.id.into(),
                after: KILL_LIMIT,
            }),
            State::Ending => Ok(()),
        }
    }

    /// SIGTERM, and the reason kept. The first reason stays.
    async fn ask_to_end(&mut self, reason: Stop) {
        if !matches!(self.state, State::Running { .. }) {
            return;
        }
        info!(container.id = self.id, ?reason, "the container is asked to end");
        self.stop = Some(reason);
        self.state = State::Asked {
            kill_at: Instant::now() + self.plan.grace,
        };
        if self.signal("SIGTERM").await == Some(SignalOutcome::NotRunning) {
            self.state = State::Ending;
            // It was faster than our reason; trouble of the platform stays trouble.
            self.stop = self.stop.take().filter(|stop| matches!(stop, Stop::Trouble(_)));
        }
    }

    /// A signal that cannot be sent is followed by the next, harder step at its time.
    async fn signal(&self, signal: &str) -> Option<SignalOutcome> {
        match self.engine.signal_container(self.id, signal).await {
            Ok(outcome) => Some(outcome),
            Err(error) => {
                warn!(container.id = self.id, signal, %error, "the container could not be signalled");
                None
            }
        }
    }

    async fn task_ended(&mut self, task: Option<Result<TaskEnd, JoinError>>) {
        let reason = match task {
            None | Some(Ok(TaskEnd::Log(Ok(LogEnd { excess: None, .. })))) => {
                if let Some(Ok(TaskEnd::Log(Ok(log)))) = task {
                    self.log = Some(log);
                }
                return;
            }
            Some(Ok(TaskEnd::Log(Ok(log)))) => {
                let found = log.excess.unwrap_or_default();
                self.log = Some(log);
                Stop::Exit(BadExit::SizeLimit {
                    what: "log",
                    limit: self.plan.log_bytes_max,
                    found,
                })
            }
            Some(Ok(TaskEnd::Log(Err(source)))) => Stop::Trouble(RuntimeError::Spool {
                id: self.id.into(),
                source,
            }),
            Some(Ok(TaskEnd::Output(Ok(excess)))) => Stop::Exit(excess),
            Some(Ok(TaskEnd::Output(Err(source)))) => Stop::Trouble(RuntimeError::Measure {
                path: self.plan.data_folder.clone(),
                source,
            }),
            Some(Err(source)) => Stop::Trouble(RuntimeError::TaskLost {
                task: "watches the container",
                source,
            }),
        };
        self.ask_to_end(reason).await;
    }

    async fn has_ended(&self) -> bool {
        match self.engine.inspect_container(self.id).await {
            Ok(inspected) => inspected.state.started && !inspected.state.running,
            Err(error) => {
                warn!(container.id = self.id, %error, "the container could not be looked at");
                false
            }
        }
    }

    /// After the wait broke off: a new one where the container still runs, `None` where it has ended. An engine that
    /// restarts is given some time.
    async fn find_again(&self) -> Result<Option<ExitWait>, RuntimeError> {
        let give_up_at = Instant::now() + ENGINE_AWAY_LIMIT;
        loop {
            let found = match self.engine.inspect_container(self.id).await {
                Ok(inspected) if inspected.state.started && !inspected.state.running => return Ok(None),
                Ok(_running) => self.engine.wait_not_running(self.id).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(exit) => return Ok(Some(exit)),
                Err(source) if source.status() == Some(404) || Instant::now() >= give_up_at => {
                    return Err(RuntimeError::Watch {
                        id: self.id.into(),
                        source,
                    });
                }
                Err(_away) => sleep(ENGINE_AWAY_PAUSE).await,
            }
        }
    }

    /// The container has ended: read the log to its end and measure once more what it left.
    async fn wind_up(mut self) -> Result<Watched, RuntimeError> {
        let ran = self.started.elapsed();
        let ended_at = Instant::now();
        self.state = State::Ending;
        self.ended.cancel();
        let mut late = None;
        while self.log.is_none() && !matches!(self.stop, Some(Stop::Trouble(_))) {
            match self.tasks.join_next().await {
                Some(Ok(TaskEnd::Log(Ok(log)))) => {
                    late = late.or(log.excess.map(|found| self.log_limit(found)));
                    self.log = Some(log);
                }
                Some(Ok(TaskEnd::Log(Err(source)))) => {
                    return Err(RuntimeError::Spool {
                        id: self.id.into(),
                        source,
                    });
                }
                Some(Ok(TaskEnd::Output(Ok(excess)))) => late = Some(excess),
                Some(Ok(TaskEnd::Output(Err(source)))) => {
                    return Err(RuntimeError::Measure {
                        path: self.plan.data_folder.clone(),
                        source,
                    });
                }
                Some(Err(source)) => {
                    return Err(RuntimeError::TaskLost {
                        task: "watches the container",
                        source,
                    });
                }
                None => break,
            }
        }
        let stopped_for = match self.stop.take() {
            Some(Stop::Trouble(error)) => return Err(error),
            Some(Stop::Exit(reason)) => Some(reason),
            None => late,
        };
        let stopped_for = match stopped_for {
            Some(reason) => Some(reason),
            None => self.last_measure().await?,
        };
        let log = self.log.unwrap_or(LogEnd {
            complete: false,
            only_line: None,
            excess: None,
        });
        Ok(Watched {
            stopped_for,
            log,
            ran,
            drain: ended_at.elapsed(),
        })
    }

    fn log_limit(&self, found: u64) -> BadExit {
        BadExit::SizeLimit {
            what: "log",
            limit: self.plan.log_bytes_max,
            found,
        }
    }

    /// A container may write everything in its last second.
    async fn last_measure(&self) -> Result<Option<BadExit>, RuntimeError> {
        let limits = OutputLimits {
            bytes_max: self.plan.output_bytes_max,
            files_max: self.plan.output_files_max,
        };
        measure_once(self.plan.data_folder.clone(), limits)
            .await
            .map_err(|source| RuntimeError::Measure {
                path: self.plan.data_folder.clone(),
                source,
            })
    }
}

/// Measures until a limit is exceeded. Ends only then, or with trouble.
async fn watch_output(data_folder: PathBuf, limits: OutputLimits) -> io::Result<BadExit> {
    loop {
        sleep(MEASURE_PAUSE).await;
        if let Some(excess) = measure_once(data_folder.clone(), limits).await? {
            return Ok(excess);
        }
    }
}

async fn measure_once(data_folder: PathBuf, limits: OutputLimits) -> io::Result<Option<BadExit>> {
    tokio::task::spawn_blocking(move || measure::exceeded(&data_folder, limits))
        .await
        .map_err(io::Error::other)?
}
