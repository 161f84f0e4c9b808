//! The mean of repeated runs.

use statrs::distribution::{ContinuousCDF, StudentsT};

/// Mean of one figure over runs that were repeated, and how far the mean is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Arithmetic mean.
    pub mean: f64,
    /// Lower end of the 95 % interval of the mean; not below 0.
    pub low: f64,
    /// Upper end of the 95 % interval of the mean.
    pub high: f64,
    /// Runs behind it.
    pub runs: usize,
}

/// Half of what the interval may miss.
const UPPER_QUANTILE: f64 = 0.975;

impl Interval {
    /// Mean of figures that are not negative, with Student's interval: mean ± t × deviation ÷ √n, with the
    /// 97.5 % quantile of Student's distribution for n − 1 degrees of freedom (Student, Biometrika 6, 1908).
    ///
    /// It holds for means that are about normal, and is too wide where single runs lie far out. Two to ten runs
    /// allow no interval without such an assumption; a verdict needs [`super::Rule`]. `None`
    /// below two values.
    pub fn of(values: &[f64]) -> Option<Self> {
        let runs = values.len();
        #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
        let n = runs as f64;
        let mean = values.iter().sum::<f64>() / n;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        let freedom = n - 1.0;
        let t = StudentsT::new(0.0, 1.0, freedom).ok()?.inverse_cdf(UPPER_QUANTILE);
        let half = t * (squares / freedom / n).sqrt();
        Some(Self { mean, low: (mean - half).max(0.0), high: mean + half, runs })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn students_interval_is_as_published() {
        // Deviation 1, n 3: 4.303 / √3 = 2.484 either way; n 10: 2.262 × 3.028 / √10 = 2.166.
        let three = Interval::of(&[9.0, 10.0, 11.0]).unwrap();
        assert!((three.high - 12.484).abs() < 0.001 && three.runs == 3, "{three:?}");
        let ten: Vec<f64> = (1..=10_u8).map(f64::from).collect();
        let ten = Interval::of(&ten).unwrap();
        assert!((ten.low - (5.5 - 2.166)).abs() < 0.001, "{ten:?}");
        assert_eq!((Interval::of(&[]), Interval::of(&[1.0])), (None, None));
    }

    proptest! {
        #[test]
        fn an_interval_holds_its_mean(values in prop::collection::vec(0.0..1e6_f64, 2..10)) {
            let interval = Interval::of(&values).unwrap();
            prop_assert!(interval.low <= interval.mean && interval.mean <= interval.high);
            prop_assert!(interval.low >= 0.0 && interval.high.is_finite());
        }
    }
}
