//! Files by the names that answers use: real paths, and those of texts that have no file of their own.

use super::shown::Shown;
use crate::process::Captured;
use crate::profile::Output;

/// The path with `..` and symlinks resolved, where the file exists.
pub(super) fn real_path(path: &str) -> String {
    let real = std::path::Path::new(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.to_string_lossy().into_owned())
}

/// What a program wrote, with names that a reader knows.
pub(super) fn output(captured: &Captured, shown: &Shown) -> Output {
    Output {
        head: shown.readable(&captured.head),
        tail: shown.readable(&captured.tail),
        omitted_bytes: captured.omitted_bytes,
        total_bytes: captured.total_bytes,
    }
}
