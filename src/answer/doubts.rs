//! What makes the figures of a profile less than certain, in words.

use super::listing;
use super::text::amount;
use crate::analysis::thresholds::{COMPUTING_PART, HIGH_SHARE, RANKING_SAMPLES, WAITING_SHARE};
use crate::analysis::{self, Confidence, Contradiction, CpuRanking};
use crate::profile::{Mebibytes, Percent, Profile, Witness};

/// Doubts about the times of a profile.
pub(super) fn of_times(profile: &Profile) -> Vec<String> {
    let mut doubts = match analysis::confidence(profile) {
        Confidence::TooFew(samples) => vec![too_few(samples)],
        Confidence::Enough(_) => sparse(profile).into_iter().collect(),
        Confidence::Unknown if profile.totals().total() == Percent::ZERO => Vec::new(),
        Confidence::Unknown => vec![unlisted(profile)],
    };
    doubts.extend(analysis::contradiction(profile).map(|found| contradicted(profile, &found)));
    if let Witness::Stacks { undivided, .. } = profile.timed_by {
        doubts.extend(profilers(profile));
        doubts.extend(not_divided(undivided));
        return doubts;
    }
    doubts.extend(waiting(profile));
    if profile.measured.sampling_interval.is_some_and(|interval| interval.get() < FINEST) {
        doubts.push(
            "sampled more often than every 5 ms: Scalene then counts waits far too low (a sleep of half the run \
             showed as a fifth and less)"
                .to_owned(),
        );
    }
    doubts
}

/// Share of the time, in percent, from which it matters how it divides.
const DIVIDED: f64 = 1.0;

fn not_divided(undivided: Percent) -> Option<String> {
    (undivided.get() >= DIVIDED).then(|| {
        format!(
            "of {} % of the time it is not known whether it is Python or native (no machine code was seen, and Scalene \
             has no samples there): it is counted as Python",
            amount(undivided.rounded())
        )
    })
}

/// Where Scalene alone would have misled.
fn contradicted(profile: &Profile, found: &Contradiction<'_>) -> String {
    format!(
        "Scalene alone gives {} {} %; the stacks read beside it {} %. They are believed: they are exact about lines, and \
         see waits, threads and worker processes that Scalene's timer misses (docs/accuracy.md)",
        listing::location(profile, found.file, (found.line, found.line)),
        amount(found.scalene.rounded()),
        amount(found.stacks.rounded()),
    )
}

/// How much of the run was Scalene's own work, where that is a part to reckon with.
fn profilers(profile: &Profile) -> Option<String> {
    let sampling = &profile.calls.as_ref()?.sampling;
    let part = Percent::of_whole(sampling.profiler, sampling.profiler + sampling.attributed)?;
    let less = if profile.measured.memory { "memory=false, or " } else { "" };
    (part.get() >= HIGH_SHARE.value).then(|| {
        format!(
            "Scalene's own work took about {part} % of the run: seconds, which are shares of the whole, are too long by \
             as much, and shares are less certain than their intervals say; {less}a larger cpu_sampling_rate makes it less"
        )
    })
}

/// Sampling intervals below this, in seconds, distort waits.
const FINEST: f64 = 0.005;

/// What else may be behind time that looks like waiting.
fn waiting(profile: &Profile) -> Vec<String> {
    let share = profile.totals().system;
    let mut reasons = Vec::new();
    if share.get() < WAITING_SHARE.value || profile.measured.virtual_time {
        return reasons;
    }
    let environment = profile.run.environment.as_ref();
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    let busy = environment
        .and_then(|environment| Some((environment.load?, environment.cores? as f64)))
        .filter(|(load, cores)| load >= cores);
    if let Some((load, cores)) = busy {
        reasons.push(format!(
            "the machine was busy (load {} on {cores} cores): a part of the {share} % waiting is waiting for a core",
            amount(load)
        ));
    }
    let allocates = profile.totals().allocated > Mebibytes::ZERO;
    if profile.footprint.is_some() && allocates && share.get() >= COMPUTING_PART.value {
        reasons.push(format!(
            "memory profiling was on: the {share} % waiting may hold Scalene's own work on allocations; memory=false \
             tells it apart"
        ));
    }
    reasons
}

/// What to say where every place with time is below the profile's threshold.
pub(super) fn below_threshold(profile: &Profile, ranking: &CpuRanking<'_>) -> Option<String> {
    let largest = ranking.spots.first().filter(|_| ranking.above_threshold == 0)?;
    Some(format!(
        "all {} places with time are below cpu_percent_threshold, {} %: the largest is {} with {} %; get_file_details and \
         get_function_summary list them",
        ranking.total,
        amount(profile.reporting.cpu_percent_threshold),
        listing::location(profile, largest.file, largest.lines()),
        amount(largest.share.rounded())
    ))
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
    let hidden = profile.totals().unlisted;
    format!(
        "{hidden} % of the time is on lines without a listed sample: worker threads, whose shares Scalene only \
         estimates from samples of the main thread (it may blame a thread that sleeps), or Scalene before 1.5.55, \
         which lists none"
    )
}

/// `1 sample is`, `2 samples are`.
pub(super) fn are(samples: u64) -> String {
    if samples == 1 { "1 sample is".to_owned() } else { format!("{samples} samples are") }
}

fn too_few(samples: u64) -> String {
    format!(
        "{} too few to rank lines (below {}): profile more work; a second gives about 100",
        are(samples),
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
