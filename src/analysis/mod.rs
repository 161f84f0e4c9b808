//! Questions about a profile, as pure functions: `&Profile` in, value out.
//!
//! No I/O, no clock, no rendering. One question per file.

pub mod compare;
mod file;
mod functions;
mod gpu;
mod hotspots;
pub mod leaks;
mod memory;
pub mod stats;
mod summary;

pub use file::{FileLookup, find_file, lines_that_matter};
pub use functions::{FunctionMetrics, functions};
pub use gpu::{GpuHotspot, gpu_hotspots};
pub use hotspots::{CpuBasis, Hotspot, cpu_hotspots};
pub use memory::{COPY_NOISE_MIB, MemoryHotspot, MemoryMetric, copy_rate, memory_hotspots};
pub use summary::{
    Confidence, RANKING_SAMPLES, SPARSE_PART, Summary, confidence, sparse, summary,
    unexplained_peak,
};
