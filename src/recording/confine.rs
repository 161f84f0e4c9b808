//! The sandbox of a run: what its program needs, and how it is started in it.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::RecordError;
use super::guard::Guard;
use super::place::Place;
use super::request::RunRequest;
use super::shown::Shown;
use super::workspace::{self, Workspace};
use crate::process::{self, Controls, Exit, Finished, Limits, Spec};
use crate::profile::Source;
use crate::python::Interpreter;
use crate::sandbox::{self, Mode, Policy};
use crate::scalene::allocator_files;

/// The check takes milliseconds; on a machine that swaps, seconds.
const CHECK_WITHIN: Duration = Duration::from_secs(20);
/// Largest file whose text is read for a profile.
const LARGEST_SOURCE: u64 = 10 * 1024 * 1024;
/// What the dynamic loader acts on before a program begins: the helper must not.
const LOADER: [&str; 4] = ["LD_PRELOAD", "LD_LIBRARY_PATH", "LD_AUDIT", "GLIBC_TUNABLES"];

/// How the programs of a run are confined.
#[derive(Debug, Clone, Default)]
pub(super) struct Confinement {
    policy: Policy,
    helper: PathBuf,
}

impl Confinement {
    /// Settles what the program may do, and makes sure that the system can enforce it.
    pub(super) async fn new(
        guard: &Guard,
        request: &RunRequest,
        place: &Place,
        interpreters: &[&Interpreter],
        workspace: &Workspace,
        controls: &Controls,
    ) -> Result<Self, RecordError> {
        let mode = guard.mode(request)?;
        let mut write = guard.writable(request)?;
        if mode == Mode::Off {
            return Ok(Self::default());
        }
        let unavailable = |why: String| RecordError::SandboxUnavailable { mode, why };
        let helper = guard.helper.clone().ok_or_else(|| {
            unavailable(
                "the path of the scalene-mcp binary is not set (`Guard::helper`)".to_owned(),
            )
        })?;
        check(&helper, controls).await?.map_err(unavailable)?;
        write.extend(workspace.written());
        let mut read = readable(guard, place, interpreters);
        read.push(workspace.path(""));
        let policy = Policy { mode, read, write, ..Policy::default() };
        Ok(Self { policy, helper })
    }

    /// The sandbox, if there is one.
    pub(super) fn mode(&self) -> Option<Mode> {
        Some(self.policy.mode).filter(|mode| *mode != Mode::Off)
    }

    /// With more that the program has to read.
    pub(super) fn with_read(mut self, more: Option<PathBuf>) -> Self {
        self.policy.read.extend(more);
        self
    }

    /// With more that the program has to write.
    pub(super) fn with_write(mut self, more: &Path) -> Self {
        self.policy.write.push(more.to_owned());
        self
    }

    /// The text of a file that Scalene does not list. The program says which: what it may not read
    /// is not read for it.
    pub(super) fn source(&self, path: &str, shown: &Shown) -> Option<Source> {
        let path = shown.path(path);
        let path = path.canonicalize().ok().filter(|path| self.may_read(path))?;
        let bytes = workspace::read(&path, LARGEST_SOURCE)?;
        Some(Source::new(String::from_utf8_lossy(&bytes).into_owned()))
    }

    /// Whether the program may read a file, by its real path.
    fn may_read(&self, file: &Path) -> bool {
        let policy = &self.policy;
        let real = |path: &PathBuf| path.canonicalize().unwrap_or_else(|_| path.clone());
        policy.mode < Mode::Strict
            || policy.read.iter().chain(&policy.write).any(|path| file.starts_with(real(path)))
    }

