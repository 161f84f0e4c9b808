//! Files by the names that answers use: real paths, and `<snippet>` for code that was handed over as text.

use super::workspace::{SNIPPET, Workspace};
use crate::process::Captured;
use crate::profile::Output;
use crate::scalene::Parsed;

/// The path with `..` and symlinks resolved, where the file exists.
pub(super) fn real_path(path: &str) -> String {
    let real = std::path::Path::new(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.to_string_lossy().into_owned())
}

/// What a program wrote.
pub(super) fn output(captured: &Captured, workspace: &Workspace) -> Output {
    let path = workspace.snippet();
    let readable = |text: &str| text.replace(&*path.to_string_lossy(), SNIPPET);
    Output {
        head: readable(&captured.head),
        tail: readable(&captured.tail),
        omitted_bytes: captured.omitted_bytes,
        total_bytes: captured.total_bytes,
    }
}

/// Calls the file of a snippet by its name.
pub(super) fn rename_snippet(parsed: &mut Parsed, workspace: &Workspace) {
    let path = workspace.snippet();
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let is_snippet = |name: &str| {
        let name = std::path::Path::new(name);
        name == path || name == real
    };
    for file in parsed.files.iter_mut().filter(|file| is_snippet(&file.path)) {
        SNIPPET.clone_into(&mut file.path);
    }
    let frames = parsed.call_paths.iter_mut().flat_map(|path| &mut path.frames);
    for frame in frames.filter(|frame| is_snippet(&frame.file)) {
        SNIPPET.clone_into(&mut frame.file);
    }
    if let Some((file, _)) =
        parsed.footprint.as_mut().and_then(|footprint| footprint.peak_at.as_mut())
        && is_snippet(file)
    {
        SNIPPET.clone_into(file);
    }
}
