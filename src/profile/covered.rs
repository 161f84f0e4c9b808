//! The part of a run that a profile covers, and what drove the program meanwhile.

use serde::{Deserialize, Serialize};

use super::run::Output;
use super::units::Seconds;

/// A part of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Covered {
    /// From the program's first line until then it was not profiled.
    pub from: Seconds,
    /// Wall time of the part.
    pub seconds: Seconds,
    /// What ended it.
    pub until: CoveredUntil,
    /// What the program was waited for, in words; absent where it was not.
    pub ready: Option<String>,
    /// The command that was run meanwhile.
    pub drive: Option<Drive>,
}

/// What ended the part of a run that is profiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CoveredUntil {
    /// The time that was asked for.
    Duration,
    /// The end of the command.
    Drive,
    /// The end of the program.
    Program,
}

/// A command that was run while a program was profiled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// How it ended.
    pub end: DriveEnd,
    /// Wall time from its start to its end.
    pub seconds: Seconds,
    /// What it wrote to stdout.
    pub stdout: Output,
    /// What it wrote to stderr.
    pub stderr: Output,
}

/// How such a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DriveEnd {
    /// With this exit code.
    ExitCode(i32),
    /// By this signal.
    Signal(i32),
    /// It was stopped, since the part of the run was over.
    Stopped,
    /// Not recorded.
    Unknown,
}

impl Covered {
    /// Bytes that it occupies beside its own size.
    pub(super) fn bytes(&self) -> usize {
        let drive = self.drive.iter().map(|drive| {
            let output = [&drive.stdout, &drive.stderr].map(|one| one.head.len() + one.tail.len());
            drive.command.iter().map(String::capacity).sum::<usize>() + output.iter().sum::<usize>()
        });
        drive.sum::<usize>() + self.ready.as_ref().map_or(0, String::capacity)
    }
}