    /// A start of the program, confined. `allocator`: Scalene's is in it.
    pub(super) fn dress(&self, mut spec: Spec, allocator: bool) -> Spec {
        if self.policy.mode == Mode::Off {
            return spec;
        }
        let mut policy = self.policy.clone();
        if allocator {
            policy.own_files = allocator_files();
        }
        for name in LOADER {
            let name = OsString::from(name);
            let given = spec.env.iter().rfind(|(given, _)| *given == name);
            let removed = spec.env_remove.contains(&name);
            let value = given.map(|(_, value)| value.clone());
            let value = value.or_else(|| std::env::var_os(&name).filter(|_| !removed));
            spec.env.retain(|(given, _)| *given != name);
            if let Some(value) = value {
                let mut both = name.clone();
                both.push("=");
                both.push(value);
                policy.loader_env.push(both);
            }
            spec.env_remove.push(name);
        }
        let mut args: Vec<OsString> = vec!["confine".into()];
        args.extend(policy.arguments());
        args.extend(["--".into(), spec.program.clone().into()]);
        args.append(&mut spec.args);
        Spec { program: self.helper.clone(), args, ..spec }
    }

    /// Why the program was not started after all.
    pub(super) fn refused(&self, finished: &Finished) -> Option<RecordError> {
        let mode = self.policy.mode;
        let gave_up = mode != Mode::Off && finished.exit == Exit::Code(sandbox::REFUSED.into());
        let why = finished.stderr.end().trim().strip_prefix(sandbox::REFUSED_MARK)?.to_owned();
        gave_up.then_some(RecordError::SandboxUnavailable { mode, why })
    }

    /// What to say of a program that was refused something.
    pub(super) fn remark(&self, exception: Option<&str>) -> Option<String> {
        let allowed = match self.policy.mode {
            Mode::Off => return None,
            Mode::Writes => "may write only to its temporary directory and to `writable`",
            Mode::Strict => {
                "has no network, reads only the project, the interpreter and the system, and may write only to its \
                 temporary directory and to `writable`"
            }
        };
        (exception? == "PermissionError").then(|| {
            format!(
                "PermissionError may come from sandbox `{}`: the program {allowed}",
                self.policy.mode
            )
        })
    }
}

/// Has the helper try; what it said if it could not.
async fn check(helper: &Path, controls: &Controls) -> Result<Result<(), String>, RecordError> {
    let spec = Spec {
        program: helper.to_owned(),
        args: vec!["confine".into(), "--check".into()],
        env_remove: LOADER.map(Into::into).to_vec(),
        ..Spec::default()
    };
    let limits = Limits { timeout: Some(CHECK_WITHIN), ..Limits::default() };
    let finished = match process::run(&spec, limits, controls, &mut |_| {}).await {
        Ok(finished) => finished,
        Err(error) => return Ok(Err(error.to_string())),
    };
    if controls.cancel.is_cancelled() {
        return Err(RecordError::Cancelled);
    }
    if finished.exit == Exit::Code(0) {
        return Ok(Ok(()));
    }
    let said = finished.stderr.end().trim().to_owned();
    let why = said.strip_prefix(sandbox::REFUSED_MARK).map(str::to_owned);
    Ok(Err(why.unwrap_or_else(|| format!("`{}` does not answer as scalene-mcp", helper.display()))))
}

/// The project and the interpreters. Where there are roots, nothing of a project outside them.
fn readable(guard: &Guard, place: &Place, interpreters: &[&Interpreter]) -> Vec<PathBuf> {
    let script = place.script.as_ref();
    let near = script.and_then(|script| script.real.parent());
    let typed = script.and_then(|script| script.absolute.parent());
    let project = [Some(place.root.as_path()), Some(place.cwd.as_path()), near, typed];
    let project = { project.into_iter().flatten() }
        .filter(|path| guard.admit("cwd", path).is_ok())
        .map(Path::to_owned);
    let interpreters = interpreters.iter().flat_map(|python| {
        let prefixes = [&python.prefix, &python.base_prefix].into_iter().cloned();
        prefixes.chain(python.site_packages.iter().cloned())
    });
    let home = std::env::home_dir();
    // A prefix that is the home folder, or above it, is not an interpreter alone.
    let too_wide = |path: &PathBuf| {
        path.parent().is_none() || home.as_ref().is_some_and(|home| home.starts_with(path))
    };
    let mut paths: Vec<PathBuf> = Vec::new();
    for path in interpreters {
        if too_wide(&path) {
            paths.extend(["bin", "lib", "lib64", "include", "share"].map(|name| path.join(name)));
        } else {
            paths.push(path);
        }
    }
    let mut all: Vec<PathBuf> = project.chain(paths).collect();
    all.sort();
    all.dedup();
    all
}
