//! What a run can leave behind: processes, and files outside its own folder.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The processes that inherited this text in a variable of their environment.
pub(crate) fn processes_with(marker: &str) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let marked = |pid: &u32| {
        let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap_or_default();
        environment.windows(marker.len()).any(|part| part == marker.as_bytes())
    };
    pids.filter(marked).collect()
}

/// The processes that a process has started and that have not ended.
pub(crate) fn children(parent: u32) -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let is_child = |pid: &u32| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = fields.next();
        state != Some("Z") && fields.next() == Some(&parent.to_string())
    };
    pids.filter(is_child).collect()
}

/// Waits until a condition holds; fails if it never does.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let started = Instant::now();
    while !condition() {
        assert!(started.elapsed() < Duration::from_secs(90), "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Names in a folder.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Files that Scalene's allocator made for one of these processes.
pub(crate) fn allocator_files(pids: &[u32]) -> Vec<PathBuf> {
    let is_of = |name: &str, pid: u32| {
        let rest = name.strip_prefix("scalene-").and_then(|n| n.strip_suffix(&pid.to_string()));
        rest.is_some_and(|rest| !rest.ends_with(|c: char| c.is_ascii_digit()))
    };
    let found = names(Path::new("/tmp")).into_iter();
    let found = found.filter(|name| pids.iter().any(|pid| is_of(name, *pid)));
    found.map(|name| Path::new("/tmp").join(name)).collect()
}

/// What a process holds: memory of its own in KiB, open descriptors, threads.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) memory_kib: u64,
    pub(crate) descriptors: usize,
    pub(crate) threads: usize,
}

/// What a process holds now.
pub(crate) fn held(pid: u32) -> Held {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let memory = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    Held {
        memory_kib: memory.trim().trim_end_matches(" kB").parse().unwrap(),
        descriptors: count("fd"),
        threads: count("task"),
    }
}
