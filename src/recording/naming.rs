//! Files by their real paths.

/// The path with `..` and symlinks resolved, where the file exists.
pub(super) fn real_path(path: &str) -> String {
    let real = std::path::Path::new(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.to_string_lossy().into_owned())
}
