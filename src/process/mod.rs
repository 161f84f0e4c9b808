//! Runs one child process and leaves nothing behind.
//!
//! Owns: spawning in a process group of its own, feeding stdin, bounded capture
//! of stdout and stderr, time limits, graceful and forced ends. Knows nothing of
//! Python or Scalene. Entry point: [`run`].

mod capture;
mod error;
#[cfg(unix)]
#[path = "group_unix.rs"]
mod group;
#[cfg(windows)]
#[path = "group_windows.rs"]
mod group;
mod memory;
mod run;

pub use capture::Captured;
pub use error::SpawnError;
pub use run::{Controls, EndedBy, Exit, Finished, Limits, Spec, Tick, run};
