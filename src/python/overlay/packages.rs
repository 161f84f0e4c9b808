//! A private folder with memray, for the interpreters that one build of it fits.
//!
//! It is no environment: the script that tracks a program puts the folder on its import path for as
//! long as memray is imported, so that the program's own packages stay what they are. One folder
//! serves all projects with this version of Python.

use std::path::{Path, PathBuf};

use super::error::OverlayError;
use super::install::{self, Target};
use super::lock;
use super::step::{self, STEP_LIMIT, Session};
use crate::process::{Controls, Exit, Spec};
use crate::python::{Env, Interpreter};

/// What memray's extension imports, and nothing of what only its reports need (70 MB).
/// 1.19.3 is the last release with wheels for 3.8.
const REQUIREMENTS: &[((u32, u32), &[&str])] = &[
    ((3, 9), &["memray==1.20.0", "rich==14.0.0", "typing_extensions==4.13.2"]),
    ((3, 8), &["memray==1.19.3", "rich==14.0.0", "typing_extensions==4.13.2"]),
];
/// What a folder's name ends with while it is being filled.
const BUILDING: &str = "building-";

/// The folder with memray for this interpreter, filled first if need be; `None` where the
/// interpreter has a memray of its own.
///
/// # Errors
/// See [`OverlayError`]; nothing half-installed is left in any of its cases.
pub async fn ensure_memray(
    base: &Interpreter,
    cache_dir: &Path,
    allow_install: bool,
    controls: &Controls,
    on_progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Option<PathBuf>, OverlayError> {
    if has_memray(&base.site_packages) {
        return Ok(None);
    }
    let dir = folder(base, cache_dir);
    let is_complete = |dir: &Path| has_memray(std::slice::from_ref(&dir.to_path_buf()));
    if is_complete(&dir) {
        return Ok(Some(dir));
    }
    let fits = |(major, minor)| base.version.at_least(major, minor);
    let requirements = REQUIREMENTS.iter().find(|(least, _)| fits(*least)).map(|(_, all)| *all);
    let (Some(requirements), false, true) = (requirements, cfg!(windows), allow_install) else {
        return Err(OverlayError::NotAllowed { what: "memray".to_owned() });
    };
    let parent = dir.parent().unwrap_or(&dir);
    std::fs::create_dir_all(parent).map_err(|source| OverlayError::cache(parent, source))?;
    let _held = lock::acquire(&super::sibling(&dir, "lock"), controls, on_progress).await?;
    if is_complete(&dir) {
        return Ok(Some(dir));
    }
    fill(&dir, base, requirements, controls, on_progress).await?;
    Ok(Some(dir))
}

fn has_memray(folders: &[PathBuf]) -> bool {
    folders.iter().any(|folder| folder.join("memray").join("__init__.py").is_file())
}

/// One for each version and build of Python: an extension fits no other.
fn folder(base: &Interpreter, cache_dir: &Path) -> PathBuf {
    let threads = if base.free_threaded { "t" } else { "" };
    let version = format!("py{}.{}{threads}", base.version.major, base.version.minor);
    let name = format!("memray-{version}-{}-{}", base.platform, base.machine);
    let dir = cache_dir.join("packages").join(name);
    std::path::absolute(&dir).unwrap_or(dir)
}

/// Installs beside the final place and moves there; the caller holds the lock.
async fn fill(
    dir: &Path,
    base: &Interpreter,
    requirements: &[&str],
    controls: &Controls,
    on_progress: &mut (dyn FnMut(&str) + Send),
) -> Result<(), OverlayError> {
    let parent = dir.parent().unwrap_or(dir);
    let failed = |source| OverlayError::cache(dir, source);
    remove_leftovers(parent, dir);
    let prefix = super::sibling(dir, BUILDING);
    let prefix = prefix.file_name().unwrap_or_default().to_os_string();
    let site = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent).map_err(failed)?;
    let (packages, scratch) = (site.path().join("packages"), site.path().join("scratch"));
    std::fs::create_dir_all(&packages).map_err(failed)?;
    std::fs::create_dir_all(&scratch).map_err(failed)?;
    let mut session = Session { controls, on_progress };
    let target = Target {
        base,
        requirement: requirements.first().copied().unwrap_or_default(),
        companions: requirements.get(1..).unwrap_or_default(),
        python: base.executable.clone(),
        site_packages: packages.clone(),
        constraints: None,
        scratch: &scratch,
    };
    install::install(&target, &Env::current(), &mut session).await?;
    check_import(&target, &mut session).await?;
    std::fs::rename(&packages, dir).map_err(failed)
}

async fn check_import(target: &Target<'_>, session: &mut Session<'_>) -> Result<(), OverlayError> {
    let script =
        "import sys; sys.path.insert(0, sys.argv[1]); import memray; memray.Tracker(sys.argv[2])";
    let mut args: Vec<_> = ["-I", "-c", script].map(Into::into).to_vec();
    args.extend([target.site_packages.clone().into(), target.scratch.join("capture").into()]);
    let spec = step::clean(Spec { program: target.python.clone(), args, ..Spec::default() });
    let finished = step::run(&spec, "checking memray", STEP_LIMIT, session).await?;
    if finished.exit == Exit::Code(0) {
        return Ok(());
    }
    let said = step::said(&finished);
    let said = said.lines().next_back().unwrap_or_default().to_owned();
    Err(OverlayError::Import { requirement: target.requirement.to_owned(), said })
}

/// Removes what killed installations of this folder left.
fn remove_leftovers(parent: &Path, dir: &Path) {
    let prefix = super::sibling(dir, BUILDING);
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            // A failure leaves it for the next time.
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}
