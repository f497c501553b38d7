//! The room against a real engine. Without one the tests say that they were skipped, and fail where `CI` is set.

mod ends;
mod faults;
mod hardening;
mod house;
mod speech;
mod sweeping;
