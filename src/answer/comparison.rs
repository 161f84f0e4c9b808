//! Two profiles side by side.

mod text;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::budget;
use super::next::NextCall;
use super::text::{amount, source};
use crate::analysis::compare::{Comparison, FunctionChange, LineChange, Verdict, compare};
use crate::analysis::thresholds::INTERVAL_Z;
use crate::profile::{LineNo, Profile, Status, Witness, round_for_display};

/// Rows under each heading.
const MOST_ROWS: usize = 10;
/// Lines shown of a function that changed.
const LINES_OF_A_FUNCTION: usize = 3;

/// The comparison as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ComparisonSummary {
    /// Something got worse beyond tolerance and sampling error: wall time, peak memory, a function.
    pub has_regressions: bool,
    /// Something got better.
    pub has_improvements: bool,
    /// `faster`, `slower`, `unchanged` (within the tolerance) or `unknown`: wall time of the runs.
    pub elapsed_verdict: String,
    /// Wall time of the baseline in seconds, with profiling on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_before_sec: Option<f64>,
    /// Wall time of the candidate in seconds, with profiling on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_after_sec: Option<f64>,
    /// After minus before, seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_change_sec: Option<f64>,
    /// The same in percent of the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_change_pct: Option<f64>,
    /// Highest footprint of the baseline in MiB, when both profiled memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_before_mb: Option<f64>,
    /// Highest footprint of the candidate in MiB, when both profiled memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_after_mb: Option<f64>,
    /// Functions that got worse.
    pub regressions: usize,
    /// Functions that got better.
    pub improvements: usize,
    /// Functions that did not change, or not beyond what the samples can tell.
    pub unchanged: usize,
    /// Relative change that is let pass.
    pub tolerance: f64,
}

/// A line of a function that changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LineDelta {
    /// Line number in the baseline; absent where the line is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_before: Option<u32>,
    /// Line number in the candidate; absent where the line is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line_after: Option<u32>,
    /// Source text.
    pub content: String,
    /// Seconds in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_before_sec: Option<f64>,
    /// Seconds in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_after_sec: Option<f64>,
    /// After minus before.
    pub time_change_sec: f64,
}

/// A function that changed.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Change {
    /// `file:first-last` in the candidate; in the baseline for a function that is gone.
    pub location: String,
    /// Qualified name; `<module>` for module-level code.
    pub function_name: String,
    /// `same text`, `edited`, `new` or `gone`.
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
    /// Beyond the tolerance, but within what the samples can tell.
    pub within_noise: bool,
}

/// A file in both profiles.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FileDelta {
    /// File, relative to the project root.
    pub file: String,
    /// Seconds in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_before_sec: Option<f64>,
    /// Seconds in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_after_sec: Option<f64>,
    /// After minus before.
    pub time_change_sec: f64,
}

