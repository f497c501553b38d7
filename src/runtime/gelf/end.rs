//! What came of listening.

/// Counts of what was not taken as it came.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct GelfEnd {
    /// Calls from addresses that are not the container's.
    pub refused: u64,
    /// Messages in chunks of which some never came.
    pub incomplete: u64,
    /// Bytes of the whole log, the streams included, where they passed its limit; nothing was taken after that.
    pub excess: Option<u64>,
}
