//! Builds one overlay, from nothing to its place.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::OverlayError;
use super::install::{self, Target};
use super::marker::{self, Identity, Marker};
use super::step::{self, STEP_LIMIT, Session};
use super::{OverlaySpec, conflict, python_in, sibling};
use crate::process::{Controls, Exit, Spec};
use crate::python::{Env, Interpreter, probe};

/// Runs in the overlay at every start of its python.
const HOOK: &str = include_str!("hook.py");
/// The module that the hook becomes.
const HOOK_MODULE: &str = "_scalene_mcp_overlay";
/// Imports all of Scalene that a run needs.
const IMPORT: &str = "import scalene.scalene_profiler";

/// Builds the overlay and puts it at `dir`. The caller holds the lock.
pub(super) async fn build(
    dir: &Path,
    base: &Interpreter,
    spec: &OverlaySpec<'_>,
    env: &Env,
    controls: &Controls,
    on_progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(), OverlayError> {
    let site = scaffold(dir)?;
    let mut session = Session { controls, on_progress };
    create(site.path(), base, &mut session).await?;
    let python = python_in(site.path())
        .ok_or_else(|| OverlayError::Unusable { dir: site.path().to_path_buf() })?;
    let own = probe(&python, base.source.clone(), controls).await.map_err(OverlayError::Probe)?;
    let packages = own.site_packages.first().cloned();
    let packages =
        packages.ok_or_else(|| OverlayError::Unusable { dir: site.path().to_path_buf() })?;

    let scratch = site.path().join("scratch");
    let constraints = write_constraints(&scratch, base)?;
    let target = Target {
        base,
        requirement: spec.requirement,
        companions: &[],
        python,
        site_packages: packages.clone(),
        constraints,
        scratch: &scratch,
    };
    let installer = install::install(&target, env, &mut session).await?;
    remove(&scratch)?;
    warm_up(&target, &mut session).await?;

    write_hook(&packages, base)?;
    check_import(site.path(), base, controls).await?.map_err(|said| OverlayError::Conflict {
        executable: base.executable.clone(),
        requirement: spec.requirement.to_owned(),
        packages: conflict::blamed(base, &said),
        said: last_line(&said),
    })?;
    let names: Vec<String> = conflict::installed(&packages).into_keys().collect();
    let shadowed = conflict::shadowed(base, &names);
    let identity =
        Identity::of(base).ok_or_else(|| OverlayError::Unusable { dir: base.prefix.clone() })?;
    Marker::new(spec.requirement, identity, names, shadowed, installer).write(site.path())?;
    put_in_place(site, dir)
}

/// A new folder for the build, removed unless it is kept. Its name is new each time: the
/// installer of a server that was killed may still be writing into the last one.
fn scaffold(dir: &Path) -> Result<TempDir, OverlayError> {
    let parent = dir.parent().unwrap_or(dir);
    let prefix = sibling(dir, marker::BUILDING);
    marker::remove_leftovers(parent, dir);
    let name = prefix.file_name().unwrap_or_default().to_os_string();
    let made = tempfile::Builder::new().prefix(&name).tempdir_in(parent);
    made.map_err(|source| OverlayError::cache(parent, source))
}

/// `venv --without-pip` of the Python below the project's environment: a Python before
/// 3.11 takes the environment itself for the base when it is started from there.
async fn create(
    dir: &Path,
    base: &Interpreter,
    session: &mut Session<'_>,
) -> Result<(), OverlayError> {
    let mut args: Vec<_> = ["-I", "-B", "-m", "venv", "--without-pip"].map(Into::into).to_vec();
    args.push(dir.into());
    let program = base.base_executable.clone();
    let spec = step::clean(Spec { program: program.clone(), args, ..Spec::default() });
    let what = format!("creating a private environment for Python {}", base.version);
    let finished = step::run(&spec, &what, STEP_LIMIT, session).await?;
    if finished.exit == Exit::Code(0) {
        return Ok(());
    }
    Err(OverlayError::CreateEnvironment { executable: program, said: step::said(&finished) })
}

fn write_constraints(scratch: &Path, base: &Interpreter) -> Result<Option<PathBuf>, OverlayError> {
    let failed = |source| OverlayError::cache(scratch, source);
    std::fs::create_dir_all(scratch).map_err(failed)?;
    let lines = conflict::constraints(base);
    if lines.is_empty() {
        return Ok(None);
    }
    let file = scratch.join("constraints.txt");
    std::fs::write(&file, lines.join("\n")).map_err(failed)?;
    Ok(Some(file))
}

/// Imports Scalene once before the project's packages come in: it shows that the
/// installation works by itself, and leaves bytecode of what every run will import.
async fn warm_up(target: &Target<'_>, session: &mut Session<'_>) -> Result<(), OverlayError> {
    // -I ignores the variable that forbids bytecode; only the overlay's own is written.
    let args = ["-I", "-c", IMPORT].map(Into::into).to_vec();
    let spec = step::clean(Spec { program: target.python.clone(), args, ..Spec::default() });
    let finished = step::run(&spec, "checking Scalene", STEP_LIMIT, session).await?;
    if finished.exit == Exit::Code(0) {
        return Ok(());
    }
    let (requirement, said) = (target.requirement.to_owned(), last_line(&step::said(&finished)));
    Err(OverlayError::Import { requirement, said })
}

/// Imports Scalene with the project's packages in front; the inner error is the traceback.
pub(super) async fn check_import(
    dir: &Path,
    base: &Interpreter,
    controls: &Controls,
) -> Result<Result<(), String>, OverlayError> {
    let Some(program) = python_in(dir) else { return Ok(Err(String::new())) };
    let args = ["-I", "-B", "-c", IMPORT].map(Into::into).to_vec();
    let spec = step::clean(Spec { program, args, ..Spec::default() });
    let mut session = Session { controls, on_progress: &mut |_| {} };
    let what = format!("importing Scalene under Python {}", base.version);
    let finished = step::run(&spec, &what, STEP_LIMIT, &mut session).await?;
    let clean = finished.exit == Exit::Code(0);
    Ok(if clean { Ok(()) } else { Err(finished.stderr.end().to_owned()) })
}

fn write_hook(packages: &Path, base: &Interpreter) -> Result<(), OverlayError> {
    let failed = |source| OverlayError::cache(packages, source);
    // A JSON list of strings is a Python list of strings.
    let folders = serde_json::to_string(&base.site_packages)
        .map_err(|error| failed(std::io::Error::other(error)))?;
    let module = packages.join(format!("{HOOK_MODULE}.py"));
    std::fs::write(module, format!("PROJECT = {folders}\n{HOOK}")).map_err(failed)?;
    let line = format!("import {HOOK_MODULE}\n");
    std::fs::write(packages.join(format!("{HOOK_MODULE}.pth")), line).map_err(failed)
}

fn put_in_place(site: TempDir, dir: &Path) -> Result<(), OverlayError> {
    let failed = |source| OverlayError::cache(dir, source);
    let stale = sibling(dir, "stale");
    remove(&stale)?;
    if dir.exists() {
        std::fs::rename(dir, &stale).map_err(failed)?;
    }
    std::fs::rename(site.path(), dir).map_err(failed)?;
    // The folder has moved: nothing is left under the old name to remove.
    let _ = site.keep();
    remove(&stale)
}

fn remove(dir: &Path) -> Result<(), OverlayError> {
    match std::fs::remove_dir_all(dir) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(OverlayError::cache(dir, source))
        }
        _ => Ok(()),
    }
}

fn last_line(text: &str) -> String {
    text.trim().lines().next_back().unwrap_or_default().to_owned()
}
