//! The door for GELF: a socket for one container alone, whose messages go into its spool as a third stream.
//!
//! Here payloads are only made whole (framed, put together, decompressed) and bounded; what they say is read where all speech
//! is. Nothing that a sender does can hold up another job: each limit ends in a message that is cut, or in waiting senders.

mod budget;
mod callers;
mod chunks;
mod door;
mod end;
mod frames;
mod http;
mod inflate;
mod sink;
mod tcp;
#[cfg(test)]
mod tests;
mod udp;

/// Of one message, decompressed: as much as GELF's own chunks can carry (128 of 8 KiB).
const MESSAGE_BYTES_MAX: usize = 1 << 20;

pub(crate) use callers::Callers;
pub(crate) use door::{GelfDoor, GelfError};
pub(crate) use end::GelfEnd;
