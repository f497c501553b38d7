//! The one door to the container engine: every call, each under a deadline, in plain types of our own.
//!
//! Knows how to ask the engine; never decides what a job deserves. Nothing outside this room sees the client
//! library, so an engine of another kind would be met here alone.

mod build;
mod changes;
mod client;
mod container;
mod error;
mod image;
mod log;
mod log_file;
mod network;
mod plain;
mod profile;
mod pull;
mod shelf;
mod stats;
mod storage;
mod wait;

pub(crate) use build::{LabelledImage, NewBuild};
pub(crate) use client::{
    CgroupDriver, CgroupVersion, Engine, EngineFacts, EngineOptions, IdMapping, RootQuota,
};
pub(crate) use container::{FoundContainer, InspectedContainer, SignalOutcome};
pub(crate) use error::EngineError;
pub(crate) use image::ImageFacts;
pub(crate) use log::{LogFrame, LogFrames, LogStream};
pub(crate) use log_file::LogFile;
pub(crate) use network::{FoundNetwork, NewNetwork, Subnet};
pub(crate) use profile::{BindMount, ContainerNetwork, NewContainer};
pub(crate) use pull::{EngineLogin, PullProgress};
pub(crate) use shelf::{HeldImage, ImageRemoval};
pub(crate) use stats::StatsSample;
pub(crate) use wait::ExitWait;
