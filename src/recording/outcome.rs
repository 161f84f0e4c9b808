//! What became of a run: a profile, or the reason why there is none.

use std::time::SystemTime;

use super::confine::Confinement;
use super::error::{Ran, RecordError};
use super::floor::floor;
use super::followed::Followed;
use super::import::MAX_DOCUMENT_BYTES;
use super::markers::marked;
use super::naming::real_path;
use super::place::Place;
use super::request::{EngineChoice, MOST_DISK, RunRequest, Target};
use super::setup::Ready;
use super::shown::{Shown, output};
use super::stacks::{self, Own};
use super::suite::{Report, Tests};
use super::workspace::{self, SNIPPET, Workspace};
use crate::analysis::{self, thresholds::RANKING_SAMPLES};
use crate::process::{EndedBy, Exit, Finished};
use crate::profile::{
    BlockRange, Calls, CoveredUntil, Engine, Environment, Measured, Mebibytes, Outcome, PerCall,
    Profile, ProfileId, Program, ProgramKind, RawDocument, Reporting, RunInfo, Seconds, Status,
    Witness, signal_name,
};
use crate::sampler::{Sampler, Seen};
use crate::sandbox::Mode;
use crate::scalene::{HIDDEN_FILE, LaunchState, ParseError, Parsed, RecordOptions, parse};

/// A program that ran for less has no samples to speak of. Scalene samples every 10 ms on
/// average; on a busy machine it was seen to miss programs of 0.2 s.
pub(super) const SHORT_SECONDS: f64 = 0.3;

/// Everything known at the end of a run.
pub(super) struct Conclusion {
    pub(super) id: ProfileId,
    pub(super) request: RunRequest,
    pub(super) place: Place,
    pub(super) ready: Ready,
    pub(super) options: RecordOptions,
    pub(super) finished: Finished,
    pub(super) followed: Option<Followed>,
    pub(super) state: LaunchState,
    pub(super) started_at: SystemTime,
    pub(super) load: Option<f64>,
    pub(super) confinement: Confinement,
    pub(super) warnings: Vec<String>,
    /// Resident size over time, where that is told.
    pub(super) resident: Vec<(Seconds, Mebibytes)>,
    pub(super) shown: Shown,
    pub(super) per_call: Option<PerCall>,
    pub(super) blocks: Vec<BlockRange>,
}

/// Concludes on a thread where that holds nobody up; the run's folder comes back with what became of it.
pub(super) async fn concluded(
    conclusion: Conclusion,
    sampler: Option<Sampler>,
    workspace: Workspace,
) -> Result<(Result<Profile, RecordError>, Workspace), RecordError> {
    let conclude = move || {
        let seen = sampler.map(Sampler::finish).unwrap_or_default();
        (conclude(conclusion, &seen, &workspace), workspace)
    };
    tokio::task::spawn_blocking(conclude).await.map_err(|error| match error.try_into_panic() {
        // The caller's to tell: it is no cancellation.
        Ok(panic) => std::panic::resume_unwind(panic),
        Err(_) => RecordError::Cancelled,
    })
}

