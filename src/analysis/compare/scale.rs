//! From shares of sampled time to seconds, and how far these can be off.

use std::collections::HashSet;

use super::align::Alignment;
use super::delta::{Delta, Verdict};
use super::noise::Allowance;
use crate::analysis::stats::{behind, effective};
use crate::analysis::thresholds::{CHANGED_MIB, CHANGED_PART, INTERVAL_Z, SAMPLE_WEIGHT};
use crate::profile::{FileProfile, Line, LineNo, LineTime, Percent, Profile, Seconds};

/// Scalene's mean time between two samples, in seconds, unless told otherwise.
const DEFAULT_INTERVAL: f64 = 0.01;

/// Some lines of one file in one profile.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Part {
    /// Share of sampled time.
    pub(super) share: Percent,
    /// Samples behind it; 0 where they are not known.
    samples: u64,
    /// Volume allocated in MiB.
    allocated: f64,
    /// Standard error of its seconds over several runs.
    between_runs: Option<f64>,
}

/// Standard error, over the runs of a profile that is the mean of several (`repeat`), of the seconds of lines, or of
/// the wall time where no lines are given. It holds the noise of the machine as well, and replaces the sampling
/// error. Half of the runs' 95 % interval over [`INTERVAL_Z`]: a few runs make the interval wide, and so it stays.
fn between_runs(
    profile: &Profile,
    lines: Option<(&FileProfile, &dyn Fn() -> HashSet<LineNo>)>,
) -> Option<f64> {
    let repeats = profile.repeats.as_ref()?;
    let interval = match lines {
        Some((file, numbers)) => {
            let numbers = numbers();
            repeats.seconds(&file.path, LineTime::All, |line| numbers.contains(&line))
        }
        None => repeats.elapsed(),
    }?;
    Some((interval.high - interval.mean) / INTERVAL_Z.value)
}

/// What turns the shares of one profile into seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale<'a> {
    profile: &'a Profile,
    /// Seconds of all sampled time.
    seconds: Option<f64>,
    /// Samples behind it, by number, where known.
    samples: Option<u64>,
    /// The same in samples of equal weight; where Scalene does not say how many it took, those that were
    /// due.
    effective: Option<f64>,
    memory: bool,
}

impl<'a> Scale<'a> {
    pub(super) fn of(profile: &'a Profile) -> Self {
        let whole = Percent::from_percent(100.0).and_then(|all| profile.seconds(all));
        let samples = profile.cpu_samples().filter(|samples| *samples > 0);
        let due = || {
            let interval =
                profile.measured.sampling_interval.map_or(DEFAULT_INTERVAL, Seconds::get);
            Some(SAMPLE_WEIGHT.value * profile.elapsed?.get() / interval)
        };
        let counted = samples.map(|samples| effective(samples, profile.timed_by));
        Self {
            profile,
            seconds: whole.map(Seconds::get),
            samples,
            effective: counted.or_else(due).filter(|n| *n > 0.0),
            memory: profile.footprint.is_some(),
        }
    }

    /// What lines of a file add up to; none of them is a part that took no time.
    pub(super) fn part<'l>(
        &self,
        file: &FileProfile,
        lines: &(impl Iterator<Item = &'l Line> + Clone),
    ) -> Part {
        let numbers = || lines.clone().map(|line| line.number).collect();
        let mut part = Part {
            between_runs: between_runs(self.profile, Some((file, &numbers))),
            ..Part::default()
        };
        // The lines of a loop over which Scalene spread its time list the same samples.
        let mut spread = HashSet::new();
        for line in lines.clone() {
            part.share = part.share + line.cpu.total();
            part.allocated += line.memory.as_ref().map_or(0.0, |memory| memory.allocated.get());
            if line.spread.is_none_or(|lines| spread.insert(lines)) {
                part.samples += u64::from(line.cpu.samples);
            }
        }
        part
    }

    fn seconds(&self, share: Percent) -> Option<f64> {
        Some(self.seconds? * share.get() / 100.0)
    }

