//! The facts of a run that are not measurements of its lines.

use std::borrow::Cow;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::units::{Mebibytes, Seconds};

/// Whether a profile covers the whole run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Status {
    /// From start to the program's own end.
    Complete,
    /// Up to the moment at which the run was stopped.
    Partial,
}

/// How the program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Outcome {
    /// With this exit code.
    ExitCode(i32),
    /// By this signal.
    Signal(i32),
    /// Stopped from outside at the time limit.
    TimedOut,
    /// Stopped from outside on request.
    Stopped,
    /// Stopped from outside when the part of it that was asked for had been profiled.
    Covered,
    /// Stopped from outside at the limit of memory; resident bytes of all its processes then.
    MemoryLimit(u64),
    /// Stopped from outside at the limit of disk in its temporary directory; bytes then.
    DiskLimit(u64),
    /// Not recorded.
    Unknown,
    /// Not at all: a running process was looked at and left as it was.
    StillRuns,
}

/// Who measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Engine {
    /// Scalene inside the program; on Linux with stacks read from outside beside it.
    #[default]
    Scalene,
    /// Stacks read from outside, and nothing else: times and waits, no memory.
    Sampler,
}

impl Engine {
    /// It in a word, as calls name it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scalene => "scalene",
            Self::Sampler => "sampler",
        }
    }
}

/// Name of a signal, `signal N` for those without a common one.
pub fn signal_name(number: i32) -> String {
    let name = match number {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        _ => return format!("signal {number}"),
    };
    name.to_owned()
}

/// What was kept of one output stream.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Output {
    /// First bytes.
    pub head: String,
    /// Last bytes; empty when `head` is everything.
    pub tail: String,
    /// Bytes left out between them.
    pub omitted_bytes: u64,
    /// All bytes written.
    pub total_bytes: u64,
}

impl Output {
    /// Lines at the end of what was kept, oldest first.
    pub fn last_lines(&self, limit: usize) -> Vec<&str> {
        let end = if self.tail.is_empty() { &self.head } else { &self.tail };
        let mut lines: Vec<_> = end.lines().rev().take(limit).collect();
        lines.reverse();
        lines
    }
}

/// Where a program ran.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// Interpreter that ran it.
    #[serde(with = "super::path_text")]
    pub python: PathBuf,
    /// Where that interpreter came from, as a phrase.
    pub python_source: String,
    /// Version of Python.
    pub python_version: String,
    /// Who measured.
    #[serde(default)]
    pub engine: Engine,
    /// Version of Scalene; absent where it did not run.
    pub scalene_version: Option<String>,
    /// `project` or `overlay`; absent where Scalene did not run.
    pub scalene_source: Option<String>,
    /// Operating system and machine.
    pub platform: String,
    /// Logical cores.
    pub cores: Option<usize>,
    /// One-minute load average when the run began.
    pub load: Option<f64>,
    /// How the program was confined, if it was: `writes` or `strict`.
    pub sandbox: Option<Cow<'static, str>>,
}

/// How a profile came to be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Whole run or part of it.
    pub status: Status,
    /// How the program ended.
    pub outcome: Outcome,
    /// When it started, RFC 3339 in UTC, when known.
    pub started_at: Option<String>,
    /// The file it was read from, when it was recorded elsewhere. Such a profile has no output.
    #[serde(with = "super::path_text::optional")]
    pub imported_from: Option<PathBuf>,
    /// Parameters of the profiling call besides the program and its arguments, where they differ
    /// from their defaults: a call with the same ones repeats the run.
    pub parameters: serde_json::Map<String, serde_json::Value>,
    /// Working directory of the program.
    #[serde(with = "super::path_text")]
    pub cwd: PathBuf,
    /// Directory below which code counts as the user's; paths are shown relative to it.
    #[serde(with = "super::path_text")]
    pub project_root: PathBuf,
    /// Where it ran; unknown for a profile that was recorded elsewhere.
    pub environment: Option<Environment>,
    /// What it wrote to stdout.
    pub stdout: Output,
    /// What it wrote to stderr.
    pub stderr: Output,
    /// Highest resident size of the process, when known.
    pub peak_resident_bytes: Option<u64>,
    /// Resident size of the process over time, in order, since it was first looked at; empty where nobody looked.
    #[serde(default)]
    pub resident: Vec<(Seconds, Mebibytes)>,
    /// CPU time of the process (user and system), when known.
    pub process_cpu: Option<Seconds>,
    /// What the reader of this profile should know before believing it.
    pub warnings: Vec<String>,
    /// What failed, in one line each: the program's exception, a signal, a time limit.
    pub errors: Vec<String>,
}

impl RunInfo {
    pub(super) fn approximate_bytes(&self) -> usize {
        [&self.stdout, &self.stderr].iter().map(|o| o.head.len() + o.tail.len()).sum::<usize>()
            + self.resident.capacity() * size_of::<(Seconds, Mebibytes)>()
            + self.warnings.iter().chain(&self.errors).map(String::len).sum::<usize>()
    }
}
