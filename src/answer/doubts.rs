//! What makes the figures of a profile less than certain, in words.

use crate::analysis::thresholds::RANKING_SAMPLES;
use crate::analysis::{self, Confidence};
use crate::profile::{Mebibytes, Percent, Profile};

/// Doubts about the times of a profile.
pub(super) fn of_times(profile: &Profile) -> Vec<String> {
    match analysis::confidence(profile) {
        Confidence::TooFew(samples) => vec![too_few(samples)],
        Confidence::Enough(_) => sparse(profile).into_iter().collect(),
        Confidence::Unknown => vec![unlisted(profile)],
    }
}

/// Doubts about the memory of a profile.
pub(super) fn of_memory(profile: &Profile) -> Vec<String> {
    let unseen = analysis::unexplained_peak(profile).map(|(allocated, peak)| {
        format!(
            "the lines account for {allocated} of {peak} MiB at the peak: Scalene did not see all allocations, \
             volumes by line are lower bounds"
        )
    });
    unseen.into_iter().chain(beyond_resident(profile)).collect()
}

/// A footprint above what the process ever held.
pub(super) fn beyond_resident(profile: &Profile) -> Option<String> {
    let resident = Mebibytes::from_bytes(profile.run.peak_resident_bytes?);
    let peak = profile.footprint.as_ref()?.known_peak()?;
    (peak > resident).then(|| {
        format!(
            "the footprint's peak ({peak} MiB) is above the highest resident size ({resident} MiB): memory that was \
             allocated and never touched, or frees that Scalene missed, as happens on a busy machine"
        )
    })
}

fn unlisted(profile: &Profile) -> String {
    let hidden: Percent = profile
        .lines()
        .filter(|(_, line)| line.cpu.samples == 0)
        .map(|(_, line)| line.cpu.total())
        .sum();
    format!(
        "{hidden} % of the time is on lines without a listed sample: worker threads, whose shares Scalene only \
         estimates from samples of the main thread (it may blame a thread that sleeps), or Scalene before 1.5.55, \
         which lists none"
    )
}

fn too_few(samples: u64) -> String {
    let samples =
        if samples == 1 { "1 sample is".to_owned() } else { format!("{samples} samples are") };
    format!(
        "{samples} too few to rank lines (below {}): profile more work; a second gives about 100",
        RANKING_SAMPLES.value
    )
}

fn sparse(profile: &Profile) -> Option<String> {
    let (samples, due) = analysis::sparse(profile)?;
    Some(format!(
        "only {samples} samples where about {due:.0} were due: long native calls or waits delay them, and \
         their time may show on a neighbouring line"
    ))
}
