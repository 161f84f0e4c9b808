//! Installs a requirement into an overlay, with whatever installer is at hand.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::OverlayError;
use super::step::{Failure, STEP_LIMIT, Session, classified, clean, run};
use crate::process::{Exit, Spec};
use crate::python::{Env, Interpreter};

/// Wheels only: half a minute on a slow line.
const WHEELS_LIMIT: Duration = Duration::from_secs(4 * 60);
/// Compiling Scalene takes one to three minutes.
const SOURCE_LIMIT: Duration = Duration::from_secs(10 * 60);
/// The environment that is being filled.
pub(super) struct Target<'a> {
    pub(super) base: &'a Interpreter,
    pub(super) requirement: &'a str,
    /// What else goes in; with any, nothing that these need is added, and the target is a folder and
    /// no environment.
    pub(super) companions: &'a [&'a str],
    pub(super) python: PathBuf,
    pub(super) site_packages: PathBuf,
    /// A file with the project's versions, if it has packages.
    pub(super) constraints: Option<PathBuf>,
    /// A folder for what must not stay.
    pub(super) scratch: &'a Path,
}

enum Installer {
    Uv(PathBuf),
    /// `program -m pip install --target`: a pip that runs under the very same Python.
    Pip(PathBuf),
    /// A pip of another Python, 22.3 or newer.
    ForeignPip(PathBuf),
}

/// Installs `target.requirement` with all it needs, and names the installer that did.
pub(super) async fn install(
    target: &Target<'_>,
    env: &Env,
    session: &mut Session<'_>,
) -> Result<String, OverlayError> {
    let mut first_failure = None;
    if let Some(uv) = find_uv(env) {
        match with(&Installer::Uv(uv), target, session).await? {
            Ok(()) => return Ok("uv".to_owned()),
            // pip may know an index, a proxy or a certificate that uv does not.
            Err(failure) => first_failure = Some(("uv", failure)),
        }
    }
    if let Some(pip) = find_pip(target, env, session).await? {
        match with(&pip, target, session).await? {
            Ok(()) => return Ok("pip".to_owned()),
            // A pip too old for this Python breaks in its own way; that is as good as none.
            Err(Failure::Other(_)) if matches!(pip, Installer::ForeignPip(_)) => {}
            Err(failure) => first_failure = first_failure.or(Some(("pip", failure))),
        }
    }
    let base = target.base;
    Err(match first_failure {
        Some((installer, failure)) => OverlayError::install(
            failure,
            installer,
            target.requirement,
            format!("Python {} on {} {}", base.version, base.platform, base.machine),
        ),
        None => OverlayError::NoInstaller {
            executable: base.executable.clone(),
            requirement: target.requirement.to_owned(),
        },
    })
}

/// Tries, in this order: packages that fit the project's versions; any; a source build.
/// A wheel is preferred since a source build can fail after minutes.
async fn with(
    installer: &Installer,
    target: &Target<'_>,
    session: &mut Session<'_>,
) -> Result<Result<(), Failure>, OverlayError> {
    if target.constraints.is_some() {
        match attempt(installer, target, true, true, session).await? {
            Err(Failure::NoSolution(_)) => {}
            done => return Ok(done),
        }
    }
    match attempt(installer, target, false, true, session).await? {
        Err(Failure::NoSolution(_)) if target.companions.is_empty() => {
            attempt(installer, target, false, false, session).await
        }
        done => Ok(done),
    }
}

async fn attempt(
    installer: &Installer,
    target: &Target<'_>,
    constrained: bool,
    wheels_only: bool,
    session: &mut Session<'_>,
) -> Result<Result<(), Failure>, OverlayError> {
    let constraints = target.constraints.as_ref().filter(|_| constrained);
    let spec = clean(match installer {
        Installer::Uv(uv) => uv_spec(uv, target),
        Installer::Pip(python) => pip_spec(python, &["-I", "-B", "-m", "pip"], target),
        Installer::ForeignPip(pip) => foreign_pip_spec(pip, target),
    });
    let mut args = spec.args;
    if let Some(file) = constraints {
        args.extend(["-c".into(), file.into()]);
    }
    if wheels_only {
        args.extend(["--only-binary".into(), ":all:".into()]);
    }
    args.push(target.requirement.into());
    args.extend(target.companions.iter().map(Into::into));
    let name = if matches!(installer, Installer::Uv(_)) { "uv" } else { "pip" };
    let how = if wheels_only { "installing" } else { "compiling and installing" };
    let step = format!("{how} {} with {name}", target.requirement);
    let limit = if wheels_only { WHEELS_LIMIT } else { SOURCE_LIMIT };
    let finished = run(&Spec { args, ..spec }, &step, limit, session).await?;
    Ok(if finished.exit == Exit::Code(0) { Ok(()) } else { Err(classified(&finished)) })
}

