//! A second run of a profiled program, in which every allocation is recorded.
//!
//! It runs under the project's own interpreter, not an overlay's: memray comes in by a folder that
//! is on the import path for a moment only. Children and forks of the program are not followed.

use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

use serde::Serialize;
use tokio::time::Instant;

use super::confine::Confinement;
use super::error::RecordError;
use super::import::MAX_DOCUMENT_BYTES;
use super::naming::real_path;
use super::place::Place;
use super::record::{self, Event, Recorder};
use super::request::{MOST_DISK, RunRequest};
use super::secrets;
use super::shown::Shown;
use super::workspace::{self, Workspace};
use crate::process::{self, Controls, EndedBy, Exit, Finished, Limits, Spec, Tick};
use crate::profile::{AllocationProof, Profile, Seconds, signal_name};
use crate::python::{self, Interpreter, OverlayError};
use crate::scalene::{LAUNCHER, LaunchPhase, LaunchRequest, LaunchState, Scope, ScopeRequest};
use crate::tracker::{self, TrackRequest};

/// Time between asking the tracked program to end and killing it: the tracker closes its file then.
const GRACE: Duration = Duration::from_secs(2);
/// Installing memray took four to seven seconds on a busy machine; an index that does not answer
/// must not take the time of the run.
const INSTALL_WITHIN: Duration = Duration::from_secs(20);
/// Kept of the time for closing and reading memray's file.
const FOR_READING: Duration = Duration::from_secs(6);
/// Less than this is not worth starting.
const LEAST: Duration = Duration::from_secs(2);

/// A tracked run: of what, and until when.
#[derive(Debug, Clone)]
pub struct Proving {
    /// The run that was profiled.
    pub request: RunRequest,
    /// The evidence must be there by then.
    pub deadline: Instant,
}

/// The launcher's request with the tracker's part.
#[derive(Serialize)]
struct Request {
    #[serde(flatten)]
    launch: LaunchRequest,
    tracker: TrackRequest,
}

