//! How many times as much the candidate takes, and how far that is known.
//!
//! Works on log(candidate / baseline), so that a ratio and its inverse are treated alike. Within a pair
//! chance decides which side runs first: where both sides are equal, each difference is as
//! likely to have either sign, whatever the noise, its drift and its dependence on what was before. That
//! symmetry is all that the signed-rank test needs.

use super::{rank_sum, signed_rank};

/// Two adjacent runs, one of each side. Positive, in the same unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pair {
    /// Of the baseline.
    pub baseline: f64,
    /// Of the candidate.
    pub candidate: f64,
}

impl Pair {
    fn is_positive(self) -> bool {
        let good = |value: f64| value.is_finite() && value > 0.0;
        good(self.baseline) && good(self.candidate)
    }
}

/// Candidate over baseline.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Ratio {
    /// The estimate; below 1 the candidate takes less.
    pub ratio: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Pairs behind it.
    pub pairs: usize,
}

/// The ratio with an interval that misses the truth in at most `alpha` of cases; `None` where so few pairs
/// cannot support one, or a value is not positive.
///
/// From the pairs (signed ranks) where there are enough of them; else from the two samples (rank sums),
/// which is sure of a clear difference from 4 runs of each side on where pairs need 6. Noise that both
/// runs of a pair share makes the second way too careful, never too sure.
pub fn ratio(pairs: &[Pair], alpha: f64) -> Option<Ratio> {
    if !pairs.iter().all(|pair| pair.is_positive()) {
        return None;
    }
    let (ordered, critical) = match signed_rank::critical(pairs.len(), alpha) {
        Some(critical) => (signed_rank::walsh_averages(&logs(pairs)), critical),
        None => (all_differences(pairs), rank_sum::critical(pairs.len(), alpha)?),
    };
    let last = ordered.len().checked_sub(1)?;
    Some(Ratio {
        ratio: middle(&ordered)?.exp(),
        low: ordered.get(critical)?.exp(),
        high: ordered.get(last - critical)?.exp(),
        pairs: pairs.len(),
    })
}

/// The estimate alone, from any number of pairs: where there are too few for an interval. `None` without pairs,
/// or where a value is not positive.
pub fn estimate(pairs: &[Pair]) -> Option<f64> {
    let positive = pairs.iter().all(|pair| pair.is_positive());
    let centre = positive.then(|| middle(&signed_rank::walsh_averages(&logs(pairs)))).flatten();
    centre.map(f64::exp)
}

fn logs(pairs: &[Pair]) -> Vec<f64> {
    pairs.iter().map(|pair| (pair.candidate / pair.baseline).ln()).collect()
}

/// Every candidate against every baseline, in order.
fn all_differences(pairs: &[Pair]) -> Vec<f64> {
    let against =
        |one: &Pair| pairs.iter().map(|other| (one.candidate / other.baseline).ln()).collect();
    let mut all: Vec<f64> = pairs.iter().flat_map::<Vec<f64>, _>(against).collect();
    all.sort_unstable_by(f64::total_cmp);
    all
}

/// The middle of ordered values; the mean of the two middle ones of an even number.
pub(super) fn middle(ordered: &[f64]) -> Option<f64> {
    let last = ordered.len().checked_sub(1)?;
    Some(f64::midpoint(*ordered.get(last / 2)?, *ordered.get(last.div_ceil(2))?))
}
