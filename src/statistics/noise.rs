//! How much measurements of one program vary, and whether they move.

use super::Pair;
use super::rank_sum;
use super::ratio::middle;

/// From the median absolute deviation to the standard deviation, for a normal distribution: 1 / Φ⁻¹(3/4).
const MAD_TO_DEVIATION: f64 = 1.4826;
/// Error probability of a drift that is called sure.
const ALPHA: f64 = 0.01;
/// Runs after the first that are needed to judge it.
const LEAST_OTHERS: usize = 3;
/// Deviations from the median at which the first run counts as different.
const FAR: f64 = 3.0;

/// Second half of the runs over the first, for each side.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Drift {
    /// Of the baseline.
    pub baseline: Shift,
    /// Of the candidate.
    pub candidate: Shift,
}

/// Later runs over earlier ones.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Ratio of their centres (Hodges and Lehmann); above 1 the later ones took more.
    pub ratio: f64,
    /// Whether the rank-sum test tells the halves apart at 1 %.
    pub sure: bool,
}

/// First half of the pairs against the second; the middle one of an odd number is left out. `None` below
/// 4 pairs, or where a value is not positive.
pub fn drift(pairs: &[Pair]) -> Option<Drift> {
    let of = |value: fn(&Pair) -> f64| shift(&pairs.iter().map(value).collect::<Vec<_>>());
    Some(Drift { baseline: of(|pair| pair.baseline)?, candidate: of(|pair| pair.candidate)? })
}

fn shift(values: &[f64]) -> Option<Shift> {
    let half = values.len() / 2;
    if half < 2 || !values.iter().all(|value| value.is_finite() && *value > 0.0) {
        return None;
    }
    let (early, late) = (values.get(..half)?, values.get(values.len() - half..)?);
    let mut all: Vec<f64> = late
        .iter()
        .flat_map(|after| early.iter().map(move |before| (after / before).ln()))
        .collect();
    all.sort_unstable_by(f64::total_cmp);
    let sure = rank_sum::critical(half, ALPHA).is_some_and(|critical| {
        let bound = |place: usize| all.get(place).copied().unwrap_or(0.0);
        bound(critical) > 0.0 || bound(all.len() - 1 - critical) < 0.0
    });
    Some(Shift { ratio: middle(&all)?.exp(), sure })
}

/// The middle value, or the mean of the two middle ones; `None` without values.
pub fn median(values: &[f64]) -> Option<f64> {
    let mut ordered = values.to_vec();
    ordered.sort_unstable_by(f64::total_cmp);
    middle(&ordered)
}

/// How far values vary, as a part of their median: 1.4826 × median absolute deviation ÷ median, which is the
/// coefficient of variation where they are normal, and hardly moved by outliers. `None` below 2
/// values, or where the median is not positive.
pub fn spread(values: &[f64]) -> Option<f64> {
    let centre = median(values).filter(|centre| *centre > 0.0 && values.len() > 1)?;
    let deviations: Vec<f64> = values.iter().map(|value| (value - centre).abs()).collect();
    Some(MAD_TO_DEVIATION * median(&deviations)? / centre)
}

/// How the first run differs from those after it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WarmUp {
    /// First over the median of the others.
    pub ratio: f64,
    /// Whether it lies outside of all others and more than 3 deviations from their median.
    pub differs: bool,
}

/// The first of these runs, in order of time, against the others; `None` below 4 runs, or where the others'
/// median is not positive.
pub fn warm_up(runs: &[f64]) -> Option<WarmUp> {
    let (first, others) = runs.split_first()?;
    let centre = median(others).filter(|centre| *centre > 0.0 && others.len() >= LEAST_OTHERS)?;
    let deviation = spread(others)? * centre;
    let outside = others.iter().all(|other| other < first) || others.iter().all(|o| o > first);
    let differs = outside && (first - centre).abs() > FAR * deviation;
    Some(WarmUp { ratio: first / centre, differs })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spread_ignores_an_outlier() {
        assert_eq!(spread(&[2.0, 2.0, 2.0]), Some(0.0));
        let near = spread(&[0.9, 1.0, 1.1]).unwrap();
        assert!((near - 0.148).abs() < 0.001, "{near}");
        let calm = spread(&[0.9, 1.0, 1.1, 0.95, 1.05]).unwrap();
        assert_eq!(spread(&[0.9, 1.0, 50.0, 0.95, 1.05]), Some(calm * 1.0));
        assert_eq!((spread(&[1.0]), spread(&[0.0, 0.0])), (None, None));
    }

    #[test]
    fn a_first_run_that_differs_is_told() {
        let cold = warm_up(&[2.0, 1.0, 1.1, 0.9, 1.0]).unwrap();
        assert!(cold.differs && (cold.ratio - 2.0).abs() < 1e-12, "{cold:?}");
        assert!(!warm_up(&[1.05, 1.0, 1.1, 0.9, 1.0]).unwrap().differs);
        assert_eq!(warm_up(&[2.0, 1.0, 1.0]), None);
    }

    #[test]
    fn a_machine_that_slows_down_is_told() {
        let pairs = |late: f64| -> Vec<Pair> {
            (0..12_u8)
                .map(|n| {
                    let wobble = 1.0 + f64::from(n % 3) / 100.0;
                    let speed = if n < 6 { wobble } else { wobble * late };
                    Pair { baseline: speed, candidate: 0.5 * speed }
                })
                .collect()
        };
        let moved = drift(&pairs(1.2)).unwrap();
        assert!(moved.baseline.sure && moved.candidate.sure, "{moved:?}");
        assert!((moved.candidate.ratio - 1.2).abs() < 0.01, "{moved:?}");
        assert!(!drift(&pairs(1.0)).unwrap().baseline.sure);
        assert_eq!(drift(&pairs(1.0)[..3]), None);
    }
}
