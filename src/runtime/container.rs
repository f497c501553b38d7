//! One container from creation to removal.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::cgroup::{self, CgroupParent};
use super::follow::{Follower, LogEnd};
use super::gelf::{GelfDoor, GelfEnd};
use super::judge::{self, EndFacts, LATE_OOM_LIMIT};
use super::measure::Weight;
use super::supervise::Supervisor;
use super::usage::UsageWatch;
use super::{ContainerPlan, RuntimeError, SpoolWriter};
use crate::engine::{Engine, EngineError, ExitWait, InspectedContainer};
use crate::job::{BadExit, Exit};

/// How soon an engine that stops its containers is gone itself.
const ENGINE_LEAVES_LIMIT: Duration = Duration::from_secs(1);
/// An engine that is still there answers long before, also a busy one.
const ENGINE_ANSWERS_LIMIT: Duration = Duration::from_secs(10);
const LATE_OOM_PAUSE: Duration = Duration::from_millis(50);

/// A container that exists on the engine, and has to be removed by [`Container::remove`].
#[derive(Debug)]
#[must_use = "a container stays on the engine until it is removed"]
pub(crate) struct Container {
    engine: Engine,
    id: String,
    plan: ContainerPlan,
    parent: Option<CgroupParent>,
    /// Where it sends its log messages, if it does.
    door: Option<GelfDoor>,
    removed: bool,
}

/// How the container ended and what it took.
#[derive(Debug)]
pub(crate) struct Ended {
    pub exit: Exit,
    pub memory_peak_bytes: Option<u64>,
    /// The highest of samples of memory that could not have been given back.
    pub memory_needed_bytes: Option<u64>,
    /// How often a process was refused because there were too many, where the kernel tells.
    pub fork_refusals: u64,
    pub cpu: Option<Duration>,
    /// From the request to start until the engine said that it runs.
    pub start: Duration,
    pub ran: Duration,
    /// From the container's end to the end of its log.
    pub drain: Duration,
    /// The spool holds everything that was said.
    pub log_complete: bool,
    pub gelf: GelfEnd,
    /// The engine's document about the container, without its environment.
    pub inspect: Value,
}

/// Makes the container and does not start it.
pub(crate) async fn create(engine: &Engine, plan: ContainerPlan) -> Result<Container, RuntimeError> {
    let failed = |source| RuntimeError::Create { name: plan.name.clone(), source };
    let facts = engine.facts().await.map_err(failed)?;
    let parent = CgroupParent::choose(facts, &plan.name);
    let image = engine.inspect_image(plan.image.as_str()).await.map_err(failed)?;
    let volumes = image.map(|image| image.volumes).unwrap_or_default();
    let new = plan.new_container(parent.as_ref().map(CgroupParent::path), facts, &volumes);
    match engine.create_container(new).await {
        Ok(id) => Ok(Container { engine: engine.clone(), id, plan, parent, door: None, removed: false }),
        Err(source) => {
            if matches!(source, EngineError::Silent { .. } | EngineError::Broken { .. }) {
                remove_unsure(engine, &plan.name).await;
            }
            Err(RuntimeError::Create { name: plan.name, source })
        }
    }
}

/// A container that an earlier worker started, to be stood by from now on with [`Container::resume`].
pub(crate) async fn adopt(
    engine: &Engine,
    id: String,
    plan: ContainerPlan,
) -> Result<Container, RuntimeError> {
    let facts = engine.facts().await.map_err(|source| RuntimeError::Watch { id: id.clone(), source })?;
    let parent = CgroupParent::choose(facts, &plan.name);
    Ok(Container { engine: engine.clone(), id, plan, parent, door: None, removed: false })
}

/// The engine may have made the container although we never heard of it.
async fn remove_unsure(engine: &Engine, name: &str) {
    if let Err(error) = engine.remove_container(name).await {
        warn!(container.name = name, %error, "a container may have been left behind; the sweep will find it");
    }
}

impl Container {
    #[cfg(test)]
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// The door that its environment names, heard from its start on.
    pub(crate) fn listen_at(&mut self, door: Option<GelfDoor>) {
        self.door = door;
    }