/// Two profiles side by side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ComparisonAnswer {
    /// The baseline.
    pub profile_id1: String,
    /// The candidate.
    pub profile_id2: String,
    /// The comparison as a whole.
    pub summary: ComparisonSummary,
    /// Functions that got worse, largest change first.
    pub regressions: Vec<Change>,
    /// Functions that got better, largest change first.
    pub improvements: Vec<Change>,
    /// Functions that did not change, or not beyond what the samples can tell.
    pub unchanged: Vec<Unchanged>,
    /// Files with time in either profile, largest change first.
    pub files: Vec<FileDelta>,
    /// Rows left out of the lists above.
    pub omitted: usize,
    /// What makes the two less comparable, and other doubts.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl ComparisonAnswer {
    /// Compares a candidate with a baseline; `tolerance` is a part, 0.05 for 5 %.
    pub fn new(baseline: &Profile, candidate: &Profile, tolerance: f64) -> Self {
        let comparison = compare(baseline, candidate, tolerance);
        budget::fit(MOST_ROWS, budget::DEFAULT_CAP, |rows| {
            Self::with_rows(baseline, candidate, &comparison, rows)
        })
    }

    fn with_rows(
        baseline: &Profile,
        candidate: &Profile,
        comparison: &Comparison<'_>,
        rows: usize,
    ) -> Self {
        let of = |verdict| comparison.functions.iter().filter(move |f| f.verdict() == verdict);
        let same = || {
            let same = |f: &&FunctionChange<'_>| {
                matches!(f.verdict(), Verdict::Unchanged | Verdict::Noise)
            };
            comparison.functions.iter().filter(same)
        };
        let counts =
            [of(Verdict::Regression).count(), of(Verdict::Improvement).count(), same().count()];
        let changes = |verdict| of(verdict).take(rows).map(Change::new).collect::<Vec<_>>();
        let regressions = changes(Verdict::Regression);
        let files: Vec<_> = comparison
            .files
            .iter()
            .take(rows)
            .map(|file| FileDelta {
                file: file.file.clone(),
                time_before_sec: file.time.before.map(round_for_display),
                time_after_sec: file.time.after.map(round_for_display),
                time_change_sec: round_for_display(file.time.change()),
            })
            .collect();
        let omitted = counts.iter().map(|count| count.saturating_sub(rows)).sum::<usize>()
            + comparison.files.len()
            - files.len();
        Self {
            profile_id1: baseline.id.to_string(),
            profile_id2: candidate.id.to_string(),
            summary: summary(comparison, counts),
            next: next_calls(candidate, &regressions),
            regressions,
            improvements: changes(Verdict::Improvement),
            unchanged: same().take(rows).map(Unchanged::new).collect(),
            files,
            omitted,
            warnings: unexplained(comparison, counts)
                .into_iter()
                .chain(warnings(baseline, candidate))
                .collect(),
        }
    }
}

fn summary(comparison: &Comparison<'_>, counts: [usize; 3]) -> ComparisonSummary {
    let (elapsed, peak) = (comparison.elapsed, comparison.peak);
    let known = elapsed.before.is_some() && elapsed.after.is_some();
    let [regressions, improvements, unchanged] = counts;
    ComparisonSummary {
        has_regressions: comparison.has_regressions(),
        has_improvements: comparison.has_improvements(),
        elapsed_verdict: match comparison.elapsed_verdict {
            _ if !known => "unknown",
            Verdict::Regression => "slower",
            Verdict::Improvement => "faster",
            Verdict::Unchanged | Verdict::Noise => "unchanged",
        }
        .to_owned(),
        elapsed_before_sec: elapsed.before.map(round_for_display),
        elapsed_after_sec: elapsed.after.map(round_for_display),
        elapsed_change_sec: known.then(|| round_for_display(elapsed.change())),
        elapsed_change_pct: elapsed.percent().filter(|_| known).map(round_for_display),
        max_footprint_before_mb: peak.and_then(|peak| sampled(peak.before)),
        max_footprint_after_mb: peak.and_then(|peak| sampled(peak.after)),
        regressions,
        improvements,
        unchanged,
        tolerance: comparison.tolerance,
    }
}

/// Memory of nothing was too small to be sampled: not known.
fn sampled(mib: Option<f64>) -> Option<f64> {
    mib.filter(|mib| *mib > 0.0).map(round_for_display)
}

fn place(file: &str, lines: Option<(LineNo, LineNo)>) -> String {
    match lines {
        Some((first, last)) if first != last => format!("{file}:{first}-{last}"),
        Some((line, _)) => format!("{file}:{line}"),
        None => file.to_owned(),
    }
}

impl Change {
    fn new(function: &FunctionChange<'_>) -> Self {
        let state = match (function.before, function.after) {
            (None, _) => "new",
            (_, None) => "gone",
            _ if function.edited() => "edited",
            _ => "same text",
        };
        let of_time = matches!(function.time_verdict, Verdict::Regression | Verdict::Improvement);
        let memory = function.memory;
        Self {
            location: place(&function.file, function.after.or(function.before)),
            function_name: function.name.to_owned(),
            state: state.to_owned(),
            reason: if of_time { "time" } else { "memory" }.to_owned(),
            time_before_sec: function.time.before.map(round_for_display),
            time_after_sec: function.time.after.map(round_for_display),
            time_change_sec: round_for_display(function.time.change()),
            time_error_sec: function.time.error.map(|e| round_for_display(INTERVAL_Z.value * e)),
            cpu_change_pct: function.time.percent().map(round_for_display),
            allocated_before_mb: sampled(memory.and_then(|m| m.before)),
            allocated_after_mb: sampled(memory.and_then(|m| m.after)),
            memory_change_pct: memory.and_then(|m| m.percent()).map(round_for_display),
            lines: function.lines().iter().take(LINES_OF_A_FUNCTION).map(LineDelta::new).collect(),
        }
    }
}

