//! What repeated measurements support: did it get faster, how sure, how many more runs would tell.
//!
//! Owns: the ratio of two versions from adjacent pairs of runs with its interval, the rule by which
//! runs are stopped and judged, the random order of the runs, drift and spread, and the mean of
//! repeated runs. Numbers in, numbers out: it starts nothing and knows no profile. The methods
//! and what simulation shows of them: `docs/verification.md`.
//!
//! [`order`] says which side runs first in each pair; [`Rule::decide`] is asked after each
//! pair; at the end [`Rule::ratio`] and [`Rule::verdict`] are what is reported.
//!
//! ```
//! use scalene_mcp::statistics::{Pair, Rule, Step, Verdict};
//!
//! let rule = Rule::default();
//! let seconds = [(1.02, 0.81), (0.98, 0.79), (1.05, 0.80), (1.01, 0.83)];
//! let pairs: Vec<Pair> =
//!     seconds.iter().map(|&(baseline, candidate)| Pair { baseline, candidate }).collect();
//! let ratio = rule.ratio(&pairs).unwrap();
//! assert!(ratio.low < 0.80 && 0.80 < ratio.high && ratio.high < 1.0);
//! assert_eq!(rule.verdict(Some(&ratio)), Verdict::Faster);
//! assert_eq!(rule.decide(&pairs), Step::Go, "4 pairs are no look");
//! ```

mod interval;
mod noise;
mod order;
mod rank_sum;
mod ratio;
mod rule;
mod signed_rank;

pub use interval::Interval;
pub use noise::{Drift, Shift, WarmUp, drift, median, spread, warm_up};
pub use order::{Side, order};
pub use ratio::{Pair, Ratio, estimate, ratio};
pub use rule::{Rule, Step, Verdict, Why};

use statrs::distribution::{ContinuousCDF, Normal};

/// Value that a standard normal variable exceeds with this probability.
fn normal_quantile_above(probability: f64) -> f64 {
    -Normal::standard().inverse_cdf(probability)
}
