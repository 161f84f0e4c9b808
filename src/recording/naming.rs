//! Files by their real paths.

use std::path::Path;

/// The path with `..` and symlinks resolved, where the file exists.
pub(super) fn real_path(path: &str) -> String {
    let real = Path::new(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.to_string_lossy().into_owned())
}

/// The same of a file of a program that runs in `folder`: Python before 3.9 knows the script by the name that was typed.
pub(super) fn real_path_from(folder: &Path, path: &str) -> String {
    let real = folder.join(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.to_string_lossy().into_owned())
}
