//! Lines by memory.

use crate::profile::{FileProfile, Line, LineMemory, Mebibytes, MebibytesPerSec, Percent, Profile};

/// What lines are ranked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MemoryMetric {
    /// Highest footprint growth between visits.
    Peak,
    /// Mean of that growth.
    Average,
    /// Volume allocated, freed or not.
    Allocation,
}

/// Copy volume, in MiB, below which a line's copies are not told from noise: Scalene samples
/// `memcpy` by volume and charges what the interpreter copied before to the first lines that run;
/// up to 100 MiB were seen on lines that copy nothing.
pub const COPY_NOISE_MIB: f64 = 100.0;

/// Bytes copied by a line per second of the run; `None` where it may be noise.
pub fn copy_rate(profile: &Profile, memory: &LineMemory) -> Option<MebibytesPerSec> {
    let volume = memory.copy_rate.get() * profile.elapsed?.get();
    (volume >= COPY_NOISE_MIB).then_some(memory.copy_rate)
}

/// A line and its memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryHotspot<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// The line.
    pub line: &'a Line,
    /// Its memory.
    pub memory: &'a LineMemory,
    /// The metric.
    pub value: Mebibytes,
    /// The metric as a share: of the volume allocated by all lines for `Allocation`, of the
    /// highest footprint otherwise.
    pub share: Option<Percent>,
}

impl MemoryMetric {
    /// The value of a line; absent where it was not measured.
    pub fn of(self, memory: &LineMemory) -> Option<Mebibytes> {
        match self {
            Self::Peak => Some(memory.peak),
            Self::Average => memory.average,
            Self::Allocation => Some(memory.allocated),
        }
    }
}

/// All lines on which memory was sampled, highest first.
pub fn memory_hotspots(profile: &Profile, metric: MemoryMetric) -> Vec<MemoryHotspot<'_>> {
    let sampled =
        || profile.lines().filter_map(|(file, line)| Some((file, line, line.memory.as_ref()?)));
    let whole: f64 = match metric {
        MemoryMetric::Allocation => sampled().map(|(_, _, memory)| memory.allocated.get()).sum(),
        _ => profile.footprint.as_ref().map_or(0.0, |footprint| footprint.peak.get()),
    };
    let mut spots: Vec<_> = sampled()
        .filter_map(|(file, line, memory)| {
            let value = metric.of(memory).filter(|value| *value > Mebibytes::ZERO)?;
            Some(MemoryHotspot {
                file,
                line,
                memory,
                value,
                share: Percent::of_whole(value.get(), whole),
            })
        })
        .collect();
    spots.sort_by(|a, b| b.value.get().total_cmp(&a.value.get()));
    spots
}
