//! The call worth making next, ready to send.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

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
