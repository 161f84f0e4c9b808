//! Threads of a program: cores kept busy, and who waited for whom.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{amount, source};
use crate::analysis::{self, Cause, Crowd};
use crate::profile::{LineNo, Profile, place as place_of, round_for_display};

/// Crowded lines that are listed.
const MOST_CROWDS: usize = 3;
/// Causes listed of each.
const MOST_CAUSES: usize = 2;

/// What took the time while threads waited.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CauseInfo {
    /// `file:line`.
    pub location: String,
    /// Source text.
    pub content: String,
    /// Part of the waiting, in percent, during which this went on.
    pub percent: f64,
    /// `runs`, or `waits` for something outside the program.
    pub doing: String,
}

/// A line at which threads wait for other threads.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CrowdInfo {
    /// `file:line`.
    pub location: String,
    /// Source text.
    pub content: String,
    /// Mean number of threads that wait here, over the whole run.
    pub mean_threads: f64,
    /// What the others do meanwhile, longest first.
    pub meanwhile: Vec<CauseInfo>,
}

/// Threads and processes of the program, from stacks.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ThreadsInfo {
    /// Most threads of the program seen at a time in one process.
    pub most_threads: u32,
    /// Processes of the program seen.
    pub processes: u32,
    /// Mean number of threads on a CPU or ready for one: cores kept busy, on a machine that is not
    /// overloaded.
    pub busy_threads: f64,
    /// Mean number of threads that wait for their turn at the interpreter (GIL).
    pub interpreter_lock_threads: f64,
    /// Lines at which threads wait for others: the cause is elsewhere.
    pub waits: Vec<CrowdInfo>,
}

impl ThreadsInfo {
    /// Nothing for a program of one thread, or without stacks.
    pub(super) fn of(profile: &Profile) -> Option<Self> {
        let found = analysis::threads(profile)?;
        Some(Self {
            most_threads: found.most,
            processes: found.processes,
            busy_threads: round_for_display(found.busy),
            interpreter_lock_threads: round_for_display(found.interpreter_lock),
            waits: found.crowds.iter().take(MOST_CROWDS).map(|one| crowd(profile, one)).collect(),
        })
    }

    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "Threads: up to {} in {}; {} busy in the mean, {} waiting for the interpreter (GIL)\n",
            self.most_threads,
            if self.processes == 1 {
                "1 process".to_owned()
            } else {
                format!("{} processes", self.processes)
            },
            amount(self.busy_threads),
            amount(self.interpreter_lock_threads)
        );
        for crowd in &self.waits {
            let cause = |cause: &CauseInfo| {
                format!(
                    "{} % of that time {} {}  {}",
                    amount(cause.percent),
                    cause.location,
                    cause.doing,
                    cause.content
                )
            };
            let causes: Vec<_> = crowd.meanwhile.iter().map(cause).collect();
            text.push_str(&format!(
                "  {} threads in the mean wait at {}  {}; meanwhile {}\n",
                amount(crowd.mean_threads),
                crowd.location,
                crowd.content,
                causes.join("; ")
            ));
        }
        text
    }
}

fn crowd(profile: &Profile, crowd: &Crowd<'_>) -> CrowdInfo {
    let cause = |cause: &Cause<'_>| {
        let (location, content) = place(profile, cause.at);
        let doing = if cause.waits { "waits" } else { "runs" }.to_owned();
        CauseInfo { location, content, percent: cause.part.rounded(), doing }
    };
    let (location, content) = place(profile, crowd.at);
    CrowdInfo {
        location,
        content,
        mean_threads: round_for_display(crowd.threads),
        meanwhile: crowd.causes.iter().take(MOST_CAUSES).map(cause).collect(),
    }
}

fn place(profile: &Profile, (path, line): (&str, u32)) -> (String, String) {
    let file = profile.files.iter().find(|file| file.path == path);
    let text = file.zip(LineNo::new(line)).map_or("", |(file, line)| file.text(line));
    (place_of(&profile.display_path(path), line, None), source(text))
}
