//! One process: connect, read its stacks again and again, count.

use std::sync::Arc;
use std::sync::mpsc::{self, SyncSender};
use std::time::{Duration, Instant};

use py_spy::config::LockingStrategy;
use py_spy::{Config, Pid, PythonSpy, StackTrace};

use super::account::{Account, Taken};
use super::attribution::Doing;
use super::system::{self, Beside, Held, States};
use super::{MOST_STOPPED, Shared, Unheld};
use crate::profile::Sampling;

/// Seconds of stopping that can be saved up: a slow read now and then is allowed, and no more than that, or a
/// short program would pay for all of it.
const MOST_CREDIT: f64 = 0.005;
/// Seconds that a read costs for each thread that the stopped one keeps from the interpreter: it wakes, and asks for it
/// once more. Measured with eight threads (`benches/sampler.rs`).
const DISTURBED: f64 = 0.000_05;
/// Time between two tries.
const RETRY: Duration = Duration::from_millis(20);
/// The same for a child of the program, in times of what a try has cost: there may be hundreds.
const RETRY_CHILD: u32 = 10;
/// Refusals to stop the program, one after the other, until it is read as it runs.
const MOST_FORBIDDEN: u32 = 10;
/// Reads that wait to be counted. With more, reading waits.
const MOST_UNCOUNTED: usize = 64;
/// Reads that fail one after the other until the process is given up.
const MOST_FAILURES: u32 = 50;

/// A process that is looked at.
pub(super) struct Watched {
    pid: u32,
    /// The program itself, not a child of it.
    main: bool,
    /// It runs another program: whoever started it waits for it, and that is where its time counts.
    foreign: bool,
    shared: Arc<Shared>,
    random: u64,
}

/// Why a read brought nothing.
enum Failure {
    /// A thread did not stop in time.
    Late,
    /// The system does not let us stop the program.
    Forbidden(String),
    /// The program stood still, and its memory made no sense.
    Unreadable(String),
}

impl From<Unheld> for Failure {
    fn from(why: Unheld) -> Self {
        match why {
            Unheld::Late => Self::Late,
            Unheld::Forbidden(why) => Self::Forbidden(why),
        }
    }
}

impl Failure {
    /// Counts it, and says it in words.
    fn count(self, sampling: &mut Sampling) -> String {
        match self {
            Self::Late => {
                sampling.missed += 1;
                "a thread does not stop".to_owned()
            }
            Self::Forbidden(why) => {
                sampling.missed += 1;
                why
            }
            Self::Unreadable(why) => {
                sampling.failures += 1;
                why
            }
        }
    }
}

/// Reads all stacks. Memory that makes no sense may make the reader panic: then it is a failed read.
pub(super) fn stack_traces(spy: &mut PythonSpy) -> Result<Vec<StackTrace>, String> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| spy.get_stack_traces()))
        .map_err(|_| "the reader gave up on the program's memory".to_owned())?
        .map_err(|why| format!("{why:#}"))
}

/// How processes are read. Full names of files: where a file is found is not the reader's business.
pub(super) fn reading(thread_names: bool) -> Config {
    Config {
        blocking: if system::HOLDS {
            LockingStrategy::AlreadyLocked
        } else {
            LockingStrategy::Lock
        },
        collect_thread_names: thread_names,
        full_filenames: true,
        ..Config::default()
    }
}

/// Threads that want the interpreter besides the one that has it.
fn contenders(states: &States) -> f64 {
    let wants = |doing: &&Doing| matches!(doing, Doing::Runs | Doing::WantsInterpreter);
    let others = states.values().filter(wants).count().saturating_sub(1);
    f64::from(u32::try_from(others).unwrap_or(u32::MAX))
}

/// Threads on a CPU, or ready for one.
pub(super) fn running(states: &States) -> Vec<u32> {
    let runs = states.iter().filter(|(_, doing)| **doing == Doing::Runs);
    runs.map(|(tid, _)| *tid).collect()
}

impl Watched {
    /// `program` is the process that was started first.
    pub(super) fn new(pid: u32, program: u32, shared: &Arc<Shared>) -> Self {
        let main = pid == program;
        let foreign = !main && system::is_foreign(pid, program);
        Self { pid, main, foreign, shared: Arc::clone(shared), random: u64::from(pid) | 1 }
    }

    pub(super) fn watch(mut self) {
        match self.connect() {
            Ok(spy) => {
                self.sample(spy);
                self.shared.lock().processes.ended(self.pid);
            }
            // A child need not be Python.
            Err(Some(why)) if self.main => self.shared.lock().trouble = Some(why),
            Err(_) => {}
        }
    }

