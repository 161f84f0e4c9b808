//! Environment folders: what makes one, and where its python is.

use std::path::{Path, PathBuf};

/// What a folder is, seen as an environment.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Folder {
    /// An environment with this python.
    Usable(PathBuf),
    /// Meant to be one, but it lacks something.
    Broken(String),
    /// Something else.
    Other,
}

/// Where a python may lie inside an environment; the last two are Windows'.
const PYTHONS: &[&str] =
    &["bin/python", "bin/python3", "Scripts/python.exe", "python.exe", "bin/python.exe"];

/// The files that are tried for an environment folder.
pub(super) fn pythons_of(dir: &Path) -> impl Iterator<Item = PathBuf> {
    PYTHONS.iter().map(|below| dir.join(below))
}

/// Looks at `dir` and its python without running anything.
pub(super) fn inspect(dir: &Path) -> Folder {
    if !dir.is_dir() {
        return match dir.symlink_metadata() {
            Ok(link) if link.is_symlink() => Folder::Broken("it is a dangling link".to_owned()),
            _ => Folder::Other,
        };
    }
    let marked = dir.join("pyvenv.cfg").is_file() || dir.join("conda-meta").is_dir();
    let python = pythons_of(dir).find(|python| python.is_file());
    match (marked, python) {
        (true, Some(python)) => Folder::Usable(python),
        (true, None) => Folder::Broken(missing_python(dir)),
        // An installation (pyenv's, uv's) holds its python itself and has no marker.
        (false, Some(python)) if holds(dir, &python) => Folder::Usable(python),
        (false, Some(_)) => Folder::Broken("`pyvenv.cfg` is missing".to_owned()),
        (false, None) => match dangling(dir) {
            Some(_) => Folder::Broken(missing_python(dir)),
            None => Folder::Other,
        },
    }
}

/// True when the python, links resolved, lies inside the folder.
fn holds(dir: &Path, python: &Path) -> bool {
    match (dir.canonicalize(), python.canonicalize()) {
        (Ok(dir), Ok(python)) => python.starts_with(dir),
        _ => false,
    }
}

fn missing_python(dir: &Path) -> String {
    match dangling(dir) {
        Some((link, target)) => format!(
            "`{}` is a link to `{}`, which does not exist any more",
            link.display(),
            target.display()
        ),
        None => format!("it has no python (no `{}`)", dir.join("bin/python").display()),
    }
}

/// A python that is a link to nothing, with the end of the chain.
fn dangling(dir: &Path) -> Option<(PathBuf, PathBuf)> {
    pythons_of(dir).find_map(|link| {
        let mut target = std::fs::read_link(&link).ok()?;
        // `python` usually links to its neighbour `python3`, and that to the outside.
        for _ in 0..8 {
            target = dir.join("bin").join(target);
            match std::fs::read_link(&target) {
                Ok(next) => target = target.parent().unwrap_or(dir).join(next),
                Err(_) => break,
            }
        }
        Some((link, target))
    })
}