fn conclude(
    conclusion: Conclusion,
    seen: &Seen,
    workspace: &Workspace,
) -> Result<Profile, RecordError> {
    if conclusion.finished.ended_by == EndedBy::Cancel {
        return Err(RecordError::Cancelled);
    }
    if let Some(refused) = conclusion.confinement.refused(&conclusion.finished) {
        return Err(refused);
    }
    let ran = Box::new(conclusion.ran(workspace));
    if let Some(missed) = conclusion.missed(&ran) {
        return Err(missed);
    }
    let tests = conclusion.request.tests.as_ref().map(|tests| {
        let report = Report::read(workspace, &conclusion.state);
        let failure = report.failure(tests, &ran).map(|error| conclusion.of_project(error));
        failure.map_or(Ok(report), Err)
    });
    let tests = tests.transpose()?;
    if let Some(failure) = conclusion.call_failure(&ran) {
        return Err(failure);
    }
    let calls = stacks::calls(&conclusion.own(), seen);
    if conclusion.ready.scalene.is_none() {
        return conclusion.sampled((calls, seen), ran, tests, workspace);
    }
    let path = workspace.profile();
    if workspace::regular(&path).is_some_and(|(_, size)| size > MAX_DOCUMENT_BYTES) {
        let source = ParseError::NotAProfile("it is larger than 256 MiB");
        return Err(RecordError::InvalidProfile { source, ran });
    }
    let document = workspace::read(&path, MAX_DOCUMENT_BYTES);
    match document.as_deref().map(parse) {
        Some(Ok(mut parsed)) => {
            let filtered = conclusion.keep_wanted(&mut parsed, workspace);
            if filtered && parsed.files.is_empty() {
                return Err(conclusion.filtered_out(ran));
            }
            let raw = document.as_deref().and_then(RawDocument::keep);
            let seen = (calls, seen);
            Ok(Profile { raw, ..conclusion.into_profile(parsed, seen, *ran, tests, workspace) })
        }
        unread => {
            let failure = match unread {
                Some(Err(ParseError::Empty)) => conclusion.nothing(ran.clone(), true),
                // A killed writer leaves half a document: the kill is the reason, not the half.
                Some(Err(ParseError::Truncated { .. })) if conclusion.finished.forced => {
                    conclusion.nothing(ran.clone(), false)
                }
                Some(Err(source)) => RecordError::InvalidProfile { source, ran: ran.clone() },
                Some(Ok(_)) | None => conclusion.nothing(ran.clone(), false),
            };
            let calls = calls.filter(analysis::usable);
            // What became of tests is worth telling, however little time they took.
            let none = matches!(
                failure,
                RecordError::TooShort(_)
                    | RecordError::NothingSampled { .. }
                    | RecordError::ProgramFailed(_)
            );
            if calls.is_none() && !(tests.is_some() && none) {
                return Err(failure);
            }
            let parsed = conclusion.without_scalene(&failure, calls.as_ref());
            Ok(conclusion.into_profile(parsed, (calls, seen), *ran, tests, workspace))
        }
    }
}

impl Conclusion {
    /// A failure that names the user's interpreter, not the private one made from it.
    fn of_project(&self, error: RecordError) -> RecordError {
        let Some(project) = &self.ready.project else { return error };
        let [own, theirs] =
            [&self.ready.interpreter, project].map(|one| one.executable.display().to_string());
        match error {
            RecordError::NoPytest { problem, ran } => {
                RecordError::NoPytest { problem: problem.replace(&own, &theirs), ran }
            }
            other => other,
        }
    }

