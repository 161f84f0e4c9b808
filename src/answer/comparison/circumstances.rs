//! What else differs, and what is left to say of profiles that cannot be compared.

use schemars::JsonSchema;
use serde::Serialize;

use super::{place, state};
use crate::analysis::compare::{Comparison, FunctionChange, Obstacle, Verdict};
use crate::answer::text::one_line;
use crate::profile::{Percent, Profile, round_for_display};

/// Longest value shown, in characters.
const VALUE: usize = 70;

/// Something in which the two runs differ.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Differing {
    /// `Python`, `load`, `arguments`, …
    pub what: String,
    /// In the baseline.
    pub before: String,
    /// In the candidate.
    pub after: String,
}

/// How the circumstances of the two runs compare.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CircumstancesInfo {
    /// What differs.
    pub differs: Vec<Differing>,
    /// What is the same.
    pub same: Vec<String>,
    /// What is not known of one of them.
    pub unknown: Vec<String>,
    /// Samples behind the baseline's figures, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_before: Option<u64>,
    /// Samples behind the candidate's figures, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples_after: Option<u64>,
}

impl CircumstancesInfo {
    pub(super) fn new(
        comparison: &Comparison<'_>,
        baseline: &Profile,
        candidate: &Profile,
    ) -> Self {
        let found = &comparison.circumstances;
        let differs = found.differs.iter().map(|difference| Differing {
            what: difference.what.to_owned(),
            before: one_line(&difference.before, VALUE),
            after: one_line(&difference.after, VALUE),
        });
        let names = |names: &[&'static str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            differs: differs.collect(),
            same: names(&found.same),
            unknown: names(&found.unknown),
            samples_before: baseline.cpu_samples(),
            samples_after: candidate.cpu_samples(),
        }
    }
}

/// Why two profiles cannot be compared.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Reason {
    /// `mode`, `coverage`, `outcome`, `other_program`, `no_seconds` or `repeated_calls`.
    pub code: String,
    /// The same in words.
    pub reason: String,
}

impl Reason {
    pub(super) fn new(obstacle: &Obstacle) -> Self {
        Self { code: obstacle.code().to_owned(), reason: obstacle.text() }
    }
}

/// A function's share of each run's own time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ShareRow {
    /// `file:first-last` in the candidate; in the baseline for a function that is gone.
    pub location: String,
    /// Qualified name; `<module>` for module-level code.
    pub function_name: String,
    /// As in `regressions`.
    pub state: String,
    /// Share of the baseline's sampled time in percent; absent where the function is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_before: Option<f64>,
    /// Share of the candidate's sampled time in percent; absent where the function is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_after: Option<f64>,
}

impl ShareRow {
    pub(super) fn new(function: &FunctionChange<'_>) -> Self {
        let percent = |share: Percent| round_for_display(share.get().min(100.0));
        Self {
            location: place(&function.file, function.after.or(function.before)),
            function_name: function.name.to_owned(),
            state: state(function),
            percent_before: function.share_before.map(percent),
            percent_after: function.share_after.map(percent),
        }
    }
}

/// Functions by the larger of their shares; none where seconds can be compared.
pub(super) fn by_share<'c, 'a>(comparison: &'c Comparison<'a>) -> Vec<&'c FunctionChange<'a>> {
    if comparison.is_comparable() {
        return Vec::new();
    }
    let larger = |function: &FunctionChange<'_>| {
        let share = |share: Option<Percent>| share.map_or(0.0, Percent::get);
        share(function.share_before).max(share(function.share_after))
    };
    let functions = comparison.functions.iter();
    let mut functions: Vec<_> = functions.filter(|function| larger(function) > 0.0).collect();
    functions.sort_by(|a, b| larger(b).total_cmp(&larger(a)));
    functions
}

/// What is to be known beside the figures.
pub(super) fn warnings(
    comparison: &Comparison<'_>,
    baseline: &Profile,
    candidate: &Profile,
    [regressions, improvements, _]: [usize; 3],
) -> Vec<String> {
    let mut warnings = Vec::new();
    if baseline.id == candidate.id {
        warnings.push("both ids name the same profile: there is nothing to compare".to_owned());
    }
    let changed = matches!(comparison.elapsed_verdict, Verdict::Regression | Verdict::Improvement);
    if changed && regressions + improvements == 0 {
        warnings.push(
            "the wall time changed, and no function did beyond its error: likely noise of the machine"
                .to_owned(),
        );
    }
    let arguments = comparison.circumstances.differs.iter().any(|d| d.what == "arguments");
    if arguments && comparison.is_comparable() {
        warnings.push(
            "the arguments differ: a change may come from the input and not from the code"
                .to_owned(),
        );
    }
    if comparison.circumstances.differs.iter().any(|d| d.what == "lines timed by") {
        warnings.push(
            "the lines are timed by different witnesses: time can be on another line without having moved"
                .to_owned(),
        );
    }
    warnings.extend(absent(comparison));
    let single = [baseline, candidate].iter().filter(|profile| profile.repeats.is_none()).count();
    if comparison.is_comparable() && single > 0 {
        let which = if single == 2 { "each profile" } else { "one of the profiles" };
        warnings.push(format!(
            "{which} is one run under the profiler: its run-to-run noise is not in these figures"
        ));
    }
    warnings
}

/// Files that one profile has and the other lacks: their functions may be there without a sample.
fn absent(comparison: &Comparison<'_>) -> Option<String> {
    const MOST: usize = 3;
    let alignment = &comparison.alignment;
    let alone = alignment.files.iter().filter_map(|pair| {
        let (files, index) = match (pair.before, pair.after) {
            (Some(index), None) => (&alignment.before, index),
            (None, Some(index)) => (&alignment.after, index),
            _ => return None,
        };
        let named = files.get(index).filter(|named| !named.file.lines.is_empty())?;
        Some(one_line(&named.name, VALUE))
    });
    let names: Vec<_> = alone.take(MOST).collect();
    (!names.is_empty()).then(|| {
        format!(
            "only one profile has {}: of functions there, new and gone can mean that the other run took no sample in that \
             file",
            names.join(", ")
        )
    })
}