fn uv_spec(uv: &Path, target: &Target<'_>) -> Spec {
    let mut args: Vec<OsString> = ["pip", "install", "--python"].map(Into::into).to_vec();
    args.push(target.python.clone().into());
    if !target.companions.is_empty() {
        args.extend(["--no-deps".into(), "--target".into(), target.site_packages.clone().into()]);
    }
    // A project's uv settings are found from the working directory: not from this one.
    Spec { program: uv.to_path_buf(), args, cwd: Some(target.scratch.into()), ..Spec::default() }
}

/// `--target` rather than pip's own `--python`: it works with every pip, needs none in the
/// overlay, and neither an externally managed base nor a `user = true` in pip.conf matters.
fn pip_spec(program: &Path, start: &[&str], target: &Target<'_>) -> Spec {
    let mut args: Vec<OsString> = start.iter().map(Into::into).collect();
    args.extend(pip_options());
    if !target.companions.is_empty() {
        args.push("--no-deps".into());
    }
    args.extend(["--target".into(), target.site_packages.clone().into()]);
    Spec { program: program.into(), args, cwd: Some(target.scratch.into()), ..Spec::default() }
}

fn foreign_pip_spec(pip: &Path, target: &Target<'_>) -> Spec {
    let mut args: Vec<OsString> = vec!["--python".into(), target.python.clone().into()];
    args.extend(pip_options());
    if !target.companions.is_empty() {
        args.extend(["--no-deps".into(), "--target".into(), target.site_packages.clone().into()]);
    }
    Spec { program: pip.into(), args, cwd: Some(target.scratch.into()), ..Spec::default() }
}

fn pip_options() -> impl Iterator<Item = OsString> {
    // Two retries: offline must be an answer, not a wait.
    ["install", "--no-compile", "--prefer-binary", "--retries", "2", "--timeout", "15"]
        .into_iter()
        .map(Into::into)
}

fn find_uv(env: &Env) -> Option<PathBuf> {
    let name = if cfg!(windows) { "uv.exe" } else { "uv" };
    let usual = [".local/bin", ".cargo/bin"].into_iter().filter_map(|below| env.in_home(below));
    let brew = ["opt/homebrew/bin", "usr/local/bin"].map(|below| env.in_root(below));
    let dirs = env.search_path().into_iter().chain(usual).chain(brew);
    dirs.map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// The project's own pip, that of the Python below it, one bootstrapped for the purpose
/// into a temporary environment, or any on PATH.
async fn find_pip(
    target: &Target<'_>,
    env: &Env,
    session: &mut Session<'_>,
) -> Result<Option<Installer>, OverlayError> {
    let base = target.base;
    for python in [&base.executable, &base.base_executable] {
        if succeeds(python, &["-I", "-B", "-m", "pip", "--version"], session).await? {
            return Ok(Some(Installer::Pip(python.clone())));
        }
    }
    let dir = target.scratch.join("pip");
    let venv = dir.display().to_string();
    if succeeds(&base.base_executable, &["-I", "-B", "-m", "venv", &venv], session).await?
        && let Some(python) = super::python_in(&dir)
    {
        return Ok(Some(Installer::Pip(python)));
    }
    for path in env.search_path().iter().flat_map(|dir| [dir.join("pip3"), dir.join("pip")]) {
        let python = target.python.display().to_string();
        if path.is_file() && succeeds(&path, &["--python", &python, "--version"], session).await? {
            return Ok(Some(Installer::ForeignPip(path)));
        }
    }
    Ok(None)
}

async fn succeeds(
    program: &Path,
    args: &[&str],
    session: &mut Session<'_>,
) -> Result<bool, OverlayError> {
    let args = args.iter().map(Into::into).collect();
    let spec = clean(Spec { program: program.into(), args, ..Spec::default() });
    match run(&spec, "looking for pip", STEP_LIMIT, session).await {
        Ok(finished) => Ok(finished.exit == Exit::Code(0)),
        Err(OverlayError::Cancelled) => Err(OverlayError::Cancelled),
        Err(_) => Ok(false),
    }
}
