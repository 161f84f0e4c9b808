//! The change of the total, in parts that add up to it.

use schemars::JsonSchema;
use serde::Serialize;

use super::{place, state};
use crate::analysis::compare::{Comparison, Explanation, FunctionChange};
use crate::answer::text::{count, one_line};

/// A function's part of the change.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ExplanationPart {
    /// Qualified name; `<module>` for module-level code.
    pub function_name: String,
    /// `file:first-last` in the candidate; in the baseline for a function that is gone.
    pub location: String,
    /// As in `regressions`.
    pub state: String,
    /// Seconds.
    pub change_sec: f64,
}

/// The change of the total; `parts`, `others_change_sec` and `left_sec` add up to `total_change_sec` as
/// shown.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ExplanationInfo {
    /// The sentence.
    pub text: String,
    /// Change of the wall time, or of the CPU time where only that was measured; seconds.
    pub total_change_sec: f64,
    /// Functions that changed beyond tolerance and sampling error, at most five.
    pub parts: Vec<ExplanationPart>,
    /// Number of other functions.
    pub others: usize,
    /// Their changes together, seconds.
    pub others_change_sec: f64,
    /// On no line of either profile, and what rounding leaves; seconds.
    pub left_sec: f64,
}

impl ExplanationInfo {
    pub(super) fn new(comparison: &Comparison<'_>) -> Option<Self> {
        let explanation = comparison.explanation.as_ref()?;
        let parts: Vec<_> = explanation
            .parts
            .iter()
            .filter_map(|part| Some((comparison.functions.get(part.function)?, part.change)))
            .collect();
        Some(Self {
            text: text(explanation, &parts),
            total_change_sec: explanation.total,
            parts: parts
                .iter()
                .map(|(function, change)| ExplanationPart {
                    function_name: function.name.to_owned(),
                    location: place(&function.file, function.after.or(function.before)),
                    state: state(function),
                    change_sec: *change,
                })
                .collect(),
            others: explanation.others,
            others_change_sec: explanation.others_change,
            left_sec: explanation.left,
        })
    }
}

/// `-3.89 s: -4.10 s in normalise, +0.22 s in _columns (new), …`
fn text(explanation: &Explanation, parts: &[(&FunctionChange<'_>, f64)]) -> String {
    let seconds = |value: f64| {
        let sign = if value > 0.0 { "+" } else { "" };
        format!("{sign}{value:.*} s", explanation.decimals)
    };
    let mut words: Vec<String> = parts
        .iter()
        .map(|(function, change)| {
            let state = match (function.before, function.after, function.old_name) {
                (None, _, _) => " (new)".to_owned(),
                (_, None, _) => " (gone)".to_owned(),
                (_, _, Some(old)) => format!(" (was {})", one_line(old, 50)),
                _ => String::new(),
            };
            format!("{} in {}{state}", seconds(*change), one_line(function.name, 50))
        })
        .collect();
    let others = u64::try_from(explanation.others).unwrap_or(u64::MAX);
    if others > 0 {
        let other = if parts.is_empty() { "" } else { "other " };
        words.push(format!(
            "{} in {}",
            seconds(explanation.others_change),
            count(others, &format!("{other}function")),
        ));
    }
    words.push(format!("{} on no line", seconds(explanation.left)));
    format!("{}: {}", seconds(explanation.total), words.join(", "))
}
