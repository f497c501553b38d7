//! A unit's container together with the network that was made for it.

use super::unit::UnitRun;
use super::{Job, leftover};
use crate::component::LogChannel;
use crate::egress::{self, Enclosure, Wanted};
use crate::events::Level;
use crate::failure::{Stop, chain};
use crate::image::ResolvedImage;
use crate::mapping::DataFolder;
use crate::runtime::{self, Container};

/// A container on its network; [`remove`] ends both.
#[derive(Debug)]
pub(super) struct Enclosed {
    pub(super) container: Container,
    pub(super) enclosure: Enclosure,
}

impl UnitRun<'_> {
    /// Makes the network, then the container on it.
    pub(super) async fn enclose(&self, image: &ResolvedImage, folder: &DataFolder) -> Result<Enclosed, Stop> {
        let runner = self.job.runner;
        let engine = runner.engine().await?;
        let plan = self.container_plan(image, folder).await?;
        let wanted = self.wanted(&plan.name, &plan.labels);
        let enclosure = egress::prepare(engine, &runner.options.egress, wanted).await?;
        let plan = runtime::ContainerPlan { network: enclosure.attachment(), ..plan };
        match runtime::create(engine, plan).await {
            Ok(container) => Ok(Enclosed { container, enclosure }),
            Err(error) => {
                remove_network(self.job, enclosure).await;
                Err(error.into())
            }
        }
    }

    /// Takes over a container that another worker started, with its network.
    pub(super) async fn take_over(
        &self,
        id: String,
        image: &ResolvedImage,
        folder: &DataFolder,
    ) -> Result<Enclosed, Stop> {
        let runner = self.job.runner;
        let engine = runner.engine().await?;
        let plan = self.container_plan(image, folder).await?;
        let wanted = self.wanted(&plan.name, &plan.labels);
        let enclosure = egress::resume(engine, &runner.options.egress, wanted).await;
        let container = runtime::adopt(engine, id, plan).await?;
        match enclosure {
            Ok(enclosure) => Ok(Enclosed { container, enclosure }),
            Err(error) => {
                leftover::remove_container(self.job, Some(container)).await;
                Err(error.into())
            }
        }
    }

    fn wanted<'a>(&'a self, name: &'a str, labels: &'a [(String, String)]) -> Wanted<'a> {
        let component = &self.job.order.component;
        let has_listener = match component.logging.channel {
            LogChannel::Gelf(_) => true,
            LogChannel::Standard => false,
        };
        Wanted { network: &component.network, name, labels, has_listener }
    }
}

/// Says what is not held although it should be.
pub(super) async fn tell_notice(job: &Job<'_>, enclosure: &Enclosure) {
    if let Some(notice) = enclosure.notice() {
        job.scribe.say(Level::Notice, notice, job.news).await;
    }
}

/// Removes both, the container first: the engine keeps a network that somebody is on.
pub(super) async fn remove(job: &Job<'_>, enclosed: Option<Enclosed>) {
    let Some(Enclosed { container, enclosure }) = enclosed else { return };
    leftover::remove_container(job, Some(container)).await;
    remove_network(job, enclosure).await;
}

async fn remove_network(job: &Job<'_>, enclosure: Enclosure) {
    let removed = async { Ok::<_, Stop>(enclosure.remove(job.runner.engine().await?).await) };
    if let Ok(Err(error)) = removed.await {
        tracing::warn!(error = %chain(&error), "a network was not removed");
        leftover::leave_reminder(job).await;
    }
}
