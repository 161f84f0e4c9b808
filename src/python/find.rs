//! The search for the interpreter of a program, from the first place to the last.

use std::path::{Path, PathBuf};

use super::error::{PythonError, Skipped};
use super::interpreter::{Interpreter, Source};
use super::managed;
use super::probe::probe;
use super::request::{Env, Request};
use super::sources::{self, Candidate, is_executable};
use super::virtualenv::{Folder, inspect, pythons_of};
use crate::process::Controls;

/// How many existing interpreters an error lists.
const OTHERS: usize = 5;

/// Finds the interpreter for a program.
///
/// What was asked for is used or is an error: never something else instead. Otherwise
/// the first of these that exists decides: the active virtual environment, an active
/// conda environment other than `base`, an environment folder near the program, conda's
/// `base`, the project's `.python-version`. An environment that is found but broken is an
/// error too, since any other interpreter would lack the project's packages. Then PATH,
/// versions installed by pyenv and uv, and the usual folders, where what does not work
/// is skipped. No place is looked at before the ones above it have failed.
///
/// # Errors
/// See [`PythonError`].
pub async fn find(
    request: &Request,
    env: &Env,
    controls: &Controls,
) -> Result<Interpreter, PythonError> {
    let asked = request.explicit.as_ref().map(|text| (text, Source::Parameter));
    let configured = request.configured.as_ref();
    let configured = configured.map(|(text, name)| (text, Source::Configured(name)));
    let asked = [asked, configured].into_iter().flatten().find(|(text, _)| !text.trim().is_empty());
    let found = match asked {
        Some((text, origin)) => named(text.trim(), origin, request, env, controls).await,
        None => match environment(request, env) {
            Ok(Some(Candidate { path, source })) => probe(&path, source, controls).await,
            Ok(None) => first_that_works(request, env, controls).await,
            Err(error) => Err(error),
        },
    };
    found.map_err(|error| error.with_others(|| others(request, env)))
}

/// The environment that the surroundings decide on, if they do.
fn environment(request: &Request, env: &Env) -> Result<Option<Candidate>, PythonError> {
    let mut found = sources::active_venv(env, request)?;
    if found.is_none() {
        found = sources::active_conda(env, false)?;
    }
    if found.is_none() {
        found = sources::nearby(env, request)?;
        let beside = found.as_ref().filter(|_| request.choose).map(sources::beside);
        if let Some(environments) = beside.filter(|folders| folders.len() > 1) {
            return Err(PythonError::Several { environments });
        }
    }
    if found.is_none() {
        found = sources::active_conda(env, true)?;
    }
    Ok(found)
}

/// Goes through the places where a failure is no error.
async fn first_that_works(
    request: &Request,
    env: &Env,
    controls: &Controls,
) -> Result<Interpreter, PythonError> {
    type Place<'a> = &'a (dyn Fn() -> Vec<Candidate> + Sync);
    let places: [Place<'_>; 4] = [
        &|| sources::version_file(env, request),
        &|| sources::on_path(env),
        &|| managed::all(env),
        &|| ["python3", "python"].iter().flat_map(|name| sources::well_known(env, name)).collect(),
    ];
    let mut skipped: Vec<Skipped> = Vec::new();
    for place in places {
        for Candidate { path, source } in place() {
            if skipped.iter().any(|one| one.executable == path) {
                continue;
            }
            match probe(&path, source, controls).await {
                Ok(interpreter) => return Ok(interpreter),
                Err(PythonError::Cancelled) => return Err(PythonError::Cancelled),
                Err(error) => skipped.push(Skipped { executable: path, why: why(&error) }),
            }
        }
    }
    Err(PythonError::NoneFound { skipped })
}

fn why(error: &PythonError) -> String {
    match error {
        PythonError::Broken { failure, .. } => failure.to_string(),
        PythonError::Unsupported { problem, .. } => problem.to_string(),
        other => other.to_string(),
    }
}

