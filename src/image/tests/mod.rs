//! Pulling from registries of our own, by way of a real engine. Without an engine the tests say that they were
//! skipped, and fail where `CI` is set.

mod builds;
mod house;
mod master;
mod pulling;
mod registry;
mod release;
