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
    /// Beyond the tolerance, and within what the samples and the number of runs can tell.
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
    /// counts, and beyond its error: that of sampling, and `allowance`, the part of the smaller figure by which
    /// two runs of one text may differ, are independent.
    pub(super) fn judge(&self, tolerance: f64, smallest: f64, allowance: f64) -> Verdict {
        let (change, before) = (self.change(), self.before.unwrap_or(0.0));
        let after = self.after.unwrap_or(0.0);
        let larger = before.max(after);
        let sampling = INTERVAL_Z.value * self.error.unwrap_or(0.0);
        let error = sampling.hypot(allowance * before.min(after));
        if change.abs() <= tolerance * before || change.abs() < smallest || larger == 0.0 {
            Verdict::Unchanged
        } else if change.abs() <= error {
            Verdict::Noise
        } else if change > 0.0 {
            Verdict::Regression
        } else {
            Verdict::Improvement
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_allowance_is_a_part_of_the_smaller_figure() {
        let judge = |before, after, allowance| {
            let delta = Delta { before: Some(before), after: Some(after), error: Some(0.01) };
            delta.judge(0.05, 0.001, allowance)
        };
        assert_eq!(judge(1.0, 1.04, 0.0), Verdict::Unchanged);
        assert_eq!(judge(1.0, 1.2, 0.0), Verdict::Regression);
        assert_eq!(judge(1.0, 1.2, 0.25), Verdict::Noise);
        assert_eq!(judge(1.2, 1.0, 0.25), Verdict::Noise);
        assert_eq!(judge(1.0, 1.3, 0.25), Verdict::Regression);
        assert_eq!(judge(1.3, 1.0, 0.25), Verdict::Improvement);
        // What is there on one side only has no smaller figure.
        assert_eq!(judge(0.0, 0.1, 0.25), Verdict::Regression);
    }
}
