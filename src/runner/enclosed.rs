//! A unit's container together with the network that was made for it.

use std::net::SocketAddr;

use super::record::Record;
use super::unit::UnitRun;
use super::{Job, leftover, logger};
use crate::component::{Component, LogChannel, Network, User};
use crate::egress::{self, Enclosure, Wanted};
use crate::engine::IdMapping;
use crate::events::Level;
use crate::failure::{Stop, chain};
use crate::image::ResolvedImage;
use crate::mapping::DataFolder;
use crate::result::{IsolationPart, NetworkPart};
use crate::runtime::{self, Container, GelfDoor};

/// A container on its network; [`remove`] ends both.
#[derive(Debug)]
pub(super) struct Enclosed {
    pub(super) container: Container,
    pub(super) enclosure: Enclosure,
    /// Where the container sends its log messages, where it does.
    pub(super) door: Option<GelfDoor>,
}

impl UnitRun<'_> {
    /// Makes the network, then the container on it.
    pub(super) async fn enclose(
        &self,
        image: &ResolvedImage,
        folder: &DataFolder,
        largest_input_bytes: u64,
    ) -> Result<Enclosed, Stop> {
        let runner = self.job.runner;
        let engine = runner.engine().await?;
        let plan = self.container_plan(image, folder, largest_input_bytes).await?;
        let wanted = self.wanted(&plan.name, &plan.labels);
        let mut enclosure = egress::prepare(engine, &runner.options.egress, wanted).await?;
        let made = async {
            let channel = self.job.order.component.logging.channel;
            let door = logger::open(channel, &mut enclosure, None).await?;
            let mut plan = runtime::ContainerPlan { network: enclosure.attachment(), ..plan };
            plan.environment.extend(door.iter().flat_map(logger::environment));
            Ok::<_, Stop>((runtime::create(engine, plan).await?, door))
        };
        match made.await {
            Ok((container, door)) => Ok(Enclosed { container, enclosure, door }),
            Err(stop) => {
                remove_network(self.job, enclosure).await;
                Err(stop)
            }
        }
    }

    /// Takes over a container that another worker started, with its network and the address it sends its log messages to.
    pub(super) async fn take_over(
        &self,
        id: String,
        logger: Option<SocketAddr>,
        (image, largest_input_bytes): (&ResolvedImage, u64),
        folder: &DataFolder,
    ) -> Result<Enclosed, Stop> {
        let runner = self.job.runner;
        let engine = runner.engine().await?;
        let plan = self.container_plan(image, folder, largest_input_bytes).await?;
        let wanted = self.wanted(&plan.name, &plan.labels);
        let enclosure = egress::resume(engine, &runner.options.egress, wanted).await;
        let container = runtime::adopt(engine, id, plan).await?;
        let mut enclosure = match enclosure {
            Ok(enclosure) => enclosure,
            Err(error) => {
                // Its network, if there is one, is the sweep's: nothing here knows it.
                leftover::remove_container(self.job, Some(container)).await;
                return Err(error.into());
            }
        };
        let channel = self.job.order.component.logging.channel;
        match logger::open(channel, &mut enclosure, logger).await {
            Ok(door) => Ok(Enclosed { container, enclosure, door }),
            Err(stop) => {
                remove(self.job, Some(Enclosed { container, enclosure, door: None })).await;
                Err(stop)
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

/// Puts into the job's record what keeps the component in, and says what does not although it should.
pub(super) async fn describe(
    run: &UnitRun<'_>,
    enclosure: &Enclosure,
    record: &mut Record<'_>,
) -> Result<(), Stop> {
    let (job, component) = (run.job, &run.job.order.component);
    let identity = job.runner.identity(component.user, true).await?;
    let ids = match job.runner.engine().await?.facts().await?.ids {
        IdMapping::Same => "same",
        IdMapping::Shifted { .. } => "remapped",
        IdMapping::Rootless => "rootless",
    };
    record.document.isolation = Some(IsolationPart {
        user: identity.told().unwrap_or_else(|| "image".to_owned()),
        ids: ids.to_owned(),
        capabilities: component.capabilities.clone(),
        no_new_privileges: true,
        read_only_root: component.read_only_root,
        read_only_inputs: component.read_only_inputs,
        opt_outs: opt_outs(component),
    });
    let network = record.document.network.get_or_insert_with(|| NetworkPart {
        mode: component.network.as_str().to_owned(),
        guarded: true,
        contacted: Vec::new(),
        refused: Vec::new(),
        left_out: 0,
    });
    // Of several rows the worst: each had a network of its own.
    network.guarded &= enclosure.is_guarded();
    if let Some(notice) = enclosure.notice() {
        job.scribe.say(Level::Notice, notice, job.news).await;
        record.document.note(notice.to_owned());
    }
    Ok(())
}

/// What the spec asks for beyond a container that can do nothing but read its inputs and write its outputs.
fn opt_outs(component: &Component) -> Vec<String> {
    let mut opt_outs = Vec::new();
    match component.user {
        User::Runner => {}
        User::Image => opt_outs.push("user: image".to_owned()),
        User::Id { uid, gid } => opt_outs.push(format!("user: {uid}:{}", gid.unwrap_or(uid))),
    }
    opt_outs.extend(component.capabilities.iter().map(|name| format!("capability {name}")));
    match &component.network {
        Network::None => {}
        Network::Bridge { private } => {
            opt_outs.push("network: bridge".to_owned());
            opt_outs.extend(private.iter().map(|range| format!("private range {range}")));
        }
        Network::Listed(list) => {
            opt_outs.extend(list.iter().map(|destination| format!("allowed {destination}")));
        }
    }
    if !component.read_only_root {
        opt_outs.push("writable root".to_owned());
    }
    opt_outs
}

/// Removes both, the container first: the engine keeps a network that somebody is on.
pub(super) async fn remove(job: &Job<'_>, enclosed: Option<Enclosed>) {
    let Some(Enclosed { container, enclosure, door: _closed }) = enclosed else { return };
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
