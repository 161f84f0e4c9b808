//! Questions about a profile, as pure functions: `&Profile` in, value out.
//!
//! No I/O, no clock, no rendering. One question per file.

mod file;
mod functions;
mod hotspots;
mod memory;
mod ranked;
pub mod stats;
mod summary;

pub use file::{FileLookup, find_file, heaviest_lines, lines_that_matter, with_context};
pub use functions::{FunctionMetrics, functions};
pub use hotspots::{CpuBasis, CpuRanking, Hotspot, cpu_hotspots, cpu_ranking};
pub use memory::{
    COPY_NOISE_MIB, MemoryHotspot, MemoryMetric, MemoryRanking, copy_rate, memory_hotspots,
    memory_ranking,
};
pub use summary::{
    Confidence, RANKING_SAMPLES, SPARSE_PART, Summary, confidence, sparse, summary,
    unexplained_peak,
};
