//! The program once more, without any profiler: how long it takes then.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use super::confine::Confinement;
use super::error::RecordError;
use super::place::Place;
use super::record::{self, Event};
use super::request::{MOST_DISK, RunRequest};
use super::setup::Ready;
use super::workspace::Workspace;
use crate::process::{self, Controls, EndedBy, Exit, Limits, Spec};
use crate::profile::{Floor, Outcome, PlainRun, Profile, Seconds, signal_name};
use crate::scalene::LaunchMode;

/// Time between asking the program to end and killing it: there is nothing to write.
const GRACE: Duration = Duration::from_secs(2);

/// A plain run that can begin once the profiled one is over.
#[derive(Debug)]
pub(super) struct PlainPass {
    spec: Spec,
    limits: Limits,
}

impl PlainPass {
    /// Prepares the run, when one was asked for.
    pub(super) fn new(
        request: &RunRequest,
        place: &Place,
        ready: &Ready,
        workspace: &Workspace,
        confinement: &Confinement,
        hidden: &[OsString],
    ) -> Result<Option<Self>, RecordError> {
        if !request.measure.plain_run {
            return Ok(None);
        }
        let dir = workspace.counting()?;
        let mut spec = spec(request, place, ready, workspace, &dir);
        spec.env_remove = hidden.to_vec();
        Ok(Some(Self {
            spec: confinement.clone().with_write(&dir).dress(spec, false),
            limits: Limits {
                timeout: Some(request.timeout),
                grace: GRACE,
                memory: request.memory_limit(),
                disk: Some(MOST_DISK),
            },
        }))
    }

    /// The program marks blocks.
    pub(super) fn with_marks(mut self, workspace: &Workspace) -> Self {
        add_idle_modules(&mut self.spec, workspace);
        self
    }

    /// Runs the program and puts its time into the profile; `profiled` is the time of the profiled process
    /// from start to end. Where there is none, a warning says why.
    ///
    /// # Errors
    /// [`RecordError::Cancelled`]: nobody wants the profile any more.
    pub(super) async fn run(
        self,
        profile: &mut Profile,
        profiled: Duration,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(), RecordError> {
        let refused = match profile.run.outcome {
            Outcome::ExitCode(expected) => {
                on_event(Event::Plain);
                let finished = process::run(&self.spec, self.limits, controls, &mut |_| {}).await;
                let finished = match finished {
                    Ok(finished) if finished.ended_by == EndedBy::Cancel => {
                        return Err(RecordError::Cancelled);
                    }
                    finished => finished,
                };
                match finished {
                    Ok(run)
                        if run.ended_by == EndedBy::Itself && run.exit == Exit::Code(expected) =>
                    {
                        let seconds = |time: Duration| {
                            Seconds::from_secs(time.as_secs_f64()).unwrap_or_default()
                        };
                        profile.floor.get_or_insert_with(Floor::default).plain = Some(PlainRun {
                            plain: seconds(run.wall),
                            profiled: seconds(profiled),
                        });
                        return Ok(());
                    }
                    Ok(run) => ended(run.ended_by, run.exit, expected),
                    Err(error) => error.to_string(),
                }
            }
            _ => "the profiled run did not end by itself".to_owned(),
        };
        profile.run.warnings.push(format!("the plain run was not timed: {refused}"));
        Ok(())
    }
}

/// How a run ended that tells nothing of the profiled one.
fn ended(by: EndedBy, exit: Exit, expected: i32) -> String {
    match (by, exit) {
        (EndedBy::Itself, Exit::Code(code)) => {
            format!("it ended with exit code {code}, the profiled one with {expected}")
        }
        (EndedBy::Itself, Exit::Signal(signal)) => {
            format!("it was killed by {}", signal_name(signal))
        }
        (EndedBy::Itself, Exit::Unknown) => "its end is not known".to_owned(),
        (EndedBy::Timeout, _) => "it was stopped at the time limit".to_owned(),
        (EndedBy::Memory(_), _) => "it was stopped at the memory limit".to_owned(),
        (EndedBy::Disk(_), _) => "it was stopped at the disk limit".to_owned(),
        (EndedBy::Stop | EndedBy::Cancel, _) => "it was stopped on request".to_owned(),
    }
}

/// Puts a folder before all others that modules are looked for in.
pub(super) fn add_to_path(spec: &mut Spec, request: &RunRequest, dir: &Path) {
    let given = request.env.iter().find(|(key, _)| key == "PYTHONPATH").map(|(_, v)| v.into());
    let inherited: Option<OsString> = given.or_else(|| std::env::var_os("PYTHONPATH"));
    let mut path = dir.as_os_str().to_owned();
    if let Some(rest) = inherited.filter(|rest| !rest.is_empty()) {
        path.push(if cfg!(windows) { ";" } else { ":" });
        path.push(rest);
    }
    spec.env.push(("PYTHONPATH".into(), path));
}

/// Lets a program that marks blocks import a module that does nothing, where it has none of its own.
pub(super) fn add_idle_modules(spec: &mut Spec, workspace: &Workspace) {
    add_behind_path(spec, &workspace.idle_modules());
}

/// Puts a folder behind all others that are given for modules to be looked for in.
pub(super) fn add_behind_path(spec: &mut Spec, dir: &Path) {
    let name = OsString::from("PYTHONPATH");
    let given = spec.env.iter().rev().find(|(key, _)| *key == name).map(|(_, path)| path.clone());
    let mut path = given.or_else(|| std::env::var_os("PYTHONPATH")).unwrap_or_default();
    if !path.is_empty() {
        path.push(if cfg!(windows) { ";" } else { ":" });
    }
    path.push(dir);
    spec.env.push((name, path));
}

/// The program as plain Python runs it; what it leaves in temporary folders goes to one below `dir`.
pub(super) fn spec(
    request: &RunRequest,
    place: &Place,
    ready: &Ready,
    workspace: &Workspace,
    dir: &Path,
) -> Spec {
    let interpreter = ready.project.as_ref().unwrap_or(&ready.interpreter);
    let (mode, target) = record::launch_target(request, place, workspace);
    let mut args: Vec<OsString> = match mode {
        LaunchMode::Module => vec!["-m".into(), target.into()],
        // What looks like an option of Python is named by its whole path.
        LaunchMode::Script if target.starts_with('-') => vec![place.cwd.join(target).into()],
        LaunchMode::Script | LaunchMode::Function => vec![target.into()],
    };
    args.extend(request.args.iter().map(Into::into));
    let given = |name: &str| request.env.iter().any(|(key, _)| key == name);
    let inherited = |name: &str| given(name) || std::env::var_os(name).is_some();
    let mut env: Vec<(OsString, OsString)> =
        request.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    for name in ["TMPDIR", "TEMP", "TMP"] {
        if !given(name) {
            env.push((name.into(), dir.join("t").into()));
        }
    }
    if !inherited("PYTHONDONTWRITEBYTECODE") {
        env.push(("PYTHONDONTWRITEBYTECODE".into(), "1".into()));
    }
    if interpreter.free_threaded && !inherited("PYTHON_GIL") {
        env.push(("PYTHON_GIL".into(), "1".into()));
    }
    Spec {
        program: interpreter.executable.clone(),
        args,
        cwd: Some(place.cwd.clone()),
        env,
        env_remove: Vec::new(),
        stdin: request.stdin.as_ref().map(|text| text.clone().into_bytes()),
        folder: Some(workspace.root()),
        pid_files: None,
        begun: None,
        keep_stdout: 0,
        sought: None,
    }
}
