//! A second witness: reads the stacks of a running Python program from outside.
//!
//! Scalene's samples are taken by a signal handler, which Python runs only between certain
//! instructions; the time slides to the next such place. Here every thread that runs is stopped for the tens
//! of microseconds that a read takes, so that its line is exact (crate `py-spy`), and let go
//! again. What happens to be on a CPU at that moment counts as running, the rest as waiting.
//!
//! Owns: attaching, timing, and the number of processes and threads looked at. Knows nothing of
//! Scalene but its name. Entry points: [`Sampler::start`] for a program that was just started beside Scalene,
//! [`Sampler::look`] for any process, [`dump`] for one moment of it, [`refusal`] for why that cannot be.

mod access;
mod account;
mod attribution;
#[cfg(target_os = "linux")]
mod beside;
#[cfg(target_os = "linux")]
mod code;
mod dump;
#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
mod natives;
#[cfg(not(target_os = "linux"))]
mod other;
mod process;
mod stacks;
#[cfg(target_os = "linux")]
mod waits;

#[cfg(target_os = "linux")]
use linux as system;
#[cfg(not(target_os = "linux"))]
use other as system;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::access::{Refusal, is_python, refusal};
use self::attribution::Processes;
pub use self::dump::dump;
use self::process::Watched;
use crate::profile::{CallTree, CallTreeBuilder, Sampling};

/// Mean time between two reads, unless told otherwise.
const INTERVAL: Duration = Duration::from_millis(10);
/// Part of the run for which the program may be stopped. The promise is 5 % in all: to stop and to go on costs it
/// something besides, caches and turns.
const MOST_STOPPED: f64 = 0.035;
/// How often children of the program are looked for.
const CHILDREN: Duration = Duration::from_millis(200);
/// Processes read at a time.
const MOST_PROCESSES: usize = 16;

/// How a process is looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// The file that starts Scalene in it: its frames, and Scalene's, are no part of the program. Absent where
    /// there is no Scalene, so that every frame is the program's.
    pub runner: Option<String>,
    /// Mean time between two reads.
    pub interval: Duration,
    /// Whether its descendants are looked at, too.
    pub children: bool,
    /// How long its interpreter may take until it can be read.
    pub patience: Duration,
}

impl Default for Look {
    /// A read every 10 ms on average, with all descendants, no Scalene.
    fn default() -> Self {
        Self { runner: None, interval: INTERVAL, children: true, patience: Duration::from_secs(3) }
    }
}

/// A running program under observation.
#[derive(Debug)]
pub struct Sampler {
    shared: Arc<Shared>,
    manager: Option<JoinHandle<()>>,
    started: Instant,
    ended: Option<Instant>,
}

/// What was seen of a program.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Seen {
    /// All calls; of the program, of Python's library, of Scalene.
    pub tree: CallTree,
    /// How far it can be believed.
    pub sampling: Sampling,
    /// Why nothing was seen, or less than could be.
    pub trouble: Option<String>,
    /// Version of Python, of the process that was named.
    pub python: Option<String>,
}

#[derive(Debug, Default)]
struct Shared {
    look: Look,
    stop: AtomicBool,
    /// One process is connected to at a time.
    connecting: Mutex<()>,
    found: Mutex<Found>,
}

#[derive(Debug, Default)]
struct Found {
    tree: CallTreeBuilder,
    processes: Processes,
    sampling: Sampling,
    trouble: Option<String>,
    python: Option<String>,
    /// When the process that was named was first connected to.
    begun: Option<Instant>,
}

/// Why the threads of a program do not stand still.
#[cfg_attr(
    not(target_os = "linux"),
    expect(dead_code, reason = "py-spy stops the program elsewhere")
)]
enum Unheld {
    /// One did not stop in time.
    Late,
    /// The system refuses, for this reason.
    Forbidden(String),
}

impl Sampler {
    /// Looks at a process that has just been started, and at its descendants. `runner` is the file that
    /// starts Scalene: it is no part of the program.
    pub fn start(pid: u32, runner: &str) -> Self {
        Self::look(pid, Look { runner: Some(runner.to_owned()), ..Look::default() })
    }

