//! Functions and lines that changed.

use schemars::JsonSchema;
use serde::Serialize;

use super::{place, place_before, sampled, state};
use crate::analysis::compare::{
    Comparison, Delta, FunctionChange, LineChange, LineStatus, Named, Place, Verdict,
};
use crate::analysis::thresholds::INTERVAL_Z;
use crate::answer::text::source;
use crate::profile::{LineNo, round_for_display};

/// Lines shown of a function that changed.
const LINES_OF_A_FUNCTION: usize = 3;

/// A line of a function that changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LineDelta {
    /// `same`, `edited`, `moved`, `new` or `removed`.
    pub status: String,
    /// Same text with another indentation.
    pub reindented: bool,
    /// Line number in the baseline; absent where the line is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_before: Option<u32>,
    /// Line number in the candidate; absent where the line is removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_after: Option<u32>,
    /// File in the baseline, where it is not the one that the line is listed under.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_before: Option<String>,
    /// File in the candidate, on the same terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_after: Option<String>,
    /// Source text; the candidate's if it is there.
    pub content: String,
    /// Source text in the baseline of a line that was edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_before: Option<String>,
    /// Seconds in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_before_sec: Option<f64>,
    /// Seconds in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_after_sec: Option<f64>,
    /// After minus before.
    pub time_change_sec: f64,
    /// Volume allocated in the baseline, MiB, when both profiled memory; absent where none was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_before_mb: Option<f64>,
    /// Volume allocated in the candidate, MiB, on the same terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_after_mb: Option<f64>,
    /// `worse`, `better`, `unchanged` (within the tolerance) or `noise` (not told apart by samples and runs); absent where
    /// the two cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
}

/// A function that changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// `file:first-last` in the candidate; in the baseline for a function that is gone.
    pub location: String,
    /// The same in the baseline, where it differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location_before: Option<String>,
    /// Qualified name; `<module>` for module-level code.
    pub function_name: String,
    /// Its name in the baseline, where it was renamed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name_before: Option<String>,
    /// `same text`, `new`, `gone`, or what holds of `renamed`, `moved`, `edited`, `rewritten` (almost no
    /// text is kept).
    pub state: String,
    /// `time` or `memory`: what the verdict is about.
    pub reason: String,
    /// Seconds in the baseline, of its own lines, waiting included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_before_sec: Option<f64>,
    /// Seconds in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_after_sec: Option<f64>,
    /// After minus before.
    pub time_change_sec: f64,
    /// Half width of the 95 % interval of that change, from the number of samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_error_sec: Option<f64>,
    /// Change of its time (Python, native and system) in percent; absent where it was nothing before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_change_pct: Option<f64>,
    /// Volume allocated in the baseline, MiB, when both profiled memory; absent where none was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_before_mb: Option<f64>,
    /// Volume allocated in the candidate, MiB, on the same terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_after_mb: Option<f64>,
    /// Change of that volume in percent; absent where it was nothing before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_change_pct: Option<f64>,
    /// Its lines with the largest changes.
    pub lines: Vec<LineDelta>,
}

/// A function that did not change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Unchanged {
    /// `file:first-last` in the candidate.
    pub location: String,
    /// Qualified name; `<module>` for module-level code.
    pub function_name: String,
    /// Seconds in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_before_sec: Option<f64>,
    /// Seconds in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_after_sec: Option<f64>,
    /// Beyond the tolerance, but within what samples and runs can tell.
    pub within_noise: bool,
}

impl Change {
    pub(super) fn new(
        function: &FunctionChange<'_>,
        lines: &[LineChange<'_>],
        comparison: &Comparison<'_>,
        rows: usize,
    ) -> Self {
        let of_time = matches!(function.time_verdict, Verdict::Regression | Verdict::Improvement);
        let memory = function.memory;
        let location = place(&function.file, function.after.or(function.before));
        let before = function.before.map(|_| place_before(function));
        Self {
            location_before: before.filter(|before| *before != location),
            location,
            function_name: function.name.to_owned(),
            name_before: function.old_name.map(str::to_owned),
            state: state(function),
            reason: if of_time { "time" } else { "memory" }.to_owned(),
            time_before_sec: function.time.before.map(round_for_display),
            time_after_sec: function.time.after.map(round_for_display),
            time_change_sec: round_for_display(function.time.change()),
            time_error_sec: error(&function.time),
            cpu_change_pct: function.time.percent().map(round_for_display),
            allocated_before_mb: sampled(memory.and_then(|m| m.before)),
            allocated_after_mb: sampled(memory.and_then(|m| m.after)),
            memory_change_pct: memory.and_then(|m| m.percent()).map(round_for_display),
            lines: lines
                .iter()
                .take(LINES_OF_A_FUNCTION.min(rows))
                .map(|line| LineDelta::new(line, &function.file, comparison))
                .collect(),
        }
    }
}

fn error(delta: &Delta) -> Option<f64> {
    delta.error.map(|error| round_for_display(INTERVAL_Z.value * error))
}

/// The name of a line's file in one version, where it is not the one that the line is listed under.
pub(super) fn elsewhere(files: &[Named<'_>], place: Option<Place>, shown: &str) -> Option<String> {
    let name = place.and_then(|place| files.get(place.file)).map(|named| named.name.as_str());
    name.filter(|name| *name != shown).map(str::to_owned)
}

impl LineDelta {
    pub(super) fn new(line: &LineChange<'_>, shown: &str, comparison: &Comparison<'_>) -> Self {
        let alignment = &comparison.alignment;
        let number = |place: Option<Place>| place.map(|place| LineNo::get(place.line));
        let memory = |side: fn(&Delta) -> Option<f64>| sampled(line.memory.as_ref().and_then(side));
        Self {
            status: line.status.name().to_owned(),
            reindented: line.reindented,
            line_before: number(line.before),
            line_after: number(line.after),
            file_before: elsewhere(&alignment.before, line.before, shown),
            file_after: elsewhere(&alignment.after, line.after, shown),
            content: source(line.text),
            content_before: line.old_text.filter(|_| line.status == LineStatus::Edited).map(source),
            time_before_sec: line.time.before.map(round_for_display),
            time_after_sec: line.time.after.map(round_for_display),
            time_change_sec: round_for_display(line.time.change()),
            allocated_before_mb: memory(|memory| memory.before),
            allocated_after_mb: memory(|memory| memory.after),
            verdict: verdict(line.verdict).map(str::to_owned),
        }
    }
}

fn verdict(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Regression => Some("worse"),
        Verdict::Improvement => Some("better"),
        Verdict::Unchanged => Some("unchanged"),
        Verdict::Noise => Some("noise"),
        Verdict::Unknown => None,
    }
}

impl Unchanged {
    pub(super) fn new(function: &FunctionChange<'_>) -> Self {
        Self {
            location: place(&function.file, function.after.or(function.before)),
            function_name: function.name.to_owned(),
            time_before_sec: function.time.before.map(round_for_display),
            time_after_sec: function.time.after.map(round_for_display),
            within_noise: function.verdict() == Verdict::Noise,
        }
    }
}
