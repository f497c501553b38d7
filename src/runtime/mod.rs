//! Runs one container once: create, start, spool what it says, hold its limits, judge its end, remove it.
//!
//! Never reads tables, never knows a queue, never decides whose fault an end was: it says how the container ended.

mod cgroup;
mod container;
mod disk_guard;
mod error;
mod follow;
mod gelf;
mod image_files;
mod judge;
mod measure;
mod plan;
mod spool;
mod stream;
mod supervise;
mod sweep;
#[cfg(test)]
mod tests;
mod unlinked;
mod usage;
mod watchdog;

pub(crate) use container::{Container, Ended, adopt, create};
pub(crate) use disk_guard::DiskGuard;
pub(crate) use error::RuntimeError;
pub(crate) use gelf::{Callers, GelfDoor, GelfEnd, GelfError};
pub(crate) use plan::ContainerPlan;
pub(crate) use spool::{SpoolError, SpoolReader, SpoolRecord, SpoolWriter};
pub(crate) use stream::Stream;
pub(crate) use sweep::{find_containers, remove_by_id, remove_spent_cgroups};
