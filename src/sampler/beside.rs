//! On the core where the program runs.
//!
//! A thread that is interrupted from another core goes on for the microseconds that the interrupt takes (1 to 2 on
//! a machine of its own, 10 to 50 on a virtual one), and when it makes a system call in that time, that is where it
//! stops: a loop with a call every 10 microseconds would be found in the call every time. The timer of its own
//! core interrupts it wherever it is. So whoever reads sleeps on that core; when it wakes, the thread has
//! already been put aside.

use std::fs;
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity, set_current_timer_slack};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds by which a timer may be late.
const SLACK: u64 = 1000;

/// Which core the calling thread keeps to.
pub(super) struct Beside {
    anywhere: Option<CpuSet>,
    core: Option<usize>,
}

impl Beside {
    pub(super) fn new() -> Self {
        // What sleeps for microseconds is not to be woken fifty of them late.
        let _ = set_current_timer_slack(NonZeroU64::new(SLACK));
        Self { anywhere: sched_getaffinity(None).ok(), core: None }
    }

    /// Goes to the core of one of these threads; `any` says which. Anywhere when there are none.
    pub(super) fn go(&mut self, pid: u32, running: &[u32], any: u64) {
        let Some(anywhere) = self.anywhere else { return };
        let chosen = usize::try_from(any).unwrap_or_default().checked_rem(running.len());
        let tid = chosen.and_then(|index| running.get(index));
        let core = tid.and_then(|tid| core_of(pid, *tid)).filter(|core| anywhere.is_set(*core));
        if core == self.core {
            return;
        }
        let set = core.map_or(anywhere, |core| {
            let mut only = CpuSet::new();
            only.set(core);
            only
        });
        let went = sched_setaffinity(None, &set).is_ok();
        if !went {
            let _ = sched_setaffinity(None, &anywhere);
        }
        self.core = core.filter(|_| went);
    }

    /// Whether it keeps to one.
    pub(super) fn is(&self) -> bool {
        self.core.is_some()
    }

    /// Processor time of the calling thread so far: as long, whoever shares its core stood still.
    pub(super) fn worked() -> Duration {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        Duration::try_from(time).unwrap_or_default()
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        let _ = set_current_timer_slack(None);
        if let Some(anywhere) = self.anywhere.filter(|_| self.core.is_some()) {
            let _ = sched_setaffinity(None, &anywhere);
        }
    }
}

/// The core that a thread was on last: the 37th word behind its name.
fn core_of(pid: u32, tid: u32) -> Option<usize> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/stat")).ok()?;
    text.rsplit_once(')')?.1.split_whitespace().nth(36)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_of_a_thread_is_one_of_those_allowed_and_is_left_again() {
        let own = std::process::id();
        std::thread::spawn(move || {
            let before = sched_getaffinity(None).unwrap();
            let mut beside = Beside::new();
            beside.go(own, &[own], 7);
            assert!(beside.is());
            assert_eq!(sched_getaffinity(None).unwrap().count(), 1);
            let worked = Beside::worked();
            beside.go(own, &[], 7);
            assert!(!beside.is() && Beside::worked() >= worked);
            assert_eq!(sched_getaffinity(None).unwrap(), before);
            beside.go(own, &[own], 0);
            drop(beside);
            assert_eq!(sched_getaffinity(None).unwrap(), before);
        })
        .join()
        .unwrap();
    }
}