    /// What of the stacks is the user's own.
    fn own(&self) -> Own<'_> {
        let libraries = &self.ready.interpreter.library_paths;
        Own {
            scope: &self.options.scope,
            libraries,
            cwd: &self.place.cwd,
            shown: &self.shown,
            whole: false,
        }
    }

    /// Seconds from the start of the process to its end.
    fn wall(&self) -> f64 {
        let kept = self.finished.usage.map(|usage| usage.wall);
        kept.unwrap_or(self.finished.wall).as_secs_f64()
    }

    /// The profile of a run that the sampler alone looked at.
    fn sampled(
        self,
        (calls, seen): (Option<Calls>, &Seen),
        ran: Box<Ran>,
        tests: Option<Report>,
        workspace: &Workspace,
    ) -> Result<Profile, RecordError> {
        let Some(calls) = calls else {
            let unseen =
                |why: &String| RecordError::SamplerFailed { why: why.clone(), ran: ran.clone() };
            let failure = seen.trouble.as_ref().map(unseen);
            return Err(failure.unwrap_or_else(|| self.nothing(ran, true)));
        };
        // Of a part of the run the time that was looked at.
        let whole = self.request.window.is_whole();
        let seconds = if whole { self.wall() } else { calls.sampling.attributed };
        let parsed = Parsed { elapsed: Seconds::from_secs(seconds), ..Parsed::default() };
        Ok(self.into_profile(parsed, (Some(calls), seen), *ran, tests, workspace))
    }

    fn outcome(&self) -> Outcome {
        let is_over = matches!(&self.followed, Some(Followed::Part(covered)) if covered.until != CoveredUntil::Program);
        if is_over && self.finished.ended_by == EndedBy::Stop {
            return Outcome::Covered;
        }
        outcome(&self.finished)
    }

    /// The time that shares are parts of, with a remark where that is less than the wall time. Who runs tests, or
    /// calls the handlers of a server, is no code of the user's: its time is in no line.
    fn elapsed(&self, parsed: &Parsed, calls: Option<&Calls>) -> (Option<Seconds>, Option<String>) {
        let covered = self.followed.as_ref().and_then(|followed| followed.seconds(&self.state));
        let Some(all) = covered.or(parsed.elapsed) else { return (None, None) };
        let called = self.request.tests.is_some() || covered.is_some();
        let Some(part) = calls.filter(|_| called).and_then(stacks::own_part) else {
            return (Some(all), None);
        };
        let own = Seconds::from_secs(all.get() * part).unwrap_or(all);
        let remark = format!(
            "of {all} s, {own} s went to the project's code and what it called: shares and seconds are of these; the rest is \
             the runner's, or waits for work"
        );
        (Some(own), Some(remark))
    }

    fn ran(&self, workspace: &Workspace) -> Ran {
        Ran {
            outcome: self.outcome(),
            seconds: { self.state.program_seconds() }
                .or_else(|| self.ready.scalene.is_none().then(|| self.wall())),
            begun: self.ready.scalene.is_none()
                || self.state.program_started_at.is_some()
                || workspace.begun().exists(),
            exception: self.state.exception.clone(),
            refused: self.confinement.remark(self.state.exception.as_deref()),
            stdout: output(&self.finished.stdout, &self.shown),
            stderr: output(&self.finished.stderr, &self.shown),
        }
    }

    pub(super) fn filtered_out(&self, ran: Box<Ran>) -> RecordError {
        let measure = &self.request.measure;
        let (only, exclude) = (measure.profile_only.clone(), measure.profile_exclude.clone());
        RecordError::FilteredOut { only, exclude, ran }
    }

    /// What is known where Scalene left no profile and the stacks are all there is.
    fn without_scalene(&self, failure: &RecordError, calls: Option<&Calls>) -> Parsed {
        let attributed = calls.map_or(0.0, |calls| calls.sampling.attributed);
        let elapsed = self.state.program_seconds().unwrap_or(attributed);
        let Some(_) = calls else {
            let warnings = vec![format!("no line has figures: {failure}")];
            return Parsed { elapsed: Seconds::from_secs(elapsed), warnings, ..Parsed::default() };
        };
        let memory = if self.options.memory { "; nothing is known about memory" } else { "" };
        Parsed {
            elapsed: Seconds::from_secs(elapsed),
            warnings: vec![format!(
                "Scalene left no profile ({failure}): times are from stacks alone{memory}"
            )],
            ..Parsed::default()
        }
    }

    /// Gives files their real paths and drops those that are not wanted: Scalene applies its
    /// patterns to time, not to memory. True when the caller's patterns dropped any.
    fn keep_wanted(&self, parsed: &mut Parsed, workspace: &Workspace) -> bool {
        let launcher = real_path(&workspace.launcher().to_string_lossy());
        let names = parsed.files.iter_mut().map(|file| &mut file.path);
        let frames = parsed.call_paths.iter_mut().flat_map(|path| &mut path.frames);
        for name in names.chain(frames.map(|frame| &mut frame.file)) {
            *name = real_path(name);
        }
        parsed.files.retain(|file| file.path != launcher);
        if let Some(footprint) = &mut parsed.footprint {
            for path in &mut footprint.allocation_paths {
                path.frames.retain(|frame| real_path(&frame.file) != launcher);
            }
            footprint.allocation_paths.retain(|path| !path.frames.is_empty());
            let at = footprint.peak_at.take().map(|(file, line)| (real_path(&file), line));
            footprint.peak_at = at.filter(|(file, _)| *file != launcher && file != HIDDEN_FILE);
        }
        let before = parsed.files.len();
        let matches = |path: &str, list: &str| {
            let mut patterns = list.split(',').map(str::trim).filter(|pattern| !pattern.is_empty());
            patterns.any(|pattern| path.contains(pattern))
        };
        let measure = &self.request.measure;
        let all = measure.profile_only.trim().is_empty();
        parsed.files.retain(|file| {
            (all || matches(&file.path, &measure.profile_only))
                && !matches(&file.path, &measure.profile_exclude)
        });
        parsed.files.len() < before
    }

    fn into_profile(
        self,
        mut parsed: Parsed,
        (calls, seen): (Option<Calls>, &Seen),
        ran: Ran,
        tests: Option<Report>,
        workspace: &Workspace,
    ) -> Profile {
        let mut warnings = self.first_warnings(tests.as_ref(), seen, &ran);
        warnings.append(&mut parsed.warnings);
        warnings.extend(self.state.warnings.iter().cloned());
        self.shown.rename(&mut parsed);
        let measure = &self.request.measure;
        let sampled = self.ready.scalene.is_none();
        let whole = calls.as_ref().filter(|_| seen.trouble.is_none() || sampled);
        let timed_by = whole.map_or(Witness::Scalene, |calls| {
            let mut source = |path: &str| self.confinement.source(path, &self.shown);
            let time = if sampled { analysis::timed_by_stacks } else { analysis::reconcile };
            time(&mut parsed.files, calls, measure.use_virtual_time, &mut source)
        });
        warnings.extend(calls.as_ref().filter(|_| sampled).and_then(stacks::doubtful));
        warnings.extend(self.more_warnings(&parsed));
        let (elapsed, remark) =
            self.elapsed(&parsed, whole.filter(|_| timed_by != Witness::Scalene));
        warnings.extend(remark);
        // Of a program too short to rank anything there is nothing to say.
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        let samples = parsed.files.iter().map(|file| file.samples).sum::<u64>() as f64;
        if let Some(calls) = whole.filter(|_| timed_by == Witness::Scalene && !sampled)
            && samples >= RANKING_SAMPLES.value
        {
            warnings.push(stacks::alone(&calls.sampling));
        }
        if !measure.memory_leak_detector {
            parsed.files.iter_mut().for_each(|file| file.leaks.clear());
        }
        let mut profile = Profile {
            program: self.program(tests.as_ref()),
            measured: Measured {
                cpu: measure.cpu,
                memory: parsed.memory,
                gpu: parsed.gpu.filter(|_| measure.gpu),
                peaks_per_visit: parsed.peaks_per_visit,
                part_of_time: !measure.profile_only.trim().is_empty(),
                leak_detector: measure.memory_leak_detector,
                virtual_time: measure.use_virtual_time,
                sampling_interval: Seconds::from_secs(measure.cpu_sampling_rate),
            },
            reporting: Reporting {
                cpu_percent_threshold: measure.cpu_percent_threshold,
                malloc_threshold: measure.malloc_threshold,
                reduced: measure.reduced_profile,
            },
            elapsed,
            files: parsed.files,
            footprint: parsed.footprint,
            call_paths: if measure.stacks { parsed.call_paths } else { Vec::new() },
            calls,
            proof: None,
            call_counts: None,
            // Of the start there is nothing in a part of a run that begins later.
            floor: floor(&self.state, self.started_at).filter(|_| !self.request.window.is_late()),
            per_call: self
                .per_call
                .clone()
                .map(|figures| PerCall { profiled: self.state.calls, ..figures }),
            timed_by,
            repeats: None,
            raw: None,
            blocks: None,
            run: self.run_info(ran, warnings, tests.as_ref()),
            tests: tests.map(|report| report.run),
            covered: self.followed.and_then(|followed| followed.settled(&self.state)),
            id: self.id,
        };
        // Plain Python writes nothing when it is asked to end.
        let cut = self.request.engine == EngineChoice::Sampler
            && self.finished.ended_by != EndedBy::Itself;
        let marked = marked(workspace, self.finished.forced || cut);
        let mut source = |path: &str| self.confinement.source(path, &self.shown);
        profile.blocks = analysis::blocks(&profile, &self.blocks, &marked, &mut source);
        profile
    }

    fn program(&self, tests: Option<&Report>) -> Program {
        let (kind, name) = match &self.request.target {
            Target::Script(path) => (ProgramKind::Script, path.clone()),
            Target::Module(name) => {
                let runner = tests.map(|report| &report.run.runner).filter(|name| !name.is_empty());
                (ProgramKind::Module, runner.unwrap_or(name).clone())
            }
            Target::Snippet(_) => (ProgramKind::Snippet, SNIPPET.to_owned()),
            Target::Function(call) => (ProgramKind::Function, call.target.trim().to_owned()),
        };
        let args =
            self.request.tests.as_ref().map_or_else(|| self.request.args.clone(), Tests::arguments);
        Program { kind, name, args }
    }

    fn run_info(&self, ran: Ran, warnings: Vec<String>, tests: Option<&Report>) -> RunInfo {
        let project = self.ready.project.as_ref().unwrap_or(&self.ready.interpreter);
        let (state, driven) = (&self.state, self.ready.scalene.is_some());
        let cpu = state.user_cpu_sec.zip(state.system_cpu_sec).map(|(user, system)| user + system);
        let used = self.finished.usage.filter(|_| self.ready.scalene.is_none());
        let cpu = cpu.or_else(|| Some(used?.cpu?.as_secs_f64()));
        let partial =
            !matches!(ran.outcome, Outcome::ExitCode(_) | Outcome::Covered | Outcome::Unknown);
        let started = jiff::Timestamp::try_from(self.started_at).unwrap_or_default();
        RunInfo {
            status: if partial { Status::Partial } else { Status::Complete },
            outcome: ran.outcome,
            started_at: Some(format!("{started:.0}")),
            imported_from: None,
            parameters: self.request.parameters(),
            cwd: self.place.cwd.clone(),
            project_root: self.place.root.clone(),
            environment: Some(Environment {
                python: project.executable.clone(),
                python_source: project.source.to_string(),
                python_version: project.version.to_string(),
                engine: if driven { Engine::Scalene } else { Engine::Sampler },
                scalene_version: driven.then(|| self.ready.version()),
                scalene_source: driven.then(|| {
                    if self.ready.project.is_some() { "overlay" } else { "project" }.to_owned()
                }),
                platform: format!("{} {}", project.platform, project.machine),
                cores: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
                load: self.load,
                sandbox: self.confinement.mode().map(Mode::word).map(Into::into),
            }),
            errors: tests
                .map(Report::errors)
                .filter(|told| !told.is_empty())
                .unwrap_or_else(|| self.errors(&ran)),
            stdout: ran.stdout,
            stderr: ran.stderr,
            peak_resident_bytes: state.max_rss_bytes.or_else(|| used?.peak_resident),
            resident: if driven { Vec::new() } else { self.resident.clone() },
            process_cpu: cpu.and_then(Seconds::from_secs),
            warnings,
        }
    }

    fn errors(&self, ran: &Ran) -> Vec<String> {
        let limit = self.request.timeout.as_secs_f64();
        let exception = ran.exception.as_deref().filter(|name| *name != "SystemExit");
        let error = match (ran.outcome, exception) {
            (Outcome::TimedOut, _) => {
                format!(
                    "stopped at the time limit of {limit} s; the profile covers the time until then"
                )
            }
            (Outcome::MemoryLimit(reached), _) => format!(
                "stopped at the memory limit: its processes held {} MiB, max_memory_mb is {}; the profile covers the \
                 time until then (get_memory_hotspots says which lines; raise max_memory_mb or profile smaller input)",
                reached >> 20,
                self.request.max_memory_mb.unwrap_or_default()
            ),
            (Outcome::DiskLimit(reached), _) => format!(
                "stopped at the disk limit: {} MiB in its temporary directory (TMPDIR), allowed are {}; the profile \
                 covers the time until then",
                reached >> 20,
                MOST_DISK >> 20
            ),
            (Outcome::Stopped, _) => {
                "stopped on request; the profile covers the time until then".to_owned()
            }
            (Outcome::Covered, _) => return Vec::new(),
            (Outcome::Signal(signal), None) => {
                format!("the program was killed by {}", signal_name(signal))
            }
            (_, Some(name)) => format!("the program raised {name}; its traceback is in stderr"),
            (Outcome::ExitCode(code), None) if code != 0 => {
                format!("the program exited with code {code}")
            }
            _ => return Vec::new(),
        };
        vec![error]
    }
}

/// How a program ended.
pub(super) fn outcome(finished: &Finished) -> Outcome {
    match (finished.ended_by, finished.exit) {
        (EndedBy::Timeout, _) => Outcome::TimedOut,
        (EndedBy::Memory(bytes), _) => Outcome::MemoryLimit(bytes),
        (EndedBy::Disk(bytes), _) => Outcome::DiskLimit(bytes),
        (EndedBy::Stop | EndedBy::Cancel, _) => Outcome::Stopped,
        (EndedBy::Itself, Exit::Code(code)) => Outcome::ExitCode(code),
        (EndedBy::Itself, Exit::Signal(signal)) => Outcome::Signal(signal),
        (EndedBy::Itself, Exit::Unknown) => Outcome::Unknown,
    }
}