    /// Standard error of a part's seconds: over the runs of a profile that has several, else from the
    /// binomial variance of its samples. A share of nothing is given that of one sample, a share of
    /// everything that of all but one.
    fn error(&self, part: Part) -> Option<f64> {
        part.between_runs.or_else(|| {
            let n = self.effective? * self.known_from(part);
            let edge = 1.0 / (n + 2.0);
            let p = (part.share.get() / 100.0).clamp(edge, 1.0 - edge);
            Some(self.seconds? * (p * (1.0 - p) / n).sqrt())
        })
    }

    /// The part of all samples that a part's own stand for: a long wait or native call is one sample, however
    /// long it lasts.
    #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
    fn known_from(&self, part: Part) -> f64 {
        let known = self
            .samples
            .and_then(|all| Some(behind(part.share, part.samples, all)? as f64 / all as f64));
        known.unwrap_or(1.0)
    }
}

/// Both profiles' scales, and what counts as a change.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scales<'a> {
    pub(super) before: Scale<'a>,
    pub(super) after: Scale<'a>,
    pub(super) tolerance: f64,
    /// Changes of fewer seconds do not count.
    smallest: f64,
    /// Nothing keeps the seconds of the two from being compared.
    pub(super) comparable: bool,
    /// What two runs of one text may differ by.
    pub(super) allowance: Allowance,
}

impl<'a> Scales<'a> {
    pub(super) fn new(
        baseline: &'a Profile,
        candidate: &'a Profile,
        alignment: &Alignment<'_>,
        tolerance: f64,
        comparable: bool,
    ) -> Self {
        // The longer one: which of the two is the baseline makes no difference.
        let elapsed =
            [baseline, candidate].map(|profile| profile.elapsed.map_or(0.0, Seconds::get));
        let elapsed = elapsed.into_iter().fold(0.0, f64::max);
        Self {
            before: Scale::of(baseline),
            after: Scale::of(candidate),
            tolerance,
            smallest: CHANGED_PART.value * elapsed,
            comparable,
            allowance: Allowance::new(baseline, candidate, alignment),
        }
    }

    /// Wall time; its error is known only where both profiles have several runs.
    pub(super) fn elapsed(&self) -> Delta {
        let of = |scale: &Scale<'_>| scale.profile.elapsed.map(Seconds::get);
        let error = |scale: &Scale<'_>| between_runs(scale.profile, None);
        let errors = error(&self.before).zip(error(&self.after));
        Delta {
            before: of(&self.before),
            after: of(&self.after),
            error: errors.map(|(before, after)| before.hypot(after)),
        }
    }

    /// Seconds of a part, and what their change is worth. A part that is not there has no seconds. `same` says that
    /// it has the same text on both sides.
    pub(super) fn time(
        &self,
        before: Option<Part>,
        after: Option<Part>,
        same: bool,
    ) -> (Delta, Verdict) {
        let error = self
            .before
            .error(before.unwrap_or_default())
            .zip(self.after.error(after.unwrap_or_default()))
            .map(|(before, after)| before.hypot(after));
        let delta = Delta {
            before: before.and_then(|part| self.before.seconds(part.share)),
            after: after.and_then(|part| self.after.seconds(part.share)),
            error,
        };
        let known =
            self.comparable && self.before.seconds.is_some() && self.after.seconds.is_some();
        let allowance = self.allowed(self.allowance.time, same);
        let judged = || delta.judge(self.tolerance, self.smallest, allowance);
        (delta, if known { judged() } else { Verdict::Unknown })
    }

    /// MiB that a part allocated, where both profiles measured memory.
    pub(super) fn memory(
        &self,
        before: Option<Part>,
        after: Option<Part>,
        same: bool,
    ) -> (Option<Delta>, Verdict) {
        if !self.before.memory || !self.after.memory {
            return (None, Verdict::Unknown);
        }
        let delta = Delta {
            before: before.map(|part| part.allocated),
            after: after.map(|part| part.allocated),
            error: None,
        };
        let verdict = if self.comparable {
            delta.judge(
                self.tolerance,
                CHANGED_MIB.value,
                self.allowed(self.allowance.memory, same),
            )
        } else {
            Verdict::Unknown
        };
        (Some(delta), verdict)
    }

    /// An allowance, where the text is the same and nothing that was edited takes time.
    fn allowed(&self, allowance: f64, same: bool) -> f64 {
        if same && self.allowance.same_work { allowance } else { 0.0 }
    }
}
