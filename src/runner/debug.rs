//! `--mode debug`: the data folder as the component found it and as it left it, for the person who debugs it.

use super::record::Record;
use super::unit::UnitRun;
use crate::events::{Level, Redactor};
use crate::failure::Stop;
use crate::job::RunMode;
use crate::mapping::{self, ArchiveOrder, DataFolder, Origin, Publication};
use crate::result::FilePart;

/// Before the first container of a unit; with processors there will be more of them.
pub(super) const BEFORE: &str = "stage_0";
/// After the last container, however it ended.
pub(super) const AFTER: &str = "stage_output";

impl UnitRun<'_> {
    /// Stores an archive of the folder in debug mode and publishes it at once: there is to be one after a failure too.
    /// `input_bytes` is what was staged, which an archive may hold beside what the component may write.
    pub(super) async fn archive(
        &self,
        stage: &'static str,
        folder: &DataFolder,
        input_bytes: u64,
        record: &mut Record<'_>,
    ) -> Result<(), Stop> {
        if self.job.order.request.mode != RunMode::Debug || self.image.is_none() {
            return Ok(());
        }
        if stage == AFTER && !self.may_be_kept(folder).await {
            let line = "there is no archive of the outputs: they hold a secret of the configuration";
            self.job.scribe.say(Level::Warning, line, self.job.news).await;
            return Ok(());
        }
        let (catalog, blobs) = (&self.job.runner.catalog, &self.job.runner.blobs);
        let order = ArchiveOrder {
            stage,
            tags: self.file_tags(),
            origin: Origin::Attempt(self.job.order.job, self.job.attempt),
            bytes_max: input_bytes.saturating_add(self.unit.allotment.limits.disk_bytes),
            redactor: Redactor::new(self.unit.secrets.iter().map(String::as_str)),
        };
        let archived = mapping::archive(folder, order, blobs).await?;
        for sentence in &archived.left_out {
            let line = format!("left out of the archive: {sentence}");
            self.job.scribe.say(Level::Notice, &line, self.job.news).await;
        }
        let receipt = mapping::commit(archived.prepared, Publication::default(), catalog, blobs).await?;
        for file in receipt.files {
            let line = format!("archived the data folder: longshore file get {} ({})", file.id, file.name);
            self.job.scribe.say(Level::Notice, &line, self.job.news).await;
            record.document.archives.push(FilePart { id: file.id.0, name: file.name, bytes: file.bytes });
        }
        Ok(())
    }

    /// As [`UnitRun::archive`], of a component that failed: trouble with it must not hide why.
    pub(super) async fn archive_despite(
        &self,
        folder: &DataFolder,
        input_bytes: u64,
        record: &mut Record<'_>,
    ) {
        if let Err(Stop::Failed(failure)) = self.archive(AFTER, folder, input_bytes, record).await {
            let line = format!("there is no archive of the outputs: {}", failure.message);
            self.job.scribe.say(Level::Warning, &line, self.job.news).await;
        }
    }
}
