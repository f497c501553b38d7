//! Stands beside a running container until it has ended: one loop, one state, one place that waits.

use std::io;
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::cgroup::CgroupParent;
use super::follow::{Follower, LogEnd};
use super::gelf::{GelfDoor, GelfEnd};
use super::measure::{Weight, WriteLimits};
use super::watchdog::Watchdog;
use super::{ContainerPlan, RuntimeError, SpoolError, SpoolWriter};
use crate::engine::{Engine, EngineError, ExitWait, SignalOutcome};
use crate::job::{BadExit, SizeKind};

/// An engine may lose the news of an exit; now and then we look for ourselves.
const LOOK_INTERVAL: Duration = Duration::from_secs(30);
/// How soon the news of an exit comes when a signal found nothing to signal.
const NEWS_LIMIT: Duration = Duration::from_secs(5);
/// The engine itself tries for about 12 seconds to kill.
const KILL_LIMIT: Duration = Duration::from_secs(60);
const ENGINE_AWAY_PAUSE: Duration = Duration::from_secs(1);

/// What the watch saw.
#[derive(Debug)]
pub(super) struct Watched {
    /// Why we stopped it; nothing when it ended by itself.
    pub(super) stopped_for: Option<BadExit>,
    pub(super) log: LogEnd,
    pub(super) gelf: GelfEnd,
    pub(super) ran: Duration,
    pub(super) drain: Duration,
    /// The container ended while the engine was away.
    pub(super) ended_unseen: bool,
}

/// Why the container must end.
#[derive(Debug)]
enum Stop {
    Exit(BadExit),
    /// The platform is in trouble; this becomes an error after the container is gone.
    Trouble(RuntimeError),
}

impl Stop {
    /// Whether it still holds when the container had ended before our signal came.
    fn outlives_the_end(&self) -> bool {
        match self {
            Self::Trouble(_) | Self::Exit(BadExit::SizeLimit { .. } | BadExit::DiskReserve { .. }) => true,
            Self::Exit(
                BadExit::Code(_)
                | BadExit::OutOfMemory { .. }
                | BadExit::TimeLimit { .. }
                | BadExit::Cancelled
                | BadExit::CouldNotStart(_),
            ) => false,
        }
    }
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
    /// It had ended before our signal; the news is on its way, or lost.
    Ending {
        look_at: Instant,
    },
}

enum Wake {
    Exited(Result<i64, EngineError>),
    Cancelled,
    Task(Result<TaskEnd, JoinError>),
    TimeUp,
    Look,
}

#[derive(Debug)]
enum TaskEnd {
    Log(Result<LogEnd, SpoolError>),
    Gelf(Result<GelfEnd, SpoolError>),
    Output(io::Result<Option<BadExit>>),
}

pub(super) struct Supervisor<'a> {
    engine: &'a Engine,
    id: &'a str,
    plan: &'a ContainerPlan,
    state: State,
    stop: Option<Stop>,
    log: Option<LogEnd>,
    gelf: GelfEnd,
    tasks: JoinSet<TaskEnd>,
    /// Tells the tasks that the container has ended; then they end too.
    ended: CancellationToken,
    started: Instant,
    /// The container ended while the engine was away.
    ended_unseen: bool,
}

impl<'a> Supervisor<'a> {
    /// Begins right after the start.
    pub(super) fn begin(
        engine: &'a Engine,
        id: &'a str,
        plan: &'a ContainerPlan,
        (before, time_left): (Weight, Option<Duration>),
        parent: Option<CgroupParent>,
        follower: Follower,
    ) -> Self {
        let started = Instant::now();
        let ended = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let logged = [follower.spooled(), follower.filed()];
        let follower_ended = ended.clone();
        tasks.spawn(async move { TaskEnd::Log(follower.run(follower_ended).await) });
        let watchdog = Watchdog {
            engine: engine.clone(),
            id: id.to_owned(),
            data_folder: plan.data_folder.clone(),
            before,
            limits: WriteLimits {
                bytes_max: plan.output_bytes_max,
                files_max: plan.output_files_max,
                file_bytes_max: plan.file_bytes_max,
                levels: plan.folder_depth_max,
            },
            is_root_writable: !plan.read_only_root,
            guard: plan.disk_guard.clone(),
            parent,
            logged,
        };
        let watchdog_ended = ended.clone();
        tasks.spawn(async move { TaskEnd::Output(watchdog.watch(watchdog_ended).await) });
        let state = State::Running { time_up: time_left.map(|left| started + left) };
        Self {
            engine,
            id,
            plan,
            state,
            stop: None,
            log: None,
            gelf: GelfEnd::default(),
            tasks,
            ended,
            started,
            ended_unseen: false,
        }
    }

