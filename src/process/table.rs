//! The system's processes, and which of them descend from which.

use std::collections::{HashMap, HashSet};

/// A process as the system lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) pid: u32,
    pub(super) parent: u32,
    /// When it started, in a unit of the system's own: tells a process from a later one with the same id.
    pub(super) started: u64,
    /// It has ended and waits to be collected.
    pub(super) ended: bool,
}

/// Those that descend from one of `roots`, without the roots.
pub(super) fn below(roots: &HashSet<u32>, all: &[Entry]) -> Vec<Entry> {
    let parents: HashMap<u32, u32> = all.iter().map(|entry| (entry.pid, entry.parent)).collect();
    let descends = |entry: &&Entry| {
        let mut at = entry.parent;
        // A list that was read while processes ended and began may hold a circle.
        for _ in 0..=parents.len() {
            if roots.contains(&at) {
                return true;
            }
            match parents.get(&at) {
                Some(parent) => at = *parent,
                None => return false,
            }
        }
        false
    };
    all.iter().filter(descends).copied().collect()
}

/// All processes that can be seen.
#[cfg(target_os = "linux")]
pub(super) fn all() -> Vec<Entry> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(read).collect()
}

/// One process, from the line that `proc_pid_stat(5)` describes.
#[cfg(target_os = "linux")]
pub(super) fn read(pid: u32) -> Option<Entry> {
    let text = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
    // The name is in brackets and may hold any byte.
    let end = text.iter().rposition(|byte| *byte == b')')?;
    let rest = String::from_utf8_lossy(text.get(end + 1..)?).into_owned();
    let mut fields = rest.split_ascii_whitespace();
    let ended = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let started = fields.nth(17)?.parse().ok()?;
    Some(Entry { pid, parent, started, ended })
}

/// All processes that can be seen.
#[cfg(not(target_os = "linux"))]
pub(super) fn all() -> Vec<Entry> {
    use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System};
    let Ok(mut system) = System::new() else { return Vec::new() };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing());
    let entry = |(pid, process): (&sysinfo::Pid, &sysinfo::Process)| Entry {
        pid: pid.as_u32(),
        parent: process.parent().map_or(0, sysinfo::Pid::as_u32),
        started: process.start_time(),
        ended: matches!(process.status(), ProcessStatus::Zombie | ProcessStatus::Dead),
    };
    system.processes().iter().map(entry).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descendants_are_found_at_any_depth_and_circles_end() {
        let entry = |pid, parent| Entry { pid, parent, started: 0, ended: false };
        let all = [
            entry(1, 0),
            entry(2, 1),
            entry(3, 2),
            entry(4, 3),
            entry(5, 1),
            entry(7, 8),
            entry(8, 7),
        ];
        let found = below(&HashSet::from([2]), &all);
        assert_eq!(found.iter().map(|entry| entry.pid).collect::<Vec<_>>(), [3, 4]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_is_listed_below_its_parent() {
        let own = std::process::id();
        let found = all().into_iter().find(|entry| entry.pid == own).unwrap();
        assert_eq!(Some(found), read(own));
        assert_eq!(found.parent, std::os::unix::process::parent_id());
        assert!(found.started > 0 && !found.ended);
    }
}
