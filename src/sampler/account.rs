//! What the reads of one process amount to. Kept by a thread of its own: whoever reads may be on the program's core, which
//! stands still as long as it works.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use py_spy::StackTrace;

use super::Shared;
use super::attribution::Read;
use super::stacks::Stacks;
use super::system::{self, States};

/// One look at all threads of a process.
pub(super) struct Taken {
    /// When.
    pub(super) at: Instant,
    pub(super) traces: Vec<StackTrace>,
    /// What the threads did just before.
    pub(super) states: States,
    /// Where those that stood still were in their machine code.
    pub(super) instructions: HashMap<u32, u64>,
}

/// The account of one process.
pub(super) struct Account {
    pid: u32,
    /// Its wall time is not the program's.
    foreign: bool,
    shared: Arc<Shared>,
    stacks: Stacks,
    code: system::CodeMap,
    at: Instant,
    /// The last read, and half of the time before it; the other half that it stands for is yet to come.
    last: Option<(Read, f64)>,
}

impl Account {
    pub(super) fn new(pid: u32, foreign: bool, shared: &Arc<Shared>) -> Self {
        Self {
            pid,
            foreign,
            shared: Arc::clone(shared),
            stacks: Stacks::new(shared.look.runner.as_deref()),
            code: system::CodeMap::new(pid),
            at: Instant::now(),
            last: None,
        }
    }

    /// Counts all that is taken, until there is no more to come; then names the machine code.
    pub(super) fn keep(mut self, all: &Receiver<Taken>) {
        while let Ok(taken) = all.recv() {
            self.count(&taken);
        }
        let mut found = self.shared.lock();
        if let Some((read, before)) = self.last {
            let half = self.at.elapsed().min(2 * self.shared.look.interval).as_secs_f64() / 2.0;
            self.stacks.charge(&read, before + half, &mut found);
        }
        self.stacks.finish(&self.code, &mut found);
    }

    fn count(&mut self, taken: &Taken) {
        let since = taken.at.saturating_duration_since(self.at);
        self.at = taken.at;
        let mut found = self.shared.lock();
        found.sampling.reads += 1;
        let code = &mut self.code;
        let mut code_of = |tid: u32| {
            let address = *taken.instructions.get(&tid)?;
            Some((code.at(address)?, address))
        };
        let each = taken.traces.iter().filter_map(|trace| {
            self.stacks.count(trace, self.pid, &taken.states, &mut code_of, &mut found)
        });
        let threads: Vec<_> = each.collect();
        let read = if self.foreign { Read::apart(threads) } else { found.read(self.pid, threads) };
        let half = self.half(&read, since);
        if let Some((earlier, before)) = self.last.replace((read, half)) {
            self.stacks.charge(&earlier, before + half, &mut found);
        }
    }

    /// Half of the time between two reads, in seconds. What begins or ends between them has not been there for all of it.
    fn half(&self, read: &Read, since: Duration) -> f64 {
        let busy = |read: &Read| !read.threads.is_empty();
        let both = busy(read) && self.last.as_ref().is_some_and(|(last, _)| busy(last));
        let most = 2 * self.shared.look.interval;
        (if both { since } else { since.min(most) }).as_secs_f64() / 2.0
    }
}