    /// `Err(None)` when there is nothing left to look at.
    fn connect(&self) -> Result<PythonSpy, Option<String>> {
        let pid = Pid::try_from(self.pid).map_err(|_| None)?;
        let config = reading(false);
        let started = Instant::now();
        loop {
            let mut retry = RETRY;
            let why = if system::is_on_its_way(self.pid) {
                "the program did not start".to_owned()
            } else {
                // To read what Python's files say of themselves takes a core for a tenth of a second.
                let turn = self.shared.connecting();
                if self.shared.stopping() {
                    return Err(None);
                }
                let begun = Instant::now();
                match PythonSpy::new(pid, &config) {
                    Ok(spy) => return Ok(spy),
                    Err(why) => {
                        drop(turn);
                        let times = if self.main { 1 } else { RETRY_CHILD };
                        retry = RETRY.max(times * begun.elapsed());
                        format!("{why:#}")
                    }
                }
            };
            if self.shared.stopping() || !system::exists(self.pid) {
                return Err(None);
            }
            if started.elapsed() > self.shared.look.patience {
                return Err(Some(why));
            }
            self.shared.sleep(retry);
        }
    }

    fn sample(&mut self, spy: PythonSpy) {
        self.note(&spy);
        let account = Account::new(self.pid, self.foreign, &self.shared);
        let (into, all) = mpsc::sync_channel(MOST_UNCOUNTED);
        std::thread::scope(|scope| {
            scope.spawn(move || account.keep(&all));
            self.read(spy, &into);
            drop(into);
        });
    }

    fn read(&mut self, mut spy: PythonSpy, into: &SyncSender<Taken>) {
        let interval = self.shared.look.interval;
        let mut held = Held::new(self.pid);
        let threads = system::Threads::new(self.pid);
        let mut last = Instant::now();
        // Seconds for which the program may still be stopped.
        let mut credit = MOST_CREDIT;
        let mut failures = 0;
        let mut stopping = true;
        let cores = system::cores();
        let mut beside = Beside::new();
        let mut on_cpu = vec![self.pid];
        let mut worked = Beside::worked();
        while failures < MOST_FAILURES {
            let due = Duration::from_secs_f64((-credit / MOST_STOPPED).clamp(0.0, 1.0));
            let pause = self.jittered(interval) + due;
            beside.go(self.pid, &on_cpu, self.random);
            if !self.shared.sleep(pause) {
                break;
            }
            let Some(states) = threads.states() else { break };
            let at = Instant::now();
            let hold = if stopping { held.hold(&states, beside.is()) } else { Ok(()) };
            let read = match hold {
                Ok(()) => stack_traces(&mut spy).map_err(Failure::Unreadable),
                Err(why) => Err(why.into()),
            };
            let instructions = held.instructions();
            let held_for = held.release();
            let stopped = if system::HOLDS { held_for } else { at.elapsed() }.as_secs_f64();
            let since = at.duration_since(last);
            last = at;
            on_cpu = running(&states);
            // On an overloaded machine the program would not have run all of that time. Who counts what was read is not
            // awake yet.
            let part = system::part_of_core(cores);
            let contenders = contenders(&states);
            match read {
                Ok(traces) => {
                    failures = 0;
                    let _ = into.send(Taken { at, traces, states, instructions });
                }
                Err(why) => {
                    failures += 1;
                    let forbidden = matches!(why, Failure::Forbidden(_));
                    let mut found = self.shared.lock();
                    let why = why.count(&mut found.sampling);
                    if forbidden && failures >= MOST_FORBIDDEN {
                        tracing::info!(%why, pid = self.pid, "stacks are read while the program runs");
                        (stopping, failures) = (false, 0);
                        found.sampling.unstopped |= self.main;
                    }
                    if failures == MOST_FAILURES && self.main {
                        found.trouble = Some(why);
                    }
                }
            }
            // Whatever shares our core stands still as long as we work.
            let before = std::mem::replace(&mut worked, Beside::worked());
            let shared = if beside.is() { worked.saturating_sub(before) } else { Duration::ZERO };
            let held_up = stopped.max(shared.as_secs_f64());
            self.shared.lock().sampling.stopped += held_up;
            let lost = (held_up + DISTURBED * contenders) * part;
            credit = (credit + MOST_STOPPED * since.as_secs_f64()).min(MOST_CREDIT) - lost;
        }
    }

    fn note(&self, spy: &PythonSpy) {
        let mut found = self.shared.lock();
        if !self.foreign {
            found.sampling.processes += 1;
        }
        if self.main {
            found.python = Some(spy.version.to_string());
            found.begun = Some(Instant::now());
        }
    }

    /// Between a half and one and a half of the interval: a program with a rhythm of its own must not
    /// be met at the same point each time.
    fn jittered(&mut self, interval: Duration) -> Duration {
        // Marsaglia's xorshift.
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        #[expect(clippy::cast_precision_loss, reason = "53 bits are plenty")]
        let part = (self.random >> 11) as f64 / (1_u64 << 53) as f64;
        interval.mul_f64(0.5 + part)
    }
}
