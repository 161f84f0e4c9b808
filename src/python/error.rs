//! Why there is no usable interpreter.

use std::fmt;
use std::path::PathBuf;

use super::interpreter::{Source, Version};
use crate::process::{Exit, SpawnError};

/// How many paths a message lists.
const LISTED: usize = 5;

/// Discovery or probing failed.
#[derive(Debug, thiserror::Error)]
pub enum PythonError {
    /// Several environments lie side by side, and somebody can choose.
    #[error("several environments fit: {}", listed(environments))]
    Several {
        /// Their folders, the one first that would be taken.
        environments: Vec<PathBuf>,
    },
    /// What was asked for by name, version or path is not there.
    #[error("no Python for `{asked}` (from {origin}): looked at {looked}", looked = listed(looked_at))]
    NotFound {
        /// The text of the request.
        asked: String,
        /// Who asked.
        origin: Box<Source>,
        /// Files and folders that were tried.
        looked_at: Vec<PathBuf>,
        /// Up to five interpreters that exist.
        others: Vec<PathBuf>,
    },
    /// Nothing was asked for, and no place has a usable interpreter.
    #[error("no usable Python 3 was found{skipped}", skipped = skipped_text(skipped))]
    NoneFound {
        /// Those that exist but cannot be used.
        skipped: Vec<Skipped>,
    },
    /// An environment folder without what makes it one.
    #[error("broken environment `{dir}` (from {origin}): {reason}", dir = dir.display())]
    BrokenEnvironment {
        /// The folder.
        dir: PathBuf,
        /// How it came to be chosen.
        origin: Box<Source>,
        /// What is wrong with it.
        reason: String,
    },
    /// The interpreter is there but does not work.
    #[error("`{executable}` (from {origin}) does not work as a Python: {failure}",
        executable = executable.display())]
    Broken {
        /// What was run.
        executable: PathBuf,
        /// Where it was found.
        origin: Box<Source>,
        /// What happened.
        #[source]
        failure: ProbeFailure,
        /// Up to five interpreters that exist.
        others: Vec<PathBuf>,
    },
    /// The interpreter works, but Scalene does not support it.
    #[error("`{executable}` (from {origin}) cannot be profiled: {problem}",
        executable = executable.display())]
    Unsupported {
        /// What was run.
        executable: PathBuf,
        /// Where it was found.
        origin: Box<Source>,
        /// What it is.
        problem: Unsupported,
        /// Up to five interpreters that exist.
        others: Vec<PathBuf>,
    },
    /// The call was cancelled.
    #[error("the search for a Python was cancelled")]
    Cancelled,
}

/// How a probe failed.
#[derive(Debug, thiserror::Error)]
pub enum ProbeFailure {
    /// It could not be started.
    #[error("it could not be started ({0})")]
    Spawn(#[source] SpawnError),
    /// It did not answer in time.
    #[error("no answer within {seconds} s")]
    Timeout {
        /// The limit.
        seconds: u64,
    },
    /// It ended without an answer.
    #[error("it ended with {exit} and no answer{said}", exit = exit_text(*exit), said = said(stderr))]
    NoAnswer {
        /// How it ended.
        exit: Exit,
        /// The last of what it wrote to stderr, or to stdout if there was nothing.
        stderr: String,
    },
    /// It answered something else than the probe should.
    #[error("its answer cannot be read ({0})")]
    BadAnswer(#[source] serde_json::Error),
    /// The probe raised an exception.
    #[error("it failed to describe itself: {reason}")]
    Raised {
        /// The exception.
        reason: String,
    },
}

/// What Scalene does not run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unsupported {
    /// Python 3.7 or older; the version is absent where it could not even say.
    TooOld(Option<Version>),
    /// Python 3.11.0, which Scalene excludes by name.
    Exactly3110,
    /// Another implementation, by its name.
    NotCPython(String),
}

impl fmt::Display for Unsupported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooOld(Some(version)) => {
                write!(f, "it is Python {version}, and Scalene needs 3.8 or newer")
            }
            Self::TooOld(None) => f.write_str("it is Python 2, and Scalene needs 3.8 or newer"),
            Self::Exactly3110 => {
                f.write_str("it is Python 3.11.0, the one release that Scalene excludes")
            }
            Self::NotCPython(name) => write!(f, "it is {name}, and Scalene needs CPython"),
        }
    }
}

