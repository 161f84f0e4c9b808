//! The places where interpreters are found without being asked for: one function each,
//! in the order in which [`super::find()`] goes through them. Nothing is run here.

use std::path::{Path, PathBuf};

use super::error::PythonError;
use super::interpreter::Source;
use super::managed;
use super::project::project_root;
use super::request::{Env, Request};
use super::virtualenv::{Folder, inspect};

/// A file that should be an interpreter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) path: PathBuf,
    pub(super) source: Source,
}

/// How far the name of a folder says that it is meant to be an environment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Name {
    /// It is nothing else.
    Certain,
    /// It is, if a python lies in it.
    Likely,
    /// It may be anything that has no `pyvenv.cfg`.
    Ambiguous,
}

/// Names of an environment folder in a project, in order.
const FOLDERS: &[(&str, Name)] =
    &[(".venv", Name::Certain), ("venv", Name::Likely), ("env", Name::Ambiguous)];

/// Environments that are named as a choice.
const MOST_BESIDE: usize = 10;

/// The environment that was active when the server started.
pub(super) fn active_venv(env: &Env, request: &Request) -> Result<Option<Candidate>, PythonError> {
    let Some(dir) = env.path("VIRTUAL_ENV") else { return Ok(None) };
    let passed_over = match nearby(env, request) {
        Ok(Some(Candidate { source: Source::Nearby { dir: other, .. }, .. })) => Some(other),
        _ => None,
    };
    let passed_over = passed_over.filter(|other| !same(other, &dir));
    chosen(&dir, Source::VirtualEnv { dir: dir.clone(), passed_over }).map(Some)
}

/// The active conda environment: a child environment if `base` is false, else the base
/// environment, which is active in every shell of many users and chosen by few.
pub(super) fn active_conda(env: &Env, base: bool) -> Result<Option<Candidate>, PythonError> {
    let Some(dir) = env.path("CONDA_PREFIX") else { return Ok(None) };
    let by_name = env.get("CONDA_DEFAULT_ENV").is_some_and(|name| name == "base" || name == "root");
    // Only the base environment holds conda itself.
    let is_base = by_name || dir.join("condabin").is_dir();
    if is_base != base {
        return Ok(None);
    }
    chosen(&dir, Source::Conda { dir: dir.clone() }).map(Some)
}

/// An environment folder beside the program or above it, within its project; then the
/// same for the working directory.
pub(super) fn nearby(env: &Env, request: &Request) -> Result<Option<Candidate>, PythonError> {
    for start in starts(request) {
        let root = project_root(start, &request.cwd, env.home());
        for dir in start.ancestors().take_while(|dir| dir.starts_with(&root)) {
            for (folder_name, name) in FOLDERS {
                let source =
                    Source::Nearby { dir: dir.join(folder_name), beside: dir == request.near };
                if let Some(found) = folder(&dir.join(folder_name), *name, source)? {
                    return Ok(Some(found));
                }
            }
        }
    }
    Ok(None)
}

/// The environment folder that was found near a program, and those in the same folder.
pub(super) fn beside(found: &Candidate) -> Vec<PathBuf> {
    let Source::Nearby { dir, .. } = &found.source else { return Vec::new() };
    let entries = dir.parent().and_then(|parent| std::fs::read_dir(parent).ok());
    let folders = entries.into_iter().flatten().flatten().map(|entry| entry.path());
    let is_one = |folder: &PathBuf| {
        folder.join("pyvenv.cfg").is_file() && matches!(inspect(folder), Folder::Usable(_))
    };
    let mut others: Vec<PathBuf> =
        folders.filter(|folder| folder != dir && is_one(folder)).collect();
    others.sort();
    std::iter::once(dir.clone()).chain(others).take(MOST_BESIDE).collect()
}

/// What a `.python-version` file of the project asks for, if pyenv or uv has it.
pub(super) fn version_file(env: &Env, request: &Request) -> Vec<Candidate> {
    let files = starts(request).into_iter().map(|start| {
        managed::version_files(env, start, &project_root(start, &request.cwd, env.home()))
    });
    files.flatten().collect()
}

/// `python3` of every folder on PATH, then `python`.
pub(super) fn on_path(env: &Env) -> Vec<Candidate> {
    let names = ["python3", "python"];
    names.iter().flat_map(|name| command(env, name)).collect()
}

/// A command of this name on PATH, in every folder that has it.
pub(super) fn command(env: &Env, name: &str) -> Vec<Candidate> {
    let mut found = Vec::new();
    for dir in env.search_path() {
        let Some(path) = executable_in(&dir, name) else { continue };
        if managed::is_shim_dir(env, &dir) {
            found.extend(match name.strip_prefix("python").unwrap_or_default() {
                "" | "3" => managed::behind_shim(env),
                version => managed::with_version(env, version),
            });
        } else {
            found.push(Candidate { path, source: Source::Path });
        }
    }
    found
}