    /// Starts the container and stands by it until it has ended and its log is spooled. Stops it when it goes over a
    /// limit or `cancel` says so. The container is still there afterwards.
    pub(crate) async fn run(
        &mut self,
        spool: SpoolWriter,
        cancel: &CancellationToken,
    ) -> Result<Ended, RuntimeError> {
        if cancel.is_cancelled() {
            return self.never_ran(BadExit::Cancelled, Duration::ZERO).await;
        }
        let before = self.weigh().await?;
        let asked = Instant::now();
        let watch_failed = |source| RuntimeError::Watch { id: self.id.clone(), source };
        let exit = self.engine.wait_next_exit(&self.id).await.map_err(watch_failed)?;
        if let Err(source) = self.start().await {
            let bad = judge::start_failure(&source, &self.plan.entrypoint, self.plan.memory_bytes);
            return match bad {
                Some(bad) => self.never_ran(bad, asked.elapsed()).await,
                None => Err(RuntimeError::Start { id: self.id.clone(), source }),
            };
        }
        let start = asked.elapsed();
        let time_left = self.plan.timeout;
        self.stand_by(exit, spool, cancel, Since { start, before, time_left }).await
    }

    /// Stands by a container that was started before: its log is read from the beginning, its time limit counts from
    /// its start. `staged` is what lay in the data folder before it began: bytes and files.
    pub(crate) async fn resume(
        &mut self,
        spool: SpoolWriter,
        staged: (u64, u64),
        cancel: &CancellationToken,
    ) -> Result<Ended, RuntimeError> {
        let inspected = self.inspect().await?;
        if !inspected.state.started {
            return Err(RuntimeError::NeverStarted { id: self.id.clone() });
        }
        let ran = started_at(&inspected).map_or(Duration::ZERO, |started| {
            Timestamp::now().duration_since(started).try_into().unwrap_or(Duration::ZERO)
        });
        let time_left = self.plan.timeout.map(|timeout| timeout.saturating_sub(ran));
        let watch_failed = |source| RuntimeError::Watch { id: self.id.clone(), source };
        let exit = self.engine.wait_not_running(&self.id).await.map_err(watch_failed)?;
        let before = Weight::about(staged.0, staged.1);
        self.stand_by(exit, spool, cancel, Since { start: Duration::ZERO, before, time_left }).await
    }

    async fn stand_by(
        &mut self,
        exit: ExitWait,
        spool: SpoolWriter,
        cancel: &CancellationToken,
        since: Since,
    ) -> Result<Ended, RuntimeError> {
        let Since { start, before, time_left } = since;
        let door = self.door.take().map(|door| (door, spool.clone()));
        let follower = Follower::new(self.engine.clone(), self.id.clone(), spool, self.plan.log_bytes_max);
        let parent = self.parent.clone();
        let mut supervisor =
            Supervisor::begin(&self.engine, &self.id, &self.plan, (before, time_left), parent, follower);
        if let Some((door, spool)) = door {
            supervisor.listen_at(door, spool);
        }
        let usage_watch = UsageWatch::begin(&self.engine, &self.id, self.parent.clone()).await;
        let watched = supervisor.watch(exit, cancel).await?;

        let usage = usage_watch.read().await;
        let sampled = usage_watch.sampled();
        let counted_oom = usage.oom_kills.is_some_and(|kills| kills > 0) || sampled.oom_kills > 0;
        let inspected = self.inspect_end(counted_oom, watched.stopped_for.is_some()).await?;
        let is_oom = counted_oom || inspected.state.oom_killed;
        if watched.stopped_for.is_none() && !is_oom && is_signal(inspected.state.exit_code) {
            self.check_engine_stays(watched.ended_unseen).await?;
        }
        let exit = judge::judge(EndFacts {
            stopped_for: watched.stopped_for,
            exit_code: inspected.state.exit_code,
            oom_killed: counted_oom || inspected.state.oom_killed,
            memory_limit_bytes: self.plan.memory_bytes,
            memory_peak_bytes: usage.memory_peak_bytes,
            file_bytes_max: self.plan.file_bytes_max,
            entrypoint: &self.plan.entrypoint,
            log: &watched.log,
        });
        let LogEnd { complete: log_complete, .. } = watched.log;
        Ok(Ended {
            exit,
            memory_peak_bytes: usage.memory_peak_bytes,
            memory_needed_bytes: sampled.needed_bytes,
            fork_refusals: sampled.fork_refusals,
            cpu: usage.cpu,
            start,
            ran: watched.ran,
            drain: watched.drain,
            log_complete,
            gelf: watched.gelf,
            inspect: inspected.document,
        })
    }

    /// Removes the container, running or not, and its cgroup.
    pub(crate) async fn remove(mut self) -> Result<(), RuntimeError> {
        let removed = self.engine.remove_container(&self.id).await;
        // Asked once; after a failure the sweep is responsible, so dropping need not shout as well.
        self.removed = true;
        removed.map_err(|source| RuntimeError::Remove { id: self.id.clone(), source })?;
        if let Some(parent) = &self.parent {
            cgroup::remove_parent(parent.path()).await;
        }
        Ok(())
    }

