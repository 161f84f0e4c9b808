//! Processes that others started: what the system says of them.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use sysinfo::{ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// A running process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub pid: u32,
    /// That of the process that started it, or that took it over.
    pub parent: Option<u32>,
    /// Its command line, word by word; empty where the system does not tell.
    pub command: Vec<String>,
    /// Its program file.
    pub executable: Option<PathBuf>,
    /// Its working directory.
    pub cwd: Option<PathBuf>,
    /// When it started; whole seconds.
    pub started: SystemTime,
}

/// All running processes that can be seen, by their ids.
pub fn running() -> Vec<Running> {
    let Ok(mut system) = System::new() else { return Vec::new() };
    let kind = ProcessRefreshKind::nothing()
        .without_tasks()
        .with_cmd(UpdateKind::Always)
        .with_exe(UpdateKind::Always)
        .with_cwd(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, kind);
    let one = |(pid, process): (&sysinfo::Pid, &sysinfo::Process)| Running {
        pid: pid.as_u32(),
        parent: process.parent().map(sysinfo::Pid::as_u32),
        command: process.cmd().iter().map(|word| word.to_string_lossy().into_owned()).collect(),
        executable: process.exe().map(PathBuf::from),
        cwd: process.cwd().map(PathBuf::from),
        started: SystemTime::UNIX_EPOCH + Duration::from_secs(process.start_time()),
    };
    let alive = system.processes().iter().filter(|(_, process)| process.thread_kind().is_none());
    let mut all: Vec<Running> = alive.map(one).collect();
    all.sort_by_key(|process| process.pid);
    all
}

/// Whether a process was started by another one, by its children, and so on.
pub fn descends(pid: u32, from: u32, all: &[Running]) -> bool {
    let parent = |pid: u32| all.iter().find(|process| process.pid == pid)?.parent;
    // A list that was read while processes ended and began may hold a circle.
    let ancestors = std::iter::successors(parent(pid), |pid| parent(*pid)).take(all.len() + 1);
    ancestors.into_iter().any(|ancestor| ancestor == from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_them_with_what_is_known_of_it() {
        let all = running();
        let own = all.iter().find(|process| process.pid == std::process::id()).unwrap();
        assert_eq!(own.cwd, std::env::current_dir().ok());
        assert_eq!(own.executable, std::env::current_exe().ok());
        assert_eq!(own.command.first(), std::env::args().next().as_ref());
        let parent = own.parent.unwrap();
        assert!(descends(own.pid, parent, &all) && !descends(parent, own.pid, &all));
        assert!(!descends(own.pid, own.pid, &all));
    }
}
