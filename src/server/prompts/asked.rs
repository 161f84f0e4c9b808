//! The arguments of a prompt, checked.

use std::collections::BTreeMap;

use rmcp::ErrorData;
use rmcp::model::JsonObject;
use serde_json::Value;

use super::Spec;
use crate::server::Server;

/// Longest argument, in bytes: a path, or the arguments of a program.
const LONGEST: usize = 1_000;

/// What a prompt was given.
pub(super) struct Asked<'a> {
    pub(super) server: &'a Server,
    prompt: &'static Spec,
    values: BTreeMap<&'static str, String>,
}

impl<'a> Asked<'a> {
    /// Takes text for arguments that there are; what is empty counts as not given.
    pub(super) fn read(
        server: &'a Server,
        prompt: &'static Spec,
        given: JsonObject,
    ) -> Result<Self, ErrorData> {
        let mut asked = Self { server, prompt, values: BTreeMap::new() };
        for (name, value) in given {
            let argument =
                prompt.argument(&name).map_err(|why| ErrorData::invalid_params(why, None))?;
            let value = match value {
                Value::String(text) => text.trim().to_owned(),
                Value::Null => String::new(),
                other => return Err(asked.wrong(&name, &format!("{other} is not text"))),
            };
            if value.len() > LONGEST {
                return Err(asked.wrong(&name, &format!("it is longer than {LONGEST} bytes")));
            }
            if value.contains(char::is_control) {
                return Err(asked.wrong(&name, "it has a line break or another control character"));
            }
            if !value.is_empty() {
                asked.values.insert(argument.name, value);
            }
        }
        let missing =
            prompt.arguments.iter().find(|it| it.required && asked.get(it.name).is_none());
        match missing {
            Some(missing) => Err(asked.wrong(missing.name, "it is missing")),
            None => Ok(asked),
        }
    }

    /// Whether a tool is there to be called.
    pub(super) fn offers(&self, tool: &str) -> bool {
        self.server.tools.has(tool)
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// What is wrong with an argument.
    pub(super) fn wrong(&self, name: &str, why: &str) -> ErrorData {
        ErrorData::invalid_params(format!("{}: `{name}`: {why}", self.prompt.name), None)
    }

    /// What is wrong with all of them.
    pub(super) fn refused(&self, why: &str) -> ErrorData {
        ErrorData::invalid_params(format!("{}: {why}", self.prompt.name), None)
    }

    /// The arguments of a program: a JSON list, or words between spaces.
    pub(super) fn words(&self, name: &str) -> Result<Vec<String>, ErrorData> {
        match self.get(name) {
            None => Ok(Vec::new()),
            Some(list) if list.starts_with('[') => serde_json::from_str(list)
                .map_err(|_| self.wrong(name, "it begins like a JSON list of texts and is none")),
            Some(words) => Ok(words.split_whitespace().map(str::to_owned).collect()),
        }
    }
}
