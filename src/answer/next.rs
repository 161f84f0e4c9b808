//! The call worth making next, ready to send.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::profile::{Profile, ProgramKind};

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

/// The same run again; nothing for a snippet, a run elsewhere, or one with very long arguments.
pub(super) fn run_again(profile: &Profile) -> Option<NextCall> {
    let environment = profile.run.environment.as_ref()?;
    let args = json!(profile.program.args);
    if profile.program.kind == ProgramKind::Snippet || args.to_string().len() > LONGEST_ARGUMENTS {
        return None;
    }
    let mut call =
        NextCall::new("profile_script", [("script_path", json!(profile.script_argument()))]);
    let mut set = |name: &str, value: Value| call.arguments.insert(name.to_owned(), value);
    if !profile.program.args.is_empty() {
        set("args", args);
    }
    // Named unless it would be found again from the script alone.
    let parameter = environment.python_source.contains("parameter");
    if parameter {
        set("python", json!(environment.python));
    }
    if profile.run.cwd != profile.run.project_root {
        set("cwd", json!(profile.run.cwd));
    }
    if profile.footprint.is_none() {
        set("memory", json!(false));
    }
    Some(call)
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
