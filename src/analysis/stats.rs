//! How far a share of samples can be believed.
//!
//! Scalene draws the time between two samples from an exponential distribution and charges each
//! sample with the time that passed since the one before. A share is therefore a mean with
//! exponential weights, and `n` samples carry as much as `n / 2` of equal weight (Kish's effective
//! sample size, (Σw)² / Σw², for exponential w).

use super::thresholds::{INTERVAL_Z, SAMPLE_WEIGHT};
use crate::profile::{Percent, Witness};

/// Samples of equal weight that samples of this witness stand for.
#[expect(clippy::cast_precision_loss, reason = "a number of samples")]
pub fn effective(samples: u64, of: Witness) -> f64 {
    match of {
        Witness::Scalene => samples as f64 * SAMPLE_WEIGHT.value,
        // Counted as such already.
        Witness::Stacks { .. } => samples as f64,
    }
}

/// 95 % interval of a share that `n` samples of equal weight support: Wilson's score interval, which stays
/// within 0 to 100 % and holds for small numbers too (E. B. Wilson, J. Am. Stat. Assoc. 22, 1927).
pub fn wilson(share: Percent, n: f64) -> Option<(Percent, Percent)> {
    if n <= 0.0 {
        return None;
    }
    let p = (share.get() / 100.0).min(1.0);
    let z = INTERVAL_Z.value;
    let z2 = z * z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    let bound = |value: f64| Percent::from_percent(100.0 * value.clamp(0.0, 1.0));
    // At 0 and 1 the exact bound is the share itself; rounding must not leave it outside.
    Some((bound((centre - half).min(p))?, bound((centre + half).max(p))?))
}

/// Samples of the whole profile that a place's own samples stand for.
///
/// Where samples have about equal weight that is all of them. A long wait or native call is one
/// sample, however long it lasts: with k samples for a share p, the share is no better known than
/// from k / p samples. Without any sample of its own nothing is known.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of samples"
)]
pub fn behind(share: Percent, own: u64, all: u64) -> Option<u64> {
    let part = share.get() / 100.0;
    if own == 0 || part <= 0.0 {
        return None;
    }
    Some(all.min((own as f64 / part).ceil() as u64).max(1))
}

/// Whether `n` samples of equal weight tell two shares of one profile apart, at 95 %.
///
/// For two categories of one multinomial sample: Var(p₁ − p₂) = (p₁ + p₂ − (p₁ − p₂)²) / n.
pub fn told_apart(one: Percent, other: Percent, n: f64) -> bool {
    let (p, q) = (one.get() / 100.0, other.get() / 100.0);
    let difference = (p - q).abs();
    let variance = (p + q - difference * difference).max(0.0) / n.max(f64::MIN_POSITIVE);
    difference > INTERVAL_Z.value * variance.sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn percent(value: f64) -> Percent {
        Percent::from_percent(value).unwrap()
    }

    #[test]
    fn wilsons_interval_is_as_published() {
        // 100 samples of equal weight, 50 %: 40.4 to 59.6; 10 samples, 0 %: 0 to 27.8.
        let (low, high) = wilson(percent(50.0), 100.0).unwrap();
        assert!(
            (low.get() - 40.4).abs() < 0.05 && (high.get() - 59.6).abs() < 0.05,
            "{low} {high}"
        );
        let (low, high) = wilson(percent(0.0), 10.0).unwrap();
        assert!(low.get() == 0.0 && (high.get() - 27.8).abs() < 0.05, "{low} {high}");
        assert_eq!(wilson(percent(10.0), 0.0), None);
    }

    #[test]
    fn close_shares_need_many_samples() {
        let apart = |n| told_apart(percent(52.0), percent(40.0), n);
        assert!(!apart(50.0) && apart(500.0));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_share(share in 0.0..150.0, samples in 0.5..1e6) {
            let (low, high) = wilson(percent(share), samples).unwrap();
            let share = share.min(100.0);
            prop_assert!(low.get() <= share + 1e-9 && share <= high.get() + 1e-9, "{low} {share} {high}");
            prop_assert!(low.get() >= 0.0 && high.get() <= 100.0);
        }
    }
}
