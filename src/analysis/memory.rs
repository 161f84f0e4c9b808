//! Lines by memory.

use super::ranked::{Place, Ranked};
use super::thresholds::COPY_NOISE_MIB;
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

/// Bytes copied by a line per second of the run; `None` where it may be noise: Scalene samples
/// `memcpy` by volume and charges what the interpreter copied before to the first lines that run.
pub fn copy_rate(profile: &Profile, memory: &LineMemory) -> Option<MebibytesPerSec> {
    let volume = memory.copy_rate.get() * profile.elapsed?.get();
    (volume >= COPY_NOISE_MIB.value).then_some(memory.copy_rate)
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

/// The first lines of a ranking, and what they are part of.
#[derive(Debug, Clone, PartialEq)]
pub struct MemoryRanking<'a> {
    /// Lines that reach the profile's threshold, highest first; ties in order of file and line.
    pub spots: Vec<MemoryHotspot<'a>>,
    /// Lines that reach the threshold.
    pub above_threshold: usize,
    /// Lines with memory that do not.
    pub below_threshold: usize,
    /// Sum of the metric over all lines, MiB.
    pub whole: f64,
}

/// All lines on which memory was sampled, highest first.
pub fn memory_hotspots(profile: &Profile, metric: MemoryMetric) -> Vec<MemoryHotspot<'_>> {
    rank(profile, metric, Mebibytes::ZERO, usize::MAX).spots
}

/// The `most` lines with most memory of those that reach the profile's threshold.
pub fn memory_ranking(profile: &Profile, metric: MemoryMetric, most: usize) -> MemoryRanking<'_> {
    rank(profile, metric, Mebibytes::from_bytes(profile.reporting.malloc_threshold), most)
}

fn rank(
    profile: &Profile,
    metric: MemoryMetric,
    smallest: Mebibytes,
    most: usize,
) -> MemoryRanking<'_> {
    let whole: f64 = match metric {
        MemoryMetric::Allocation => profile.totals().allocated.get(),
        _ => profile.footprint.as_ref().map_or(0.0, |footprint| footprint.peak.get()),
    };
    let (mut below_threshold, mut below_sum) = (0, 0.0);
    let mut sampled = Vec::new();
    for (file_index, file) in (0_u32..).zip(&profile.files) {
        for (line_index, line) in (0_u32..).zip(&file.lines) {
            let Some(memory) = &line.memory else { continue };
            let Some(value) = metric.of(memory).filter(|value| *value > Mebibytes::ZERO) else {
                continue;
            };
            if memory.allocated < smallest {
                below_threshold += 1;
                below_sum += value.get();
            } else {
                sampled.push((value, Place { file: file_index, line: line_index }));
            }
        }
    }
    let mut ranked: Ranked = sampled.into_iter().collect();
    let above_threshold = ranked.len();
    let sum = below_sum + ranked.values().map(Mebibytes::get).sum::<f64>();
    let spots = ranked.keep(most).into_iter().filter_map(|(value, place): (Mebibytes, Place)| {
        let file = profile.files.get(place.file as usize)?;
        let line = file.lines.get(place.line as usize)?;
        // A line's growth can be sampled a little above the highest footprint.
        let share = Percent::of_whole(value.get().min(whole), whole);
        Some(MemoryHotspot { file, line, memory: line.memory.as_ref()?, value, share })
    });
    MemoryRanking { spots: spots.collect(), above_threshold, below_threshold, whole: sum }
}
