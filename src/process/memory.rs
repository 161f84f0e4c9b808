//! Resident memory: of one process, for progress reports; of all processes of a run, for its limit.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// Reads one process's resident set size whenever asked.
#[derive(Debug)]
pub struct Meter {
    /// Absent where the system cannot be read at all.
    system: Option<System>,
    pid: Pid,
}

impl Meter {
    /// For the process with this id.
    pub fn new(pid: u32) -> Self {
        Self { system: System::new().ok(), pid: Pid::from_u32(pid) }
    }

    /// Resident bytes now, or `None` when the process is gone or cannot be read.
    pub fn resident_bytes(&mut self) -> Option<u64> {
        let system = self.system.as_mut()?;
        system.refresh_processes_specifics(
            ProcessesToUpdate::Some(&[self.pid]),
            true,
            ProcessRefreshKind::nothing().with_memory(),
        );
        system.process(self.pid).map(sysinfo::Process::memory).filter(|bytes| *bytes > 0)
    }
}

/// How long a list of processes is used.
const LISTED_FOR: Duration = Duration::from_millis(100);

/// A process and all its descendants.
pub(super) struct Family {
    root: u32,
    members: Vec<u32>,
    listed: Option<Instant>,
}

impl Family {
    pub(super) fn new(root: u32) -> Self {
        Self { root, members: Vec::new(), listed: None }
    }

    /// Resident bytes of all of them. Pages that several of them share count once where the sum would
    /// be over `limit` otherwise and the system tells (Linux).
    pub(super) fn resident_bytes(&mut self, limit: u64) -> u64 {
        if self.listed.is_none_or(|at| at.elapsed() >= LISTED_FOR) {
            self.members = members(self.root);
            self.listed = Some(Instant::now());
        }
        let sum = resident(&self.members);
        if sum <= limit || self.members.len() < 2 {
            return sum;
        }
        let shares: Option<Vec<u64>> = self.members.iter().map(|pid| proportional(*pid)).collect();
        shares.map_or(sum, |shares| shares.iter().sum())
    }
}

#[cfg(unix)]
fn members(root: u32) -> Vec<u32> {
    let all = super::table::all();
    let below = super::table::below(&HashSet::from([root]), &all);
    std::iter::once(root).chain(below.iter().map(|entry| entry.pid)).collect()
}

#[cfg(not(unix))]
fn members(root: u32) -> Vec<u32> {
    let Ok(mut system) = System::new() else { return vec![root] };
    let kind = ProcessRefreshKind::nothing();
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let mut found = HashSet::from([root]);
    loop {
        let is_child = |process: &sysinfo::Process| {
            process.parent().is_some_and(|parent| found.contains(&parent.as_u32()))
        };
        let processes = system.processes().iter();
        let children: Vec<u32> = processes
            .filter(|(pid, process)| is_child(process) && !found.contains(&pid.as_u32()))
            .map(|(pid, _)| pid.as_u32())
            .collect();
        if children.is_empty() {
            return found.into_iter().collect();
        }
        found.extend(children);
    }
}

#[cfg(target_os = "linux")]
fn resident(pids: &[u32]) -> u64 {
    pids.iter().filter_map(|pid| kilobytes(&format!("/proc/{pid}/status"), "VmRSS:")).sum()
}

#[cfg(not(target_os = "linux"))]
fn resident(pids: &[u32]) -> u64 {
    let Ok(mut system) = System::new() else { return 0 };
    let pids: Vec<Pid> = pids.iter().map(|pid| Pid::from_u32(*pid)).collect();
    let kind = ProcessRefreshKind::nothing().with_memory();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&pids), true, kind);
    system.processes().values().map(sysinfo::Process::memory).sum()
}

/// A process's part of the memory that it shares, with all of its own. A process that is gone has none.
#[cfg(target_os = "linux")]
fn proportional(pid: u32) -> Option<u64> {
    if !std::path::Path::new(&format!("/proc/{pid}")).exists() {
        return Some(0);
    }
    kilobytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:")
}

#[cfg(not(target_os = "linux"))]
fn proportional(_: u32) -> Option<u64> {
    None
}

/// A line `NAME  N kB` of a file of `/proc`, in bytes.
#[cfg(target_os = "linux")]
fn kilobytes(path: &str, name: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.split_whitespace().next()?.parse::<u64>().ok()? * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn pages_of_this_process_count_once() {
        let own = std::process::id();
        let (resident, share) = (resident(&[own]), proportional(own).unwrap());
        assert!(share > 1 << 20 && share <= resident, "{share} of {resident}");
    }
}
