//! What server and keeper say to each other, over a socket that only the two of them hold.

use std::ffi::OsString;

use serde::{Deserialize, Serialize};

/// What a keeper runs: the first message, its length before it, the program's three streams beside it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Order {
    pub(super) program: OsString,
    pub(super) args: Vec<OsString>,
    /// All of the environment.
    pub(super) env: Vec<(OsString, OsString)>,
    pub(super) cwd: Option<OsString>,
    /// A folder that goes when the server dies.
    pub(super) folder: Option<OsString>,
    /// Where the paths of files begin that end in the id of their process and go with it.
    pub(super) pid_files: Option<OsString>,
}

/// The kernel's account of a program, as it travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Used {
    pub(super) wall_us: u64,
    pub(super) cpu_us: Option<u64>,
    pub(super) peak_bytes: Option<u64>,
}

/// What a keeper says, one line of JSON each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Report {
    /// The program runs under this id.
    Started(u32),
    /// The system's number of the reason why it does not run.
    Failed(i32),
    /// What the program and all that it waited for used, said before its end is.
    Used(Used),
    /// It returned this code.
    Exited(i32),
    /// This signal ended it.
    Killed(i32),
    /// No process of the run is left.
    Empty,
    /// The same, on request; their files are gone too.
    Cleared,
}

/// Ask the program to end.
pub(super) const TERMINATE: u8 = b't';
/// Ask all processes of its group to end.
pub(super) const TERMINATE_GROUP: u8 = b'g';
/// End all processes of the run.
pub(super) const KILL: u8 = b'k';
/// The server lives on and looks after the folder itself.
pub(super) const RELEASE: u8 = b'r';
