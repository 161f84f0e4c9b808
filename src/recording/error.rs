//! Why there is no profile.

use std::path::PathBuf;

use super::found::AttachError;
use super::function::CallFailure;
use crate::process::SpawnError;
use crate::profile::{Outcome, Output, signal_name};
use crate::python::{OverlayError, PythonError};
use crate::sandbox::Mode;
use crate::scalene::{ParseError, UnsupportedVersion};

/// A program that ran, though nothing was profiled: how it ended and what it wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct Ran {
    /// How it ended.
    pub outcome: Outcome,
    /// Seconds that its own code ran, when known.
    pub seconds: Option<f64>,
    /// Whether its own code began, as far as is known: what did not begin can be run again.
    pub begun: bool,
    /// Type of the exception that ended it.
    pub exception: Option<String>,
    /// What it was not allowed to do, when that may have ended it.
    pub refused: Option<String>,
    /// What it wrote to stdout.
    pub stdout: Output,
    /// What it wrote to stderr.
    pub stderr: Output,
}

/// Why there is no profile.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The program ran, or should have, with its allocations recorded, and there is no evidence.
    #[error("{0}")]
    NotTracked(String),
    /// The function cannot be called, or raised something.
    #[error("{message}")]
    Call {
        /// Which of these.
        failure: CallFailure,
        /// What failed.
        message: String,
        /// Names that may have been meant.
        near: Vec<String>,
        /// The run.
        ran: Box<Ran>,
    },
    /// A parameter's value makes no sense.
    #[error("{parameter}: {problem}")]
    InvalidArgument {
        /// Name of the parameter.
        parameter: &'static str,
        /// What is wrong with its value.
        problem: String,
    },
    /// A weaker sandbox than the server allows.
    #[error("sandbox: `{asked}` is not allowed here, only {}", allowed(*.least))]
    SandboxRefused {
        /// What was asked for.
        asked: Mode,
        /// The weakest that is allowed.
        least: Mode,
    },
    /// The sandbox cannot be enforced; nothing was run.
    #[error("sandbox `{mode}` cannot be enforced: {why}; the program was not run")]
    SandboxUnavailable {
        /// What was asked for.
        mode: Mode,
        /// What is missing.
        why: String,
    },
    /// A path outside the folders that the server was started for.
    #[error("{what}: `{}` is outside the folders that this server may use ({})", path.display(), listed(roots))]
    OutsideRoots {
        /// What the path was for.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// The folders.
        roots: Vec<PathBuf>,
    },
    /// The script does not exist.
    #[error("script `{}` does not exist", path.display())]
    ScriptNotFound {
        /// The absolute path that was tried.
        path: PathBuf,
        /// Python files with similar names.
        similar: Vec<String>,
    },
    /// What is there cannot be run as a script.
    #[error("`{}` cannot be run as a script: {why}", path.display())]
    NotAScript {
        /// The absolute path.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// The script may not be read.
    #[error("script `{}` cannot be read ({source})", path.display())]
    Unreadable {
        /// The absolute path.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The working directory does not exist.
    #[error("cwd: `{}` is not a folder", .0.display())]
    BadWorkingDir(PathBuf),
    /// No interpreter.
    #[error(transparent)]
    Python(#[from] PythonError),
    /// Scalene is missing and may not be installed.
    #[error("`{}` (Python {version}, from {source_phrase}) has no Scalene{reason}, and installing is turned off", python.display())]
    ScaleneMissing {
        /// The interpreter.
        python: PathBuf,
        /// Its version.
        version: String,
        /// Where it came from.
        source_phrase: String,
        /// Why the Scalene that is there does not count; empty when there is none.
        reason: String,
    },
    /// Scalene could not be installed.
    #[error(transparent)]
    Setup(#[from] OverlayError),
    /// No Scalene for this Python.
    #[error("no supported Scalene can be installed for Python {0}")]
    NoScaleneFor(String),
    /// A version that is not driven.
    #[error(transparent)]
    UnsupportedScalene(#[from] UnsupportedVersion),
    /// The run's private directory could not be made.
    #[error("the run's temporary files could not be written in `{}` ({source})", dir.display())]
    Workspace {
        /// Where.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The interpreter could not be started.
    #[error(transparent)]
    Spawn(#[from] SpawnError),
    /// The module does not exist.
    #[error("module `{name}` was not found from `{}`", cwd.display())]
    ModuleNotFound {
        /// The module.
        name: String,
        /// Where it was looked for first.
        cwd: PathBuf,
        /// The run.
        ran: Box<Ran>,
    },
    /// Scalene itself failed.
    #[error("Scalene {version} failed: {message}")]
    ScaleneFailed {
        /// Its version.
        version: String,
        /// What it said.
        message: String,
        /// The run.
        ran: Box<Ran>,
    },
    /// Its stacks could not be read, and nobody else looked.
    #[error("the program ran, but its stacks could not be read: {why}")]
    SamplerFailed {
        /// What the system or the reader said.
        why: String,
        /// The run.
        ran: Box<Ran>,
    },
    /// A process that somebody else started cannot be looked at.
    #[error(transparent)]
    Attach(#[from] AttachError),
    /// The program failed before anything was sampled.
    #[error("the program failed before anything was profiled: {}", how(.0))]
    ProgramFailed(Box<Ran>),
    /// A signal ended the program, and with it the profile.
    #[error("the program was killed by {} and left no profile", killer(.0.outcome))]
    Crashed(Box<Ran>),
    /// The time limit came before anything could be written.
    #[error("stopped at the time limit of {seconds} s, before a profile could be written")]
    Timeout {
        /// The limit.
        seconds: f64,
        /// The run.
        ran: Box<Ran>,
    },
    /// The limit of memory came before anything could be written.
    #[error(
        "stopped at the memory limit before a profile could be written: its processes held {reached_mb} MiB, max_memory_mb is \
         {limit_mb}"
    )]
    MemoryLimit {
        /// The limit, MiB.
        limit_mb: u64,
        /// What its processes held, MiB.
        reached_mb: u64,
        /// The run.
        ran: Box<Ran>,
    },
    /// The limit of disk came before anything could be written.
    #[error(
        "stopped with more than {} MiB of files in its temporary directory (TMPDIR), before a profile could be written",
        super::request::MOST_DISK >> 20
    )]
    DiskLimit(Box<Ran>),
    /// The program ended before Scalene took a sample.
    #[error("the program was too short to profile: {}, and no sample was taken", lasted(.0))]
    TooShort(Box<Ran>),
    /// The patterns leave no code over.
    #[error(
        "the program ran ({}), but none of its time was in code that matches profile_only `{only}` and not profile_exclude `{exclude}`",
        lasted(ran)
    )]
    FilteredOut {
        /// What was asked for.
        only: String,
        /// What was excluded.
        exclude: String,
        /// The run.
        ran: Box<Ran>,
    },
    /// Nothing of the project was sampled.
    #[error("the program ran ({}), but no sample fell into code below `{}`", lasted(ran), root.display())]
    NothingSampled {
        /// The project root.
        root: PathBuf,
        /// The run.
        ran: Box<Ran>,
    },
    /// The part of the run that was asked for never began.
    #[error("the program was not profiled: {why}")]
    NotReady {
        /// What was waited for, or what ended too early.
        why: String,
        /// The run.
        ran: Box<Ran>,
    },
    /// No test was found.
    #[error("{problem}")]
    NoTests {
        /// What was looked for.
        problem: String,
        /// Tests or files with similar names.
        near: Vec<String>,
        /// The run.
        ran: Box<Ran>,
    },
    /// There is no pytest, and nothing that unittest would run.
    #[error("{problem}")]
    NoPytest {
        /// What was looked for, and where.
        problem: String,
        /// The run.
        ran: Box<Ran>,
    },
    /// Files of tests could not be imported.
    #[error("the tests could not be collected: {problem}")]
    CollectionFailed {
        /// The first of them, with its traceback.
        problem: String,
        /// The run.
        ran: Box<Ran>,
    },
    /// The profile cannot be read.
    #[error("Scalene's profile cannot be used: {source}")]
    InvalidProfile {
        /// Why.
        source: ParseError,
        /// The run.
        ran: Box<Ran>,
    },
    /// The caller gave up.
    #[error("the run was cancelled")]
    Cancelled,
    /// The caller ended the run before anything could be written.
    #[error("stopped on request, before a profile could be written")]
    Stopped(Box<Ran>),
}

fn allowed(least: Mode) -> String {
    let words = Mode::ALL.iter().filter(|mode| **mode >= least).map(|mode| format!("`{mode}`"));
    words.collect::<Vec<_>>().join(" and ")
}

fn listed(roots: &[PathBuf]) -> String {
    if roots.is_empty() {
        return "none: no --root".to_owned();
    }
    roots.iter().map(|root| format!("`{}`", root.display())).collect::<Vec<_>>().join(", ")
}

/// How a program ended, in words.
pub(super) fn how(ran: &Ran) -> String {
    match (&ran.exception, ran.outcome) {
        (Some(exception), Outcome::ExitCode(code)) => format!("{exception}, exit {code}"),
        (_, Outcome::ExitCode(code)) => format!("exit {code}"),
        (_, outcome) => killer(outcome),
    }
}

fn killer(outcome: Outcome) -> String {
    match outcome {
        Outcome::Signal(number) => signal_name(number),
        _ => "an unknown cause".to_owned(),
    }
}

fn lasted(ran: &Ran) -> String {
    ran.seconds.map_or_else(|| "for an unknown time".to_owned(), |s| format!("it ran {s:.3} s"))
}

impl RecordError {
    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Call { failure, .. } => failure.code(),
            Self::InvalidArgument { .. } | Self::BadWorkingDir(_) => "invalid_argument",
            Self::SandboxRefused { .. } => "sandbox_refused",
            Self::SandboxUnavailable { .. } => "sandbox_unavailable",
            Self::OutsideRoots { .. } => "outside_roots",
            Self::ScriptNotFound { .. } => "script_not_found",
            Self::NotAScript { .. } => "not_a_script",
            Self::Unreadable { .. } => "script_unreadable",
            Self::Python(error) => error.code(),
            Self::ScaleneMissing { .. } => "scalene_missing",
            Self::Setup(error) => error.code(),
            Self::NoScaleneFor(_) | Self::UnsupportedScalene(_) => "scalene_unsupported",
            Self::Workspace { .. } => "workspace_failed",
            Self::Spawn(_) => "spawn_failed",
            Self::ModuleNotFound { .. } => "module_not_found",
            Self::ScaleneFailed { .. } => "profile_failed",
            Self::SamplerFailed { .. } => "sampler_failed",
            Self::Attach(error) => error.code(),
            Self::ProgramFailed(_) => "program_failed",
            Self::Crashed(_) => "program_crashed",
            Self::Timeout { .. } => "timeout",
            Self::MemoryLimit { .. } => "memory_limit",
            Self::DiskLimit(_) => "disk_limit",
            Self::TooShort(_) => "too_short",
            Self::FilteredOut { .. } => "filtered_out",
            Self::NothingSampled { .. } => "nothing_sampled",
            Self::NotReady { .. } => "not_ready",
            Self::NoTests { .. } => "no_tests",
            Self::NoPytest { .. } => "no_pytest",
            Self::CollectionFailed { .. } => "collection_failed",
            Self::InvalidProfile { .. } => "invalid_profile",
            Self::NotTracked(_) => "not_tracked",
            Self::Cancelled => "cancelled",
            Self::Stopped(_) => "stopped",
        }
    }

    /// Whether Scalene could not run and the program has not begun, so that somebody else may run it.
    pub(super) fn is_scalenes(&self) -> bool {
        match self {
            Self::ScaleneMissing { .. } | Self::NoScaleneFor(_) | Self::UnsupportedScalene(_) => {
                true
            }
            Self::Setup(error) => !matches!(error, OverlayError::Cancelled),
            Self::ScaleneFailed { ran, .. } | Self::Crashed(ran) => !ran.begun,
            _ => false,
        }
    }

    /// The run behind the failure, if the program ran at all.
    pub fn ran(&self) -> Option<&Ran> {
        match self {
            Self::ProgramFailed(ran)
            | Self::Crashed(ran)
            | Self::TooShort(ran)
            | Self::Stopped(ran)
            | Self::ModuleNotFound { ran, .. }
            | Self::Call { ran, .. }
            | Self::ScaleneFailed { ran, .. }
            | Self::SamplerFailed { ran, .. }
            | Self::Timeout { ran, .. }
            | Self::MemoryLimit { ran, .. }
            | Self::DiskLimit(ran)
            | Self::FilteredOut { ran, .. }
            | Self::NothingSampled { ran, .. }
            | Self::NotReady { ran, .. }
            | Self::NoTests { ran, .. }
            | Self::NoPytest { ran, .. }
            | Self::CollectionFailed { ran, .. }
            | Self::InvalidProfile { ran, .. } => Some(ran),
            _ => None,
        }
    }
}
