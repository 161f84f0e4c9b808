//! What a run may use: memory of all its processes, disk in its folder.
//!
//! Memory is looked at, never refused by the system: allocators that are refused memory crash.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::memory::Family;
use super::run::{EndedBy, Limits, Spec};

/// Longest and shortest time between two looks at memory.
const MEMORY_LOOKS: [Duration; 2] = [Duration::from_millis(200), Duration::from_millis(20)];
/// Bytes per second by which memory may grow unseen at most.
const FASTEST_GROWTH: f64 = 2e9;
/// Shortest time between two looks at the disk.
const DISK_LOOK: Duration = Duration::from_secs(1);
/// Part of the time that may be spent on looking at the disk.
const DISK_SHARE: u32 = 20;
/// Over a limit by this part of it, a program that was asked to end is killed.
const FAR: u64 = 4;

/// Watches one run.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    root: u32,
    memory: Option<u64>,
    disk: Option<(PathBuf, u64)>,
}

impl Bounds {
    /// `root` is the program, or the keeper above it.
    pub(super) fn new(root: u32, spec: &Spec, limits: &Limits) -> Self {
        let disk = spec.folder.clone().zip(limits.disk);
        Self { root, memory: limits.memory, disk }
    }

    /// The same, at the point where asking to end was not enough.
    pub(super) fn far(&self) -> Self {
        let far = |limit: u64| limit.saturating_add((limit / FAR).max(64 << 20));
        Self {
            root: self.root,
            memory: self.memory.map(far),
            disk: self.disk.as_ref().map(|(folder, limit)| (folder.clone(), far(*limit))),
        }
    }

    /// Until a limit is exceeded, which may be never.
    pub(super) async fn exceeded(&self) -> EndedBy {
        tokio::select! {
            bytes = self.memory_exceeded() => EndedBy::Memory(bytes),
            bytes = self.disk_exceeded() => EndedBy::Disk(bytes),
        }
    }

    async fn memory_exceeded(&self) -> u64 {
        let Some(limit) = self.memory else { return std::future::pending().await };
        let mut family = Family::new(self.root);
        loop {
            let look = tokio::task::spawn_blocking(move || {
                let bytes = family.resident_bytes(limit);
                (family, bytes)
            });
            let Ok((same, bytes)) = look.await else { return std::future::pending().await };
            if bytes > limit {
                return bytes;
            }
            family = same;
            tokio::time::sleep(until_next(limit - bytes)).await;
        }
    }

    async fn disk_exceeded(&self) -> u64 {
        let Some((folder, limit)) = &self.disk else { return std::future::pending().await };
        loop {
            let (folder, started) = (folder.clone(), Instant::now());
            let look = tokio::task::spawn_blocking(move || bytes_below(&folder));
            let Ok(bytes) = look.await else { return std::future::pending().await };
            if bytes > *limit {
                return bytes;
            }
            tokio::time::sleep(DISK_LOOK.max(DISK_SHARE * started.elapsed())).await;
        }
    }
}

/// The time in which this much memory may be taken.
fn until_next(left: u64) -> Duration {
    #[expect(clippy::cast_precision_loss, reason = "a size")]
    let seconds = left as f64 / FASTEST_GROWTH;
    let [longest, shortest] = MEMORY_LOOKS;
    Duration::from_secs_f64(seconds).clamp(shortest, longest)
}

/// Bytes that the files below a folder take on the disk. Those that were removed while open are not seen.
fn bytes_below(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else { return 0 };
    let sizes = entries.flatten().map(|entry| match entry.metadata() {
        Ok(found) if found.is_dir() => bytes_below(&entry.path()),
        Ok(found) => on_disk(&found),
        Err(_) => 0,
    });
    sizes.sum()
}

#[cfg(unix)]
fn on_disk(found: &std::fs::Metadata) -> u64 {
    std::os::unix::fs::MetadataExt::blocks(found) * 512
}

#[cfg(not(unix))]
fn on_disk(found: &std::fs::Metadata) -> u64 {
    found.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_come_closer_near_the_limit() {
        let millis = |left: u64| until_next(left).as_millis();
        assert_eq!([millis(1 << 40), millis(100_000_000), millis(0)], [200, 50, 20]);
    }

    #[test]
    fn the_disk_is_what_files_take_not_how_long_they_are() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("deep")).unwrap();
        std::fs::write(dir.path().join("deep/a"), vec![1; 100_000]).unwrap();
        let sparse = std::fs::File::create(dir.path().join("sparse")).unwrap();
        sparse.set_len(1 << 30).unwrap();
        assert!((100_000..1_000_000).contains(&bytes_below(dir.path())));
    }
}
