//! One moment of a process: where each of its threads is, and what it waits for.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use py_spy::{Pid, PythonSpy, StackTrace};

use super::Unheld;
use super::attribution::Doing;
use super::process::{reading, running, stack_traces};
use super::system::{self, Beside, Held, States};
use crate::profile::{DumpedFrame, DumpedThread, ProcessDump};

/// How long it is tried.
const PATIENCE: Duration = Duration::from_secs(2);
/// Time between two tries.
const AGAIN: Duration = Duration::from_millis(20);
/// Asleep on the core of a thread, so that it is met wherever it is.
const BESIDE: Duration = Duration::from_millis(1);

/// Looks at a process once. It stands still for the time of one read.
///
/// # Errors
/// Why it could not be read, in words.
pub fn dump(pid: u32) -> Result<ProcessDump, String> {
    if let Some(why) = system::unable() {
        return Err(why);
    }
    let id = Pid::try_from(pid).map_err(|_| format!("{pid} is no process id"))?;
    let started = Instant::now();
    loop {
        let why = match PythonSpy::new(id, &reading(true)).map_err(|why| format!("{why:#}")) {
            Ok(mut spy) => match look(pid, &mut spy) {
                Ok(dump) => return Ok(dump),
                Err(why) => why,
            },
            Err(why) => why,
        };
        if started.elapsed() > PATIENCE || !system::exists(pid) {
            return Err(why);
        }
        std::thread::sleep(AGAIN);
    }
}

fn look(pid: u32, spy: &mut PythonSpy) -> Result<ProcessDump, String> {
    // Names of threads are looked up by the first read and kept: it must not stand still for that.
    let _ = stack_traces(spy);
    let threads = system::Threads::new(pid);
    let ended = || "it has ended".to_owned();
    let mut beside = Beside::new();
    beside.go(pid, &running(&threads.states().ok_or_else(ended)?), 0);
    std::thread::sleep(BESIDE);
    let states = threads.states().ok_or_else(ended)?;
    // Before it stands still: what it waits for stays the same for those that wait.
    let waits: HashMap<u32, String> =
        states.keys().filter_map(|tid| Some((*tid, system::waits_for(pid, *tid)?))).collect();
    let mut held = Held::new(pid);
    let stood = match held.hold(&states, beside.is()) {
        Ok(()) => true,
        Err(Unheld::Late) => return Err("a thread does not stop".to_owned()),
        Err(Unheld::Forbidden(_)) => false,
    };
    let read = stack_traces(spy);
    held.release();
    let mut tids = system::ThreadIds::default();
    let threads: Vec<DumpedThread> =
        read?.iter().map(|trace| thread(trace, pid, (&states, &waits), &mut tids)).collect();
    Ok(ProcessDump {
        pid,
        python: spy.version.to_string(),
        others: states.len().saturating_sub(threads.len()),
        threads,
        stood,
    })
}

fn thread(
    trace: &StackTrace,
    pid: u32,
    (states, waits): (&States, &HashMap<u32, String>),
    tids: &mut system::ThreadIds,
) -> DumpedThread {
    let tid = tids.of(trace, pid, states);
    let doing = system::doing(trace, tid, states);
    let told = tid.and_then(|tid| waits.get(&tid)).cloned();
    let frame = |frame: &py_spy::Frame| DumpedFrame {
        file: frame.filename.clone(),
        function: frame.name.clone(),
        line: u32::try_from(frame.line).unwrap_or(0),
        own: false,
        text: None,
    };
    DumpedThread {
        tid,
        name: trace.thread_name.clone(),
        holds_interpreter: trace.owns_gil,
        runs: doing == Doing::Runs,
        waits_for: match doing {
            Doing::Runs => None,
            Doing::WantsInterpreter => Some("the interpreter's lock (GIL)".to_owned()),
            _ => told,
        },
        frames: trace.frames.iter().map(frame).collect(),
    }
}
