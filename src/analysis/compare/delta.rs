//! A figure in two profiles, and what its change is worth.

use crate::analysis::thresholds::INTERVAL_Z;

/// What a comparison says about a part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Slower, or more memory, beyond tolerance and sampling error.
    Regression,
    /// Faster, or less memory, beyond tolerance and sampling error.
    Improvement,
    /// Within the tolerance.
    Unchanged,
    /// Beyond the tolerance, and within what the samples can tell.
    Noise,
    /// The profiles cannot be compared in this.
    Unknown,
}

/// A figure in both profiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delta {
    /// In the baseline; nothing where the part is new, or the figure unknown.
    pub before: Option<f64>,
    /// In the candidate; nothing where the part is gone, or the figure unknown.
    pub after: Option<f64>,
    /// Standard error of the difference, when it is known.
    pub error: Option<f64>,
}

impl Delta {
    /// After minus before; a part that is not there counts as nothing.
    pub fn change(&self) -> f64 {
        self.after.unwrap_or(0.0) - self.before.unwrap_or(0.0)
    }

    /// Change in percent of the baseline; `None` where that is nothing.
    pub fn percent(&self) -> Option<f64> {
        let before = self.before.filter(|before| *before > 0.0)?;
        Some(100.0 * self.change() / before)
    }

    /// Whether the change is beyond the tolerance (relative to the baseline), beyond the smallest that
    /// counts, and beyond its error.
    pub(super) fn judge(&self, tolerance: f64, smallest: f64) -> Verdict {
        let (change, before) = (self.change(), self.before.unwrap_or(0.0));
        let larger = before.max(self.after.unwrap_or(0.0));
        if change.abs() <= tolerance * before || change.abs() < smallest || larger == 0.0 {
            Verdict::Unchanged
        } else if self.error.is_some_and(|error| change.abs() <= INTERVAL_Z.value * error) {
            Verdict::Noise
        } else if change > 0.0 {
            Verdict::Regression
        } else {
            Verdict::Improvement
        }
    }
}
