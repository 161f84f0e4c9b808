//! Linux: threads from `/proc`, stopped by ptrace.
//!
//! Each running thread of the program is seized, interrupted, waited for and let go. Nothing here ever collects
//! the end of a process: that belongs to whoever started it, and so only stops are waited for.
//! When the thread that watches ends, the kernel lets go of everything it still holds.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Seek, SeekFrom};
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::ptrace::{self, Event, Options};
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;
use py_spy::StackTrace;

use super::Unheld;
use super::attribution::Doing;
pub(super) use super::beside::Beside;
pub(super) use super::code::CodeMap;
pub(super) use super::natives::Natives;
pub(super) use super::waits::waits_for;

/// The program is stopped here, not by py-spy.
pub(super) const HOLDS: bool = true;
/// How long to wait for a thread to stop: one in the middle of disk I/O does not.
const STOP_WITHIN: Duration = Duration::from_millis(50);
/// How long the main thread may take until it runs again.
const RUNS_WITHIN: Duration = Duration::from_millis(10);

/// What each thread was doing just before a read.
pub(super) type States = HashMap<u32, Doing>;

/// Why nothing can be sampled here.
pub(super) fn unable() -> Option<String> {
    // Without it the async runtime waits for children in a way that takes a stop for an end.
    let own = rustix::process::getpid();
    rustix::process::pidfd_open(own, rustix::process::PidfdFlags::empty())
        .err()
        .map(|why| format!("the kernel has no pidfd_open: {why}"))
}

/// Cores for the calling thread; to be asked before it keeps to one.
pub(super) fn cores() -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// Part of a core that a thread gets on this machine at this moment: all of one, unless more threads are
/// ready to run than there are cores.
pub(super) fn part_of_core(cores: f64) -> f64 {
    let text = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let ready = text.split_whitespace().nth(3).and_then(|word| word.split_once('/'));
    // Whoever asks is one of them.
    let ready = ready.and_then(|(ready, _)| ready.parse::<f64>().ok()).map_or(1.0, |all| all - 1.0);
    (cores / ready.max(1.0)).min(1.0)
}

/// Whether a process is still there and not a zombie.
pub(super) fn exists(pid: u32) -> bool {
    state(&format!("/proc/{pid}/stat")).is_some_and(|state| state != b'Z' && state != b'X')
}

/// Whether a process is still this program, on its way to another: just forked, or confining itself.
/// To look for an interpreter in it takes long and finds none.
pub(super) fn is_on_its_way(pid: u32) -> bool {
    let own = fs::read_link("/proc/self/exe");
    own.is_ok_and(|own| fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == own))
}

/// The letter after the name, which is in brackets and may itself hold brackets.
fn state(path: &str) -> Option<u8> {
    let text = fs::read(path).ok()?;
    let end = text.iter().rposition(|byte| *byte == b')')?;
    text.get(end + 2).copied()
}

fn threads(pid: u32) -> Option<Vec<u32>> {
    let entries = fs::read_dir(format!("/proc/{pid}/task")).ok()?;
    Some(entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect())
}

/// Looks at the threads of one process.
pub(super) struct Threads {
    pid: u32,
    /// Memory of the interpreter's own variables, its lock among them.
    interpreter: Vec<std::ops::Range<u64>>,
}

/// Numbers of the system call behind a lock, and of those that wait for a child.
#[cfg(target_arch = "x86_64")]
const FUTEX_AND_WAITS: (u64, &[u64]) = (202, &[61, 247]);
#[cfg(target_arch = "aarch64")]
const FUTEX_AND_WAITS: (u64, &[u64]) = (98, &[95, 260]);
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const FUTEX_AND_WAITS: (u64, &[u64]) = (u64::MAX, &[]);

