//! The folder that counts as "the project" of a program.

use std::path::{Path, PathBuf};

/// Files and folders that lie at the top of a project.
const MARKERS: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    "pyproject.toml",
    "setup.py",
    "setup.cfg",
    "requirements.txt",
    "Pipfile",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "environment.yml",
    "tox.ini",
    "noxfile.py",
    "manage.py",
];

/// Names of folders that hold programs about the code beside them.
const SIDE_FOLDERS: &[&str] = &[
    "bin",
    "scripts",
    "script",
    "tools",
    "examples",
    "example",
    "benchmarks",
    "benchmark",
    "bench",
    "tests",
    "test",
    "src",
];

/// The nearest folder at or above `near` that looks like the top of a project.
///
/// Without a marker: `cwd` if it is above `near`; else the parent of a `bin`, `scripts`
/// or the like; else `near`. The home directory and the top of the file system are
/// never projects, unless the program lies right there: a stray `.git` at home must
/// not make everything below it the user's program.
pub fn project_root(near: &Path, cwd: &Path, home: Option<&Path>) -> PathBuf {
    let too_wide = |dir: &Path| dir.parent().is_none() || home == Some(dir);
    let marked = near
        .ancestors()
        .filter(|dir| *dir == near || !too_wide(dir))
        .find(|dir| MARKERS.iter().any(|name| dir.join(name).exists()));
    if let Some(dir) = marked {
        return dir.to_path_buf();
    }
    if cwd != near && near.starts_with(cwd) && !too_wide(cwd) {
        return cwd.to_path_buf();
    }
    let aside = near.file_name().is_some_and(|name| SIDE_FOLDERS.iter().any(|side| name == *side));
    match near.parent().filter(|parent| aside && !too_wide(parent)) {
        Some(parent) => parent.to_path_buf(),
        None => near.to_path_buf(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(paths: &[&str]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for path in paths {
            let path = dir.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        dir
    }

    #[test]
    fn the_nearest_marker_wins() {
        let dir =
            tree(&["home/mono/.git", "home/mono/app/pyproject.toml", "home/mono/app/bin/x.py"]);
        let home = dir.path().join("home");
        let near = home.join("mono/app/bin");
        assert_eq!(project_root(&near, &near, Some(&home)), home.join("mono/app"));
    }

    #[test]
    fn a_marker_at_home_is_ignored_below_and_kept_there() {
        let dir = tree(&["home/.git", "home/code/x.py"]);
        let home = dir.path().join("home");
        let near = home.join("work");
        assert_eq!(project_root(&near, &near, Some(&home)), near);
        assert_eq!(project_root(&home, &home, Some(&home)), home);
    }

    #[test]
    fn without_markers_cwd_then_the_parent_of_bin() {
        let dir = tree(&["home/a/b/bin/x.py"]);
        let home = dir.path().join("home");
        let near = home.join("a/b/bin");
        assert_eq!(project_root(&near, &home.join("a"), Some(&home)), home.join("a"));
        assert_eq!(project_root(&near, &home, Some(&home)), home.join("a/b"));
        assert_eq!(project_root(&near, Path::new("/elsewhere"), Some(&home)), home.join("a/b"));
        assert_eq!(project_root(&home.join("a/b"), &home, Some(&home)), home.join("a/b"));
    }
}
