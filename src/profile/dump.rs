//! What a process does at one moment.

use std::path::PathBuf;

/// A process at one moment, with its descendants that run Python.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dump {
    /// Command line and id.
    pub label: String,
    /// Directory below which code counts as the user's; paths are shown relative to it.
    pub root: PathBuf,
    /// The process, then its descendants.
    pub processes: Vec<ProcessDump>,
    /// What to know before believing it.
    pub warnings: Vec<String>,
}

/// One process at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProcessDump {
    /// Its id.
    pub pid: u32,
    /// Version of Python.
    pub python: String,
    /// Its threads that run Python, in the interpreter's order.
    pub threads: Vec<DumpedThread>,
    /// Number of its other threads: of libraries, or just begun.
    pub others: usize,
    /// It stood still when it was read; else frames of running threads may mix two moments.
    pub stood: bool,
}

/// A thread at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpedThread {
    /// The system's id of it, where that is known.
    pub tid: Option<u32>,
    /// Its name in Python.
    pub name: Option<String>,
    /// It holds the interpreter's lock (GIL).
    pub holds_interpreter: bool,
    /// It is on a CPU, or ready for one.
    pub runs: bool,
    /// What it waits for; absent where it runs, or the system does not tell.
    pub waits_for: Option<String>,
    /// Its calls, innermost first.
    pub frames: Vec<DumpedFrame>,
}

impl DumpedThread {
    /// The call that says most: the innermost of the user's own code, else the innermost.
    pub fn place(&self) -> Option<&DumpedFrame> {
        self.frames.iter().find(|frame| frame.own).or_else(|| self.frames.first())
    }
}

/// A call at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DumpedFrame {
    /// File as Python names it.
    pub file: String,
    /// Name of the function.
    pub function: String,
    /// The line it is at.
    pub line: u32,
    /// It is the user's own code.
    pub own: bool,
    /// Text of the line, where it was read.
    pub text: Option<String>,
}