    /// Hears what the container sends to this door too.
    pub(super) fn listen_at(&mut self, door: GelfDoor, spool: SpoolWriter) {
        let (ended, bytes_max) = (self.ended.clone(), self.plan.log_bytes_max);
        self.tasks.spawn(async move { TaskEnd::Gelf(door.hear(spool, bytes_max, ended).await) });
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
                    let Some(again) = self.find_again().await? else {
                        self.ended_unseen = true;
                        break;
                    };
                    exit = again;
                }
                Wake::Cancelled => self.ask_to_end(Stop::Exit(BadExit::Cancelled)).await,
                Wake::Task(task) => {
                    if let Some(reason) = self.heard(task) {
                        self.ask_to_end(reason).await;
                    }
                }
                Wake::TimeUp => {
                    if self.time_up().await? {
                        break;
                    }
                }
                Wake::Look => {
                    look_at = Instant::now() + LOOK_INTERVAL;
                    if self.has_ended().await? {
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
            State::Ending { look_at } => Some(look_at),
        };
        tokio::select! {
            // The exit first: a container that has ended by itself was not stopped by us.
            biased;
            exited = exit.exit_code() => Wake::Exited(exited),
            () = cancel.cancelled(), if running => Wake::Cancelled,
            Some(task) = self.tasks.join_next() => Wake::Task(task),
            () = sleep_until(time_up.unwrap_or(look_at)), if time_up.is_some() => Wake::TimeUp,
            () = sleep_until(look_at) => Wake::Look,
        }
    }

    /// Takes the next, harder step; true where there is nothing left to stop.
    async fn time_up(&mut self) -> Result<bool, RuntimeError> {
        match self.state {
            State::Running { .. } => {
                let limit = self.plan.timeout.unwrap_or_default();
                self.ask_to_end(Stop::Exit(BadExit::TimeLimit { limit })).await;
                Ok(false)
            }
            State::Asked { .. } => {
                self.state = State::Killed { give_up_at: Instant::now() + KILL_LIMIT };
                self.signal("SIGKILL").await;
                Ok(false)
            }
            State::Killed { .. } => Err(RuntimeError::WillNotDie { id: self.id.into(), after: KILL_LIMIT }),
            State::Ending { .. } => {
                self.state = State::Ending { look_at: Instant::now() + NEWS_LIMIT };
                self.has_ended().await
            }
        }
    }

    /// SIGTERM, and the reason kept.
    async fn ask_to_end(&mut self, reason: Stop) {
        if !matches!(self.state, State::Running { .. }) {
            self.keep_reason(reason);
            return;
        }
        info!(container.id = self.id, ?reason, "the container is asked to end");
        self.stop = Some(reason);
        self.state = State::Asked { kill_at: Instant::now() + self.plan.grace };
        if self.signal("SIGTERM").await == Some(SignalOutcome::NotRunning) {
            self.state = State::Ending { look_at: Instant::now() + NEWS_LIMIT };
            self.stop = self.stop.take().filter(Stop::outlives_the_end);
        }
    }

