//! The part of a run that a profile covers, and the command that drove the program.

use schemars::JsonSchema;
use serde::Serialize;

use super::output::OutputInfo;
use super::text::amount;
use crate::profile::{Covered, CoveredUntil, Drive, DriveEnd, signal_name};

/// The part of the run that is profiled.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WindowInfo {
    /// Seconds from the program's first line until it began.
    pub from_sec: f64,
    /// Its wall seconds.
    pub duration_sec: f64,
    /// What ended it: `duration_sec`, `drive` or `program`.
    pub ended_by: String,
}

impl WindowInfo {
    pub(super) fn of(covered: &Covered) -> Self {
        let ended_by = match covered.until {
            CoveredUntil::Duration => "duration_sec",
            CoveredUntil::Drive => "drive",
            CoveredUntil::Program => "program",
        };
        Self {
            from_sec: covered.from.rounded(),
            duration_sec: covered.seconds.rounded(),
            ended_by: ended_by.to_owned(),
        }
    }

    pub(super) fn text(&self) -> String {
        let end = match self.ended_by.as_str() {
            "duration_sec" => "duration_sec was over",
            "drive" => "the drive command ended",
            _ => "the program ended",
        };
        format!(
            "Covered: {} s, from {} s after the program's first line until {end}\n",
            amount(self.duration_sec),
            amount(self.from_sec)
        )
    }
}

/// The command that drove the program.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DriveInfo {
    /// The command and its arguments.
    pub command: Vec<String>,
    /// Its exit code; absent when it was stopped or killed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// How it ended, in words.
    pub description: String,
    /// Seconds from its start to its end.
    pub elapsed_sec: f64,
    /// What it wrote to stdout.
    pub stdout: OutputInfo,
    /// What it wrote to stderr.
    pub stderr: OutputInfo,
}

impl DriveInfo {
    pub(super) fn of(drive: &Drive) -> Self {
        let (exit_code, description) = match drive.end {
            DriveEnd::ExitCode(code) => (Some(code), format!("exit {code}")),
            DriveEnd::Signal(signal) => (None, format!("killed by {}", signal_name(signal))),
            DriveEnd::Stopped => (None, "stopped with the program".to_owned()),
            DriveEnd::Unknown => (None, "end not recorded".to_owned()),
        };
        Self {
            command: drive.command.clone(),
            exit_code,
            description,
            elapsed_sec: drive.seconds.rounded(),
            stdout: OutputInfo::within(&drive.stdout, 0.5),
            stderr: OutputInfo::within(&drive.stderr, 0.5),
        }
    }

    pub(super) fn text(&self) -> String {
        format!(
            "Driven by {}: {} after {} s\n{}{}",
            super::one_line(&self.command.join(" "), 160),
            self.description,
            amount(self.elapsed_sec),
            self.stdout.text("its stdout"),
            self.stderr.text("its stderr")
        )
    }
}
