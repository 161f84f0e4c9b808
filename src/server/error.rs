//! Failures as a model reads them: what failed, and what to do about it.

use rmcp::model::{CallToolResult, ContentBlock};

use super::asking::Question;
use crate::answer::OutputInfo;
use crate::recording::{Ran, RecordError};
use crate::store::LookupError;

/// A failed call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ToolError {
    code: &'static str,
    message: String,
    hint: String,
    /// What the program wrote, when it ran.
    output: String,
    /// What a person could be asked instead.
    question: Option<Box<Question>>,
}

impl ToolError {
    pub(super) fn new(
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            hint: hint.into(),
            output: String::new(),
            question: None,
        }
    }

    pub(super) fn invalid_argument(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new("invalid_argument", message, hint)
    }

    pub(super) fn internal(tool: &str) -> Self {
        Self::new(
            "internal_error",
            format!(
                "`{tool}` failed unexpectedly; this is a bug of scalene-mcp, not of your program"
            ),
            "call again; stored profiles are not affected",
        )
    }

    /// What failed, without the next step.
    pub(super) fn what(&self) -> &str {
        &self.message
    }

    pub(super) fn question(&self) -> Option<&Question> {
        self.question.as_deref()
    }

    fn text(&self) -> String {
        let Self { code, message, hint, output, .. } = self;
        format!("{code}: {message}\nNext: {hint}\n{output}")
    }

    /// Text only: a structured part would be checked against the schema for successes.
    pub(super) fn into_result(self) -> CallToolResult {
        CallToolResult::error(vec![ContentBlock::text(self.text())])
    }
}

impl From<&RecordError> for ToolError {
    fn from(error: &RecordError) -> Self {
        Self {
            code: error.code(),
            message: chain(error),
            hint: error.hint(),
            output: error.ran().map(output).unwrap_or_default(),
            question: Question::about(error).map(Box::new),
        }
    }
}

/// The error and its causes, unless it already quotes them.
fn chain(error: &RecordError) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = next.source();
    }
    text
}

fn output(ran: &Ran) -> String {
    let stream = |name, output| OutputInfo::new(output).text(name);
    format!("{}{}", stream("stdout", &ran.stdout), stream("stderr", &ran.stderr))
}

impl From<LookupError> for ToolError {
    fn from(error: LookupError) -> Self {
        let hint = match &error {
            LookupError::NothingStored(_) => {
                "profile something first: profile_script or profile_code"
            }
            LookupError::Unknown { .. } => {
                "pass one of the known ids or `latest`; list_profiles shows all of them"
            }
            LookupError::Dropped { .. } => {
                "profile the program again, or load its document again; list_profiles shows what is stored"
            }
            LookupError::Unreadable { .. } => {
                "profile the program again, or remove that file; list_profiles shows what can be read"
            }
            LookupError::Ambiguous { .. } => "pass more of the id",
        };
        let code = match &error {
            LookupError::Unreadable { .. } => "profile_unreadable",
            _ => "profile_not_found",
        };
        Self::new(code, error.to_string(), hint)
    }
}
