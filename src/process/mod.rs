//! Runs one child process and leaves nothing behind.
//!
//! Owns: spawning in a process group of its own, under a keeper (a process that ends all descendants
//! of the child even when this process is killed), feeding stdin, bounded capture
//! of stdout and stderr, time limits, graceful and forced ends. Knows nothing of
//! Python or Scalene. Entry point: [`run`].

mod bounds;
mod capture;
#[cfg(unix)]
mod ending;
mod error;
#[cfg(unix)]
#[path = "group_unix.rs"]
mod group;
#[cfg(windows)]
#[path = "group_windows.rs"]
mod group;
#[cfg(unix)]
mod keeper;
#[cfg(unix)]
mod kept;
#[cfg(unix)]
mod leftovers;
mod memory;
#[cfg(unix)]
mod order;
mod others;
mod run;
#[cfg(unix)]
mod table;
#[cfg(unix)]
mod usage;

pub use capture::{Captured, Whole, Written};
#[cfg(unix)]
pub use ending::nudge;
pub use error::SpawnError;
#[cfg(unix)]
pub use keeper::keep;
#[cfg(unix)]
pub use kept::keep_children;
pub use memory::Meter;
pub use others::{Running, descends, running};
pub use run::{Controls, EndedBy, Exit, Finished, Hold, Limits, Spec, Tick, Usage, run};
