//! The call worth making next, ready to send.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::profile::{Profile, ProgramKind, is_notebook};

/// A tool call with its real arguments.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NextCall {
    /// Name of the tool.
    pub tool: String,
    /// Its arguments.
    pub arguments: Map<String, Value>,
}

impl NextCall {
    /// A call from the name of a tool and its arguments.
    pub fn new<const N: usize>(tool: &str, arguments: [(&str, Value); N]) -> Self {
        let arguments =
            arguments.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        Self { tool: tool.to_owned(), arguments }
    }
}

/// Arguments longer than this, as JSON, are too long to repeat.
const LONGEST_ARGUMENTS: usize = 400;

/// The same run again; nothing for a snippet, a process of somebody else's, a run elsewhere, or one with very long
/// arguments.
pub fn run_again(profile: &Profile) -> Option<NextCall> {
    let typed = matches!(profile.program.kind, ProgramKind::Script | ProgramKind::Module);
    if profile.run.environment.is_none() || !typed {
        return None;
    }
    let (tool, program) = match profile.program.kind {
        ProgramKind::Function => ("profile_function", "target"),
        _ => ("profile_script", "script_path"),
    };
    let mut arguments = Map::new();
    if profile.tests.is_some() {
        arguments.extend(profile.run.parameters.clone());
        let length = Value::Object(arguments.clone()).to_string().len();
        return (length <= LONGEST_ARGUMENTS)
            .then(|| NextCall { tool: "profile_tests".to_owned(), arguments });
    }
    arguments.insert(program.to_owned(), json!(profile.script_argument()));
    if !profile.program.args.is_empty() {
        arguments.insert("args".to_owned(), json!(profile.program.args));
    }
    arguments.extend(profile.run.parameters.clone());
    let length = Value::Object(arguments.clone()).to_string().len();
    (length <= LONGEST_ARGUMENTS).then(|| NextCall { tool: tool.to_owned(), arguments })
}

/// After a change: both versions in turns; the same run again where only whole scripts can be run so. Nothing where
/// there is no file to run.
pub(super) fn after_a_change(profile: &Profile) -> Option<NextCall> {
    let again = run_again(profile)?;
    let program = &profile.program;
    let ends_itself = matches!(program.kind, ProgramKind::Script | ProgramKind::Module)
        && profile.tests.is_none()
        && profile.covered.is_none();
    if !ends_itself || is_notebook(&program.name) {
        return Some(again);
    }
    let id = json!(profile.id.as_str());
    Some(NextCall::new("verify_speedup", [("baseline_profile_id", id)]))
}

/// One line with all of them; nothing when there are none.
pub(super) fn text(calls: &[NextCall]) -> String {
    if calls.is_empty() {
        return String::new();
    }
    let calls: Vec<_> = calls
        .iter()
        .map(|call| format!("{} {}", call.tool, Value::Object(call.arguments.clone())))
        .collect();
    format!("Next: {}\n", calls.join("   or   "))
}