impl Threads {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, interpreter: interpreter(pid) }
    }

    /// What each thread does; `None` when the process is gone.
    pub(super) fn states(&self) -> Option<States> {
        let threads = threads(self.pid).filter(|threads| !threads.is_empty())?;
        let states: States =
            threads.into_iter().filter_map(|tid| Some((tid, self.doing(tid)?))).collect();
        (!states.is_empty()).then_some(states)
    }

    /// `None` of a thread that has ended.
    fn doing(&self, tid: u32) -> Option<Doing> {
        let task = format!("/proc/{}/task/{tid}", self.pid);
        match state(&format!("{task}/stat"))? {
            b'R' => return Some(Doing::Runs),
            b'Z' | b'X' => return None,
            _ => {}
        }
        // The number of the system call and its arguments; `running` when it has just left it.
        let call = fs::read_to_string(format!("{task}/syscall")).unwrap_or_default();
        let mut words = call.split_whitespace();
        let number = words.next().and_then(|word| word.parse::<u64>().ok());
        let address = words.next().and_then(|word| word.strip_prefix("0x"));
        let address = address.and_then(|word| u64::from_str_radix(word, 16).ok());
        let (futex, waits) = FUTEX_AND_WAITS;
        Some(match (number, address) {
            (None, _) if call.starts_with("running") => Doing::Runs,
            (Some(number), Some(address)) if number == futex => {
                let own = self.interpreter.iter().any(|range| range.contains(&address));
                if own { Doing::WantsInterpreter } else { Doing::WaitsForThread }
            }
            (Some(number), _) if waits.contains(&number) => Doing::WaitsForChild,
            _ => Doing::Waits,
        })
    }
}

/// Writable memory of the interpreter's program file or library, and what the kernel put right
/// behind it for variables that start as zero.
fn interpreter(pid: u32) -> Vec<std::ops::Range<u64>> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    let program = program.to_string_lossy();
    let mut ranges: Vec<std::ops::Range<u64>> = Vec::new();
    for line in maps.lines() {
        let mut words = line.split_whitespace();
        let bounds = words.next().and_then(|bounds| bounds.split_once('-'));
        let number = |text: &str| u64::from_str_radix(text, 16).ok();
        let Some((Some(start), Some(end))) = bounds.map(|(a, b)| (number(a), number(b))) else {
            continue;
        };
        let writable = words.next().is_some_and(|rights| rights.starts_with("rw"));
        let file = words.nth(3).unwrap_or_default();
        let of_python = !file.is_empty() && (file == program || file.contains("/libpython"));
        let follows = file.is_empty() && ranges.last().is_some_and(|last| last.end == start);
        if writable && (of_python || follows) {
            ranges.push(start..end);
        }
    }
    ranges
}

/// Whether a process runs another program than the one that started it, and is no worker that
/// Python's `multiprocessing` started anew.
pub(super) fn is_foreign(pid: u32, parent: u32) -> bool {
    let command = |pid: u32| fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    let (own, first) = (command(pid), command(parent));
    let marks: [&[u8]; 2] = [b"multiprocessing.spawn", b"multiprocessing.forkserver"];
    let spawned = || marks.iter().any(|mark| own.windows(mark.len()).any(|part| part == *mark));
    own != first && !spawned() && !forked(pid, parent)
}

/// Whether two processes have the same memory but for what they wrote since: a fork that gave itself another
/// name. The place of the stack is drawn anew for every program that is started.
fn forked(one: u32, other: u32) -> bool {
    let stack = |pid: u32| -> Option<u64> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        text.rsplit_once(')')?.1.split_whitespace().nth(25)?.parse().ok().filter(|start| *start > 1)
    };
    stack(one).is_some_and(|start| stack(other) == Some(start))
}

/// Children, their children and so on.
pub(super) fn descendants(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    let mut next = vec![pid];
    while let Some(pid) = next.pop() {
        for tid in threads(pid).unwrap_or_default() {
            let children = fs::read_to_string(format!("/proc/{pid}/task/{tid}/children"));
            let children = children.unwrap_or_default();
            let children = children.split_whitespace().filter_map(|word| word.parse::<u32>().ok());
            for child in children {
                found.push(child);
                next.push(child);
            }
        }
    }
    found
}

/// Which thread of the system is which thread of Python. From 3.11 on Python knows; before, the
/// C library's own record of a thread holds the number.
#[derive(Default)]
pub(super) struct ThreadIds(HashMap<u64, u32>);

/// What a thread was doing. One that nobody knows counts as running.
pub(super) fn doing(_: &StackTrace, tid: Option<u32>, states: &States) -> Doing {
    tid.and_then(|tid| states.get(&tid)).copied().unwrap_or(Doing::Runs)
}

/// Bytes of that record that are searched.
const RECORD: usize = 2048;

impl ThreadIds {
    /// The thread of the system that a thread of Python is.
    pub(super) fn of(&mut self, trace: &StackTrace, pid: u32, states: &States) -> Option<u32> {
        let told = trace.os_thread_id.and_then(|id| u32::try_from(id).ok());
        told.filter(|tid| states.contains_key(tid)).or_else(|| self.find(trace, pid, states))
    }

