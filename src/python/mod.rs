//! Finds the Python that a program runs under, and gives it a Scalene.
//!
//! Owns: the order in which interpreters are looked for, what one says about itself,
//! the root of a project, and the private environment that holds Scalene when the
//! project has none. Knows nothing of Scalene's command line or of profiles. Entry
//! points: [`find`], [`probe()`], [`project_root`], [`overlay::ensure`].
//!
//! Reading order: `request` (what was asked), `find` (the story), `sources` (one
//! function per place), `probe` and `probe.py` (what an interpreter answers).

mod cache;
mod error;
mod find;
mod interpreter;
mod managed;
pub mod overlay;
mod probe;
mod project;
mod request;
mod sources;
#[cfg(test)]
mod tests;
mod virtualenv;

pub use error::{ProbeFailure, PythonError, Skipped, Unsupported};
pub use find::find;
pub use interpreter::{Interpreter, Scalene, Source, Version};
pub use overlay::{
    OverlayError, OverlaySpec, ensure as ensure_overlay, ensure_memray, requirement_for,
};
pub use probe::probe;
pub use project::project_root;
pub use request::{Env, Request};