    /// The first reason stays, but trouble of the platform comes before any verdict on the component.
    fn keep_reason(&mut self, reason: Stop) {
        match (&self.stop, &reason) {
            (Some(Stop::Trouble(_)), _) | (Some(Stop::Exit(_)), Stop::Exit(_)) => {}
            (None, _) | (Some(Stop::Exit(_)), Stop::Trouble(_)) => self.stop = Some(reason),
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

    /// What a task found, and whether the container must end for it.
    fn heard(&mut self, task: Result<TaskEnd, JoinError>) -> Option<Stop> {
        match task {
            Ok(TaskEnd::Log(Ok(log))) => {
                let limit = self.plan.log_bytes_max;
                let excess = log.excess.map(|found| BadExit::SizeLimit { what: SizeKind::Log, limit, found });
                self.log = Some(log);
                excess.map(Stop::Exit)
            }
            Ok(TaskEnd::Gelf(Ok(gelf))) => {
                self.gelf = gelf;
                let limit = self.plan.log_bytes_max;
                let excess =
                    gelf.excess.map(|found| BadExit::SizeLimit { what: SizeKind::Log, limit, found });
                excess.map(Stop::Exit)
            }
            Ok(TaskEnd::Output(Ok(excess))) => excess.map(Stop::Exit),
            Ok(TaskEnd::Log(Err(source)) | TaskEnd::Gelf(Err(source))) => {
                Some(Stop::Trouble(RuntimeError::Spool { id: self.id.into(), source }))
            }
            Ok(TaskEnd::Output(Err(source))) => {
                Some(Stop::Trouble(RuntimeError::Measure { path: self.plan.data_folder.clone(), source }))
            }
            Err(source) => {
                Some(Stop::Trouble(RuntimeError::TaskLost { task: "watches the container", source }))
            }
        }
    }

    /// An engine that does not answer is given time; one that says there is no such container is believed.
    async fn has_ended(&self) -> Result<bool, RuntimeError> {
        match self.engine.inspect_container(self.id).await {
            Ok(inspected) => Ok(inspected.state.started && !inspected.state.running),
            Err(source) if source.status() == Some(404) => {
                Err(RuntimeError::Watch { id: self.id.into(), source })
            }
            Err(error) => {
                warn!(container.id = self.id, %error, "the container could not be looked at");
                Ok(false)
            }
        }
    }

    /// After the wait broke off: a new one where the container still runs, `None` where it has ended. An engine that
    /// restarts is given some time.
    async fn find_again(&self) -> Result<Option<ExitWait>, RuntimeError> {
        let give_up_at = Instant::now() + self.plan.engine_patience;
        loop {
            let found = match self.engine.inspect_container(self.id).await {
                Ok(inspected) if inspected.state.started && !inspected.state.running => return Ok(None),
                Ok(_running) => self.engine.wait_not_running(self.id).await,
                Err(error) => Err(error),
            };
            match found {
                Ok(exit) => return Ok(Some(exit)),
                Err(source) if source.status() == Some(404) || Instant::now() >= give_up_at => {
                    return Err(RuntimeError::Watch { id: self.id.into(), source });
                }
                Err(_away) => sleep(ENGINE_AWAY_PAUSE).await,
            }
        }
    }

    /// The container has ended: the tasks read the log to its end and measure once more what it left.
    async fn wind_up(mut self) -> Result<Watched, RuntimeError> {
        let ran = self.started.elapsed();
        let ended_at = Instant::now();
        self.ended.cancel();
        while let Some(task) = self.tasks.join_next().await {
            if let Some(reason) = self.heard(task) {
                self.keep_reason(reason);
            }
        }
        let stopped_for = match self.stop {
            Some(Stop::Trouble(error)) => return Err(error),
            Some(Stop::Exit(reason)) => Some(reason),
            None => None,
        };
        let log = self.log.unwrap_or(LogEnd { complete: false, only_line: None, excess: None });
        let (gelf, ended_unseen) = (self.gelf, self.ended_unseen);
        Ok(Watched { stopped_for, log, gelf, ran, drain: ended_at.elapsed(), ended_unseen })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::Scarce;

    /// A component that ends in the moment of the signal keeps what it wrote too much of, and nothing else.
    #[test]
    fn what_was_written_stays_too_much_although_the_component_ended_by_itself() {
        let what = SizeKind::DataFolder;
        let wrote = BadExit::SizeLimit { what, limit: 1, found: 2 };
        let filled = BadExit::DiskReserve { what: Scarce::Bytes, written: 1, free: 1, reserve: 2 };
        let late = BadExit::TimeLimit { limit: Duration::from_secs(1) };
        let outlives =
            [wrote, filled, late, BadExit::Cancelled].map(|exit| Stop::Exit(exit).outlives_the_end());
        assert_eq!(outlives, [true, true, false, false]);
    }
}
