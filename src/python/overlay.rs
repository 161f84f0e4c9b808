//! A private environment with Scalene for an interpreter that has none.
//!
//! Owns: folders under the user's cache directory, one per interpreter and Scalene
//! version, and everything that is installed into them. Writes nothing into the project
//! or its environment. Entry point: [`ensure`].
//!
//! An overlay is a `venv --without-pip` of the same Python, Scalene with its dependencies,
//! and a `.pth` hook that puts the project's own packages in front. It is built in a
//! sibling folder under a file lock and renamed into place when it is complete, its marker
//! included: an interrupted build has no marker, is never used, and the next one removes it.
//! (Only `python` is used of it, and that finds its folder at start, so it may move.)

mod build;
mod conflict;
mod error;
mod install;
mod lock;
mod marker;
mod packages;
mod step;

use std::path::{Path, PathBuf};

pub use error::OverlayError;
use marker::{Identity, Marker};
pub use packages::ensure_memray;

use super::interpreter::{Interpreter, Scalene, Version};
use super::probe::probe;
use super::request::Env;
use super::virtualenv::pythons_of;
use crate::process::Controls;

/// What an overlay is to contain, and where overlays are kept.
#[derive(Debug, Clone, Copy)]
pub struct OverlaySpec<'a> {
    /// One exact version: `scalene==2.4.0`.
    pub requirement: &'a str,
    /// The user's cache directory for this program.
    pub cache_dir: &'a Path,
}

/// The Scalene to install for each Python, newest first.
///
/// 2.4.0 has wheels for `CPython` 3.9 to 3.14; what is newer may still build from source.
/// 1.5.53 is the last release with wheels for 3.8: later ones fail to compile there.
const REQUIREMENTS: &[((u32, u32), &str)] =
    &[((3, 9), "scalene==2.4.0"), ((3, 8), "scalene==1.5.53")];

/// The requirement for an interpreter of this version; none when Scalene supports it in no
/// version.
pub fn requirement_for(version: &Version) -> Option<&'static str> {
    let fits = |(major, minor)| version.at_least(major, minor);
    REQUIREMENTS.iter().find(|(least, _)| fits(*least)).map(|(_, requirement)| *requirement)
}

/// The folder of the overlay for `base`, whether it exists or not.
pub fn overlay_dir(base: &Interpreter, spec: &OverlaySpec<'_>) -> PathBuf {
    let of = if base.is_virtual_env { &base.prefix } else { &base.executable };
    let real = of.canonicalize().unwrap_or_else(|_| of.clone());
    let key = format!("{}\n{}\n{}", real.display(), base.version, spec.requirement);
    let name = format!(
        "py{}.{}-{}-{:016x}",
        base.version.major,
        base.version.minor,
        readable(&real),
        fnv1a(key.as_bytes())
    );
    overlays(spec).join(name)
}

/// Absolute, since installers are started in a folder of their own.
fn overlays(spec: &OverlaySpec<'_>) -> PathBuf {
    let dir = spec.cache_dir.join("overlays");
    std::path::absolute(&dir).unwrap_or(dir)
}

