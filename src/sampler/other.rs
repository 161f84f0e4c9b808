//! Other systems: py-spy itself stops the program.

use std::collections::HashMap;

use py_spy::StackTrace;

/// The program is stopped by py-spy.
pub(super) const HOLDS: bool = false;

/// Whether each thread is on a CPU; py-spy tells.
pub(super) type States = HashMap<u32, bool>;

/// Why nothing can be sampled here.
pub(super) fn unable() -> Option<String> {
    None
}

/// Whether a process is still there; unknown until a read fails.
pub(super) fn exists(_: u32) -> bool {
    true
}

/// Nothing to say beforehand.
pub(super) fn states(_: u32) -> Option<States> {
    Some(States::new())
}

/// Children are looked at on Linux only.
pub(super) fn descendants(_: u32) -> Vec<u32> {
    Vec::new()
}

/// py-spy knows the threads.
#[derive(Default)]
pub(super) struct ThreadIds;

impl ThreadIds {
    /// Whether a thread of Python was on a CPU.
    pub(super) fn running(&mut self, trace: &StackTrace, _: u32, _: &States) -> bool {
        trace.active
    }
}

/// py-spy holds and releases.
pub(super) struct Held;

impl Held {
    pub(super) fn new(_: u32) -> Self {
        Self
    }

    pub(super) fn hold(&mut self, _: &States) -> Result<(), String> {
        Ok(())
    }

    pub(super) fn release(&mut self) {}
}
