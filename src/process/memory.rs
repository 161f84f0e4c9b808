//! Resident memory of a process, for progress reports.

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Reads one process's resident set size whenever asked.
pub(super) struct Meter {
    /// Absent where the system cannot be read at all.
    system: Option<System>,
    pid: Pid,
}

impl Meter {
    pub(super) fn new(pid: u32) -> Self {
        Self { system: System::new().ok(), pid: Pid::from_u32(pid) }
    }

    /// Resident bytes now, or `None` when the process is gone or cannot be read.
    pub(super) fn resident_bytes(&mut self) -> Option<u64> {
        let system = self.system.as_mut()?;
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[self.pid]),
            true,
            ProcessRefreshKind::nothing().with_memory(),
        );
        system.process(self.pid).map(sysinfo::Process::memory).filter(|bytes| *bytes > 0)
    }
}