impl Recorder {
    /// Runs the program of a profile again and returns the profile with the evidence.
    ///
    /// # Errors
    /// [`RecordError`] when there is no evidence; [`RecordError::NotTracked`] says why.
    pub async fn prove(
        &self,
        profile: &Profile,
        proving: &Proving,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Profile, RecordError> {
        let request = &proving.request;
        if request.is_function() {
            return Err(not_tracked("the calls of a function are not run again"));
        }
        let place = self.place(request)?;
        let guard = &self.settings.guard;
        let found =
            python::find(&self.python_request(request, &place), &self.env, controls).await?;
        let (packages, refused) = self.memray(&found, controls, on_event).await?;

        let mut workspace = Workspace::create()?;
        let confinement = Confinement::new(guard, request, &place, &[&found], &workspace, controls)
            .await?
            .with_read(packages.clone());
        workspace.write("launch.py", tracker::launcher(LAUNCHER).as_bytes())?;
        workspace.write("read.py", tracker::READER.as_bytes())?;
        let shown = Shown::write(request, &place, &workspace)?;
        let launch = record::launch_request(request, &place, &workspace, &shown)?;
        let tracker = TrackRequest {
            packages,
            refused,
            capture: workspace.output("capture.bin"),
            document: workspace.output("proof.json"),
        };
        let paths = (tracker.capture.clone(), tracker.document.clone(), tracker.packages.clone());
        workspace.write_request(&Request { launch, tracker })?;

        let left = proving.deadline.saturating_duration_since(Instant::now());
        let limit = left.saturating_sub(FOR_READING).min(request.timeout);
        if limit < LEAST {
            return Err(not_tracked("no time was left to run the program again"));
        }
        on_event(Event::Starting);
        let mut spec = spec(request, &place, &found, &workspace);
        spec.env_remove = secrets::withheld(request, &guard.pass_env);
        let spec = confinement.dress(spec, false);
        let limits = Limits {
            timeout: Some(limit),
            grace: GRACE,
            memory: request.memory_limit(),
            disk: Some(MOST_DISK),
        };
        let mut on_tick = |tick: Tick| on_event(Event::Running(tick));
        let finished = process::run(&spec, limits, controls, &mut on_tick).await?;
        workspace.hold(finished.hold.clone());
        on_event(Event::Reading);
        if matches!(finished.ended_by, EndedBy::Cancel | EndedBy::Stop) {
            return Err(RecordError::Cancelled);
        }
        if let Some(refused) = confinement.refused(&finished) {
            return Err(refused);
        }
        let state = workspace.read_state();
        let (capture, document, packages) = paths;
        if !document.exists() && capture.exists() {
            let script = workspace.path("read.py");
            let args = [&script, packages.as_deref().unwrap_or(Path::new("")), &capture, &document];
            let args = ["-I", "-B"].map(Into::into).into_iter().chain(args.map(Into::into));
            // The file comes from the program: it is read as confined as the program was.
            let spec = confinement.dress(reader(&found, args.collect()), false);
            read_capture(&spec, proving.deadline, controls).await?;
        }
        let read = move || workspace::read(&document, MAX_DOCUMENT_BYTES);
        let read = tokio::task::spawn_blocking(read).await;
        let json = read.ok().flatten().ok_or_else(|| why_nothing(&finished, &state))?;
        let names = names(request, &place, &found, &workspace, shown);
        let mut proof = tracker::read(&json, &names).map_err(|error| {
            not_tracked(format!("the tracker's file is not readable ({error})"))
        })?;
        settle(&mut proof, &finished, &state);
        Ok(Profile { proof: Some(proof), ..profile.clone() })
    }

    /// The folder with memray, or the reason why there is none.
    async fn memray(
        &self,
        found: &Interpreter,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<(Option<std::path::PathBuf>, Option<String>), RecordError> {
        let settings = &self.settings;
        let mut report = |step: &str| on_event(Event::SettingUp(step.to_owned()));
        let (cache, allowed) = (&settings.cache_dir, settings.allow_install);
        let own = Controls { cancel: controls.cancel.child_token(), ..controls.clone() };
        let install = python::ensure_memray(found, cache, allowed, &own, &mut report);
        tokio::pin!(install);
        let installed = tokio::select! {
            installed = &mut install => installed,
            () = tokio::time::sleep(INSTALL_WITHIN) => {
                own.cancel.cancel();
                install.await
            }
        };
        match installed {
            Ok(packages) => Ok((packages, None)),
            Err(OverlayError::Cancelled) if controls.cancel.is_cancelled() => {
                Err(RecordError::Cancelled)
            }
            Err(OverlayError::Cancelled) => Ok((
                None,
                Some(format!("memray could not be installed in {} s", INSTALL_WITHIN.as_secs())),
            )),
            Err(error) => Ok((None, Some(error.to_string()))),
        }
    }
}

fn not_tracked(why: impl Into<String>) -> RecordError {
    RecordError::NotTracked(why.into())
}

fn spec(request: &RunRequest, place: &Place, python: &Interpreter, workspace: &Workspace) -> Spec {
    let given = request.env.iter().map(|(name, value)| (name.into(), value.into()));
    Spec {
        program: python.executable.clone(),
        args: vec![workspace.launcher().into(), workspace.request().into()],
        cwd: Some(place.cwd.clone()),
        env: given.chain(record::private_env(request, workspace)).collect(),
        env_remove: Vec::new(),
        stdin: request.stdin.as_ref().map(|text| text.clone().into_bytes()),
        folder: Some(workspace.root()),
        pid_files: None,
        begun: None,
        keep_stdout: 0,
        sought: None,
    }
}

fn reader(python: &Interpreter, args: Vec<OsString>) -> Spec {
    Spec { program: python.executable.clone(), args, ..Spec::default() }
}

/// Has memray's file read by the interpreter that wrote it.
async fn read_capture(
    spec: &Spec,
    deadline: Instant,
    controls: &Controls,
) -> Result<(), RecordError> {
    let left = deadline.saturating_duration_since(Instant::now()).max(LEAST);
    let limits = Limits { timeout: Some(left), ..Limits::default() };
    let finished = process::run(spec, limits, controls, &mut |_| {}).await?;
    match (finished.ended_by, finished.exit) {
        (EndedBy::Itself, Exit::Code(0)) => Ok(()),
        (EndedBy::Cancel | EndedBy::Stop, _) => Err(RecordError::Cancelled),
        (EndedBy::Timeout | EndedBy::Memory(_) | EndedBy::Disk(_), _) => Err(not_tracked(
            "the program allocates so often that what was recorded could not be read in time",
        )),
        (EndedBy::Itself, _) => {
            let said = finished.stderr.end().trim().lines().next_back().unwrap_or_default();
            Err(not_tracked(format!("memray's file could not be read ({said})")))
        }
    }
}

/// How the user's files are called in the profile.
fn names(
    request: &RunRequest,
    place: &Place,
    python: &Interpreter,
    workspace: &Workspace,
    shown: Shown,
) -> impl Fn(&str) -> Option<String> {
    let texts = shown.pattern();
    let typed_dir = place.script.as_ref().and_then(|script| script.absolute.parent());
    let scope = Scope::settle(&ScopeRequest {
        near: place.near(),
        alias: typed_dir.filter(|dir| !dir.starts_with(&place.root)),
        extra_file: texts.as_deref(),
        library_paths: &python.library_paths,
        profile_all: request.measure.profile_all,
        ..ScopeRequest::new(&place.root)
    });
    let libraries = python.library_paths.clone();
    let own = workspace.path("");
    move |file: &str| {
        if let Some(name) = shown.name(file) {
            return Some(name.to_owned());
        }
        let real = real_path(file);
        let covered = scope.covers(file, &libraries) || scope.covers(&real, &libraries);
        (covered && !Path::new(file).starts_with(&own)).then_some(real)
    }
}

/// What of the run a reader of the evidence should know.
fn settle(proof: &mut AllocationProof, finished: &Finished, state: &LaunchState) {
    proof.elapsed = state.program_seconds().and_then(Seconds::from_secs);
    if finished.ended_by == EndedBy::Timeout {
        let ran = proof.elapsed.or_else(|| Seconds::from_secs(finished.wall.as_secs_f64()));
        proof.stopped_after = ran;
        proof.notes.push(format!(
            "the second run was stopped after {} s: nothing is known of what comes later",
            ran.unwrap_or_default()
        ));
    } else if let EndedBy::Memory(_) | EndedBy::Disk(_) = finished.ended_by {
        proof.notes.push("the second run was stopped at a limit of memory or disk".to_owned());
    } else if state.phase != LaunchPhase::Finished {
        let how = match finished.exit {
            Exit::Signal(number) => signal_name(number),
            Exit::Code(code) => format!("exit {code}"),
            Exit::Unknown => "an unknown cause".to_owned(),
        };
        proof.notes.push(format!(
            "the second run ended before its allocations were added up ({how}): the last ones may be missing"
        ));
    } else if let Some(exception) = &state.exception {
        proof.notes.push(format!("the second run ended with {exception}"));
    }
    if let Some(why) = &proof.tracker.fallback {
        proof.notes.push(format!(
            "tracemalloc was used, since {why}: it slows programs with many small objects down 30 to 40 times, \
             sees only what Python itself allocates, and knows the peak by looks a moment apart"
        ));
    }
}

fn why_nothing(finished: &Finished, state: &LaunchState) -> RecordError {
    if let Some(error) = &state.error {
        return not_tracked(format!("the second run failed: {}", error.message));
    }
    let how = match finished.ended_by {
        EndedBy::Timeout => "it did not end when asked, at the limit of time".to_owned(),
        EndedBy::Memory(_) => "it went over the limit of memory".to_owned(),
        EndedBy::Disk(_) => "it went over the limit of disk".to_owned(),
        _ => {
            let said = finished.stderr.end().trim().lines().next_back().unwrap_or_default();
            format!("it left nothing behind ({said})")
        }
    };
    not_tracked(format!("the second run gave no evidence: {how}"))
}