/// An interpreter that was passed over, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file.
    pub executable: PathBuf,
    /// The reason, as a clause.
    pub why: String,
}

impl PythonError {
    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound { .. } | Self::NoneFound { .. } => "interpreter_not_found",
            Self::BrokenEnvironment { .. } | Self::Broken { .. } => "interpreter_broken",
            Self::Unsupported { .. } => "interpreter_unsupported",
            Self::Several { .. } => "several_interpreters",
            Self::Cancelled => "cancelled",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::NoneFound { .. } => {
                "install Python 3.8 or newer (for example `uv python install 3.12`), or pass the path \
                 of an interpreter or environment folder as `python`"
                    .to_owned()
            }
            Self::BrokenEnvironment { dir, origin, .. } => repair(dir, origin),
            Self::Unsupported { problem: Unsupported::Exactly3110, others, .. } => {
                format!("update to any later 3.11 release, or {}", choose(others))
            }
            Self::NotFound { others, .. }
            | Self::Broken { others, .. }
            | Self::Unsupported { others, .. } => choose(others),
            Self::Several { .. } => "pass one of them as `python`".to_owned(),
            Self::Cancelled => "call again if the result is still wanted".to_owned(),
        }
    }

    /// The same error with the interpreters that exist, where its hint lists them.
    pub(super) fn with_others(mut self, found: impl FnOnce() -> Vec<PathBuf>) -> Self {
        if let Self::NotFound { others, .. }
        | Self::Broken { others, .. }
        | Self::Unsupported { others, .. } = &mut self
        {
            *others = found();
        }
        self
    }
}

fn repair(dir: &std::path::Path, origin: &Source) -> String {
    let dir = dir.display();
    let way_out = match origin {
        Source::VirtualEnv { .. } => "start the server without VIRTUAL_ENV",
        Source::Conda { .. } => "start the server without CONDA_PREFIX",
        _ => "delete the folder",
    };
    format!(
        "recreate it (`python3 -m venv --clear {dir}`, or the project's own tool such as `uv sync`), \
         {way_out}, or pass another interpreter as `python`"
    )
}

fn choose(others: &[PathBuf]) -> String {
    if others.is_empty() {
        return "pass the path of an existing interpreter (3.8 or newer) or environment folder as \
                `python`"
            .to_owned();
    }
    format!("pass another one as `python`; these exist: {}", listed(others))
}

fn listed(paths: &[PathBuf]) -> String {
    if paths.is_empty() {
        return "nothing that exists".to_owned();
    }
    let shown = paths.iter().take(LISTED).map(|path| format!("`{}`", path.display()));
    let text = shown.collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(LISTED) {
        0 => text,
        more => format!("{text} and {more} more"),
    }
}

fn skipped_text(skipped: &[Skipped]) -> String {
    let shown: Vec<String> = skipped
        .iter()
        .map(|one| format!("`{}` was skipped: {}", one.executable.display(), one.why))
        .collect();
    if shown.is_empty() { String::new() } else { format!("; {}", shown.join("; ")) }
}

fn exit_text(exit: Exit) -> String {
    match exit {
        Exit::Code(code) => format!("exit code {code}"),
        Exit::Signal(signal) => format!("signal {signal}"),
        Exit::Unknown => "an unknown status".to_owned(),
    }
}

fn said(stderr: &str) -> String {
    if stderr.is_empty() { String::new() } else { format!(": {stderr}") }
}
