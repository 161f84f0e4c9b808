//! The use case: find a Python, give it Scalene, run the program, read the profile.
//!
//! Entry point: [`Recorder::record`]. Reading order: `request` (what is asked for),
//! `repeat` (one run or several), `record` (the story of one), `workspace` (the run's private directory), `outcome` (what became
//! of it), `error` (why there is no profile), `guard` and `confine` (what programs may do), `prove` (a second run in which
//! all allocations are recorded); `import` (profiles that were recorded elsewhere).

mod blocks;
mod confine;
mod counting;
mod error;
mod floor;
mod guard;
mod import;
mod interim;
mod markers;
mod outcome;
mod plain;
mod prove;
mod record;
mod repeat;
mod request;
mod secrets;
mod setup;
mod stacks;
mod unprofiled;
mod workspace;

pub use blocks::BlockSpec;
pub use error::{Ran, RecordError};
pub use guard::Guard;
pub use import::{ImportError, import, import_file};
pub use prove::Proving;
pub use record::{Event, Recorder, Settings, user_cache_dir};
pub use request::{Allowed, Measure, RunRequest, Target};
pub use unprofiled::{Aid, Ground, Moved, Program, Turn};

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
