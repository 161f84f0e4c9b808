//! What makes the figures of a profile less than certain, in words.

use crate::analysis::{self, Confidence, RANKING_SAMPLES};
use crate::profile::Profile;

/// Doubts about the times of a profile.
pub(super) fn of_times(profile: &Profile) -> Vec<String> {
    match analysis::confidence(profile) {
        Confidence::TooFew(samples) => vec![too_few(samples)],
        Confidence::Enough(_) | Confidence::Unknown => sparse(profile).into_iter().collect(),
    }
}

/// Doubts about the memory of a profile.
pub(super) fn of_memory(profile: &Profile) -> Option<String> {
    let (allocated, peak) = analysis::unexplained_peak(profile)?;
    Some(format!(
        "the lines account for {allocated} of {peak} MiB at the peak: Scalene did not see all allocations, \
         volumes by line are lower bounds"
    ))
}

fn too_few(samples: u64) -> String {
    let samples =
        if samples == 1 { "1 sample is".to_owned() } else { format!("{samples} samples are") };
    format!(
        "{samples} too few to rank lines (below {RANKING_SAMPLES}): profile more work; a second gives about 100"
    )
}

fn sparse(profile: &Profile) -> Option<String> {
    let (samples, due) = analysis::sparse(profile)?;
    Some(format!(
        "only {samples} samples where about {due:.0} were due: long native calls or waits delay them, and \
         their time may show on a neighbouring line"
    ))
}
