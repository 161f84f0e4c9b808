//! Centre of a symmetric distribution from a sample: the estimate of Hodges and Lehmann (Ann. Math. Stat. 34,
//! 1963) and the interval that Wilcoxon's signed-rank test leaves (Tukey 1949; Hollander, Wolfe and
//! Chicken, Nonparametric Statistical Methods, 3rd ed. 2014, section 3.3).

use super::normal_quantile_above;

/// Samples up to which the distribution of the statistic is computed exactly. Above, the normal
/// approximation differs from it by less than one rank in the tails that are asked for.
const EXACT_UP_TO: usize = 50;

/// Means of all pairs of values, each with itself too (Walsh averages), in order.
pub(super) fn walsh_averages(values: &[f64]) -> Vec<f64> {
    let mut means = Vec::with_capacity(values.len() * (values.len() + 1) / 2);
    for (place, one) in values.iter().enumerate() {
        means.extend(values.iter().skip(place).map(|other| f64::midpoint(*one, *other)));
    }
    means.sort_unstable_by(f64::total_cmp);
    means
}

/// The largest value whose lower tail has at most `alpha / 2`, for the statistic of `n` values; `None` where
/// even the smallest value has more.
pub(super) fn critical(n: usize, alpha: f64) -> Option<usize> {
    if n <= EXACT_UP_TO { exact(n, alpha) } else { approximate(n, alpha) }
}

#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a number of values, and a rank sum that is not negative"
)]
fn approximate(n: usize, alpha: f64) -> Option<usize> {
    let n = n as f64;
    let (mean, variance) = (n * (n + 1.0) / 4.0, n * (n + 1.0) * (2.0 * n + 1.0) / 24.0);
    let bound = mean - normal_quantile_above(alpha / 2.0) * variance.sqrt() - 0.5;
    (bound >= 0.0).then_some(bound as usize)
}

/// By the probabilities of all rank sums: each rank has either sign with equal probability.
fn exact(n: usize, alpha: f64) -> Option<usize> {
    let most = n * (n + 1) / 4;
    let mut probability = vec![0.0_f64; most + 1];
    if let Some(none) = probability.first_mut() {
        *none = 1.0;
    }
    for rank in 1..=n {
        let without = probability.clone();
        for (sum, here) in probability.iter_mut().enumerate() {
            let with = sum.checked_sub(rank).and_then(|rest| without.get(rest)).unwrap_or(&0.0);
            *here = f64::midpoint(*here, *with);
        }
    }
    last_within(&probability, alpha)
}

/// Where the sum from the start on is still at most `alpha / 2`.
pub(super) fn last_within(probability: &[f64], alpha: f64) -> Option<usize> {
    let sums = probability.iter().scan(0.0, |sum, one| {
        *sum += one;
        Some(*sum)
    });
    sums.take_while(|sum| *sum <= alpha / 2.0).count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_as_published() {
        // Two-sided 5 %: 0 for 6, 2 for 7, 8 for 10, 52 for 20, 434 for 50; 1 %: 3 for 10, 37 for 20.
        let five: Vec<_> = [5, 6, 7, 8, 10, 20, 50].map(|n| critical(n, 0.05)).to_vec();
        let expected = [None, Some(0), Some(2), Some(3), Some(8), Some(52), Some(434)];
        assert_eq!(five, expected);
        assert_eq!((critical(10, 0.01), critical(20, 0.01)), (Some(3), Some(37)));
    }

    #[test]
    fn the_approximation_joins_the_exact_distribution() {
        for alpha in [0.05, 0.045, 0.0005] {
            let (exact, near) = (exact(50, alpha).unwrap(), approximate(50, alpha).unwrap());
            assert!(near <= exact + 1 && exact <= near + 16, "{alpha}: {exact} {near}");
        }
    }
}
