//! Two profiles side by side.

use crate::analysis::compare::{Comparison, compare};
use crate::profile::Profile;

/// Compares profiles.
///
/// ```
/// use scalene_mcp::{ProfileComparator, ProfileParser};
///
/// let parser = ProfileParser::new();
/// let before = parser.parse_file("fixtures/profiles/io_sleep--2.4.0.json")?;
/// let comparison = ProfileComparator::new().compare(&before, &before, 0.05);
/// assert!(!comparison.has_regressions() && !comparison.has_improvements());
/// # Ok::<(), scalene_mcp::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ProfileComparator;

impl ProfileComparator {
    /// A comparator.
    pub fn new() -> Self {
        Self
    }

    /// What changed from a baseline to a candidate. `tolerance` is the relative change that is let
    /// pass, 0.05 for 5 %.
    pub fn compare<'a>(
        &self,
        baseline: &'a Profile,
        candidate: &'a Profile,
        tolerance: f64,
    ) -> Comparison<'a> {
        compare(baseline, candidate, tolerance)
    }
}
