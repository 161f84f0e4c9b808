//! One build at a time, across calls and processes.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::Duration;

use super::error::OverlayError;
use crate::process::Controls;

/// How often a held lock is tried again.
const POLL: Duration = Duration::from_millis(100);

/// Waits for the lock; dropping the file gives it back, and so does the death of the
/// process. Polled rather than awaited in a thread: a blocked thread cannot be cancelled.
pub(super) async fn acquire(
    path: &Path,
    controls: &Controls,
    on_progress: &mut (dyn FnMut(&str) + Send),
) -> Result<File, OverlayError> {
    let file = File::options()
        .create(true)
        .write(true)
        .truncate(false)
        .open(path)
        .map_err(|source| OverlayError::cache(path, source))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(OverlayError::cache(path, source)),
        }
        if !told {
            on_progress("waiting for another call that installs the same");
            told = true;
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            () = controls.cancel.cancelled() => return Err(OverlayError::Cancelled),
            () = controls.stop.cancelled() => return Err(OverlayError::Cancelled),
        }
    }
}

/// True while some build holds the lock.
pub(super) fn is_held(path: &Path) -> bool {
    let file = File::options().write(true).open(path);
    file.is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}
