//! The use case: find a Python, give it Scalene, run the program, read the profile.
//!
//! Entry point: [`Recorder::record`]. Reading order: `request` (what is asked for),
//! `repeat` (one run or several), `record` (the story of one), `workspace` (the run's private directory), `outcome` (what became
//! of it), `error` (why there is no profile), `guard` and `confine` (what programs may do), `prove` (a second run in which
//! all allocations are recorded); `window` and `course` (a part of a run, and how it comes about), `suite` (runs of tests);
//! `import` (profiles that were recorded elsewhere); `engine` (Scalene or the sampler), `attach` (a process that somebody else
//! started), `found` (which one that is).

mod attach;
mod blocks;
mod confine;
mod counting;
mod course;
mod engine;
mod error;
mod eyes;
mod floor;
mod followed;
mod found;
mod function;
mod further;
mod guard;
mod hint;
mod import;
mod interim;
mod markers;
mod missing;
mod naming;
mod notebook;
mod outcome;
mod place;
mod plain;
mod prove;
mod record;
mod remarks;
mod repeat;
mod request;
mod resident;
mod scope;
mod secrets;
mod setup;
mod shown;
mod stacks;
mod suite;
mod unprofiled;
mod window;
mod workspace;

pub use attach::ProcessRequest;
pub use blocks::BlockSpec;
pub use error::{Ran, RecordError};
pub use found::{AttachError, Candidate, Which};
pub use function::{CallFailure, FunctionCall};
pub use guard::Guard;
pub use import::{ImportError, import, import_file};
pub use prove::Proving;
pub use record::{Event, Recorder, Settings, user_cache_dir};
pub use request::{Allowed, EngineChoice, Measure, RunRequest, Target};
pub use suite::Tests;
pub use unprofiled::{Aid, Ground, Moved, Program, Turn};
pub use window::{Readiness, Window};

use std::path::PathBuf;

use crate::python::Interpreter;

/// An interpreter that is ready to profile.
#[derive(Debug, Clone)]
pub struct SetUp {
    /// The project's interpreter.
    pub project: Interpreter,
    /// Version of the Scalene that it will be profiled with.
    pub scalene_version: String,
    /// The overlay that holds it, unless the project has its own.
    pub overlay: Option<PathBuf>,
}
