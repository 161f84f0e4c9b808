//! A process that somebody else started: its profile, or what it does at one moment.

use std::path::Path;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::{self, NextCall};
use super::profile::ProfileAnswer;
use super::text::{count, source};
use super::{Answer, budget, listing};
use crate::profile::{Dump, DumpedFrame, DumpedThread, ProcessDump};

/// The answer of `profile_process`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProcessAnswer {
    /// The profile; absent with `duration_sec` 0.
    #[serde(flatten)]
    pub profile: Option<ProfileAnswer>,
    /// What each thread does at one moment (`duration_sec` 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dump: Option<DumpInfo>,
}

/// A process at one moment.
#[derive(Debug, Clone, Default, PartialEq, Serialize, JsonSchema)]
pub struct DumpInfo {
    /// Its command line and id.
    pub process: String,
    /// Version of Python.
    pub python_version: String,
    /// Threads that run Python: of the process, then of its descendants; those that run or hold the lock first.
    pub threads: Vec<ThreadInfo>,
    /// Threads left out.
    pub omitted: usize,
    /// Threads that run no Python: of libraries, or just begun.
    pub other_threads: usize,
    /// What to know before believing it.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

/// A thread at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ThreadInfo {
    /// Process that it belongs to.
    pub pid: u32,
    /// The system's id of it, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tid: Option<u32>,
    /// Its name in Python.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// It holds the interpreter's lock (GIL).
    pub holds_gil: bool,
    /// `running` (on a CPU, or ready for one) or `waiting`.
    pub state: String,
    /// What it waits for, by its system call; absent where that is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waits_for: Option<String>,
    /// Innermost line of the program's own code, or of any where it has none: `file:line function`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// Source text of that line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// Its calls, innermost first: `function file:line`.
    pub stack: Vec<String>,
}

/// Threads and calls that are listed, in the sizes that are tried.
const SIZES: [(usize, usize); 6] = [(40, 30), (40, 12), (30, 8), (20, 6), (12, 4), (6, 3)];

impl ProcessAnswer {
    /// A profile, or the handle of one.
    pub fn of_profile(profile: ProfileAnswer) -> Self {
        Self { profile: Some(profile), dump: None }
    }

    /// One moment.
    pub fn of_dump(dump: &Dump) -> Self {
        let build = |(threads, calls)| Self {
            profile: None,
            dump: Some(DumpInfo::with(dump, threads, calls)),
        };
        budget::first_that_fits(&SIZES, budget::DEFAULT_CAP, build)
    }
}

impl DumpInfo {
    fn with(dump: &Dump, most: usize, calls: usize) -> Self {
        let each = |process: &ProcessDump| {
            let threads =
                process.threads.iter().map(|thread| info(dump, process.pid, thread, calls));
            threads.collect::<Vec<_>>()
        };
        let mut threads: Vec<ThreadInfo> = dump.processes.iter().flat_map(each).collect();
        let all = threads.len();
        threads.sort_by_key(|thread| (!thread.holds_gil, thread.state != "running"));
        threads.truncate(most);
        let pid = dump.processes.first().map_or(0, |process| process.pid);
        Self {
            process: dump.label.clone(),
            python_version: { dump.processes.first() }
                .map_or_else(String::new, |process| process.python.clone()),
            omitted: all - threads.len(),
            threads,
            other_threads: dump.processes.iter().map(|process| process.others).sum(),
            warnings: dump.warnings.clone(),
            next: vec![NextCall::new("profile_process", [("pid", json!(pid))])],
        }
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}   Python {}   {}",
            self.process,
            self.python_version,
            count((self.threads.len() + self.omitted) as u64, "thread")
        );
        if self.other_threads > 0 {
            text.push_str(&format!(" of Python, {} more of none", self.other_threads));
        }
        text.push('\n');
        for thread in &self.threads {
            text.push_str(&thread.text());
        }
        if self.omitted > 0 {
            text.push_str(&format!("({} left out)\n", count(self.omitted as u64, "thread")));
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}

impl ThreadInfo {
    fn text(&self) -> String {
        let name = self.name.as_deref().unwrap_or("thread");
        let tid = self.tid.map_or_else(|| format!("pid {}", self.pid), |tid| tid.to_string());
        let gil = if self.holds_gil { ", holds the GIL" } else { "" };
        let waits = self.waits_for.as_ref().map_or_else(String::new, |what| format!(" for {what}"));
        let at = self.at.as_ref().map_or_else(String::new, |at| {
            let content = self.content.as_deref().unwrap_or_default();
            format!(" at {at}  {content}")
        });
        format!("{name} ({tid}): {}{waits}{gil}{at}\n    {}\n", self.state, self.stack.join(" < "))
    }
}

fn info(dump: &Dump, pid: u32, thread: &DumpedThread, calls: usize) -> ThreadInfo {
    let shown = |frame: &DumpedFrame| {
        let below = Path::new(&frame.file).strip_prefix(&dump.root).ok();
        let below = below.and_then(Path::to_str).filter(|below| !below.is_empty());
        let file = listing::of_library(&frame.file).or(below).unwrap_or(&frame.file);
        format!("{file}:{}", frame.line)
    };
    let place = thread.place();
    let mut stack: Vec<String> = { thread.frames.iter().take(calls) }
        .map(|frame| format!("{} {}", frame.function, shown(frame)))
        .collect();
    let more = thread.frames.len().saturating_sub(stack.len());
    if more > 0 {
        stack.push(format!("… {more} more"));
    }
    ThreadInfo {
        pid,
        tid: thread.tid,
        name: thread.name.clone(),
        holds_gil: thread.holds_interpreter,
        state: if thread.runs { "running" } else { "waiting" }.to_owned(),
        waits_for: thread.waits_for.clone(),
        at: place.map(|frame| format!("{} {}", shown(frame), frame.function)),
        content: place.and_then(|frame| frame.text.as_deref()).map(source),
        stack,
    }
}

impl Answer for ProcessAnswer {
    fn profile(&self) -> Option<&str> {
        self.profile.as_ref()?.profile()
    }

    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        match (&mut self.profile, &mut self.dump) {
            (Some(profile), _) => profile.next_calls(),
            (None, dump) => &mut dump.get_or_insert_with(DumpInfo::default).next,
        }
    }

    fn text(&self) -> String {
        let profile = self.profile.iter().map(ProfileAnswer::text);
        profile.chain(self.dump.iter().map(DumpInfo::text)).collect()
    }
}
