//! Interpreters that pyenv and uv keep: one folder per version, chosen by version files.

use std::path::{Path, PathBuf};

use super::interpreter::Source;
use super::request::Env;
use super::sources::Candidate;
use super::virtualenv::pythons_of;

/// One installed version.
struct Installed {
    /// What a version file may call it: `3.12.4`, or a pyenv environment's name.
    name: String,
    dir: PathBuf,
    source: Source,
}

/// The interpreters of a version such as `3`, `3.12` or `3.12.4`, newest first.
pub(super) fn with_version(env: &Env, wanted: &str) -> Vec<Candidate> {
    let all = installed(env);
    let exact = all.iter().filter(|one| one.name == wanted);
    let within = all.iter().filter(|one| is_within(&one.name, wanted));
    exact.chain(within).filter_map(candidate).collect()
}

/// Every version that pyenv or uv installed: pyenv's global choice, then newest first.
pub(super) fn all(env: &Env) -> Vec<Candidate> {
    let global = pyenv_root(env).map(|root| root.join("version"));
    let mut found: Vec<Candidate> =
        global.map(|file| named_in(&file, env)).into_iter().flatten().collect();
    found.extend(installed(env).iter().filter_map(candidate));
    found
}

/// What the `.python-version` files at or above `near`, up to `root`, ask for.
pub(super) fn version_files(env: &Env, near: &Path, root: &Path) -> Vec<Candidate> {
    let within = near.ancestors().take_while(|dir| dir.starts_with(root));
    let mut files = within.map(|dir| dir.join(".python-version"));
    files.find(|file| file.is_file()).map(|file| named_in(&file, env)).unwrap_or_default()
}

/// What a pyenv shim on PATH would start: `PYENV_VERSION`, or the global `version` file.
/// (A `.python-version` near the program was looked at before PATH.)
pub(super) fn behind_shim(env: &Env) -> Vec<Candidate> {
    if let Some(names) = env.get("PYENV_VERSION").and_then(|names| names.to_str()) {
        return names.split(':').flat_map(|name| with_version(env, name)).collect();
    }
    let global = pyenv_root(env).map(|root| root.join("version"));
    global.map(|file| named_in(&file, env)).unwrap_or_default()
}

/// True for the folder of pyenv's shims: shell scripts that choose by the *server's*
/// working directory, which is the wrong one.
pub(super) fn is_shim_dir(env: &Env, dir: &Path) -> bool {
    dir.file_name().is_some_and(|name| name == "shims")
        && pyenv_root(env).is_some_and(|root| dir.starts_with(root))
}

fn pyenv_root(env: &Env) -> Option<PathBuf> {
    env.path("PYENV_ROOT").or_else(|| env.in_home(".pyenv"))
}

fn uv_dirs(env: &Env) -> Vec<PathBuf> {
    let data = env.path("XDG_DATA_HOME").or_else(|| env.in_home(".local/share"));
    [
        env.path("UV_PYTHON_INSTALL_DIR"),
        data.map(|dir| dir.join("uv/python")),
        env.path("APPDATA").map(|dir| dir.join("uv/python")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn named_in(file: &Path, env: &Env) -> Vec<Candidate> {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    let names =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    names
        .flat_map(|name| {
            with_version(env, name.trim_start_matches("cpython-").trim_start_matches("python-"))
        })
        .map(|found| Candidate {
            source: Source::VersionFile { file: file.to_path_buf() },
            ..found
        })
        .collect()
}

fn installed(env: &Env) -> Vec<Installed> {
    let pyenv = pyenv_root(env).map(|root| root.join("versions"));
    let mut found: Vec<Installed> = Vec::new();
    for dir in pyenv.iter().flat_map(|dir| folders(dir)) {
        found.push(Installed { name: name_of(&dir), dir, source: Source::Pyenv });
    }
    for dir in uv_dirs(env).iter().flat_map(|dir| folders(dir)) {
        // `cpython-3.12.4-linux-x86_64-gnu`; `+freethreaded` and `+debug` builds are only
        // for those who ask for them by path.
        let folder = name_of(&dir);
        let version = folder.strip_prefix("cpython-").and_then(|rest| rest.split('-').next());
        if let Some(name) = version.filter(|version| !version.contains('+')) {
            found.push(Installed { name: name.to_owned(), dir, source: Source::Uv });
        }
    }
    found.sort_by_key(|one| std::cmp::Reverse(numbers(&one.name)));
    found
}

fn candidate(one: &Installed) -> Option<Candidate> {
    let path = pythons_of(&one.dir).find(|path| path.is_file())?;
    Some(Candidate { path, source: one.source.clone() })
}

fn folders(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The parts of a plain version; none for anything else, such as `pypy3.10` or `3.13t`.
fn numbers(name: &str) -> Option<Vec<u32>> {
    name.split('.').map(|part| part.parse().ok()).collect()
}

fn is_within(name: &str, wanted: &str) -> bool {
    match (numbers(name), numbers(wanted)) {
        (Some(name), Some(wanted)) => name != wanted && name.starts_with(&wanted),
        _ => false,
    }
}
