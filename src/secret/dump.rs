//! A process that opens secrets leaves no picture of its memory on a disk.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// No core dumps of this process, neither to a file nor to a handler that the system pipes them to (which ignores the
/// limit, `core(5)`), and no other process of the same user may look into it.
pub(crate) fn keep_out_of_core_dumps() -> std::io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}
