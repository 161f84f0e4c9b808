//! Ends processes that do not want to.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Pause between two looks at processes that have been killed.
const LOOK: Duration = Duration::from_millis(2);

/// Ends all processes that `find` names, again and again until it names none. All are stopped
/// before any is killed: none can start another one, or see another one die, meanwhile.
///
/// Returns false when some are left after `patience`.
pub(super) fn end_all(mut find: impl FnMut() -> Vec<u32>, patience: Duration) -> bool {
    let deadline = Instant::now() + patience;
    let mut stopped = HashSet::new();
    loop {
        let found = find();
        if found.is_empty() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        let new: Vec<u32> = found.iter().copied().filter(|pid| stopped.insert(*pid)).collect();
        for pid in &new {
            send(*pid, Signal::STOP);
        }
        // Those that were started while the list was read are found by the next look.
        if new.is_empty() {
            for pid in &found {
                send(*pid, Signal::KILL);
            }
            std::thread::sleep(LOOK);
        }
    }
}

/// Has a process look whether something is new for it. A program that knows nothing of this does not notice: the
/// signal is ignored by default.
pub fn nudge(pid: u32) {
    send(pid, Signal::URG);
}

/// Failure means that it is gone already, which is what was wanted.
pub(super) fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
