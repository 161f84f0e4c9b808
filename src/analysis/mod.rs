//! Questions about a profile, as pure functions: `&Profile` in, value out.
//!
//! No I/O, no clock, no rendering. One question per file.

mod blocks;
mod calls;
mod code;
pub mod compare;
mod file;
mod functions;
mod gpu;
mod hotspots;
pub mod leaks;
mod memory;
mod ranked;
mod reconcile;
mod rules;
pub mod stats;
mod summary;
mod threads;
pub mod thresholds;
mod witness;

pub use blocks::{block_order, blocks};
pub use calls::{
    Call, Calls, Direction as CallDirection, From as CallsFrom, called_file, called_functions,
    calls,
};
pub use file::{FileLookup, find_file, heaviest_lines, lines_that_matter, with_context};
pub use functions::{FunctionMetrics, functions};
pub use gpu::{GpuHotspot, gpu_hotspots};
pub use hotspots::{CpuBasis, CpuRanking, Hotspot, cpu_hotspots, cpu_ranking};
pub use memory::{
    MemoryHotspot, MemoryMetric, MemoryRanking, copy_rate, memory_hotspots, memory_ranking,
};
pub use reconcile::{mostly_failed, reconcile, timed_by_stacks, usable};
pub use rules::{Finding, Kind, Limit, Quantity, Rule, Severity, ceiling, findings, rules};
pub use summary::{Confidence, Summary, confidence, sparse, summary, unexplained_peak};
pub use threads::{Cause, Crowd, Threads, threads};
pub use thresholds::{THRESHOLDS, Threshold};
pub use witness::{Agreement, Contradiction, contradiction, second_opinion};
