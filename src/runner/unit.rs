//! One unit of a job: a data folder, a container, a commit.

use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use super::adopt::Note;
use super::enclosed::{self, Enclosed};
use super::environment::environment;
use super::listen::{Ear, Known, listen};
use super::record::Record;
use super::resolve::{self, Planned};
use super::so_far::SoFar;
use super::warden::Warden;
use super::{Job, debug, leftover, limits_told, logger};
use crate::blob::Delivery;
use crate::configuration::Unit;
use crate::engine::{ContainerNetwork, EngineError};
use crate::events::{LastWords, Level};
use crate::failure::{self, Stop};
use crate::image::ResolvedImage;
use crate::job::{BadExit, Exit, FileId, Phase, Receipt, Usage};
use crate::mapping::{self, DataFolder, InputsSeen, StagedFile, StagedTable};
use crate::result::{FilePart, InputTablePart};
use crate::runtime::{ContainerPlan, Ended, GelfDoor, SpoolWriter};

/// A disk with no more room than this is full: a component could write no file of any use.
const ROOM_NONE: u64 = 256 << 10;

/// What comes after this unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Next {
    AnotherUnit,
    /// This unit's commit ends the job.
    EndOfJob,
}

/// Whether the container is still to be started.
#[derive(Debug)]
pub(super) enum Beginning {
    Fresh,
    /// Another worker started it. Some of its events are in the catalog already.
    Resumed {
        known: Known,
    },
}

#[derive(Debug, Clone, Copy)]
pub(super) struct UnitRun<'a> {
    pub(super) job: &'a Job<'a>,
    pub(super) unit: &'a Unit,
    /// Place among the units that run.
    pub(super) index: usize,
    /// `None` where no container is run.
    pub(super) image: Option<&'a ResolvedImage>,
    pub(super) so_far: &'a SoFar,
    pub(super) next: Next,
}

/// What remains to be known of the inputs once the component has them.
#[derive(Debug)]
pub(super) struct Staged {
    pub(super) bytes: u64,
    pub(super) files: u64,
    /// How far the inputs are read when this run succeeds.
    pub(super) seen: InputsSeen,
    pub(super) processed_tags: Vec<(FileId, Vec<String>)>,
}

impl Staged {
    fn of(tables: &[StagedTable], files: &[StagedFile], planned: &Planned) -> Self {
        let bytes = tables.iter().map(|table| table.bytes).chain(files.iter().map(|file| file.bytes)).sum();
        Self {
            bytes,
            files: (tables.len() + files.len()) as u64,
            seen: planned.state.seen.after(&planned.fetches, &planned.files),
            processed_tags: mapping::processed_tags(&planned.files),
        }
    }
}

