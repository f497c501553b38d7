//! Tests at the doors: the true program, on real tables and, where it runs components, on a real container engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]
#![expect(clippy::print_stderr, reason = "a test that is skipped says so")]

mod architecture;
mod attack;
mod broker;
mod builds;
mod certify;
mod catalogue;
mod cli;
mod components;
mod crash;
mod egress;
mod ends;
mod engines;
mod faults;
mod gelf;
mod hostile;
mod house;
mod images;
mod limits;
mod openflights;
mod image_verbs;
mod outputs;
mod registry;
mod repository;
mod running;
mod s3;
mod sealed;
mod secrets;
mod service;
mod tables;
mod together;
mod transformations;
mod words;
