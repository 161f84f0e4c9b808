//! Records every allocation of a program, in a run of its own.
//!
//! Owns: the two trackers (memray, and Python's tracemalloc where memray cannot be had), the script
//! that runs a program under one, the script that reads memray's capture, and the document that both
//! write. Installs nothing and starts nothing. Entry points: [`launcher`], [`READER`], [`read`].

mod document;

use std::path::PathBuf;

use serde::Serialize;

pub use document::{Names, read};

/// Runs the program under a tracker; follows the launcher without its last line.
const TRACK: &str = include_str!("track.py");
/// Reads a capture of memray: `read.py PACKAGES CAPTURE DOCUMENT`.
pub const READER: &str = include_str!("read.py");
/// The launcher's last line.
const CALL: &str = "main()\n";

/// What is added to the launcher's request, as `tracker`.
#[derive(Debug, Clone, Serialize)]
pub struct TrackRequest {
    /// Folder with memray; absent where the interpreter has its own.
    pub packages: Option<PathBuf>,
    /// Why memray is not to be used.
    pub refused: Option<String>,
    /// Where memray writes.
    pub capture: PathBuf,
    /// Where tracemalloc's evidence goes.
    pub document: PathBuf,
}

/// The script that runs a program under a tracker, from the one that runs it under Scalene:
/// arguments, `__main__`, exit codes and threads are treated alike.
pub fn launcher(plain: &str) -> String {
    let body = plain.strip_suffix(CALL).unwrap_or(plain);
    format!("{body}{TRACK}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_launchers_own_start_is_taken_off() {
        let whole = launcher("x = 1\nmain()\n");
        assert!(whole.starts_with("x = 1\n# ---") && whole.ends_with("\nmain_tracked()\n"));
        assert!(!whole.contains("\nmain()\n"));
    }
}
