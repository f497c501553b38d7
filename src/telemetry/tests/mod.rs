//! What a worker tells about itself, at the room's door.

mod lines;
mod numbers;
mod tracing_out;
