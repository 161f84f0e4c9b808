//! How far two runs of one text lie apart without a reason in the text.
//!
//! A profile of one run has no spread of its own. Where nothing that takes time was edited, a change is held
//! against [`RUN_TO_RUN`]; several runs on both sides measure their spread, which takes its place.

use super::align::{Alignment, Function, LineStatus, Named, Place};
use super::function::measured;
use crate::analysis::thresholds::{CHANGED_PART, RUN_TO_RUN};
use crate::profile::{Percent, Profile};

/// What is let pass between two runs of one text, as parts of the smaller figure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Allowance {
    /// Of seconds: more on a machine that has more to do than cores. Nothing where both profiles have several runs.
    pub(super) time: f64,
    /// Of memory, which no load changes and no repetition measures.
    pub(super) memory: f64,
    /// Nothing that takes time was edited.
    pub(super) same_work: bool,
}

impl Allowance {
    pub(super) fn new(baseline: &Profile, candidate: &Profile, alignment: &Alignment<'_>) -> Self {
        let repeated = baseline.repeats.is_some() && candidate.repeats.is_some();
        let load = load_per_core(baseline).max(load_per_core(candidate));
        Self {
            time: if repeated { 0.0 } else { RUN_TO_RUN.value * load },
            memory: RUN_TO_RUN.value,
            same_work: !edit_has_time(alignment),
        }
    }
}

/// Processes that wanted a core, per core, when the run began; 1 where that is less or not known.
#[expect(clippy::cast_precision_loss, reason = "a number of cores")]
fn load_per_core(profile: &Profile) -> f64 {
    let environment = profile.run.environment.as_ref();
    let known = environment.and_then(|env| Some(env.load? / env.cores.filter(|n| *n > 0)? as f64));
    known.unwrap_or(1.0).max(1.0)
}

/// Whether lines that are edited, new or removed have a part of the time that counts. A function that only has
/// another name or place is not edited.
fn edit_has_time(alignment: &Alignment<'_>) -> bool {
    let (mut before, mut after) = (Percent::ZERO, Percent::ZERO);
    let edited = alignment
        .functions
        .iter()
        .filter(|pair| pair.edited || pair.before.is_none() || pair.after.is_none());
    for pair in edited {
        before = before
            + of_edited(pair.before.as_ref(), &alignment.before, &|place| {
                alignment.of_before(place).map(|fate| fate.status)
            });
        after = after
            + of_edited(pair.after.as_ref(), &alignment.after, &|place| {
                alignment.of_after(place).map(|fate| fate.status)
            });
    }
    before.get().max(after.get()) >= 100.0 * CHANGED_PART.value
}

/// Share of the lines of a function whose text the other version lacks.
fn of_edited(
    function: Option<&Function<'_>>,
    files: &[Named<'_>],
    status: &dyn Fn(Place) -> Option<LineStatus>,
) -> Percent {
    let Some(function) = function else { return Percent::ZERO };
    let is_edited = |line| {
        let status = status(Place { file: function.file, line });
        matches!(status, Some(LineStatus::Edited | LineStatus::New | LineStatus::Removed))
    };
    let lines = measured(function, files).filter(|line| is_edited(line.number));
    lines.fold(Percent::ZERO, |sum, line| sum + line.cpu.total())
}
