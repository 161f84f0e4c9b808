//! What a call took in both profiles of a function.

use schemars::JsonSchema;
use serde::Serialize;

use crate::answer::per_call::{short, time};
use crate::profile::{PerCall, Profile, ProgramKind, round_for_display};

/// One call before and after. A difference between two runs may be the machine's.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct PerCallChange {
    /// Median seconds of a call in the baseline, without a profiler.
    pub median_before_sec: f64,
    /// The same in the candidate.
    pub median_after_sec: f64,
    /// Shortest call of the baseline, seconds.
    pub min_before_sec: f64,
    /// The same of the candidate.
    pub min_after_sec: f64,
    /// Median after minus before, in percent of the baseline's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub median_change_pct: Option<f64>,
}

impl PerCallChange {
    /// The change between two profiles of functions.
    pub(super) fn of(baseline: &Profile, candidate: &Profile) -> Option<Self> {
        let figures = |profile: &Profile| -> Option<PerCall> {
            profile.per_call.clone().filter(|_| profile.program.kind == ProgramKind::Function)
        };
        let (before, after) = (figures(baseline)?, figures(candidate)?);
        let [from, to] = [&before, &after].map(|figures| figures.median.get());
        Some(Self {
            median_before_sec: short(from),
            median_after_sec: short(to),
            min_before_sec: short(before.min.get()),
            min_after_sec: short(after.min.get()),
            median_change_pct: (from > 0.0).then(|| round_for_display(100.0 * (to - from) / from)),
        })
    }

    pub(super) fn text(&self) -> String {
        let change = self.median_change_pct.map_or_else(String::new, |percent| {
            format!(" ({}{} %)", if percent > 0.0 { "+" } else { "" }, percent)
        });
        format!(
            "Per call, without a profiler: median {} -> {}{change}, min {} -> {}\n",
            time(self.median_before_sec),
            time(self.median_after_sec),
            time(self.min_before_sec),
            time(self.min_after_sec),
        )
    }
}