impl LineDelta {
    fn new(line: &LineChange<'_>) -> Self {
        Self {
            line_before: line.before.map(LineNo::get),
            line_after: line.after.map(LineNo::get),
            content: source(line.text),
            time_before_sec: line.time.before.map(round_for_display),
            time_after_sec: line.time.after.map(round_for_display),
            time_change_sec: round_for_display(line.time.change()),
        }
    }
}

impl Unchanged {
    fn new(function: &FunctionChange<'_>) -> Self {
        Self {
            location: place(&function.file, function.after.or(function.before)),
            function_name: function.name.to_owned(),
            time_before_sec: function.time.before.map(round_for_display),
            time_after_sec: function.time.after.map(round_for_display),
            within_noise: function.verdict() == Verdict::Noise,
        }
    }
}

/// What is to be known of the wall time: it has no interval, functions have.
fn unexplained(comparison: &Comparison<'_>, counts: [usize; 3]) -> Option<String> {
    let changed = matches!(comparison.elapsed_verdict, Verdict::Regression | Verdict::Improvement);
    let [regressions, improvements, _] = counts;
    (changed && regressions + improvements == 0).then(|| {
        "the wall time changed, and no function did beyond the sampling error: likely noise of the machine".to_owned()
    })
}

fn warnings(baseline: &Profile, candidate: &Profile) -> Vec<String> {
    let mut warnings = Vec::new();
    if baseline.id == candidate.id {
        warnings.push("both ids name the same profile: there is nothing to compare".to_owned());
    }
    let mut differs = |what: &str, before: &str, after: &str| {
        if before != after {
            warnings.push(format!("{what} differs: {before} -> {after}"));
        }
    };
    let words = |profile: &Profile| super::profile::program(profile);
    differs("the program or its arguments", &words(baseline), &words(candidate));
    let timed_by = |profile: &Profile| match profile.timed_by {
        Witness::Scalene => "Scalene",
        Witness::Stacks { .. } => "stacks beside it",
    };
    differs("what the lines are timed by", timed_by(baseline), timed_by(candidate));
    if let Some((before, after)) =
        baseline.run.environment.as_ref().zip(candidate.run.environment.as_ref())
    {
        differs("Python", &before.python_version, &after.python_version);
        differs("Scalene", &before.scalene_version, &after.scalene_version);
        differs("the machine", &before.platform, &after.platform);
        let load = |load: Option<f64>| load.map_or_else(|| "unknown".to_owned(), amount);
        let (low, high) = (before.load.unwrap_or(0.0), after.load.unwrap_or(0.0));
        if (low - high).abs() >= 1.0 {
            differs("the machine's load", &load(before.load), &load(after.load));
        }
    }
    let memory = |profile: &Profile| if profile.footprint.is_some() { "on" } else { "off" };
    differs("memory profiling (it slows the program)", memory(baseline), memory(candidate));
    let status = |profile: &Profile| match profile.run.status {
        Status::Complete => "complete",
        Status::Partial => "partial",
    };
    differs("what the profiles cover", status(baseline), status(candidate));
    warnings.push(
        "each profile is one run under the profiler: run-to-run noise is not in these figures; repeat both runs \
         before relying on a small change"
            .to_owned(),
    );
    warnings
}

fn next_calls(candidate: &Profile, regressions: &[Change]) -> Vec<NextCall> {
    let first = regressions.iter().find(|change| change.state != "gone");
    let call = match first {
        Some(change) => {
            let file = change.location.rsplit_once(':').map_or(&*change.location, |(file, _)| file);
            NextCall::new(
                "get_file_details",
                [("profile_id", json!(candidate.id.as_str())), ("file_path", json!(file))],
            )
        }
        None => NextCall::new("get_cpu_hotspots", [("profile_id", json!(candidate.id.as_str()))]),
    };
    vec![call]
}
