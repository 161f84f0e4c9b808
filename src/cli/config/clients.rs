//! The clients: their files, what an entry looks like there, and their own commands.

use clap::ValueEnum;
use serde_json::{Map, Value, json};

use super::json::Dialect;
use super::places::System;

/// An MCP client, named as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Client {
    ClaudeDesktop,
    ClaudeCode,
    #[value(name = "vscode")]
    VsCode,
    Cursor,
    Windsurf,
    Codex,
    Gemini,
    Zed,
}

/// What a client's file is written in.
#[derive(Debug, Clone, Copy)]
pub(super) enum Format {
    Json(Dialect),
    Toml,
}

/// How this server is to be started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Launch {
    pub(super) command: String,
    pub(super) args: Vec<String>,
}

/// An entry to be written.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) name: String,
    pub(super) launch: Launch,
    /// Whether the client's entries say `"type": "stdio"`.
    pub(super) typed: bool,
}

impl Entry {
    /// The entry as a JSON value, keys in the order in which they are written.
    pub(super) fn value(&self) -> Value {
        let mut map = Map::new();
        if self.typed {
            map.insert("type".to_owned(), json!("stdio"));
        }
        map.insert("command".to_owned(), json!(self.launch.command));
        // Zed needs it, even empty.
        map.insert("args".to_owned(), json!(self.launch.args));
        Value::Object(map)
    }
}

impl Client {
    /// The name that is typed.
    pub(super) fn id(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "claude-desktop",
            Self::ClaudeCode => "claude-code",
            Self::VsCode => "vscode",
            Self::Cursor => "cursor",
            Self::Windsurf => "windsurf",
            Self::Codex => "codex",
            Self::Gemini => "gemini",
            Self::Zed => "zed",
        }
    }

    /// The name that its makers use.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::ClaudeDesktop => "Claude Desktop",
            Self::ClaudeCode => "Claude Code",
            Self::VsCode => "VS Code",
            Self::Cursor => "Cursor",
            Self::Windsurf => "Windsurf",
            Self::Codex => "Codex CLI",
            Self::Gemini => "Gemini CLI",
            Self::Zed => "Zed",
        }
    }

    /// The key that holds the servers.
    pub(super) fn section(self) -> &'static str {
        match self {
            Self::VsCode => "servers",
            Self::Zed => "context_servers",
            Self::Codex => "mcp_servers",
            _ => "mcpServers",
        }
    }

    /// What its file may contain: what the client itself would not read is not edited.
    pub(super) fn format(self) -> Format {
        match self {
            Self::Codex => Format::Toml,
            Self::ClaudeDesktop | Self::ClaudeCode => Format::Json(Dialect::Strict),
            Self::Gemini => Format::Json(Dialect::Comments),
            Self::VsCode | Self::Cursor | Self::Windsurf | Self::Zed => {
                Format::Json(Dialect::CommentsAndCommas)
            }
        }
    }

    /// An entry for it.
    pub(super) fn entry(self, name: &str, launch: Launch) -> Entry {
        let typed = matches!(self, Self::ClaudeCode | Self::VsCode | Self::Cursor);
        Entry { name: name.to_owned(), launch, typed }
    }

    /// Why it would not take a server of this name.
    pub(super) fn objection(self, name: &str) -> Option<&'static str> {
        let known = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if name.is_empty() || name.len() > 32 || !name.chars().all(known) {
            return Some("use 1 to 32 letters, digits, `-` and `_`");
        }
        match self {
            Self::Gemini if name.contains('_') => {
                Some("Gemini CLI takes `_` for the end of a server's name in its policies: use `-`")
            }
            Self::ClaudeCode if name == "workspace" => {
                Some("Claude Code keeps `workspace` for itself")
            }
            _ => None,
        }
    }

    /// Its own command that adds the server, where it has one.
    pub(super) fn own_command(
        self,
        entry: &Entry,
        project: bool,
        system: System,
    ) -> Option<String> {
        let scope = if project { "project" } else { "user" };
        let quoted = |word: &str| system.quoted(word);
        let words = |first: &[&str], last: &[String]| {
            let first = first.iter().map(|word| (*word).to_owned());
            first.chain(last.iter().map(|word| quoted(word))).collect::<Vec<_>>().join(" ")
        };
        let mut program = vec![entry.launch.command.clone()];
        let name = entry.name.as_str();
        match self {
            Self::ClaudeCode => {
                program.extend(entry.launch.args.iter().cloned());
                Some(words(&["claude mcp add --scope", scope, name, "--"], &program))
            }
            Self::Codex if !project => {
                program.extend(entry.launch.args.iter().cloned());
                Some(words(&["codex mcp add", name, "--"], &program))
            }
            Self::Gemini => {
                if !entry.launch.args.is_empty() {
                    program.push("--".to_owned());
                    program.extend(entry.launch.args.iter().cloned());
                }
                Some(words(&["gemini mcp add --scope", scope, name], &program))
            }
            Self::VsCode if !project => {
                let mut whole = Map::new();
                whole.insert("name".to_owned(), json!(name));
                if let Value::Object(rest) = entry.value() {
                    whole.extend(rest);
                }
                Some(words(&["code --add-mcp"], &[Value::Object(whole).to_string()]))
            }
            _ => None,
        }
    }

    /// What a person does next.
    pub(super) fn then(self, project: bool) -> &'static str {
        match (self, project) {
            (Self::ClaudeDesktop, _) => "quit Claude Desktop and start it again",
            (Self::ClaudeCode, false) => "start `claude` anew; `/mcp` shows the server",
            (Self::ClaudeCode, true) => {
                "start `claude` anew in this folder and allow the server when it asks"
            }
            (Self::VsCode, _) => {
                "VS Code asks whether to trust the server when a chat first uses it"
            }
            (Self::Cursor, _) => {
                "switch the server on in Cursor's settings, under MCP, if it is not"
            }
            (Self::Windsurf, _) => "press Refresh in Windsurf's MCP panel, or start it anew",
            (Self::Codex, false) => "start `codex` anew; `/mcp` shows the server",
            (Self::Codex, true) => {
                "start `codex` anew in this folder, which Codex must trust; `/mcp` shows the server"
            }
            (Self::Gemini, _) => {
                "start `gemini` anew in a folder that it trusts; `/mcp` shows the server"
            }
            (Self::Zed, false) => {
                "Zed starts the server by itself; a dot in the agent panel's settings shows it"
            }
            (Self::Zed, true) => "Zed starts the server once it trusts this folder",
        }
    }
}
