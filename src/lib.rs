//! Longshore runs a data component once, in a container, between two table mappings.
//!
//! One job, one story:
//!
//! ```text
//! intake ─► claim ─► resolve ─► stage ─► run ─► collect ─► upload ─► commit ─► settle
//! ```
//!
//! [`runner`] tells it from claim to commit and reads like it. The steps live in the rooms below, in the order in which
//! a job walks through them; a room uses only rooms above it in this list, which a test holds true:
//!
//! - [`job`] the dictionary: ids, requests, mapping, states, outcomes
//! - [`secret`] keys, and values sealed to them
//! - [`events`] what was said: events, redaction, lines, the complete log
//! - [`component`] the spec of a component; presets of resources
//! - [`configuration`] what this run really does: rows, secrets, mapping, defaults
//! - [`request`] the job request, as a message carries it
//! - [`csv`] dialects, scanning, checking, selecting, slicing, key hashing
//! - [`blob`] bytes by key
//! - [`catalog`] what exists, and the one commit that publishes
//! - [`engine`] the door to the container engine
//! - [`image`] references and policies: which image a job runs
//! - [`egress`] what a container may reach
//! - [`runtime`] one container, once: limits, logs, usage, removal
//! - [`mapping`] the data folder, staging in, collecting and publishing out
//! - [`failure`] whose fault it was
//! - [`result`] the result document
//! - [`runner`] one job
//! - [`sweep`] what a dead runner left behind
//! - [`telemetry`] what operators see: log lines, counters, states of parts, traces
//! - [`queue`] the broker: topology, consuming, publishing, dead letters
//! - [`worker`] many jobs: claim, admit, heartbeat, adopt, drain
//! - [`api`] health and metrics over HTTP
//! - [`settings`] `longshore.yaml` and the environment
//! - [`certify`] a component against the contract
//! - [`cli`] one verb, one file

mod job;
mod secret;
mod events;
mod component;
mod configuration;
mod request;
mod csv;
mod blob;
mod catalog;
mod engine;
mod image;
mod egress;
mod runtime;
mod mapping;
mod failure;
mod result;
mod runner;
mod sweep;
mod telemetry;
mod queue;
mod worker;
mod api;
mod settings;
mod certify;
pub mod cli;
