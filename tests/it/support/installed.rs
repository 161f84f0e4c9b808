//! Pythons that are installed on this machine, for suites that try several.
//!
//! No part of `support`: only suites that are run by hand include it.

use std::path::{Path, PathBuf};

use crate::support::pythons::command;

/// What was asked for, or every `python3.N` on PATH and in pyenv's folder: version and path, oldest first.
pub(crate) fn pythons(asked: &[String]) -> Vec<((u32, u32), PathBuf)> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let home = std::env::var_os("HOME").map(|home| Path::new(&home).join(".pyenv"));
    let versions = pyenv.or(home).map(|root| root.join("versions"));
    let installed = versions.and_then(|dir| dir.read_dir().ok()).into_iter().flatten().flatten();
    let mut dirs: Vec<PathBuf> = std::env::split_paths(&path).collect();
    dirs.extend(installed.map(|entry| entry.path().join("bin")));
    let mut found: Vec<((u32, u32), PathBuf)> = Vec::new();
    let wanted: Vec<PathBuf> = if asked.is_empty() {
        let names = (6..20).map(|minor| format!("python3.{minor}"));
        names.flat_map(|name| dirs.iter().map(move |dir| dir.join(&name))).collect()
    } else {
        let named =
            |text: &String| dirs.iter().map(|dir| dir.join(format!("python{text}"))).collect();
        let path = |text: &String| vec![PathBuf::from(text)];
        let all =
            asked.iter().map(|text| if text.contains('/') { path(text) } else { named(text) });
        all.collect::<Vec<Vec<_>>>().concat()
    };
    for candidate in wanted.iter().filter(|path| path.is_file()) {
        // A shim may stand for a version that is not selected, or not installed.
        let ask = "import sys; print('%d %d' % sys.version_info[:2], sys.executable)";
        let Ok(output) = command(candidate).args(["-c", ask]).output() else { continue };
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let mut parts = said.trim().splitn(3, ' ');
        let mut number = || parts.next()?.parse::<u32>().ok();
        let (Some(major), Some(minor)) = (number(), number()) else { continue };
        let version = (major, minor);
        if !found.iter().any(|(known, _)| *known == version) {
            found.push((version, PathBuf::from(parts.next().unwrap())));
        }
    }
    found.sort();
    found
}
