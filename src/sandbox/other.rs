//! Systems without a sandbox: nothing is started.

use std::ffi::OsString;
use std::path::Path;

use super::{Policy, Unavailable};

fn unavailable() -> Unavailable {
    Unavailable(format!("there is no sandbox on {}, only on Linux", std::env::consts::OS))
}

/// Whether programs can be confined here.
///
/// # Errors
/// [`Unavailable`], always.
pub fn check() -> Result<(), Unavailable> {
    Err(unavailable())
}

/// Would become the program.
pub fn become_confined(_: &Policy, _: &Path, _: &[OsString]) -> Unavailable {
    unavailable()
}
