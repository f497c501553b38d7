//! The hostile component's catalogue: one small program per trick (`fixtures/hostile/`, or a line of shell where that is
//! all there is to it), each with the class and message that it must end with, beside a well-behaved neighbour that must
//! come through, on a host that must be clean afterwards.
//!
//! Here: memory, processes, disks, outputs, what the kernel is asked for, bad manners at the end. Elsewhere: symbolic
//! links and pipes in the outputs (`hostile.rs`, `attack.rs`), out of memory and time limits (`ends.rs`), and what is
//! exchanged under the collection's eyes (`src/mapping/tests/hostile.rs`). The network's, the log's and the secrets'
//! tricks have files of their own.

mod disk;
mod kernel;
mod manners;
mod memory;
mod outputs;
mod processes;
mod scene;
mod volumes;

pub(crate) use scene::{Scene, Trick};
