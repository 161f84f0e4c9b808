//! Other systems: py-spy itself stops the program.

use std::collections::HashMap;

use py_spy::StackTrace;

use super::attribution::Doing;

/// The program is stopped by py-spy.
pub(super) const HOLDS: bool = false;

/// What each thread was doing; py-spy tells only after the read.
pub(super) type States = HashMap<u32, Doing>;

/// Why nothing can be sampled here.
pub(super) fn unable() -> Option<String> {
    None
}

/// Cores of the machine; of no use here.
pub(super) fn cores() -> f64 {
    1.0
}

/// Part of a core that a thread gets: not known.
pub(super) fn part_of_core(_: f64) -> f64 {
    1.0
}

/// Whether a process is still there; unknown until a read fails.
pub(super) fn exists(_: u32) -> bool {
    true
}

/// Whether a process is still this program; it confines none here.
pub(super) fn is_on_its_way(_: u32) -> bool {
    false
}

/// Looks at the threads of one process.
pub(super) struct Threads;

impl Threads {
    pub(super) fn new(_: u32) -> Self {
        Self
    }

    /// Nothing to say beforehand.
    pub(super) fn states(&self) -> Option<States> {
        Some(States::new())
    }
}

/// Children are not looked at here.
pub(super) fn is_foreign(_: u32, _: u32) -> bool {
    true
}

/// Children are looked at on Linux only.
pub(super) fn descendants(_: u32) -> Vec<u32> {
    Vec::new()
}

/// py-spy knows the threads.
#[derive(Default)]
pub(super) struct ThreadIds;

impl ThreadIds {
    /// The thread of the system that a thread of Python is: not known.
    pub(super) fn of(&mut self, _: &StackTrace, _: u32, _: &States) -> Option<u32> {
        None
    }
}

/// What a thread was doing, as far as that is known.
pub(super) fn doing(trace: &StackTrace, _: Option<u32>, _: &States) -> Doing {
    if trace.active { Doing::Runs } else { Doing::Waits }
}

/// What a thread waits for: not known.
pub(super) fn waits_for(_: u32, _: u32) -> Option<String> {
    None
}

/// Machine code is not looked at here.
pub(super) struct CodeMap;

impl CodeMap {
    pub(super) fn new(_: u32) -> Self {
        Self
    }

    pub(super) fn at(&mut self, _: u64) -> Option<super::attribution::Code> {
        None
    }
}

/// Nor is it named.
#[derive(Default)]
pub(super) struct Natives;

impl Natives {
    pub(super) fn note(&mut self, _: u32, _: u64, _: f64) {}

    pub(super) fn name(self, _: &CodeMap, _: &mut crate::profile::CallTreeBuilder) {}
}

/// py-spy holds and releases.
pub(super) struct Held;

impl Held {
    pub(super) fn new(_: u32) -> Self {
        Self
    }

    /// Where threads are in their machine code: not known.
    pub(super) fn instructions(&self) -> HashMap<u32, u64> {
        HashMap::new()
    }

    pub(super) fn hold(&mut self, _: &States, _: bool) -> Result<(), super::Unheld> {
        Ok(())
    }

    /// py-spy does not say how long it stopped the program.
    pub(super) fn release(&mut self) -> std::time::Duration {
        std::time::Duration::ZERO
    }
}

/// Threads keep to no core.
pub(super) struct Beside;

impl Beside {
    pub(super) fn new() -> Self {
        Self
    }

    pub(super) fn go(&mut self, _: u32, _: &[u32], _: u64) {}

    pub(super) fn is(&self) -> bool {
        false
    }

    pub(super) fn worked() -> std::time::Duration {
        std::time::Duration::ZERO
    }
}
