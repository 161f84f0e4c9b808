//! What one call of a profiled function takes.

use serde::{Deserialize, Serialize};

use super::units::Seconds;

/// Times of single calls, from a run of their own without any profiler.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerCall {
    /// Shortest. Where [`PerCall::batch`] is above 1, each figure is of means over so many calls.
    pub min: Seconds,
    /// Median.
    pub median: Seconds,
    /// 95th percentile (nearest rank).
    pub p95: Seconds,
    /// The first call, which is in none of the other figures.
    pub first: Seconds,
    /// Calls that were timed.
    pub calls: u64,
    /// Calls between two looks at the clock.
    pub batch: u64,
    /// Shortest of the first third of the times, in the order of the calls: a busy machine makes calls longer, never shorter.
    pub early: Seconds,
    /// The same of the last third.
    pub late: Seconds,
    /// Modules that the first call imported, by their top package; 10 at most.
    pub first_imported: Vec<String>,
    /// The first call changed the arguments that it was given, which all others get.
    pub changed_arguments: bool,
    /// What a call holds; absent where it was not traced.
    pub memory: Option<CallMemory>,
    /// Calls in the profile; absent where it does not say.
    pub profiled: Option<u64>,
}

/// Memory of one call as `tracemalloc` sees it: what Python allocates, and libraries that report to it. Medians of a few
/// calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallMemory {
    /// Most bytes at a time that were allocated since the call began.
    pub peak_bytes: u64,
    /// Bytes of them that are still there right after it.
    pub kept_bytes: u64,
}

impl PerCall {
    /// Bytes that it occupies beside its own size.
    pub(super) fn bytes(&self) -> usize {
        self.first_imported.iter().map(|name| name.capacity() + size_of::<String>()).sum()
    }
}
