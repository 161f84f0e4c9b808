//! The call worth making after a verdict.

use serde_json::{Map, Value, json};

use crate::answer::next::NextCall;
use crate::verify::{Verdict, Verification};

/// Arguments longer than this, as JSON, are too long to repeat.
const LONGEST_ARGUMENTS: usize = 400;
/// Longest budget that is proposed, seconds.
const LONGEST_BUDGET: f64 = 900.0;

pub(super) fn calls(found: &Verification) -> Vec<NextCall> {
    let again = match found.verdict {
        Verdict::Undecided => again(found, "budget_sec", json!(budget(found))),
        Verdict::Timeout => {
            let timeout = found.parameters.get("timeout").and_then(Value::as_f64);
            again(found, "timeout", json!(4.0 * timeout.unwrap_or(120.0)))
        }
        Verdict::DifferentOutput => {
            let difference = found.finding.as_ref().and_then(|it| it.difference.as_ref());
            let tolerance = difference.and_then(|difference| difference.tolerance);
            tolerance.and_then(|tolerance| again(found, "float_tolerance", json!(tolerance)))
        }
        Verdict::Slower | Verdict::NoDifference | Verdict::Faster => profile(found),
        _ => None,
    };
    again.into_iter().collect()
}

/// The same call with one parameter changed.
fn again(found: &Verification, name: &str, value: Value) -> Option<NextCall> {
    let mut arguments = found.parameters.clone();
    arguments.insert(name.to_owned(), value);
    fitting("verify_speedup", arguments)
}

fn fitting(tool: &str, arguments: Map<String, Value>) -> Option<NextCall> {
    let length = Value::Object(arguments.clone()).to_string().len();
    (length <= LONGEST_ARGUMENTS).then(|| NextCall { tool: tool.to_owned(), arguments })
}

/// A budget with which it would be decided, as far as that is known.
fn budget(found: &Verification) -> f64 {
    let timed = { found.baseline.wall.zip(found.candidate.wall) }.map(|(one, other)| one + other);
    let pair = timed.or(found.first_runs.map(|[one, other]| one + other));
    #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
    let needed =
        { found.more_runs.zip(pair) }.map(|(runs, pair)| found.spent + 1.2 * runs as f64 * pair);
    let wanted = needed.unwrap_or(4.0 * found.budget).max(2.0 * found.budget);
    wanted.min(LONGEST_BUDGET).max(found.budget).ceil()
}

/// What takes the candidate's time now.
fn profile(found: &Verification) -> Option<NextCall> {
    let given = |name: &str| found.parameters.get(name).cloned();
    let mut arguments = Map::new();
    let (tool, name, program) = match (given("candidate_code"), given("candidate_path")) {
        (Some(code), _) => ("profile_code", "code", code),
        (None, Some(path)) => ("profile_script", "script_path", path),
        (None, None) if given("candidate_rev").is_some() => return None,
        (None, None) => ("profile_script", "script_path", given("script_path")?),
    };
    arguments.insert(name.to_owned(), program);
    for name in ["args", "python", "cwd", "env", "stdin"] {
        if tool == "profile_code" && name == "args" {
            continue;
        }
        arguments.extend(given(name).map(|value| (name.to_owned(), value)));
    }
    fitting(tool, arguments)
}
