//! The change of the total, in parts that add up to it.

use super::delta::Verdict;
use super::function::FunctionChange;
use crate::profile::{Profile, Seconds};

/// Functions named as parts.
const MOST_PARTS: usize = 5;

/// A part of the change.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedPart {
    /// Index into the functions of the comparison.
    pub function: usize,
    /// Seconds, rounded like all parts.
    pub change: f64,
}

/// Where the change of the total comes from. All figures are rounded to the same number of decimals, and
/// the parts, the others and what is left add up to the total exactly as shown.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Change of the total: wall time, or CPU time where only that was measured.
    pub total: f64,
    /// Functions that changed beyond tolerance and sampling error, largest first, a few at most.
    pub parts: Vec<ExplainedPart>,
    /// Number of other functions.
    pub others: usize,
    /// Their changes together.
    pub others_change: f64,
    /// What is on no line of either profile, and what rounding leaves.
    pub left: f64,
    /// Decimals of all these figures.
    pub decimals: usize,
}

/// Divides the change of the total among the functions; nothing where a total is not known.
pub(super) fn explain(
    baseline: &Profile,
    candidate: &Profile,
    functions: &[FunctionChange<'_>],
) -> Option<Explanation> {
    let total = |profile: &Profile| {
        let only_cpu = profile.measured.virtual_time;
        let time = if only_cpu { profile.run.process_cpu } else { profile.elapsed };
        time.map(Seconds::get)
    };
    let change = total(candidate)? - total(baseline)?;
    let changed = |f: &FunctionChange<'_>| {
        matches!(f.time_verdict, Verdict::Regression | Verdict::Improvement)
    };
    let named: Vec<(usize, f64)> = functions
        .iter()
        .enumerate()
        .filter(|(_, function)| changed(function))
        .take(MOST_PARTS)
        .map(|(index, function)| (index, function.time.change()))
        .collect();
    let all: f64 = functions.iter().map(|function| function.time.change()).sum();
    let others = all - named.iter().map(|(_, change)| change).sum::<f64>();
    let largest = named.iter().map(|(_, change)| change.abs()).fold(change.abs(), f64::max);
    let decimals = decimals(largest);
    let round = |value: f64| rounded(value, decimals);
    let parts: Vec<_> = named
        .iter()
        .map(|(function, change)| ExplainedPart { function: *function, change: round(*change) })
        .collect();
    let (total, others_change) = (round(change), round(others));
    let told: f64 = parts.iter().map(|part| part.change).sum::<f64>() + others_change;
    Some(Explanation {
        total,
        others: functions.len() - parts.len(),
        parts,
        others_change,
        left: round(total - told),
        decimals,
    })
}

/// Decimals that leave the largest figure three significant digits; two where there is nothing to tell.
fn decimals(largest: f64) -> usize {
    if largest == 0.0 {
        return 2;
    }
    [100.0, 10.0, 1.0, 0.1, 0.01].iter().take_while(|limit| largest < **limit).count()
}

fn rounded(value: f64, decimals: usize) -> f64 {
    let text = format!("{value:.decimals$}");
    let value: f64 = text.parse().unwrap_or(value);
    // Not -0.
    value + 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_three_digits() {
        assert_eq!([123.0, 12.0, 1.2, 0.12, 0.012, 0.0012].map(decimals), [0, 1, 2, 3, 4, 5]);
        assert_eq!(rounded(-1.2345, 2).to_bits(), (-1.23_f64).to_bits());
        assert_eq!(rounded(-0.001, 2).to_bits(), 0.0_f64.to_bits());
    }
}
