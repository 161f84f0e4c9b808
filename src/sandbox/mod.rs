//! Confines a program before it starts: files, network, other processes.
//!
//! Whoever wants a program confined starts this binary's hidden command `confine` in its place, with
//! a [`Policy`] as arguments. It applies the rules to itself and then becomes the program, so that
//! process id, group and pipes are those of an unconfined start. Linux only: Landlock for files and
//! signals, seccomp for system calls. Elsewhere, and where the kernel cannot enforce all of it,
//! nothing is started.
//!
//! Reading order: `policy` (what may be asked for), `linux` (how it is enforced), `calls` (the
//! system calls that are refused).

#[cfg(target_os = "linux")]
mod calls;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(not(target_os = "linux"))]
#[path = "other.rs"]
mod linux;
mod policy;

pub use linux::{become_confined, check};
pub use policy::{Mode, Policy};

/// Exit code of the helper when the program was not started.
pub const REFUSED: u8 = 125;
/// What its last line on standard error begins with then.
pub const REFUSED_MARK: &str = "scalene-mcp confine: ";

/// Why a program cannot be confined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unavailable(pub String);
