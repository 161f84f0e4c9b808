//! When to stop running, and what to conclude.
//!
//! Runs are looked at several times, and stopping at the first look that pleases would be wrong far more often than
//! 5 %. The error is therefore shared out in advance, after Haybittle (Br. J. Radiol. 44, 1971) and
//! Peto et al. (Br. J. Cancer 34, 1976): each of six early looks must be sure to 99.95 %, and the interval that is
//! reported to 96 %. The shares add up to less than the promised error, so that it is kept however looks depend
//! on each other, and wherever a budget or a person ends the runs. What is not spent pays for the pull that
//! stopping early has on the interval where there is a small difference.

use super::ratio::{Pair, Ratio, ratio};

/// Numbers of pairs at which it is asked whether that is enough. Close together where runs are expected to end, far
/// apart after that: each look pulls at the interval.
const LOOKS: [usize; 6] = [8, 12, 18, 27, 80, 240];
/// Part of the error that one early look may spend.
const EARLY_PART: f64 = 0.01;
/// Part of the error that the reported interval may spend.
const REPORTED_PART: f64 = 0.8;
/// Pairs from which on a narrow interval is believed: that of fewer may be so by chance.
const LEAST_FOR_NARROW: usize = 18;
/// Part of the smallest effect to which the ratio need not be known better, either way.
const NARROW_PART: f64 = 1.0 / 3.0;
/// More pairs than this are no advice.
const MOST_ADVISED: f64 = 10_000.0;

/// What is concluded from the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The candidate takes less: the interval lies below 1, the estimate beyond the smallest effect.
    Faster,
    /// The candidate takes more: the interval lies above 1, the estimate beyond the smallest effect.
    Slower,
    /// The interval lies within the smallest effect on both sides of 1.
    NoDifference,
    /// The runs cannot tell.
    Undecided,
}

/// Whether to go on after a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// One more pair.
    Go,
    /// Enough.
    Stop(Why),
}

/// Why the runs are enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// One side is clearly faster.
    Clear,
    /// The interval is narrow: more runs would not tell more that matters.
    Narrow,
    /// The most pairs have been run.
    Most,
}

/// What is promised, and what counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rule {
    /// The smallest effect that matters, as a part: 0.03 for 3 %.
    pub min_effect: f64,
    /// How often the reported interval holds the truth: 0.95.
    pub level: f64,
    /// Pairs below which nothing is concluded.
    pub least: usize,
    /// Pairs after which the runs end whatever they show.
    pub most: usize,
}

impl Default for Rule {
    fn default() -> Self {
        Self { min_effect: 0.03, level: 0.95, least: 4, most: 400 }
    }
}

impl Rule {
    /// The ratio with the interval that is reported, whenever the runs ended. `None` with fewer pairs than can
    /// support one (4 by default), or where a value is not positive.
    pub fn ratio(&self, pairs: &[Pair]) -> Option<Ratio> {
        if pairs.len() < self.least {
            return None;
        }
        ratio(pairs, REPORTED_PART * (1.0 - self.level))
    }

    /// What the reported ratio means.
    ///
    /// With the smallest effect m, a ratio counts from 1 + m, or 1 ÷ (1 + m), on. `Faster`: interval below 1 and
    /// estimate below 1 ÷ (1 + m). `Slower`: interval above 1 and estimate above 1 + m.
    /// `NoDifference`: interval within both bounds, also where it excludes 1. Else `Undecided`.
    pub fn verdict(&self, ratio: Option<&Ratio>) -> Verdict {
        let Some(found) = ratio else { return Verdict::Undecided };
        let (lower, upper) = (1.0 / (1.0 + self.min_effect), 1.0 + self.min_effect);
        if found.high < 1.0 && found.ratio < lower {
            Verdict::Faster
        } else if found.low > 1.0 && found.ratio > upper {
            Verdict::Slower
        } else if found.low >= lower && found.high <= upper {
            Verdict::NoDifference
        } else {
            Verdict::Undecided
        }
    }

    /// Asked after each pair. The budget of time is the caller's: it may end the runs at any pair.
    pub fn decide(&self, pairs: &[Pair]) -> Step {
        if pairs.len() >= self.most {
            return Step::Stop(Why::Most);
        }
        if !LOOKS.contains(&pairs.len()) {
            return Step::Go;
        }
        let reported = self.ratio(pairs);
        let strict = ratio(pairs, EARLY_PART * (1.0 - self.level));
        let verdict = self.verdict(reported.as_ref());
        // That there is no difference is left to the width: stopping as soon as the interval lies well would
        // prefer estimates near 1.
        let clear = matches!(verdict, Verdict::Faster | Verdict::Slower)
            && verdict == self.verdict(strict.as_ref());
        if clear {
            Step::Stop(Why::Clear)
        } else if pairs.len() >= LEAST_FOR_NARROW && reported.is_some_and(|it| self.is_narrow(&it))
        {
            Step::Stop(Why::Narrow)
        } else {
            Step::Go
        }
    }

    /// Judged by its width alone, which does not lean to either side.
    fn is_narrow(&self, ratio: &Ratio) -> bool {
        (ratio.high / ratio.low).ln() / 2.0 <= NARROW_PART * self.min_effect.ln_1p()
    }

    /// Further pairs after which the verdict would be clear, if the estimate stayed as it is and the interval shrank by
    /// the root of the number of pairs. `None` where it is clear, and where no reasonable number
    /// would do, since the estimate lies at the smallest effect.
    pub fn more_pairs(&self, pairs: &[Pair]) -> Option<usize> {
        if pairs.len() < self.least {
            return Some(self.least - pairs.len());
        }
        let found = self.ratio(pairs)?;
        if self.verdict(Some(&found)) != Verdict::Undecided {
            return None;
        }
        let (estimate, limit) = (found.ratio.ln(), self.min_effect.ln_1p());
        // How far the interval reaches towards the bound that it has to stay clear of, and how far it may.
        let (reach, room) = if estimate.abs() > limit {
            let towards_one = if estimate < 0.0 { found.high } else { found.low };
            ((towards_one.ln() - estimate).abs(), estimate.abs())
        } else {
            let outward = (found.high.ln() - estimate).max(estimate - found.low.ln());
            (outward, limit - estimate.abs())
        };
        further(pairs.len(), reach / room)
    }
}

/// Pairs beyond `pairs` after which an interval that is `factor` times too wide fits.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a bounded number of pairs"
)]
fn further(pairs: usize, factor: f64) -> Option<usize> {
    let more = pairs as f64 * (factor * factor - 1.0);
    (more.is_finite() && more <= MOST_ADVISED).then(|| (more.ceil() as usize).max(1))
}

#[cfg(test)]
#[path = "rule_tests.rs"]
mod tests;
