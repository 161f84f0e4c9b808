//! Prompts: how an agent works with the tools, with the calls filled in from the arguments.
//!
//! One file for each; `reading` has what several say of Scalene's figures, `subject` which program is meant,
//! `asked` the arguments.

mod asked;
mod compare_versions;
mod explain_profile;
mod find_bottleneck;
mod find_leak;
mod reading;
mod reduce_memory;
mod speed_up;
mod subject;

use rmcp::ErrorData;
use rmcp::model::{
    GetPromptRequestParams, GetPromptResult, Prompt, PromptArgument, PromptMessage, Role,
};

use super::Server;
use super::completion::Kind;
use asked::Asked;

/// What a prompt may be given.
#[derive(Debug)]
pub(super) struct Argument {
    name: &'static str,
    description: &'static str,
    required: bool,
    pub(super) kind: Kind,
}

/// A prompt: its words, its arguments, and how its text is made of them.
#[derive(Debug)]
pub(super) struct Spec {
    name: &'static str,
    title: &'static str,
    description: &'static str,
    arguments: &'static [Argument],
    /// Tools without which it makes no sense.
    tools: &'static [&'static str],
    /// At most 1.5 KB, but for what the arguments bring.
    write: fn(&Asked<'_>) -> Result<String, ErrorData>,
}

/// All prompts, sorted by name.
const ALL: [&Spec; 6] = [
    &compare_versions::PROMPT,
    &explain_profile::PROMPT,
    &find_bottleneck::PROMPT,
    &find_leak::PROMPT,
    &reduce_memory::PROMPT,
    &speed_up::PROMPT,
];

impl Spec {
    /// The argument of a name; an error says which there are.
    pub(super) fn argument(&self, name: &str) -> Result<&'static Argument, String> {
        self.arguments.iter().find(|argument| argument.name == name).ok_or_else(|| {
            let known: Vec<_> = self.arguments.iter().map(|argument| argument.name).collect();
            format!("{} has no argument `{name}` (arguments: {})", self.name, known.join(", "))
        })
    }

    /// A tool that it needs and that this server does not offer.
    fn lacks(&self, server: &Server) -> Option<&'static str> {
        self.tools.iter().find(|tool| !server.tools.has(tool)).copied()
    }

    fn listed(&self) -> Prompt {
        let argument = |argument: &Argument| {
            PromptArgument::new(argument.name)
                .with_description(argument.description)
                .with_required(argument.required)
        };
        let arguments = self.arguments.iter().map(argument).collect();
        Prompt::new(self.name, Some(self.description), Some(arguments)).with_title(self.title)
    }
}

/// Those whose tools are offered.
pub(super) fn list(server: &Server) -> Vec<Prompt> {
    ALL.iter()
        .filter(|prompt| prompt.lacks(server).is_none())
        .map(|prompt| prompt.listed())
        .collect()
}

/// The prompt of a name.
pub(super) fn find(name: &str) -> Result<&'static Spec, ErrorData> {
    ALL.into_iter().find(|prompt| prompt.name == name).ok_or_else(|| {
        let known: Vec<_> = ALL.iter().map(|prompt| prompt.name).collect();
        let why = format!("unknown prompt `{name}` (prompts: {})", known.join(", "));
        ErrorData::invalid_params(why, None)
    })
}

/// The text of a prompt. May read files of the store.
pub(super) fn get(
    server: &Server,
    request: GetPromptRequestParams,
) -> Result<GetPromptResult, ErrorData> {
    let prompt = find(&request.name)?;
    if let Some(tool) = prompt.lacks(server) {
        let why =
            format!("{}: it needs the tool {tool}, which this server does not offer", prompt.name);
        return Err(ErrorData::invalid_params(why, None));
    }
    let asked = Asked::read(server, prompt, request.arguments.unwrap_or_default())?;
    let text = (prompt.write)(&asked)?;
    let messages = vec![PromptMessage::new_text(Role::User, text)];
    Ok(GetPromptResult::new(messages).with_description(prompt.title))
}
