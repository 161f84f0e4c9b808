//! Lines by GPU time.

use crate::profile::{FileProfile, Line, LineGpu, Mebibytes, Percent, Profile};

/// A line and what the GPU did while it ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuHotspot<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// The line.
    pub line: &'a Line,
    /// The GPU's time and memory.
    pub gpu: LineGpu,
}

/// All lines under which the GPU worked or held memory, by GPU time, then by memory.
pub fn gpu_hotspots(profile: &Profile) -> Vec<GpuHotspot<'_>> {
    if profile.measured.gpu.is_none() {
        return Vec::new();
    }
    let mut spots: Vec<_> = profile
        .lines()
        .filter_map(|(file, line)| Some(GpuHotspot { file, line, gpu: line.gpu? }))
        .filter(|spot| spot.gpu.share > Percent::ZERO || spot.gpu.peak_memory > Mebibytes::ZERO)
        .collect();
    let rank = |spot: &GpuHotspot<'_>| (spot.gpu.share.get(), spot.gpu.peak_memory.get());
    spots.sort_by(|a, b| {
        let (a, b) = (rank(a), rank(b));
        b.0.total_cmp(&a.0).then(b.1.total_cmp(&a.1))
    });
    spots
}
