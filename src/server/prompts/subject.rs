//! The program that a prompt is about: one to be profiled, or one whose profile is there.

use rmcp::ErrorData;
use serde_json::{Map, Value, json};

use super::Argument;
use super::asked::Asked;
use crate::answer::{NextCall, run_again};
use crate::profile::{ProgramKind, is_notebook};
use crate::server::completion::Kind;

const SCRIPT_PATH: &str = "script_path";
const PROFILE_ID: &str = "profile_id";
const ARGS: &str = "args";

/// What a prompt about one program may be given.
pub(super) const ARGUMENTS: &[Argument] = &[
    Argument {
        name: SCRIPT_PATH,
        description: "Python file, or `-m package.module`; a run is made",
        required: false,
        kind: Kind::Program,
    },
    Argument {
        name: PROFILE_ID,
        description: "A stored profile in place of a run: id, `latest` or `previous`",
        required: false,
        kind: Kind::Profile,
    },
    Argument {
        name: ARGS,
        description: "Arguments of the program: words between spaces, or a JSON list",
        required: false,
        kind: Kind::Free,
    },
];

/// A program, and where its profile comes from.
pub(super) struct Subject {
    /// What it is called.
    pub(super) name: String,
    /// Name of its profile in the calls to come.
    pub(super) id: String,
    /// How its profile is had, as a step.
    pub(super) first: String,
    /// The call that profiles it again; none where nobody knows how.
    pub(super) again: Option<String>,
    /// It is code that was handed over as text: no file has it.
    pub(super) is_snippet: bool,
}

impl Subject {
    /// The program of `script_path` or of `profile_id`, with a call that measures memory or not.
    pub(super) fn of(asked: &Asked<'_>, memory: bool) -> Result<Self, ErrorData> {
        match (asked.get(SCRIPT_PATH), asked.get(PROFILE_ID)) {
            (Some(_), None) if !asked.offers("profile_script") => Err(asked.wrong(
                SCRIPT_PATH,
                "this server runs nothing; give `profile_id` of a stored profile",
            )),
            (Some(script), None) => {
                let run = profiling(script, &asked.words(ARGS)?, memory);
                Ok(Self {
                    name: script.to_owned(),
                    id: "latest".to_owned(),
                    first: format!("{run} profiles it; the profile is then `latest`."),
                    again: Some(run),
                    is_snippet: false,
                })
            }
            (None, Some(_)) if asked.get(ARGS).is_some() => Err(asked.wrong(
                ARGS,
                "a stored profile has its own; give `script_path` in place of `profile_id`",
            )),
            (None, Some(name)) => Self::stored(asked, name),
            (Some(_), Some(_)) => {
                Err(asked.refused("give `script_path` or `profile_id`, not both"))
            }
            (None, None) => {
                Err(asked.refused("give `script_path`, or `profile_id` of a stored profile"))
            }
        }
    }

    fn stored(asked: &Asked<'_>, name: &str) -> Result<Self, ErrorData> {
        let jobs = &asked.server.jobs;
        if let Some(job) = jobs.get(name).filter(|job| !job.phase().is_over()) {
            let wait = call("get_profile", json!({ PROFILE_ID: job.id }));
            let first = format!("The run {} goes on; {wait} waits for its profile.", job.id);
            return Ok(Self {
                name: job.label.clone(),
                id: job.id.clone(),
                first,
                again: None,
                is_snippet: false,
            });
        }
        let profile = asked.server.store.get(name);
        let profile = profile.map_err(|error| asked.wrong(PROFILE_ID, &error.to_string()))?;
        let is_snippet = profile.program.kind == ProgramKind::Snippet;
        let is_file = !matches!(profile.program.kind, ProgramKind::Snippet | ProgramKind::Function)
            && !is_notebook(&profile.program.name);
        let name = if is_snippet { "the snippet".to_owned() } else { profile.script_argument() };
        Ok(Self {
            first: format!("Its profile {} is stored: nothing need be run.", profile.id),
            name,
            id: profile.id.to_string(),
            again: run_again(&profile).map(|call| text(&call)),
            is_snippet: !is_file,
        })
    }

    /// A call of a tool about its profile.
    pub(super) fn about<const N: usize>(&self, tool: &str, more: [(&str, &str); N]) -> String {
        let mut arguments = Map::new();
        arguments.insert(PROFILE_ID.to_owned(), json!(self.id));
        arguments.extend(more.map(|(name, value)| (name.to_owned(), json!(value))));
        call(tool, Value::Object(arguments))
    }
}

/// The call that profiles a program.
pub(super) fn profiling(script: &str, args: &[String], memory: bool) -> String {
    let mut arguments = Map::new();
    arguments.insert(SCRIPT_PATH.to_owned(), json!(script));
    if !args.is_empty() {
        arguments.insert(ARGS.to_owned(), json!(args));
    }
    if !memory {
        arguments.insert("memory".to_owned(), json!(false));
    }
    call("profile_script", Value::Object(arguments))
}

/// A call as it is written in all prompts: the tool and its arguments, as one piece of code.
pub(super) fn call(tool: &str, arguments: Value) -> String {
    let arguments = match arguments {
        Value::Object(arguments) => arguments,
        _ => Map::new(),
    };
    text(&NextCall { tool: tool.to_owned(), arguments })
}

fn text(call: &NextCall) -> String {
    format!("`{} {}`", call.tool, Value::Object(call.arguments.clone()))
}
