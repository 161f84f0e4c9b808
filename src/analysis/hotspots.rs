//! Places by time: lines, and stretches of lines that the profiler could not tell apart.

use std::collections::HashMap;

use super::stats;
use crate::profile::{FileProfile, Line, LineCpu, LineNo, Percent, Profile};

/// Which kinds of time count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuBasis {
    /// Python and native time.
    OnCpu,
    /// Also waiting, sleeping and kernel time.
    WithSystem,
}

impl CpuBasis {
    /// The share of a place on this basis.
    pub fn share(self, cpu: &LineCpu) -> Percent {
        match self {
            Self::OnCpu => cpu.on_cpu(),
            Self::WithSystem => cpu.total(),
        }
    }
}

/// A line, or a stretch whose time Scalene spread evenly over its lines, and its share of the run.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hotspot<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// The line; of a stretch the first.
    pub line: &'a Line,
    /// Last line of the stretch; the line itself otherwise.
    pub end: LineNo,
    /// Its time: of a stretch the sum of its lines.
    pub cpu: LineCpu,
    /// Its share of all sampled time on the basis that was asked for.
    pub share: Percent,
    /// 95 % interval of that share; absent when the number of samples is not known.
    pub interval: Option<(Percent, Percent)>,
    /// Whether the samples tell it apart from the place ranked next; absent when their number is
    /// not known. The last place has no next and counts as told apart.
    pub told_apart: Option<bool>,
}

impl Hotspot<'_> {
    /// First and last line.
    pub fn lines(&self) -> (LineNo, LineNo) {
        (self.line.number, self.end)
    }
}

/// All places with time on the given basis, highest first; ties in order of file and line.
pub fn cpu_hotspots(profile: &Profile, basis: CpuBasis) -> Vec<Hotspot<'_>> {
    let mut spots: Vec<_> = places(profile)
        .into_iter()
        .map(|spot| Hotspot { share: basis.share(&spot.cpu), ..spot })
        .filter(|spot| spot.share > Percent::ZERO)
        .collect();
    spots.sort_by(|a, b| b.share.get().total_cmp(&a.share.get()));
    let Some(samples) = profile.cpu_samples() else { return spots };
    let shares: Vec<_> = spots.iter().map(|spot| spot.share).collect();
    for (index, spot) in spots.iter_mut().enumerate() {
        spot.interval = stats::wilson(spot.share, samples);
        let next = shares.get(index + 1);
        spot.told_apart =
            Some(next.is_none_or(|next| stats::told_apart(spot.share, *next, samples)));
    }
    spots
}

/// Every measured line once: alone, or as part of its stretch.
fn places(profile: &Profile) -> Vec<Hotspot<'_>> {
    let mut spots: Vec<Hotspot<'_>> = Vec::new();
    for file in &profile.files {
        // By first line of a stretch: where it is in `spots`.
        let mut stretches: HashMap<LineNo, usize> = HashMap::new();
        for line in &file.lines {
            let known = line.spread.and_then(|(first, _)| stretches.get(&first));
            if let Some(spot) = known.and_then(|index| spots.get_mut(*index)) {
                spot.cpu = spot.cpu.plus(&line.cpu);
                continue;
            }
            let end = line.spread.map_or(line.number, |(_, last)| last);
            if let Some((first, _)) = line.spread {
                stretches.insert(first, spots.len());
            }
            spots.push(Hotspot {
                file,
                line,
                end,
                cpu: line.cpu,
                share: Percent::ZERO,
                interval: None,
                told_apart: None,
            });
        }
    }
    spots
}
