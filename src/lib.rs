//! Longshore runs a data component once, in a container, between two table mappings.

// Rooms in the order of the dependency list: a room may use only rooms above it.
mod job;
mod events;
mod component;
mod configuration;
mod csv;
mod blob;
mod catalog;
mod engine;
mod image;
mod runtime;
mod mapping;
mod failure;
mod runner;
mod settings;
pub mod cli;