    fn find(&mut self, trace: &StackTrace, pid: u32, states: &States) -> Option<u32> {
        if states.len() == 1 {
            return states.keys().next().copied();
        }
        let known = self.0.get(&trace.thread_id).copied().filter(|tid| states.contains_key(tid));
        let found = known.or_else(|| search(trace.thread_id, pid, states))?;
        self.0.insert(trace.thread_id, found);
        Some(found)
    }
}

fn search(record: u64, pid: u32, states: &States) -> Option<u32> {
    let mut memory = fs::File::open(format!("/proc/{pid}/mem")).ok()?;
    memory.seek(SeekFrom::Start(record)).ok()?;
    let mut bytes = [0; RECORD];
    memory.read_exact(&mut bytes).ok()?;
    let words = bytes.as_chunks::<4>().0.iter().map(|word| u32::from_ne_bytes(*word));
    // The number of the process stands before that of the thread in some versions.
    let found: Vec<u32> = words.filter(|word| states.contains_key(word)).collect();
    found.iter().copied().find(|tid| *tid != pid).or_else(|| found.first().copied())
}

/// The address of the instruction that a stopped thread is at.
#[cfg(target_arch = "x86_64")]
fn instruction(tid: Pid) -> Option<u64> {
    ptrace::getregs(tid).ok().map(|registers| registers.rip)
}