    /// Paths of the image's own files that were added, changed or removed, parents among them.
    pub(crate) async fn changed_paths(&self) -> Result<Vec<String>, RuntimeError> {
        let failed = |source| RuntimeError::Watch { id: self.id.clone(), source };
        self.engine.changed_paths(&self.id).await.map_err(failed)
    }

    /// What the data folder weighs with its inputs: the rest is the component's.
    async fn weigh(&self) -> Result<Weight, RuntimeError> {
        let path = self.plan.data_folder.clone();
        let depth_max = self.plan.folder_depth_max;
        let weighed = tokio::task::spawn_blocking(move || Weight::of(&path, depth_max)).await;
        let weighed =
            weighed.map_err(|source| RuntimeError::TaskLost { task: "weighs the inputs", source })?;
        weighed.map_err(|source| RuntimeError::Measure { path: self.plan.data_folder.clone(), source })
    }

    /// A start whose answer never came may have happened: then it counts.
    async fn start(&self) -> Result<(), EngineError> {
        let Err(error) = self.engine.start_container(&self.id).await else {
            return Ok(());
        };
        if matches!(error, EngineError::Silent { .. } | EngineError::Broken { .. })
            && self.engine.inspect_container(&self.id).await.is_ok_and(|inspected| inspected.state.started)
        {
            warn!(container.id = self.id, %error, "the container started although the engine did not say so");
            return Ok(());
        }
        Err(error)
    }

    async fn never_ran(&self, bad: BadExit, start: Duration) -> Result<Ended, RuntimeError> {
        let inspected = self.inspect().await?;
        Ok(Ended {
            exit: Exit::Bad(bad),
            memory_peak_bytes: None,
            memory_needed_bytes: None,
            fork_refusals: 0,
            cpu: None,
            start,
            ran: Duration::ZERO,
            drain: Duration::ZERO,
            log_complete: true,
            gelf: GelfEnd::default(),
            inspect: inspected.document,
        })
    }

    async fn inspect(&self) -> Result<InspectedContainer, RuntimeError> {
        let failed = |source| RuntimeError::Watch { id: self.id.clone(), source };
        self.engine.inspect_container(&self.id).await.map_err(failed)
    }

    /// An engine that shuts down stops its containers first: what then looks like a component that died of a signal is
    /// nobody's fault. Such an engine has closed its door by then. Where a service manager holds its socket, the question
    /// waits there for the next engine, which knows nothing of how the last one ended; so it does not wait long.
    async fn check_engine_stays(&self, was_away: bool) -> Result<(), RuntimeError> {
        let left = || RuntimeError::EngineLeft { id: self.id.clone() };
        if was_away {
            return Err(left());
        }
        sleep(ENGINE_LEAVES_LIMIT).await;
        match timeout(ENGINE_ANSWERS_LIMIT, self.engine.wait_not_running(&self.id)).await {
            Ok(Ok(_it_has_ended)) => Ok(()),
            Ok(Err(source)) if source.status().is_some() => {
                Err(RuntimeError::Watch { id: self.id.clone(), source })
            }
            Ok(Err(_)) | Err(_) => Err(left()),
        }
    }

    /// The engine hears of the exit and of the out-of-memory kill separately, and the second may come later.
    async fn inspect_end(
        &self,
        counted_oom: bool,
        stopped_by_us: bool,
    ) -> Result<InspectedContainer, RuntimeError> {
        let give_up_at = Instant::now() + LATE_OOM_LIMIT;
        loop {
            let inspected = self.inspect().await?;
            let oom_killed = counted_oom || inspected.state.oom_killed;
            let late = judge::may_be_late_oom(inspected.state.exit_code, oom_killed, stopped_by_us);
            if !late || Instant::now() >= give_up_at {
                return Ok(inspected);
            }
            sleep(LATE_OOM_PAUSE).await;
        }
    }
}

/// What a container's life is measured from.
struct Since {
    start: Duration,
    before: Weight,
    time_left: Option<Duration>,
}

/// SIGTERM or SIGKILL, as an exit code tells it.
fn is_signal(code: i64) -> bool {
    matches!(code, 137 | 143)
}

fn started_at(inspected: &InspectedContainer) -> Option<Timestamp> {
    inspected.document["State"]["StartedAt"].as_str()?.parse().ok()
}

impl Drop for Container {
    fn drop(&mut self) {
        if !self.removed {
            error!(
                container.id = self.id,
                container.name = self.plan.name,
                "a container was dropped, not removed"
            );
        }
    }
}
