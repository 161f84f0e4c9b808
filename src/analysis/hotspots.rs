//! Places by time: lines, and stretches of lines that the profiler could not tell apart.

use std::collections::HashMap;

use super::ranked::{Place, Ranked};
use super::stats;
use crate::profile::{FileProfile, Line, LineCpu, LineNo, Percent, Profile, Witness};

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
    /// Samples of the whole profile, when their number is known, and whose they are.
    samples: Option<(u64, Witness)>,
    /// Share of the place ranked next.
    next: Option<Percent>,
}

impl Hotspot<'_> {
    /// First and last line.
    pub fn lines(&self) -> (LineNo, LineNo) {
        (self.line.number, self.end)
    }

    /// 95 % interval of its share; absent when the number of samples is not known.
    pub fn interval(&self) -> Option<(Percent, Percent)> {
        stats::wilson(self.share, self.behind()?)
    }

    /// Samples of equal weight that its share rests on.
    fn behind(&self) -> Option<f64> {
        let (all, witness) = self.samples?;
        let own = stats::behind(self.cpu.total(), u64::from(self.cpu.samples), all)?;
        Some(stats::effective(own, witness))
    }

    /// Whether the samples tell it apart from the place ranked next; absent when their number is
    /// not known, and for the last place.
    pub fn told_apart(&self) -> Option<bool> {
        Some(stats::told_apart(self.share, self.next?, self.behind()?))
    }
}

/// The first places of a ranking, and what they are part of.
#[derive(Debug, Clone, PartialEq)]
pub struct CpuRanking<'a> {
    /// Highest first; ties in order of file and line.
    pub spots: Vec<Hotspot<'a>>,
    /// Places with time.
    pub total: usize,
    /// Those of them that reach the profile's threshold.
    pub above_threshold: usize,
    /// Share of all sampled time that all places hold.
    pub whole: Percent,
}

/// All places with time on the given basis, highest first; ties in order of file and line.
pub fn cpu_hotspots(profile: &Profile, basis: CpuBasis) -> Vec<Hotspot<'_>> {
    cpu_ranking(profile, basis, usize::MAX).spots
}

/// The `most` places with most time on the given basis.
pub fn cpu_ranking(profile: &Profile, basis: CpuBasis, most: usize) -> CpuRanking<'_> {
    let Places { single, stretches } = Places::of(profile, basis);
    let threshold = profile.reporting.cpu_percent_threshold;
    let stretched = stretches.iter().map(|(place, spot)| (basis.share(&spot.cpu), *place));
    let mut ranked: Ranked = single.into_iter().chain(stretched).collect();
    let whole = ranked.values().sum();
    let (total, above_threshold) =
        (ranked.len(), ranked.values().filter(|share: &Percent| share.get() >= threshold).count());
    // The last one is compared with the one after it.
    let kept = ranked.keep(most.saturating_add(1));
    let samples = profile.cpu_samples().map(|samples| (samples, profile.timed_by));
    let mut spots = Vec::with_capacity(kept.len().min(most));
    for (index, (share, place)) in kept.iter().copied().enumerate().take(most) {
        let spot = stretches.get(&place).copied().or_else(|| Hotspot::of_line(profile, place));
        let next = kept.get(index + 1).map(|(next, _)| *next);
        spots.extend(spot.map(|spot| Hotspot { share, samples, next, ..spot }));
    }
    CpuRanking { spots, total, above_threshold, whole }
}

impl<'a> Hotspot<'a> {
    /// A line by itself, before it is ranked.
    fn of_line(profile: &'a Profile, place: Place) -> Option<Self> {
        let file = profile.files.get(place.file as usize)?;
        let line = file.lines.get(place.line as usize)?;
        Some(Self::new(file, line))
    }

    fn new(file: &'a FileProfile, line: &'a Line) -> Self {
        Hotspot {
            file,
            line,
            end: line.spread.map_or(line.number, |(_, last)| last),
            cpu: line.cpu,
            share: Percent::ZERO,
            samples: None,
            next: None,
        }
    }
}

/// Every measured line once: alone, or as part of its stretch.
struct Places<'a> {
    single: Vec<(Percent, Place)>,
    stretches: HashMap<Place, Hotspot<'a>>,
}

impl<'a> Places<'a> {
    fn of(profile: &'a Profile, basis: CpuBasis) -> Self {
        let mut single = Vec::new();
        let mut stretches: HashMap<Place, Hotspot<'a>> = HashMap::new();
        for (file_index, file) in (0_u32..).zip(&profile.files) {
            // By first line of a stretch: the place it goes by.
            let mut firsts: HashMap<LineNo, Place> = HashMap::new();
            for (line_index, line) in (0_u32..).zip(&file.lines) {
                let place = Place { file: file_index, line: line_index };
                let Some((first, _)) = line.spread else {
                    single.push((basis.share(&line.cpu), place));
                    continue;
                };
                let place = *firsts.entry(first).or_insert(place);
                stretches
                    .entry(place)
                    .and_modify(|spot| spot.cpu = spot.cpu.plus(&line.cpu))
                    .or_insert_with(|| Hotspot::new(file, line));
            }
        }
        Self { single, stretches }
    }
}