/// Where interpreters lie when PATH is bare, as under a client with a graphical interface.
pub(super) fn well_known(env: &Env, name: &str) -> Vec<Candidate> {
    let homes = ["miniforge3", "mambaforge", "miniconda3", "anaconda3"];
    let framework =
        folders_newest_first(&env.in_root("Library/Frameworks/Python.framework/Versions"));
    let windows = env.path("LOCALAPPDATA").map(|dir| dir.join("Programs/Python"));
    let mut dirs: Vec<(PathBuf, Source)> = Vec::new();
    dirs.extend([
        (env.in_root("opt/homebrew/bin"), Source::Homebrew),
        (env.in_root("home/linuxbrew/.linuxbrew/bin"), Source::Homebrew),
    ]);
    dirs.extend(framework.into_iter().map(|dir| (dir.join("bin"), Source::Framework)));
    dirs.push((env.in_root("usr/local/bin"), Source::System));
    for home in homes.iter().filter_map(|home| env.in_home(home)) {
        dirs.extend([(home.join("bin"), Source::CondaHome), (home, Source::CondaHome)]);
    }
    dirs.push((env.in_root("opt/conda/bin"), Source::CondaHome));
    for dir in windows.iter().flat_map(|dir| folders_newest_first(dir)) {
        dirs.push((dir, Source::WindowsInstall));
    }
    dirs.push((env.in_root("usr/bin"), Source::System));
    let mut found = Vec::new();
    for (dir, source) in dirs {
        found.extend(executable_in(&dir, name).map(|path| Candidate { path, source }));
    }
    if let Some(path) = env.path("SystemRoot").and_then(|dir| executable_in(&dir, "py")) {
        found.push(Candidate { path, source: Source::WindowsInstall });
    }
    found
}

/// Every place that is searched without being asked for, most likely ones first.
pub(super) fn everywhere(env: &Env, request: &Request) -> Vec<Candidate> {
    let mut all: Vec<Candidate> = Vec::new();
    all.extend(nearby(env, request).ok().flatten());
    all.extend(active_venv(env, request).ok().flatten());
    all.extend([false, true].iter().filter_map(|base| active_conda(env, *base).ok().flatten()));
    all.extend(on_path(env));
    all.extend(managed::all(env));
    all.extend(["python3", "python"].iter().flat_map(|name| well_known(env, name)));
    all
}

/// The file of a command in one folder; Windows' stub that opens the store is none.
fn executable_in(dir: &Path, name: &str) -> Option<PathBuf> {
    if dir.components().any(|part| part.as_os_str() == "WindowsApps") {
        return None;
    }
    let exact = dir.join(name);
    let file = if cfg!(windows) { dir.join(format!("{name}.exe")) } else { exact };
    is_executable(&file).then_some(file)
}

#[cfg(unix)]
pub(super) fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file()
}

/// The folders from which a search goes upwards.
fn starts(request: &Request) -> Vec<&Path> {
    let mut starts = vec![request.near.as_path()];
    if !request.near.starts_with(&request.cwd) {
        starts.push(&request.cwd);
    }
    starts
}

fn folder(dir: &Path, name: Name, source: Source) -> Result<Option<Candidate>, PythonError> {
    let marked = dir.join("pyvenv.cfg").is_file() || dir.join("conda-meta").is_dir();
    let meant = match name {
        Name::Certain => dir.is_dir() || dir.is_symlink(),
        Name::Likely => inspect(dir) != Folder::Other,
        Name::Ambiguous => marked,
    };
    if meant { chosen(dir, source).map(Some) } else { Ok(None) }
}

/// The python of an environment that must be one.
fn chosen(dir: &Path, source: Source) -> Result<Candidate, PythonError> {
    let reason = match inspect(dir) {
        Folder::Usable(path) => return Ok(Candidate { path, source }),
        Folder::Broken(reason) => reason,
        Folder::Other if dir.is_dir() => "`pyvenv.cfg` is missing".to_owned(),
        Folder::Other => "the folder does not exist".to_owned(),
    };
    Err(PythonError::BrokenEnvironment { dir: dir.to_path_buf(), origin: Box::new(source), reason })
}

fn same(a: &Path, b: &Path) -> bool {
    a == b || matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

/// Subfolders by the version in their name (`3.12`, `Python312`), highest first.
fn folders_newest_first(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort_by_key(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let digits: Vec<u32> = name
            .split(|c: char| !c.is_ascii_digit())
            .filter_map(|part| part.parse().ok())
            .collect();
        std::cmp::Reverse(digits)
    });
    found
}