    /// Looks at a process, whoever started it. It is stopped for the time of a read, again and again, and never
    /// signalled; whatever ends the observation, this process' own end included, lets it go on.
    pub fn look(pid: u32, look: Look) -> Self {
        let shared = Arc::new(Shared { look, ..Shared::default() });
        let own = Arc::clone(&shared);
        let manager = thread::spawn(move || manage(pid, &own));
        Self { shared, manager: Some(manager), started: Instant::now(), ended: None }
    }

    /// Looks at what was seen so far; the observation stands still meanwhile.
    pub fn so_far<T>(&self, look: impl FnOnce(&CallTree) -> T) -> T {
        look(self.shared.lock().tree.so_far())
    }

    /// When the process was first connected to; `None` before that.
    pub fn begun(&self) -> Option<Instant> {
        self.shared.lock().begun
    }

    /// Whether there is nothing more to see: the process has ended, or could not be read.
    pub fn is_over(&self) -> bool {
        self.manager.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the observation; [`Sampler::finish`] says later what was seen.
    pub fn end(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        self.ended.get_or_insert_with(Instant::now);
    }

    /// Ends the observation and says what was seen.
    pub fn finish(mut self) -> Seen {
        self.end();
        // A panic in there is a lost witness, not a lost run.
        let ended = self.manager.take().map_or(Ok(()), JoinHandle::join);
        let mut found = self.shared.lock();
        let found = std::mem::take(&mut *found);
        let mut sampling = found.sampling;
        let until = self.ended.unwrap_or_else(Instant::now);
        let begun = found.begun.unwrap_or(self.started);
        sampling.wall = until.saturating_duration_since(begun).as_secs_f64();
        let trouble = ended.err().map(|_| "the sampler failed".to_owned()).or(found.trouble);
        tracing::debug!(?sampling, ?trouble, "sampled");
        Seen { tree: found.tree.finish(), sampling, trouble, python: found.python }
    }
}

/// A run that nobody waits for any more is not looked at any longer.
impl Drop for Sampler {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}

impl Shared {
    fn stopping(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Found> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn connecting(&self) -> std::sync::MutexGuard<'_, ()> {
        self.connecting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, and returns early when the observation ends. False when it has.
    fn sleep(&self, time: Duration) -> bool {
        let end = Instant::now() + time;
        while !self.stopping() {
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return true;
            }
            thread::sleep(left.min(Duration::from_millis(20)));
        }
        false
    }
}

/// The processes that a process has started, theirs and so on; none where that is not known (other than Linux).
pub fn descendants(pid: u32) -> Vec<u32> {
    system::descendants(pid)
}

/// Gives each Python process of the program a thread of its own: what stops a process must also
/// let it go.
fn manage(pid: u32, shared: &Arc<Shared>) {
    if let Some(why) = system::unable() {
        shared.lock().trouble = Some(why);
        return;
    }
    shared.lock().processes.set_main(pid);
    let mut known: HashSet<u32> = HashSet::new();
    let mut watchers: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let children = if shared.look.children { system::descendants(pid) } else { Vec::new() };
        let found = std::iter::once(pid).chain(children);
        for process in found.take(MOST_PROCESSES) {
            watchers.retain(|watcher| !watcher.is_finished());
            if watchers.len() < MOST_PROCESSES && known.insert(process) {
                let own = Arc::clone(shared);
                watchers.push(thread::spawn(move || Watched::new(process, pid, &own).watch()));
            }
        }
        // Under Scalene children may begin that can be read.
        let alone = shared.look.runner.is_none();
        let lost = || {
            alone && watchers.iter().all(JoinHandle::is_finished) && shared.lock().trouble.is_some()
        };
        if !shared.sleep(CHILDREN) || !system::exists(pid) || lost() {
            break;
        }
    }
    shared.stop.store(true, Ordering::Relaxed);
    for watcher in watchers {
        if watcher.join().is_err() {
            shared.lock().trouble = Some("the sampler failed for one process".to_owned());
        }
    }
}