impl UnitRun<'_> {
    /// Runs the unit in a folder of its own, which is gone afterwards however the unit ended.
    pub(super) async fn run(&self, record: &mut Record<'_>) -> Result<Receipt, Stop> {
        let planned = resolve::plan(self.job.runner, self.job.order, self.unit).await?;
        let folder = self.make_folder().await?;
        let ended = Box::pin(self.run_in(&folder, planned, record)).await;
        self.clear(&folder, ended, record).await
    }

    /// Keeps of the folder what somebody will want to see, and removes it.
    pub(super) async fn clear(
        &self,
        folder: &DataFolder,
        ended: Result<Receipt, Stop>,
        record: &mut Record<'_>,
    ) -> Result<Receipt, Stop> {
        self.job.hold(Phase::Cleanup).await;
        let since = Instant::now();
        let is_settled = ended.is_ok() || !self.may_be_kept(folder).await;
        let kept = leftover::keep(self, folder, is_settled).await;
        let removed = folder.remove().await;
        record.note(Phase::Cleanup, since.elapsed(), 0);
        if let Some(line) = kept {
            self.job.scribe.say(Level::Notice, &line, self.job.news).await;
        }
        if let Err(error) = removed {
            // It holds the configuration with its secrets: somebody should know.
            let line = format!("the data folder stays until the next sweep: {}", failure::chain(&error));
            self.job.scribe.say(Level::Warning, &line, self.job.news).await;
        }
        ended
    }

    /// Creates the container while the inputs are staged; collects and publishes while it is removed.
    async fn run_in(
        &self,
        folder: &DataFolder,
        planned: Planned,
        record: &mut Record<'_>,
    ) -> Result<Receipt, Stop> {
        self.job.enter(record, Phase::Stage).await?;
        let largest_input_bytes = planned.largest_input_bytes();
        let creating = self.create(folder, largest_input_bytes);
        let (staged, created) = tokio::join!(self.stage(folder, planned, record), creating);
        let (enclosed, create_took) = created?;
        let staged = match staged {
            Ok(staged) => staged,
            Err(stop) => {
                enclosed::remove(self.job, enclosed).await;
                return Err(stop);
            }
        };
        record.note(Phase::Create, create_took, 0);
        let Some(enclosed) = enclosed else {
            return Ok(Receipt::default());
        };
        Box::pin(self.run_container(enclosed, folder, (staged, Beginning::Fresh), record)).await
    }

    pub(super) async fn run_container(
        &self,
        mut enclosed: Enclosed,
        folder: &DataFolder,
        (staged, beginning): (Staged, Beginning),
        record: &mut Record<'_>,
    ) -> Result<Receipt, Stop> {
        let ran = self.watch(&mut enclosed, folder, (&staged, beginning), record).await;
        if let (Some(examiner), Ok((ended, words))) = (&self.job.runner.examiner, &ran) {
            Box::pin(examiner.look(&enclosed.container, ended, words)).await;
        }
        let removal = async {
            let since = Instant::now();
            enclosed::remove(self.job, Some(enclosed)).await;
            since.elapsed()
        };
        let publishing = async {
            // Whatever went wrong, what was said until then is what explains it.
            leftover::store_log(self.job, record, self.index).await;
            let (ended, words) = ran?;
            self.note_usage(&ended, &staged, record);
            match &ended.exit {
                Exit::Clean(proof) => {
                    self.archive(debug::AFTER, folder, staged.bytes, record).await?;
                    self.publish(proof, folder, staged, record).await
                }
                Exit::Bad(exit) => {
                    let logging = &self.job.order.component.logging;
                    let limits = &self.unit.allotment;
                    let stop = failure::of_exit(exit, &words, limits, logging, &ended.inspect["State"]);
                    self.archive_despite(folder, staged.bytes, record).await;
                    // A component that ran out of disk below its own limit is not at fault.
                    if matches!(exit, BadExit::Code(_))
                        && folder.room().await.is_some_and(|room| room < ROOM_NONE)
                    {
                        return Err(failure::disk_full(stop));
                    }
                    if matches!(exit, BadExit::DiskReserve { .. }) {
                        return Err(stop);
                    }
                    self.publish_despite(exit, &stop, folder, record).await;
                    Err(stop)
                }
            }
        };
        let (published, removal_took) = tokio::join!(publishing, removal);
        record.note(Phase::Cleanup, removal_took, 0);
        published
    }

    async fn make_folder(&self) -> Result<DataFolder, Stop> {
        let (order, options) = (self.job.order, &self.job.runner.options);
        let owner = self.job.runner.identity(order.component.user, self.image.is_some()).await?.owner;
        let format = order.component.configuration_format;
        Ok(DataFolder::create(&options.work_dir, order.job, self.job.attempt, owner, format).await?)
    }

    async fn stage(
        &self,
        folder: &DataFolder,
        planned: Planned,
        record: &mut Record<'_>,
    ) -> Result<Staged, Stop> {
        let delivery =
            if self.job.order.component.read_only_inputs { Delivery::Link } else { Delivery::Copy };
        let progress = self.job.news.progress();
        let blobs = &self.job.runner.blobs;
        folder.write_config(&self.unit.config_document).await?;
        folder.write_state(&planned.state.component).await?;
        let tables =
            mapping::stage_tables(planned.fetches.clone(), blobs, folder, delivery, &progress).await?;
        if let Some(examiner) = &self.job.runner.examiner {
            examiner.alter(folder, &tables).await?;
        }
        let files = mapping::stage_files(&planned.files, blobs, folder, delivery, &progress).await?;
        note_inputs(&tables, &files, record);
        let staged = Staged::of(&tables, &files, &planned);
        record.leave(staged.bytes);
        self.archive(debug::BEFORE, folder, staged.bytes, record).await?;
        Ok(staged)
    }

    async fn create(
        &self,
        folder: &DataFolder,
        largest_input_bytes: u64,
    ) -> Result<(Option<Enclosed>, Duration), Stop> {
        let since = Instant::now();
        let Some(image) = self.image else {
            return Ok((None, since.elapsed()));
        };
        let enclosed = self.enclose(image, folder, largest_input_bytes).await?;
        Ok((Some(enclosed), since.elapsed()))
    }

    /// `largest_input_bytes` may be changed in place by a component, so a file may be larger by so much.
    pub(super) async fn container_plan(
        &self,
        image: &ResolvedImage,
        folder: &DataFolder,
        largest_input_bytes: u64,
    ) -> Result<ContainerPlan, EngineError> {
        let identity = self.job.runner.identity(self.job.order.component.user, true).await?;
        let (order, options) = (self.job.order, &self.job.runner.options);
        let (component, limits) = (&order.component, &self.unit.allotment.limits);
        let examiner = self.job.runner.examiner.as_ref();
        let label = |name: &str, value: String| (format!("longshore.{name}"), value);
        let attempt = self.job.attempt;
        Ok(ContainerPlan {
            name: format!("longshore-{}-{attempt}-{}", order.job, self.unit.row_index),
            image: image.id.clone(),
            entrypoint: image.entrypoint.clone(),
            labels: vec![
                label("job", order.job.to_string()),
                label("attempt", attempt.to_string()),
                label("worker", options.worker.to_string()),
                label("project", options.project_id.clone()),
            ],
            environment: self.environment(),
            data_folder: folder.data(),
            read_only_inputs: component.read_only_inputs,
            memory_bytes: limits.memory_bytes,
            nano_cpus: limits.nano_cpus,
            pids: i64::try_from(limits.pids).unwrap_or(i64::MAX),
            tmp_bytes: limits.tmp_bytes,
            timeout: Some(examiner.map_or(limits.timeout, |examiner| examiner.timeout(limits.timeout))),
            grace: options.grace,
            engine_patience: options.engine_patience,
            // Until its network is there.
            network: ContainerNetwork::Disabled,
            user: identity.told(),
            read_only_root: component.read_only_root,
            capabilities: component.capabilities.clone(),
            output_bytes_max: limits.disk_bytes,
            output_files_max: options.outputs.files_max,
            file_bytes_max: limits.disk_bytes.saturating_add(largest_input_bytes),
            folder_depth_max: usize::try_from(options.outputs.depth_max).unwrap_or(usize::MAX),
            disk_guard: options.disk_guard.clone(),
            log_bytes_max: options.log_bytes_max,
        })
    }

    fn environment(&self) -> Vec<(String, String)> {
        let runner = self.job.runner;
        let more = runner.examiner.as_ref().map(|examiner| examiner.environment.clone());
        let mut variables = environment(self.job.order, self.unit, &runner.options.project_id);
        variables.extend(more.unwrap_or_default());
        variables
    }

    /// Runs the container and listens to it until both streams have ended.
    async fn watch(
        &self,
        enclosed: &mut Enclosed,
        folder: &DataFolder,
        (staged, beginning): (&Staged, Beginning),
        record: &mut Record<'_>,
    ) -> Result<(Ended, LastWords), Stop> {
        self.job.enter(record, Phase::Run).await?;
        let Enclosed { container, enclosure, door } = enclosed;
        enclosed::describe(self, enclosure, record).await?;
        if !record.keep().await? {
            return Err(failure::fence_lost());
        }
        let (is_fresh, known) = match beginning {
            Beginning::Fresh => (true, Known::default()),
            Beginning::Resumed { known } => (false, known),
        };
        if is_fresh {
            let logger = door.as_ref().map(GelfDoor::address);
            Note::of(self, staged, logger).write(folder).await;
        }
        record.has_run = true;
        let spool = folder.root().join("spool");
        let spool =
            if is_fresh { SpoolWriter::create(&spool).await? } else { SpoolWriter::resume(&spool).await? };
        container.listen_at(door.take());
        let reader = spool.reader().await?;
        let (scribe, news) = (self.job.scribe, self.job.news);
        let verbosity = self.job.order.component.logging.verbosity.clone();
        let ear = Ear { limits: self.job.runner.options.speech, verbosity, known };
        let log_path = leftover::log_path(self.job);
        let stop = self.job.halt.token().child_token();
        let listening = async {
            let heard = listen(reader, ear, &log_path, scribe, news).await;
            // What cannot be kept need not be said: the job has failed, and nobody waits for the component's own end.
            heard.inspect_err(|_error| stop.cancel())
        };
        let has_ended = CancellationToken::new();
        let running = async {
            let _told = has_ended.clone().drop_guard();
            if is_fresh {
                container.run(spool, &stop).await
            } else {
                container.resume(spool, (staged.bytes, staged.files), &stop).await
            }
        };
        let mut warden = Warden::new(self.job, record);
        let standing_by = async {
            let stood = warden.stand_by(enclosure, record, &has_ended).await;
            // What must be held and is not reaches whatever it likes until it ends.
            stood.inspect_err(|_unguarded| stop.cancel())
        };
        let (ended, words, stood) = tokio::join!(running, listening, standing_by);
        // At once: it must not be lost with whatever comes later.
        warden.note_contacts(enclosure, record).await?;
        stood?;
        let (ended, words) = (ended?, words?);
        record.note(Phase::Start, ended.start, 0);
        record.note(Phase::Run, ended.ran, 0);
        record.note(Phase::Drain, ended.drain, 0);
        if !ended.log_complete {
            scribe.say(Level::Warning, "the engine lost the end of what the component said", news).await;
        }
        if let Some(line) = limits_told::refusals(&ended, &self.unit.allotment) {
            scribe.say(Level::Warning, &line, news).await;
        }
        logger::tell_losses(ended.gelf, scribe, news).await;
        if words.left_out > 0 {
            let line = format!("{} further messages are only in the complete log", words.left_out);
            scribe.say(Level::Warning, &line, news).await;
        }
        Ok((ended, words))
    }

    fn note_usage(&self, ended: &Ended, staged: &Staged, record: &mut Record<'_>) {
        record.document.add_usage(&Usage {
            memory_peak_bytes: ended.memory_peak_bytes,
            memory_needed_bytes: ended.memory_needed_bytes,
            memory_limit_bytes: self.unit.allotment.limits.memory_bytes,
            cpu: ended.cpu,
            input_bytes: staged.bytes,
            input_files: staged.files,
        });
    }
}

fn note_inputs(tables: &[StagedTable], files: &[StagedFile], record: &mut Record<'_>) {
    let table = |table: &StagedTable| InputTablePart {
        id: table.table.to_string(),
        version: table.version.0,
        destination: table.destination.clone(),
        rows: table.rows,
        bytes: table.bytes,
    };
    let file = |file: &StagedFile| FilePart { id: file.id.0, name: file.name.clone(), bytes: file.bytes };
    record.document.input.tables.extend(tables.iter().map(table));
    record.document.input.files.extend(files.iter().map(file));
}
