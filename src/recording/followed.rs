//! What became of the part of a run that was asked for.

use crate::profile::{Covered, CoveredUntil, DriveEnd, Seconds, signal_name};
use crate::scalene::LaunchState;

/// What became of the part of a run that was asked for.
pub(super) enum Followed {
    /// It was profiled.
    Part(Covered),
    /// It never began, and why.
    Missed(String),
}

impl Followed {
    /// The part, if there is one.
    fn into_part(self) -> Option<Covered> {
        match self {
            Self::Part(covered) => Some(covered),
            Self::Missed(_) => None,
        }
    }

    /// The same with its time by the program's own account.
    pub(super) fn settled(self, state: &LaunchState) -> Option<Covered> {
        let seconds = self.seconds(state);
        self.into_part().map(|part| Covered { seconds: seconds.unwrap_or(part.seconds), ..part })
    }

    fn part(&self) -> Option<&Covered> {
        match self {
            Self::Part(covered) => Some(covered),
            Self::Missed(_) => None,
        }
    }

    /// Wall time of the part, by the program's own account where there is one.
    pub(super) fn seconds(&self, state: &LaunchState) -> Option<Seconds> {
        let covered = self.part()?;
        let from = state.window_opened_at.or(state.program_started_at);
        let to = state.window_closed_at.or(state.program_ended_at);
        let own = from.zip(to).and_then(|(from, to)| Seconds::from_secs(to - from));
        Some(own.unwrap_or(covered.seconds))
    }

    /// What the reader of the profile should know.
    ///
    /// `switched`: there is a Scalene that was to be switched.
    pub(super) fn warnings(&self, state: &LaunchState, switched: bool) -> Vec<String> {
        let Some(covered) = self.part() else { return Vec::new() };
        let mut warnings = Vec::new();
        let late = covered.from > Seconds::default();
        if switched && late && state.window_opened_at.is_none() {
            warnings.push(
                "Scalene could not be switched on within 5 s, since the program's main thread never came back from one \
                 call: lines have no memory, and their times are from stacks alone"
                    .to_owned(),
            );
        }
        let Some(drive) = &covered.drive else { return warnings };
        let told = drive.stderr.last_lines(1).join("");
        let told = if told.is_empty() { String::new() } else { format!(" ({})", told.trim()) };
        match drive.end {
            DriveEnd::ExitCode(0) => {}
            DriveEnd::ExitCode(code) => warnings.push(format!(
                "the drive command failed with exit code {code}{told}: the profile may not show the work that was meant"
            )),
            DriveEnd::Signal(signal) => warnings.push(format!(
                "the drive command was killed by {}{told}: the profile covers the time until then",
                signal_name(signal)
            )),
            DriveEnd::Unknown => warnings.push(format!("the drive command could not be run{told}")),
            DriveEnd::Stopped if covered.until == CoveredUntil::Program => warnings.push(
                "the program ended before the drive command, which was then stopped".to_owned(),
            ),
            DriveEnd::Stopped => warnings.push(
                "the drive command was not over when duration_sec was, and was stopped".to_owned(),
            ),
        }
        warnings
    }
}
