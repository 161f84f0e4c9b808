//! Difference of two samples that are not paired: the estimate of Hodges and Lehmann (Ann. Math. Stat. 34, 1963) and
//! the interval that the rank-sum test of Wilcoxon, Mann and Whitney leaves (Moses 1953; Hollander, Wolfe
//! and Chicken, Nonparametric Statistical Methods, 3rd ed. 2014, section 4.3).

use super::normal_quantile_above;
use super::signed_rank::last_within;

/// Size of both samples up to which the distribution of the statistic is computed exactly.
const EXACT_UP_TO: usize = 12;

/// The largest value whose lower tail has at most `alpha / 2`, for the statistic of two samples of `n`
/// values; `None` where even the smallest value has more.
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
    let (mean, variance) = (n * n / 2.0, n * n * (2.0 * n + 1.0) / 12.0);
    let bound = mean - normal_quantile_above(alpha / 2.0) * variance.sqrt() - 0.5;
    (bound >= 0.0).then_some(bound as usize)
}

/// By counting: every choice of `n` among the `2 n` ranks is equally probable.
fn exact(n: usize, alpha: f64) -> Option<usize> {
    let most = n * n / 2;
    // ways[k][u]: choices of k ranks so far that lie u above the smallest possible sum.
    let mut ways = vec![vec![0.0_f64; most + 1]; n + 1];
    if let Some(none) = ways.first_mut().and_then(|row| row.first_mut()) {
        *none = 1.0;
    }
    for rank in 1..=2 * n {
        for chosen in (1..=n.min(rank)).rev() {
            // The rank that is the k-th smallest lies rank - k above its smallest place.
            let above = rank - chosen;
            let fewer = ways.get(chosen - 1).cloned().unwrap_or_default();
            for (sum, here) in ways.get_mut(chosen).into_iter().flatten().enumerate() {
                *here += sum.checked_sub(above).and_then(|rest| fewer.get(rest)).unwrap_or(&0.0);
            }
        }
    }
    let all = choices(n);
    let probability: Vec<f64> = ways.pop()?.into_iter().map(|ways| ways / all).collect();
    last_within(&probability, alpha)
}

/// How many ways there are to choose `n` of `2 n`.
#[expect(clippy::cast_precision_loss, reason = "a number of values")]
fn choices(n: usize) -> f64 {
    (1..=n).map(|k| (n + k) as f64 / k as f64).product()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn critical_values_are_as_published() {
        // Two-sided 5 %: none for 3, 0 for 4, 2 for 5, 23 for 10; 1 %: 16 for 10.
        let five: Vec<_> = [3, 4, 5, 6, 10].map(|n| critical(n, 0.05)).to_vec();
        assert_eq!(five, [None, Some(0), Some(2), Some(5), Some(23)]);
        assert_eq!(critical(10, 0.01), Some(16));
        // No overlap at all: 2 in 12,870 for 8 against 8.
        assert_eq!((critical(8, 0.0005), critical(7, 0.0005)), (Some(1), None));
    }

    #[test]
    fn the_approximation_joins_the_exact_distribution() {
        let (exact, near) = (exact(12, 0.05).unwrap(), approximate(12, 0.05).unwrap());
        assert!(exact.abs_diff(near) <= 1, "{exact} {near}");
    }
}
