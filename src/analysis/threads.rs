//! Threads: how many cores they kept busy, who waited for whom.
//!
//! All of it is from the stacks; a thread that waits for another passes its time on to that one
//! (`sampler/attribution.rs`), so that here is where such waits can be seen.

use std::collections::HashMap;

use super::reconcile::innermost;
use super::thresholds::CROWDED_THREADS;
use crate::profile::{CallTree, Percent, Profile, Witness};

/// A line of a file.
pub(super) type At<'a> = (&'a str, u32);

/// What took the time while threads waited.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cause<'a> {
    /// Where.
    pub at: (&'a str, u32),
    /// Part of the waiting during which it did.
    pub part: Percent,
    /// It waited itself, for something outside the program.
    pub waits: bool,
}

/// A line at which threads waited for other threads.
#[derive(Debug, Clone, PartialEq)]
pub struct Crowd<'a> {
    /// Where they waited.
    pub at: (&'a str, u32),
    /// Mean number of threads that waited there: thread-seconds over the wall time.
    pub threads: f64,
    /// What the others did meanwhile, longest first.
    pub causes: Vec<Cause<'a>>,
}

/// Threads of a program, of all its processes.
#[derive(Debug, Clone, PartialEq)]
pub struct Threads<'a> {
    /// Most threads seen at a time in one process.
    pub most: u32,
    /// Processes seen.
    pub processes: u32,
    /// Mean number of threads on a CPU, or ready for one.
    pub busy: f64,
    /// Mean number of threads that waited for their turn at the interpreter (GIL).
    pub interpreter_lock: f64,
    /// Lines at which threads waited for others, most crowded first.
    pub crowds: Vec<Crowd<'a>>,
}

/// What the threads did; `None` for a program of one thread, or where no stacks were read.
pub fn threads(profile: &Profile) -> Option<Threads<'_>> {
    let calls = profile.calls.as_ref().filter(|_| profile.timed_by != Witness::Scalene)?;
    let sampling = &calls.sampling;
    if (sampling.threads < 2 && sampling.processes < 2) || sampling.attributed <= 0.0 {
        return None;
    }
    let mean = |seconds: f64| seconds / sampling.attributed;
    Some(Threads {
        most: sampling.threads,
        processes: sampling.processes,
        busy: mean(sampling.busy),
        interpreter_lock: mean(sampling.interpreter_lock),
        crowds: crowds(&calls.tree, sampling.attributed),
    })
}

fn crowds(tree: &CallTree, wall: f64) -> Vec<Crowd<'_>> {
    let lines = innermost(tree);
    let line = |node: u32| lines.get(node as usize).copied().flatten();
    let mut waits: HashMap<At<'_>, HashMap<(At<'_>, bool), f64>> = HashMap::new();
    for one in &tree.meanwhile {
        let (Some(at), Some(cause)) = (line(one.waiting), line(one.cause)) else { continue };
        let node = tree.nodes.get(one.cause as usize);
        let waiting = node.is_some_and(|node| node.wall_waiting > node.wall_running);
        *waits.entry(at).or_default().entry((cause, waiting)).or_default() += one.seconds;
    }
    let crowd = |(at, causes): (_, HashMap<(_, bool), f64>)| {
        let seconds: f64 = causes.values().sum();
        let cause = |((at, waits), own): (_, f64)| Cause {
            at,
            part: Percent::of_whole(own, seconds).unwrap_or_default(),
            waits,
        };
        let mut causes: Vec<_> = causes.into_iter().map(cause).collect();
        causes.sort_by(|a, b| b.part.get().total_cmp(&a.part.get()).then_with(|| a.at.cmp(&b.at)));
        Crowd { at, threads: seconds / wall, causes }
    };
    let mut crowds: Vec<Crowd<'_>> = { waits.into_iter().map(crowd) }
        .filter(|crowd| crowd.threads >= CROWDED_THREADS.value)
        .collect();
    crowds.sort_by(|a, b| b.threads.total_cmp(&a.threads).then_with(|| a.at.cmp(&b.at)));
    crowds
}
