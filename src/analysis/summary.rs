//! What a profile amounts to as a whole, and how far it can be believed.

use super::thresholds::{RANKING_SAMPLES, SPARSE_PART};
use crate::profile::{FileProfile, Mebibytes, Percent, Profile, Seconds, Witness};

/// Totals of a profile.
#[derive(Debug, Clone, PartialEq)]
pub struct Summary {
    /// Wall time with profiling on.
    pub elapsed: Option<Seconds>,
    /// Share of sampled time in the interpreter: sum over lines.
    pub python: Percent,
    /// Share of sampled time in native code: sum over lines.
    pub native: Percent,
    /// Share of sampled time waiting, in the kernel or descheduled: sum over lines.
    pub system: Percent,
    /// Highest footprint; absent when memory was off, or no change was large enough to be sampled.
    pub peak: Option<Mebibytes>,
    /// Time-weighted mean footprint; absent when memory was off or hardly sampled.
    pub average: Option<Mebibytes>,
    /// Volume allocated: sum over lines; absent when memory was off or nothing was sampled.
    pub allocated: Option<Mebibytes>,
    /// Lines on which something was sampled.
    pub lines: usize,
    /// Functions on which something was sampled, `<module>` of each file included.
    pub functions: usize,
}

/// Computes the totals.
pub fn summary(profile: &Profile) -> Summary {
    let footprint = profile.footprint.as_ref();
    let totals = profile.totals();
    Summary {
        elapsed: profile.elapsed,
        python: totals.python,
        native: totals.native,
        system: totals.system,
        peak: footprint.and_then(crate::profile::Footprint::known_peak),
        average: footprint.and_then(|footprint| footprint.average(profile.elapsed)),
        allocated: footprint
            .and_then(crate::profile::Footprint::known_peak)
            .map(|_| totals.allocated)
            .filter(|allocated| *allocated > Mebibytes::ZERO),
        lines: profile.files.iter().map(|file| file.lines.len()).sum(),
        functions: profile.files.iter().map(FileProfile::sampled_functions).sum(),
    }
}

/// Whether the samples carry a ranking.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confidence {
    /// Enough samples.
    Enough(u64),
    /// Too few to rank lines.
    TooFew(u64),
    /// Scalene did not say how many there were (worker threads, old versions).
    Unknown,
}

/// Judges the number of samples.
#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
pub fn confidence(profile: &Profile) -> Confidence {
    match profile.cpu_samples() {
        Some(samples) if samples as f64 >= RANKING_SAMPLES.value => Confidence::Enough(samples),
        Some(samples) => Confidence::TooFew(samples),
        None => Confidence::Unknown,
    }
}

/// Scalene keeps at most this many samples of a line, so that a sum with one such is no count.
const KEPT_PER_LINE: u32 = 500;

/// Samples taken and samples that were due, when far fewer were taken.
///
/// Python runs the sampling timer's handler between bytecodes only: a long native call takes one
/// sample, whatever it lasts, and is charged to whatever runs next.
pub fn sparse(profile: &Profile) -> Option<(u64, f64)> {
    if profile.timed_by != Witness::Scalene {
        return None;
    }
    let samples = profile.cpu_samples()?;
    let full = profile.totals().most_samples >= KEPT_PER_LINE;
    let whole =
        if profile.measured.virtual_time { profile.run.process_cpu } else { profile.elapsed };
    #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
    let runs = profile.repeats.as_ref().map_or(1.0, |repeats| repeats.runs.len() as f64);
    let due = runs * whole?.get() / profile.measured.sampling_interval?.get();
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    let sparse = !full && due >= 100.0 && (samples as f64) < SPARSE_PART.value * due;
    sparse.then_some((samples, due))
}

/// Volume of all lines and the highest footprint, when the lines do not account for it.
pub fn unexplained_peak(profile: &Profile) -> Option<(Mebibytes, Mebibytes)> {
    let peak = profile.footprint.as_ref()?.known_peak()?;
    let allocated = profile.totals().allocated;
    let gap = peak.get() - allocated.get();
    (peak.get() > 1.05 * allocated.get() && gap >= 1.0).then_some((allocated, peak))
}