/// The interpreter that a text means.
async fn named(
    text: &str,
    origin: Source,
    request: &Request,
    env: &Env,
    controls: &Controls,
) -> Result<Interpreter, PythonError> {
    let not_found = |looked_at: Vec<PathBuf>, origin: Source| PythonError::NotFound {
        asked: text.to_owned(),
        origin: Box::new(origin),
        looked_at,
        others: Vec::new(),
    };
    let path = expand(text, request, env);
    if is_path(text) || (path.is_dir() && pythons_of(&path).any(|python| python.is_file())) {
        return match at_path(&path, &origin)? {
            Some(python) => probe(&python, origin, controls).await,
            None if path.is_dir() => Err(not_found(pythons_of(&path).take(2).collect(), origin)),
            None => Err(not_found(vec![path], origin)),
        };
    }
    let version = text.strip_prefix("python").unwrap_or(text);
    let is_version = version.starts_with(|c: char| c.is_ascii_digit());
    let mut last = None;
    for path in by_name(text, version, is_version, env) {
        match probe(&path, origin.clone(), controls).await {
            Ok(found) if is_version && !matches(&found, version) => {}
            Ok(found) => return Ok(found),
            Err(PythonError::Cancelled) => return Err(PythonError::Cancelled),
            Err(error) => last = last.or(Some(error)),
        }
    }
    Err(last.unwrap_or_else(|| not_found(env.search_path(), origin)))
}

/// Files that a command name or a version may mean: on PATH, then of pyenv and uv, then
/// in the usual folders.
fn by_name(text: &str, version: &str, is_version: bool, env: &Env) -> Vec<PathBuf> {
    let major_minor: Vec<&str> = version.split('.').take(2).collect();
    let command =
        if is_version { format!("python{}", major_minor.join(".")) } else { text.to_owned() };
    let mut found = sources::command(env, &command);
    if is_version {
        found.extend(sources::on_path(env));
        found.extend(managed::with_version(env, version));
    }
    found.extend(sources::well_known(env, &command));
    if is_version {
        found.extend(sources::well_known(env, "python3"));
    }
    let mut paths: Vec<PathBuf> = Vec::new();
    for Candidate { path, .. } in found {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    paths
}

/// `3.12` means 3.12.4 too, but not 3.1 or 3.120.
fn matches(found: &Interpreter, wanted: &str) -> bool {
    let have = found.version.to_string();
    have == wanted || have.strip_prefix(wanted).is_some_and(|rest| rest.starts_with('.'))
}

fn is_path(text: &str) -> bool {
    text.starts_with('~')
        || text.contains('/')
        || text == "."
        || text == ".."
        || (cfg!(windows) && text.contains('\\'))
}

fn expand(text: &str, request: &Request, env: &Env) -> PathBuf {
    match (text.strip_prefix('~'), env.home()) {
        (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with(['/', '\\']) => {
            home.join(rest.trim_start_matches(['/', '\\']))
        }
        _ => request.cwd.join(text),
    }
}

/// The python that a path means: the file itself, or the one of an environment folder.
fn at_path(path: &Path, origin: &Source) -> Result<Option<PathBuf>, PythonError> {
    if path.is_file() {
        return Ok(Some(path.to_path_buf()));
    }
    match inspect(path) {
        Folder::Usable(python) => Ok(Some(python)),
        Folder::Other => Ok(None),
        Folder::Broken(reason) => Err(PythonError::BrokenEnvironment {
            dir: path.to_path_buf(),
            origin: Box::new(origin.clone()),
            reason,
        }),
    }
}

/// Up to five interpreters that exist, without running them.
fn others(request: &Request, env: &Env) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    let mut seen: Vec<PathBuf> = Vec::new();
    for Candidate { path, .. } in sources::everywhere(env, request) {
        // `python` and `python3` are one file, an environment's link another than its target.
        let folder = path.parent().and_then(|dir| dir.canonicalize().ok()).unwrap_or_default();
        if found.len() < OTHERS && is_executable(&path) && !seen.contains(&folder) {
            seen.push(folder);
            found.push(path);
        }
    }
    found
}
