//! What to record, in the words of this project.

use std::path::PathBuf;

use super::scope::Scope;

/// Everything that Scalene has to know about a run, whatever its version.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordOptions {
    /// Where the document goes; absolute, ending in `.json`.
    pub outfile: PathBuf,
    /// Sample allocations.
    pub memory: bool,
    /// Sample an accelerator.
    pub gpu: bool,
    /// Collect call paths.
    pub stacks: bool,
    /// Profile `await`.
    pub async_profile: bool,
    /// Measure CPU time instead of wall time.
    pub virtual_time: bool,
    /// Seconds between two CPU samples.
    pub sampling_interval_sec: f64,
    /// Bytes between two allocation samples; absent for the version's own.
    pub allocation_window: Option<u64>,
    /// Which code counts as the user's.
    pub scope: Scope,
}