#[cfg(target_arch = "aarch64")]
fn instruction(tid: Pid) -> Option<u64> {
    ptrace::getregs(tid).ok().map(|registers| registers.pc)
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn instruction(_: Pid) -> Option<u64> {
    None
}

/// How long to wait without giving the core away: a thread on another core stops within this time, and
/// whoever gets the core keeps it for milliseconds, in which the program would stand still.
const SPIN: Duration = Duration::from_micros(150);

/// Shortest sleep.
const NAP: Duration = Duration::from_micros(20);

/// How often a thread that waits for our core is let by. Each time costs us our turn for later.
const YIELDS: u32 = 3;

/// Waits a moment for a thread to stop.
fn pause(started: Instant, tries: u32, beside: bool) {
    if beside && tries < YIELDS {
        std::thread::yield_now();
    } else if !beside && started.elapsed() < SPIN {
        std::hint::spin_loop();
    } else {
        std::thread::sleep(NAP);
    }
}

/// The threads of a process that are stopped, or are being stopped.
pub(super) struct Held {
    pid: u32,
    stopped: Vec<Pid>,
    /// Asked to stop and not yet there: let go as soon as they are.
    owed: Vec<Pid>,
    /// When the first of them stopped. On a busy machine a thread first has to be given a CPU to stop:
    /// that time it would have waited anyway.
    since: Option<Instant>,
    /// Whether we are on the core of what is stopped.
    beside: bool,
}

impl Held {
    pub(super) fn new(pid: u32) -> Self {
        Self { pid, stopped: Vec::new(), owed: Vec::new(), since: None, beside: false }
    }

    /// Where the threads that are stopped are in their machine code.
    pub(super) fn instructions(&self) -> HashMap<u32, u64> {
        let of = |tid: &Pid| Some((tid.as_raw().unsigned_abs(), instruction(*tid)?));
        self.stopped.iter().filter_map(of).collect()
    }

    /// Stops the threads that run. One that sleeps changes nothing that is read, and would have to be
    /// given a CPU first to be stopped.
    pub(super) fn hold(&mut self, states: &States, beside: bool) -> Result<(), Unheld> {
        self.beside = beside;
        let running = states.iter().filter(|(_, doing)| **doing == Doing::Runs);
        let running = running.map(|(tid, _)| *tid);
        let (main, others): (Vec<u32>, Vec<u32>) = running.partition(|tid| *tid == self.pid);
        self.stop(&others)?;
        self.stop(&main)
    }

    fn stop(&mut self, tids: &[u32]) -> Result<(), Unheld> {
        for tid in tids.iter().filter_map(|tid| i32::try_from(*tid).ok()).map(Pid::from_raw) {
            match ptrace::seize(tid, Options::PTRACE_O_TRACEEXIT) {
                Ok(()) => {}
                // It ended meanwhile.
                Err(Errno::ESRCH) => continue,
                Err(Errno::EPERM) if !is_alive(self.pid, tid) => continue,
                Err(why) => {
                    let why = format!("the system does not let us stop the program: {why}");
                    return Err(Unheld::Forbidden(why));
                }
            }
            self.owed.push(tid);
            // It may have ended, too; then it stops for its end.
            let _ = ptrace::interrupt(tid);
        }
        let started = Instant::now();
        let mut tries = 0;
        while !self.owed.is_empty() {
            self.look();
            if !self.owed.is_empty() {
                if started.elapsed() > STOP_WITHIN {
                    return Err(Unheld::Late);
                }
                pause(started, tries, self.beside);
                tries += 1;
            }
        }
        Ok(())
    }

    /// Moves those that have stopped from one list to the other.
    fn look(&mut self) {
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
        let owed = std::mem::take(&mut self.owed);
        for tid in owed {
            match waitid(Id::Pid(tid), flags) {
                Ok(WaitStatus::PtraceEvent(_, _, event)) if is_stop(event) => {
                    self.stopped.push(tid);
                    self.since.get_or_insert_with(Instant::now);
                }
                // On its way to a signal: it gets it, and stops right after.
                Ok(WaitStatus::PtraceEvent(_, signal, 0) | WaitStatus::Stopped(_, signal)) => {
                    let _ = ptrace::cont(tid, signal);
                    self.owed.push(tid);
                }
                Ok(WaitStatus::StillAlive) => self.owed.push(tid),
                // A signal that nix has no name for: better lost than a thread that stays stopped.
                Ok(_) | Err(Errno::EINVAL) => {
                    let _ = ptrace::cont(tid, None::<Signal>);
                    self.owed.push(tid);
                }
                // Gone.
                Err(_) => {}
            }
        }
    }

    /// Lets everything go on, also what stops late; says for how long something stood still.
    pub(super) fn release(&mut self) -> Duration {
        let mut stood = self.release_stopped();
        while !self.owed.is_empty() && exists(self.pid) {
            std::thread::sleep(Duration::from_millis(1));
            self.look();
            stood = stood.max(self.release_stopped());
        }
        self.owed.clear();
        self.since = None;
        stood
    }

    /// Lets those go on that have stopped: the main thread first, until it runs and has taken the signals that came
    /// meanwhile. A signal for the process goes to whichever thread is not stopped, and Python does
    /// not look at one that another thread took before long: Scalene's timer would stand still.
    fn release_stopped(&mut self) -> Duration {
        let (main, others): (Vec<Pid>, Vec<Pid>) =
            self.stopped.drain(..).partition(|tid| tid.as_raw().unsigned_abs() == self.pid);
        let before = if others.is_empty() { None } else { times_scheduled(self.pid) };
        // Before the last is let go: it may take our core at once.
        let mut until = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        for tid in &main {
            self.detach(*tid);
        }
        let started = Instant::now();
        let runs = || times_scheduled(self.pid) != before && !signals_wait(self.pid);
        while !main.is_empty() && !others.is_empty() && !runs() && started.elapsed() < RUNS_WITHIN {
            // Asleep, so that our core is free for it.
            std::thread::sleep(NAP);
        }
        if !others.is_empty() {
            until = self.since.map_or(Duration::ZERO, |since| since.elapsed());
        }
        for tid in others {
            self.detach(tid);
        }
        until
    }

    /// A thread that was killed while it was stopped cannot be let go at this moment: it stops once more, for its end,
    /// and would stay there for ever.
    fn detach(&mut self, tid: Pid) {
        if ptrace::detach(tid, None::<Signal>) == Err(Errno::ESRCH) {
            self.owed.push(tid);
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

/// How often the main thread was given a CPU; `None` where the kernel does not count.
fn times_scheduled(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/schedstat")).ok()?;
    text.split_whitespace().nth(2)?.parse().ok()
}

/// Whether a signal for the process as a whole waits for a thread that takes it.
fn signals_wait(pid: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let shared = status.lines().find_map(|line| line.strip_prefix("ShdPnd:"));
    shared.is_some_and(|mask| mask.bytes().any(|digit| matches!(digit, b'1'..=b'9' | b'a'..=b'f')))
}

fn is_stop(event: i32) -> bool {
    event == Event::PTRACE_EVENT_STOP as i32 || event == Event::PTRACE_EVENT_EXIT as i32
}

fn is_alive(pid: u32, tid: Pid) -> bool {
    state(&format!("/proc/{pid}/task/{tid}/stat"))
        .is_some_and(|state| state != b'Z' && state != b'X')
}