/// Returns the overlay's interpreter, and builds the overlay first if need be.
///
/// `on_progress` hears what is being done, about every two seconds. Two callers at once,
/// of this process or others, build once: the second waits. The result keeps `base`'s
/// source, and its `site_packages` begin with those of `base`.
///
/// # Errors
/// See [`OverlayError`]; nothing half-installed is left in any of its cases.
pub async fn ensure(
    base: &Interpreter,
    spec: &OverlaySpec<'_>,
    controls: &Controls,
    on_progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Interpreter, OverlayError> {
    ensure_with(base, spec, &Env::current(), controls, on_progress).await
}

/// [`ensure`] with the surroundings in which installers are looked for.
///
/// # Errors
/// As [`ensure`].
pub async fn ensure_with(
    base: &Interpreter,
    spec: &OverlaySpec<'_>,
    env: &Env,
    controls: &Controls,
    on_progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Interpreter, OverlayError> {
    let dir = overlay_dir(base, spec);
    if let Some(ready) = reuse(&dir, base, spec, controls).await? {
        return Ok(ready);
    }
    let parent = overlays(spec);
    std::fs::create_dir_all(&parent).map_err(|source| OverlayError::cache(&parent, source))?;
    let _held = lock::acquire(&sibling(&dir, "lock"), controls, on_progress).await?;
    // Another caller may have built it while this one waited.
    if let Some(ready) = reuse(&dir, base, spec, controls).await? {
        return Ok(ready);
    }
    build::build(&dir, base, spec, env, controls, on_progress).await?;
    marker::prune(&parent, &dir);
    let ready = open(&dir, base, controls).await?;
    ready.ok_or(OverlayError::Unusable { dir })
}

/// The overlay as it is, if it is complete and still fits the interpreter and the project.
async fn reuse(
    dir: &Path,
    base: &Interpreter,
    spec: &OverlaySpec<'_>,
    controls: &Controls,
) -> Result<Option<Interpreter>, OverlayError> {
    let Some(marker) = Marker::read(dir) else { return Ok(None) };
    if marker.requirement != spec.requirement || Some(&marker.base) != Identity::of(base).as_ref() {
        return Ok(None);
    }
    let shadowed = conflict::shadowed(base, &marker.packages);
    if shadowed != marker.shadowed {
        // The project changed its versions of packages that Scalene needs as well.
        if build::check_import(dir, base, controls).await?.is_err() {
            return Ok(None);
        }
        Marker { shadowed, ..marker }.write(dir)?;
    }
    open(dir, base, controls).await
}

/// Probes the overlay's python; `None` when it does not work or has no Scalene.
async fn open(
    dir: &Path,
    base: &Interpreter,
    controls: &Controls,
) -> Result<Option<Interpreter>, OverlayError> {
    let Some(python) = python_in(dir) else { return Ok(None) };
    match probe(&python, base.source.clone(), controls).await {
        Ok(own) if matches!(own.scalene, Scalene::Found { .. }) => {
            let mut site_packages = base.site_packages.clone();
            site_packages.extend(own.site_packages);
            Ok(Some(Interpreter { site_packages, ..own }))
        }
        Err(super::PythonError::Cancelled) => Err(OverlayError::Cancelled),
        Ok(_) | Err(_) => Ok(None),
    }
}

fn python_in(dir: &Path) -> Option<PathBuf> {
    pythons_of(dir).find(|python| python.is_file())
}

/// `name.suffix` beside `name`.
fn sibling(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(suffix);
    dir.with_file_name(name)
}

/// The part of a path that says most: the project's folder for `project/.venv`.
fn readable(path: &Path) -> String {
    let dull =
        |name: &str| ["venv", ".venv", "env", "bin"].contains(&name) || name.starts_with("python");
    let names = path.iter().rev().map(|part| part.to_string_lossy());
    let best = names.into_iter().find(|name| !dull(name)).unwrap_or_default();
    let kept: String =
        best.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(24).collect();
    if kept.is_empty() { "python".to_owned() } else { kept }
}

/// 64-bit FNV-1a: the name must be the same for every build of this program, which the
/// standard library's hasher does not promise.
fn fnv1a(bytes: &[u8]) -> u64 {
    let mix = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_python_gets_a_scalene_that_has_wheels_for_it() {
        let version = |minor| Version { major: 3, minor, micro: 1, full: String::new() };
        assert_eq!(requirement_for(&version(7)), None);
        assert_eq!(requirement_for(&version(8)), Some("scalene==1.5.53"));
        assert_eq!(requirement_for(&version(9)), Some("scalene==2.4.0"));
        assert_eq!(requirement_for(&version(14)), Some("scalene==2.4.0"));
    }

    #[test]
    fn a_folder_is_named_after_the_project() {
        assert_eq!(readable(Path::new("/home/u/my proj/.venv")), "myproj");
        assert_eq!(readable(Path::new("/opt/py-3.12/bin/python3.12")), "py-3.12");
        assert_eq!(readable(Path::new("/")), "python");
    }
}
