//! Files that a process leaves outside its folder, named after its id.

use std::collections::BTreeSet;
use std::path::Path;

/// Removes files whose path begins with `prefix` and ends in one of these process ids.
pub(super) fn remove(prefix: &Path, pids: &BTreeSet<u32>) {
    let (Some(folder), Some(begin)) = (prefix.parent(), prefix.file_name()) else { return };
    let Ok(entries) = folder.read_dir() else { return };
    let begin = begin.to_string_lossy();
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        let pid = name.strip_prefix(&*begin).and_then(pid_at_end);
        if pid.is_some_and(|pid| pids.contains(&pid)) {
            // Somebody else may have removed it meanwhile.
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

fn pid_at_end(name: &str) -> Option<u32> {
    let digits = name.len() - name.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    name.get(name.len() - digits..)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_files_of_these_processes_go() {
        let dir = tempfile::tempdir().unwrap();
        let names = ["s-lock12", "s-lock112", "s-lock1", "s-lock", "other12", "s-a-b12"];
        for name in names {
            std::fs::write(dir.path().join(name), "").unwrap();
        }
        remove(&dir.path().join("s-"), &BTreeSet::from([12]));
        let left = names.iter().filter(|name| dir.path().join(name).exists());
        assert_eq!(left.collect::<Vec<_>>(), [&"s-lock112", &"s-lock1", &"s-lock", &"other12"]);
    }
}
