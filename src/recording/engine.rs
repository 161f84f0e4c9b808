//! Who measures: Scalene, or the sampler where Scalene cannot run or is not wanted.

use std::time::Duration;

use super::error::RecordError;
use super::place::Place;
use super::plain;
use super::record::{Event, Recorder};
use super::request::{EngineChoice, Measure, RunRequest, Target};
use super::setup::{self, Ready};
use super::suite;
use super::workspace::Workspace;
use crate::process::{Controls, Spec};
use crate::profile::{Engine, Profile, ProfileId};
use crate::python::Interpreter;
use crate::sampler::Look;

/// Runs a snippet's file as `python -c` would, and names it in tracebacks and stacks: its first argument. No name is
/// left behind.
const SNIPPET_BOOT: &str = "exec(compile(open(__import__('sys').argv[1], 'rb').read(), \
                            __import__('sys').argv.pop(1), 'exec'))";

/// Shortest time between two reads, seconds.
const FINEST: f64 = 0.001;

impl Recorder {
    /// Profiles one program, once, by the engine that was asked for. Where Scalene cannot run and was not insisted
    /// on, the sampler takes over, unless the program has begun: nobody runs twice unasked.
    pub(super) async fn record_by_engine(
        &self,
        id: ProfileId,
        request: &RunRequest,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Profile, RecordError> {
        let first = Box::pin(self.record_once(id.clone(), request, controls, on_event)).await;
        let error = match first {
            Err(error) if takes_over(request, &error) && !controls.cancel.is_cancelled() => error,
            other => return other,
        };
        tracing::info!(%error, "the sampler takes over");
        let sampled = RunRequest { engine: EngineChoice::Sampler, ..request.clone() };
        let mut profile = match Box::pin(self.record_once(id, &sampled, controls, on_event)).await {
            // Where that cannot be either, the first reason is the one to mend.
            Err(RecordError::SamplerFailed { .. }) => return Err(error),
            taken => taken?,
        };
        profile.run.parameters = request.parameters();
        profile.run.warnings.insert(0, instead(&error));
        Ok(profile)
    }
}

fn takes_over(request: &RunRequest, error: &RecordError) -> bool {
    let asked = request.allowed.ask_install && matches!(error, RecordError::ScaleneMissing { .. });
    !asked
        && !request.needs_launcher()
        && cfg!(target_os = "linux")
        && request.engine == EngineChoice::Auto
        && error.is_scalenes()
}

fn instead(error: &RecordError) -> String {
    format!(
        "Scalene could not run ({error}): the sampler measured instead; {} (engine=scalene insists on Scalene)",
        error.hint()
    )
}

/// The request of a further run of the same program: it is measured by whoever measured the first.
pub(super) fn as_first(mut request: RunRequest, first: Option<&Profile>) -> RunRequest {
    if first.is_some_and(|profile| profile.engine() == Engine::Sampler) {
        request.engine = EngineChoice::Sampler;
    }
    request
}

/// An interpreter with what the engine needs: the sampler needs nothing.
pub(super) async fn ready(
    recorder: &Recorder,
    request: &RunRequest,
    found: Interpreter,
    controls: &Controls,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<Ready, RecordError> {
    match request.engine {
        EngineChoice::Sampler => Ok(Ready::plain(found)),
        _ => setup::equip(recorder, found, controls, on_event).await,
    }
}

/// What was asked for and the sampler, where it is to measure, does not.
pub(super) fn unmeasured(request: &RunRequest) -> Vec<String> {
    let (measure, usual) = (&request.measure, Measure::default());
    let mut warnings = Vec::new();
    if request.engine != EngineChoice::Sampler {
        return warnings;
    }
    if measure.memory {
        warnings.push(
            "engine sampler: time and waiting only; memory by line is not measured (memory=true has no effect)".to_owned(),
        );
    }
    let ignored = [
        ("gpu", measure.gpu),
        ("stacks", measure.stacks),
        ("async_profile", measure.async_profile == Some(true)),
        (
            "allocation_sampling_window",
            measure.allocation_sampling_window != usual.allocation_sampling_window,
        ),
    ];
    let ignored: Vec<_> = ignored.iter().filter(|(_, set)| *set).map(|(name, _)| *name).collect();
    if !ignored.is_empty() {
        let paths = if measure.stacks { "; get_call_paths has the call paths" } else { "" };
        warnings.push(format!("engine sampler: no effect have {}{paths}", ignored.join(", ")));
    }
    warnings
}

/// How the program's stacks are read: beside Scalene every 10 ms, alone as often as was asked for.
pub(super) fn look(request: &RunRequest, workspace: &Workspace) -> Look {
    if request.engine == EngineChoice::Sampler {
        let interval = request.measure.cpu_sampling_rate.max(FINEST);
        return Look { interval: Duration::from_secs_f64(interval), ..Look::default() };
    }
    let launcher = workspace.launcher().to_string_lossy().into_owned();
    Look { runner: Some(launcher), ..Look::default() }
}

/// The program as plain Python runs it.
pub(super) fn plain(
    request: &RunRequest,
    place: &Place,
    ready: &Ready,
    workspace: &Workspace,
) -> Spec {
    let mut spec = plain::spec(request, place, ready, workspace, &workspace.root());
    if request.tests.is_some() {
        spec.args = suite::arguments(workspace).into_iter().map(Into::into).collect();
        // As `python -m pytest` has it.
        plain::add_to_path(&mut spec, request, &place.cwd);
    }
    if let Some(folder) = workspace.blocks_module().parent() {
        plain::add_behind_path(&mut spec, folder);
    }
    if let Target::Snippet(_) = request.target {
        spec.args.splice(0..0, ["-c".into(), SNIPPET_BOOT.into()]);
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sampler_takes_over_only_where_it_may() {
        let missing = RecordError::NoScaleneFor("3.14.0".to_owned());
        let mut request = RunRequest::new(Target::Script("a.py".to_owned()));
        assert_eq!(takes_over(&request, &missing), cfg!(target_os = "linux"));
        assert!(!takes_over(&request, &RecordError::Cancelled));
        request.engine = EngineChoice::Scalene;
        assert!(!takes_over(&request, &missing));
    }

    #[test]
    fn what_is_not_measured_is_said() {
        let mut request = RunRequest::new(Target::Script("a.py".to_owned()));
        assert!(unmeasured(&request).is_empty());
        request.engine = EngineChoice::Sampler;
        request.measure.gpu = true;
        let told = unmeasured(&request).join("\n");
        assert!(told.contains("memory=true") && told.contains("no effect have gpu"), "{told}");
        request.measure = Measure { memory: false, ..Measure::default() };
        assert!(unmeasured(&request).is_empty());
    }
}
