//! Lines by time.

use crate::profile::{FileProfile, Line, Percent, Profile};

/// Which kinds of time count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuBasis {
    /// Python and native time.
    OnCpu,
    /// Also waiting, sleeping and kernel time.
    WithSystem,
}

impl CpuBasis {
    /// The share of a line on this basis.
    pub fn share(self, line: &Line) -> Percent {
        match self {
            Self::OnCpu => line.cpu.on_cpu(),
            Self::WithSystem => line.cpu.total(),
        }
    }
}

/// A line and its share of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hotspot<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// The line.
    pub line: &'a Line,
    /// Its share of all sampled time.
    pub share: Percent,
}

/// All lines with time on the given basis, highest first; ties in order of file and line.
pub fn cpu_hotspots(profile: &Profile, basis: CpuBasis) -> Vec<Hotspot<'_>> {
    let mut spots: Vec<_> = profile
        .lines()
        .map(|(file, line)| Hotspot { file, line, share: basis.share(line) })
        .filter(|spot| spot.share > Percent::ZERO)
        .collect();
    spots.sort_by(|a, b| b.share.get().total_cmp(&a.share.get()));
    spots
}
