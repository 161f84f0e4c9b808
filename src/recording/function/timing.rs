//! The run that times the calls, without any profiler.

use std::ffi::OsString;
use std::time::Duration;

use serde::Deserialize;

use super::{CallFailure, asked};
use crate::process::{self, Controls, EndedBy, Finished, Limits, Spec};
use crate::profile::{CallMemory, PerCall, Seconds};
use crate::recording::confine::Confinement;
use crate::recording::error::{self, Ran, RecordError};
use crate::recording::outcome;
use crate::recording::place::Place;
use crate::recording::plain;
use crate::recording::record::{self, Event};
use crate::recording::request::{MOST_DISK, RunRequest, Target};
use crate::recording::setup::Ready;
use crate::recording::shown::{Shown, output};
use crate::recording::workspace::{self, Workspace};

/// Time between asking and killing: there is nothing to write.
const GRACE: Duration = Duration::from_secs(2);
/// Largest answer that is read.
const MOST_BYTES: u64 = 1 << 20;
/// Longest message of a failure, in characters.
const MESSAGE: usize = 1000;
/// Most names that are suggested.
const NEAR: usize = 8;

/// What the run found out.
#[derive(Debug, Clone, Default)]
pub(in crate::recording) struct Timed {
    /// Times of a call; absent where the run was stopped before.
    pub(in crate::recording) per_call: Option<PerCall>,
    /// How the result of a call is used up.
    pub(super) form: String,
    /// File of the function, where it is one of Python.
    pub(in crate::recording) file: Option<String>,
    /// Why there are no times.
    pub(in crate::recording) warning: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Answer {
    figures: Option<Figures>,
    error: Option<Failure>,
}

#[derive(Debug, Deserialize)]
struct Figures {
    min: f64,
    median: f64,
    p95: f64,
    first: f64,
    timings: u64,
    batch: u64,
    early: f64,
    late: f64,
    first_imported: Vec<String>,
    changed: bool,
    memory: Option<Memory>,
    form: String,
    file: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Memory {
    peak: f64,
    kept: f64,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Failure {
    kind: String,
    message: String,
    near: Vec<String>,
    exception: Option<String>,
}

/// What the run takes from the one that it goes before.
pub(in crate::recording) struct Around<'a> {
    request: &'a RunRequest,
    place: &'a Place,
    ready: &'a Ready,
    workspace: &'a Workspace,
    shown: &'a Shown,
}

impl<'a> Around<'a> {
    pub(in crate::recording) fn new(
        request: &'a RunRequest,
        place: &'a Place,
        ready: &'a Ready,
        workspace: &'a Workspace,
        shown: &'a Shown,
    ) -> Self {
        Self { request, place, ready, workspace, shown }
    }
}

/// Times the calls of a function; of other programs there is nothing to find out. A run that is stopped at a limit has no
/// times, and the profile may say why. `hidden` are variables that it must not see.
///
/// # Errors
/// [`RecordError::Call`] when the function cannot be called or raises something.
pub(in crate::recording) async fn time(
    around: Around<'_>,
    (confinement, hidden): (&Confinement, &[OsString]),
    controls: &Controls,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Timed, RecordError> {
    let Around { request, place, workspace, .. } = around;
    let Target::Function(call) = &request.target else { return Ok(Timed::default()) };
    on_event(Event::Timing);
    let wanted = asked(call, request, place, workspace, None);
    workspace.write("call.py", super::CALLER.as_bytes())?;
    workspace.write("calls-request.json", wanted.to_string().as_bytes())?;
    let limits = Limits {
        timeout: Some(request.timeout),
        grace: GRACE,
        memory: request.memory_limit(),
        disk: Some(MOST_DISK),
    };
    let mut spec = Spec { env_remove: hidden.to_vec(), ..spec(&around) };
    plain::add_idle_modules(&mut spec, workspace);
    let spec = confinement.dress(spec, false);
    let finished = process::run(&spec, limits, controls, &mut |_| {}).await?;
    if let Some(refused) = confinement.refused(&finished) {
        return Err(refused);
    }
    let written = workspace::read(&workspace.output("calls.json"), MOST_BYTES);
    let answer: Answer = { written.as_deref() }
        .and_then(|bytes| serde_json::from_slice(bytes).ok())
        .unwrap_or_default();
    // What the first run left in its temporary folder must not help the second.
    workspace.renew_tmp()?;
    conclude(answer, &finished, &around, confinement)
}

fn spec(around: &Around<'_>) -> Spec {
    let Around { request, workspace, ready, .. } = around;
    let interpreter = ready.project.as_ref().unwrap_or(&ready.interpreter);
    let mut env: Vec<(OsString, OsString)> =
        request.env.iter().map(|(name, value)| (name.into(), value.into())).collect();
    env.extend(record::private_env(request, workspace));
    if let Some((_, tmp)) = request.env.iter().find(|(name, _)| name == "TMPDIR") {
        env.push(("TMPDIR".into(), tmp.into()));
    }
    Spec {
        program: interpreter.executable.clone(),
        args: vec![workspace.path("call.py").into(), workspace.path("calls-request.json").into()],
        cwd: Some(around.place.cwd.clone()),
        env,
        stdin: request.stdin.as_ref().map(|text| text.clone().into_bytes()),
        folder: Some(workspace.root()),
        ..Spec::default()
    }
}

fn conclude(
    answer: Answer,
    finished: &Finished,
    around: &Around<'_>,
    confinement: &Confinement,
) -> Result<Timed, RecordError> {
    let exception = answer.error.as_ref().and_then(|error| error.exception.clone());
    let ran = || {
        Box::new(Ran {
            outcome: outcome::outcome(finished),
            seconds: Some(finished.wall.as_secs_f64()),
            begun: true,
            refused: confinement.remark(exception.as_deref()),
            exception: exception.clone(),
            stdout: output(&finished.stdout, around.shown),
            stderr: output(&finished.stderr, around.shown),
        })
    };
    match finished.ended_by {
        EndedBy::Cancel => return Err(RecordError::Cancelled),
        EndedBy::Stop => return Err(RecordError::Stopped(ran())),
        EndedBy::Itself => {}
        EndedBy::Timeout | EndedBy::Memory(_) | EndedBy::Disk(_) => {
            let limit = match finished.ended_by {
                EndedBy::Timeout => {
                    format!("time limit of {} s", around.request.timeout.as_secs_f64())
                }
                EndedBy::Memory(_) => "memory limit".to_owned(),
                _ => "disk limit".to_owned(),
            };
            let warning = format!(
                "nothing is known of single calls: the run that times them was stopped at the {limit}"
            );
            return Ok(Timed { warning: Some(warning), ..Timed::default() });
        }
    }
    if let Some(error) = answer.error {
        let (failure, message) = (CallFailure::told(&error.kind), short(&error.message));
        let near = error.near.iter().take(NEAR).map(|name| short(name)).collect();
        return Err(RecordError::Call { failure, message, near, ran: ran() });
    }
    let Some(figures) = answer.figures else {
        let ran = ran();
        let message = format!("the calls ended their process: {}", error::how(&ran));
        return Err(RecordError::Call {
            failure: CallFailure::CallFailed,
            message,
            near: Vec::new(),
            ran,
        });
    };
    let form = figures.form.clone();
    let file = figures.file.clone();
    let per_call = per_call(figures);
    let warning = per_call.is_none().then(|| "the times of single calls make no sense".to_owned());
    Ok(Timed { per_call, form, file, warning })
}

fn short(text: &str) -> String {
    text.chars().take(MESSAGE).collect()
}

fn per_call(found: Figures) -> Option<PerCall> {
    let bytes = |value: f64| {
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "bounded, and not negative"
        )]
        let whole = value.clamp(0.0, 1e15) as u64;
        whole
    };
    let mut first_imported = found.first_imported;
    first_imported.truncate(10);
    Some(PerCall {
        min: Seconds::from_secs(found.min)?,
        median: Seconds::from_secs(found.median)?,
        p95: Seconds::from_secs(found.p95)?,
        first: Seconds::from_secs(found.first)?,
        calls: found.timings.saturating_mul(found.batch),
        batch: found.batch,
        early: Seconds::from_secs(found.early)?,
        late: Seconds::from_secs(found.late)?,
        first_imported: first_imported.iter().map(|name| short(name)).collect(),
        changed_arguments: found.changed,
        memory: found.memory.map(|memory| CallMemory {
            peak_bytes: bytes(memory.peak),
            kept_bytes: bytes(memory.kept),
        }),
        profiled: None,
    })
}
