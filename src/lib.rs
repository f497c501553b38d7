//! Longshore runs a data component once, in a container, between two table mappings.

// Rooms in the order of the dependency list: a room may use only rooms above it.
mod blob;
mod catalog;
pub mod cli;
mod component;
mod configuration;
mod csv;
mod engine;
mod events;
mod failure;
mod image;
mod job;
mod mapping;
mod runner;
mod runtime;
mod settings;
