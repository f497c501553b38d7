//! From a clean exit to the commit: collect, upload, publish. What a failed unit may publish all the same is here too.

use serde_json::Value;

use super::record::Record;
use super::resolve;
use super::unit::{Next, Staged, UnitRun};
use crate::catalog::{StateKey, UnitEnd, UnitFailure};
use crate::events::Level;
use crate::failure::{self, Stop};
use crate::job::{BadExit, CleanExit, JobEnd, Phase, Receipt, RunMode};
use crate::mapping::{self, Collected, DataFolder, Origin, Prepared, Publication, State};

impl UnitRun<'_> {
    /// After a clean exit: collect, upload, commit.
    pub(super) async fn publish(
        &self,
        proof: &CleanExit,
        folder: &DataFolder,
        staged: Staged,
        record: &mut Record<'_>,
    ) -> Result<Receipt, Stop> {
        self.job.enter(record, Phase::Collect).await?;
        let collected = mapping::collect(&self.unit.output, folder, proof).await?;
        let mut component_state = mapping::read_state(folder).await?;
        self.look_for_leaks(folder, &component_state, record).await?;
        self.seal_state(&mut component_state).await?;
        record.leave(0);
        for notice in &collected.notices {
            self.job.scribe.say(Level::Notice, notice, self.job.news).await;
        }
        self.job.enter(record, Phase::Upload).await?;
        let prepared = self.upload(collected).await?;
        record.leave(prepared.bytes());
        if self.job.order.request.mode == RunMode::Debug {
            prepared.discard(&self.job.runner.blobs).await?;
            return Ok(Receipt::default());
        }
        if let Err(stop) = self.job.enter(record, Phase::Commit).await {
            // Why it stopped is the news; what cannot be removed now is gc's.
            if let Err(error) = prepared.discard(&self.job.runner.blobs).await {
                tracing::warn!(error = %failure::chain(&error), "an upload was not removed");
            }
            return Err(stop);
        }
        let publication = Publication {
            state: self.next_state(component_state, &staged),
            processed_tags: staged.processed_tags,
            unit: Some(UnitEnd { unit: self.place(), failure: None }),
            end: self.end_of_job(&prepared, record),
        };
        let (catalog, blobs) = (&self.job.runner.catalog, &self.job.runner.blobs);
        let receipt = mapping::commit(prepared, publication, catalog, blobs).await?;
        record.leave(0);
        record.is_ended = self.next == Next::EndOfJob;
        Ok(receipt)
    }

    /// Tables marked `write_always` are published though the component failed. Trouble with them never hides why.
    pub(super) async fn publish_despite(
        &self,
        exit: &BadExit,
        stop: &Stop,
        folder: &DataFolder,
        record: &mut Record<'_>,
    ) {
        if self.job.order.request.mode != RunMode::Run || *exit == BadExit::Cancelled {
            return;
        }
        let collected = mapping::collect_despite(&self.unit.output, folder, exit).await;
        if collected.tables.is_empty() {
            return;
        }
        match self.look_for_leaks(folder, &Value::Null, record).await {
            Ok(()) => {}
            Err(Stop::Failed(failure)) => {
                let line = format!("tables marked write_always were not published: {}", failure.message);
                return self.job.scribe.say(Level::Warning, &line, self.job.news).await;
            }
            // What nobody has looked through is not published.
            Err(Stop::Cancelled) => return,
        }
        let published = async {
            let prepared = self.upload(collected).await?;
            let (catalog, blobs) = (&self.job.runner.catalog, &self.job.runner.blobs);
            let publication = Publication { unit: self.unit_end(stop), ..Publication::default() };
            Ok::<_, Stop>(mapping::commit(prepared, publication, catalog, blobs).await?)
        };
        match published.await {
            Ok(receipt) => record.add_published(receipt),
            Err(Stop::Failed(failure)) => {
                let line = format!("tables marked write_always were not published: {}", failure.message);
                self.job.scribe.say(Level::Warning, &line, self.job.news).await;
            }
            Err(Stop::Cancelled) => {}
        }
    }

    async fn upload(&self, collected: Collected) -> Result<Prepared, Stop> {
        let (job, runner) = (self.job, self.job.runner);
        let origin = Origin::Attempt(job.order.job, job.attempt);
        let tags = self.file_tags();
        let progress = job.news.progress();
        Ok(mapping::upload(collected, origin, &tags, &runner.catalog, &runner.blobs, &progress).await?)
    }

    /// Who made a file, as Keboola's runner tags it.
    pub(super) fn file_tags(&self) -> Vec<String> {
        let order = self.job.order;
        let mut tags =
            vec![format!("componentId: {}", order.request.component), format!("runId: {}", order.job)];
        tags.extend(order.request.configuration.as_ref().map(|id| format!("configurationId: {id}")));
        tags.extend(self.unit.row.as_ref().map(|row| format!("configurationRowId: {row}")));
        tags
    }

    /// The state after this run; none without a configuration id.
    fn next_state(&self, component: serde_json::Value, staged: &Staged) -> Option<(StateKey, String)> {
        let key = resolve::state_key(self.job.order, self.unit)?;
        let state = State { component, seen: staged.seen.clone() };
        Some((key, state.render()))
    }

    /// What a later attempt must know of a unit that failed and published all the same.
    fn unit_end(&self, stop: &Stop) -> Option<UnitEnd> {
        let Stop::Failed(failure) = stop else { return None };
        let message = self.job.scribe.mask(&failure.message);
        Some(UnitEnd { unit: self.place(), failure: Some(UnitFailure { code: failure.code, message }) })
    }

    fn place(&self) -> u32 {
        u32::try_from(self.index).unwrap_or(u32::MAX)
    }

    /// Goes into the last commit, so that the outputs and the job's end are one.
    fn end_of_job(&self, prepared: &Prepared, record: &Record<'_>) -> Option<JobEnd> {
        let (tables, files) = prepared.counts();
        let published = &record.published;
        let all = (published.tables.len() + tables, published.files.len() + files);
        (self.next == Next::EndOfJob).then(|| self.so_far.end_with(all.0, all.1, &record.leaks))
    }
}
