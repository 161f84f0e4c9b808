//! What became of a run: a profile, or the reason why there is none.

use std::time::SystemTime;

use super::confine::Confinement;
use super::error::{Ran, RecordError};
use super::floor::floor;
use super::import::MAX_DOCUMENT_BYTES;
use super::markers::marked;
use super::record::Place;
use super::request::{MOST_DISK, RunRequest, Target};
use super::setup::Ready;
use super::stacks;
use super::workspace::{self, SNIPPET, Workspace};
use crate::analysis::{self, thresholds::RANKING_SAMPLES};
use crate::process::{Captured, EndedBy, Exit, Finished};
use crate::profile::{
    BlockRange, Calls, Environment, FileProfile, Measured, Outcome, Output, Profile, ProfileId,
    Program, ProgramKind, RawDocument, Reporting, RunInfo, Seconds, Status, Witness, signal_name,
};
use crate::sampler::{Sampler, Seen};
use crate::sandbox::Mode;
use crate::scalene::{LaunchPhase, LaunchState, ParseError, Parsed, RecordOptions, parse};

/// A program that ran for less has no samples to speak of. Scalene samples every 10 ms on
/// average; on a busy machine it was seen to miss programs of 0.2 s.
const SHORT_SECONDS: f64 = 0.3;

/// Everything known at the end of a run.
pub(super) struct Conclusion {
    pub(super) id: ProfileId,
    pub(super) request: RunRequest,
    pub(super) place: Place,
    pub(super) ready: Ready,
    pub(super) options: RecordOptions,
    pub(super) finished: Finished,
    pub(super) state: LaunchState,
    pub(super) started_at: SystemTime,
    pub(super) load: Option<f64>,
    pub(super) confinement: Confinement,
    pub(super) warnings: Vec<String>,
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
    let path = workspace.profile();
    if workspace::regular(&path).is_some_and(|(_, size)| size > MAX_DOCUMENT_BYTES) {
        let source = ParseError::NotAProfile("it is larger than 256 MiB");
        return Err(RecordError::InvalidProfile { source, ran });
    }
    let document = workspace::read(&path, MAX_DOCUMENT_BYTES);
    let calls = stacks::calls(&conclusion, seen, workspace);
    match document.as_deref().map(parse) {
        Some(Ok(mut parsed)) => {
            let filtered = conclusion.keep_wanted(&mut parsed, workspace);
            if filtered && parsed.files.is_empty() {
                return Err(conclusion.filtered_out(ran));
            }
            let raw = document.as_deref().and_then(RawDocument::keep);
            Ok(Profile { raw, ..conclusion.into_profile(parsed, calls, seen, *ran, workspace) })
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
            let Some(calls) = calls.filter(analysis::usable) else { return Err(failure) };
            let parsed = conclusion.without_scalene(&failure, &calls);
            Ok(conclusion.into_profile(parsed, Some(calls), seen, *ran, workspace))
        }
    }
}

impl Conclusion {
    fn outcome(&self) -> Outcome {
        match (self.finished.ended_by, self.finished.exit) {
            (EndedBy::Timeout, _) => Outcome::TimedOut,
            (EndedBy::Memory(bytes), _) => Outcome::MemoryLimit(bytes),
            (EndedBy::Disk(bytes), _) => Outcome::DiskLimit(bytes),
            (EndedBy::Stop | EndedBy::Cancel, _) => Outcome::Stopped,
            (EndedBy::Itself, Exit::Code(code)) => Outcome::ExitCode(code),
            (EndedBy::Itself, Exit::Signal(signal)) => Outcome::Signal(signal),
            (EndedBy::Itself, Exit::Unknown) => Outcome::Unknown,
        }
    }

    fn ran(&self, workspace: &Workspace) -> Ran {
        Ran {
            outcome: self.outcome(),
            seconds: self.state.program_seconds(),
            exception: self.state.exception.clone(),
            refused: self.confinement.remark(self.state.exception.as_deref()),
            stdout: output(&self.finished.stdout, workspace),
            stderr: output(&self.finished.stderr, workspace),
        }
    }

    /// Why nothing was profiled. `empty`: Scalene wrote a profile without a sample.
    fn nothing(&self, ran: Box<Ran>, empty: bool) -> RecordError {
        let kind = self.state.error.as_ref().map(|error| error.kind.as_str());
        let message = self.state.error.as_ref().map(|error| error.message.clone());
        match (ran.outcome, kind) {
            (Outcome::TimedOut, _) => {
                return RecordError::Timeout { seconds: self.request.timeout.as_secs_f64(), ran };
            }
            (Outcome::Stopped, _) => return RecordError::Stopped(ran),
            (Outcome::MemoryLimit(reached), _) => {
                let limit_mb = self.request.max_memory_mb.unwrap_or_default();
                return RecordError::MemoryLimit { limit_mb, reached_mb: reached >> 20, ran };
            }
            (Outcome::DiskLimit(_), _) => return RecordError::DiskLimit(ran),
            (Outcome::Signal(_) | Outcome::Unknown, _) if ran.exception.is_none() => {
                return RecordError::Crashed(ran);
            }
            (_, Some("scalene_import" | "scalene_failed")) => {
                let version = self.ready.version.to_string();
                return RecordError::ScaleneFailed {
                    version,
                    message: message.unwrap_or_default(),
                    ran,
                };
            }
            _ => {}
        }
        let never_ran = self.state.program_started_at.is_none() || ran.exception.is_none();
        if let (Target::Module(name), true) = (&self.request.target, never_ran)
            && ran.stderr.last_lines(1).iter().any(|line| line.contains("No module named"))
        {
            return RecordError::ModuleNotFound {
                name: name.clone(),
                cwd: self.place.cwd.clone(),
                ran,
            };
        }
        if ran.outcome != Outcome::ExitCode(0)
            || ran.exception.as_deref().is_some_and(|e| e != "SystemExit")
        {
            return RecordError::ProgramFailed(ran);
        }
        if !empty {
            let said = self.state.scalene_messages.trim();
            let message = if said.is_empty() { "it wrote no profile" } else { said }.to_owned();
            return RecordError::ScaleneFailed {
                version: self.ready.version.to_string(),
                message,
                ran,
            };
        }
        if ran.seconds.is_some_and(|seconds| seconds < SHORT_SECONDS) {
            return RecordError::TooShort(ran);
        }
        let measure = &self.request.measure;
        if !measure.profile_only.is_empty() || !measure.profile_exclude.is_empty() {
            return self.filtered_out(ran);
        }
        RecordError::NothingSampled { root: self.place.root.clone(), ran }
    }

    fn filtered_out(&self, ran: Box<Ran>) -> RecordError {
        let measure = &self.request.measure;
        let (only, exclude) = (measure.profile_only.clone(), measure.profile_exclude.clone());
        RecordError::FilteredOut { only, exclude, ran }
    }

    /// What is known where Scalene left no profile and the stacks are all there is.
    fn without_scalene(&self, failure: &RecordError, calls: &Calls) -> Parsed {
        let elapsed = self.state.program_seconds().unwrap_or(calls.sampling.attributed);
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
            footprint.peak_at = at.filter(|(file, _)| *file != launcher);
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
        calls: Option<Calls>,
        seen: &Seen,
        ran: Ran,
        workspace: &Workspace,
    ) -> Profile {
        let mut warnings = self.warnings.clone();
        warnings.extend(
            seen.trouble.as_ref().map(|why| {
                format!(
                    "stacks could not be sampled beside Scalene to the end, so that its own account of the time stands \
                     alone: {why}"
                )
            }),
        );
        warnings.extend(ran.refused.clone());
        warnings.append(&mut parsed.warnings);
        warnings.extend(self.state.warnings.iter().cloned());
        if let Target::Snippet(_) = self.request.target {
            rename_snippet(&mut parsed, workspace);
        }
        let measure = &self.request.measure;
        let whole = calls.as_ref().filter(|_| seen.trouble.is_none());
        let timed_by = whole.map_or(Witness::Scalene, |calls| {
            let mut source = |path: &str| self.confinement.source(path, &workspace.snippet());
            analysis::reconcile(&mut parsed.files, calls, measure.use_virtual_time, &mut source)
        });
        warnings.extend(self.more_warnings(&parsed));
        // Of a program too short to rank anything there is nothing to say.
        #[expect(clippy::cast_precision_loss, reason = "a number of samples")]
        let samples = parsed.files.iter().map(|file| file.samples).sum::<u64>() as f64;
        if let Some(calls) = whole.filter(|_| timed_by == Witness::Scalene)
            && samples >= RANKING_SAMPLES.value
        {
            warnings.push(stacks::alone(&calls.sampling));
        }
        if !measure.memory_leak_detector {
            parsed.files.iter_mut().for_each(|file| file.leaks.clear());
        }
        let mut profile = Profile {
            program: self.program(),
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
            elapsed: parsed.elapsed,
            files: parsed.files,
            footprint: parsed.footprint,
            call_paths: if measure.stacks { parsed.call_paths } else { Vec::new() },
            calls,
            proof: None,
            call_counts: None,
            floor: floor(&self.state, self.started_at),
            timed_by,
            repeats: None,
            raw: None,
            blocks: None,
            run: self.run_info(ran, warnings),
            id: self.id.clone(),
        };
        let marked = marked(workspace, self.finished.forced);
        let mut source = |path: &str| self.confinement.source(path, &workspace.snippet());
        profile.blocks = analysis::blocks(&profile, &self.blocks, &marked, &mut source);
        profile
    }

    fn program(&self) -> Program {
        let (kind, name) = match &self.request.target {
            Target::Script(path) => (ProgramKind::Script, path.clone()),
            Target::Module(name) => (ProgramKind::Module, name.clone()),
            Target::Snippet(_) => (ProgramKind::Snippet, SNIPPET.to_owned()),
        };
        Program { kind, name, args: self.request.args.clone() }
    }

    fn run_info(&self, ran: Ran, warnings: Vec<String>) -> RunInfo {
        let project = self.ready.project.as_ref().unwrap_or(&self.ready.interpreter);
        let state = &self.state;
        let cpu = state.user_cpu_sec.zip(state.system_cpu_sec).map(|(user, system)| user + system);
        let partial = !matches!(ran.outcome, Outcome::ExitCode(_) | Outcome::Unknown);
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
                scalene_version: self.ready.version.to_string(),
                scalene_source: if self.ready.project.is_some() { "overlay" } else { "project" }
                    .to_owned(),
                platform: format!("{} {}", project.platform, project.machine),
                cores: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
                load: self.load,
                sandbox: self.confinement.mode().map(Mode::word).map(Into::into),
            }),
            errors: self.errors(&ran),
            stdout: ran.stdout,
            stderr: ran.stderr,
            peak_resident_bytes: state.max_rss_bytes,
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

    /// A bug of the interpreter that worker processes meet when they are profiled: what they send are buffers.
    fn known_crash(&self) -> Option<String> {
        const SEGV: i32 = 11;
        let project = self.ready.project.as_ref().unwrap_or(&self.ready.interpreter);
        let version = project.version.to_string();
        let affected = ["3.12.0", "3.12.1"].contains(&version.as_str());
        (affected && self.finished.exit == Exit::Signal(SEGV)).then(|| {
            format!(
                "Python {version} may crash when it collects buffers of BytesIO, which multiprocessing uses \
                 (python/cpython#111049, mended in 3.12.2)"
            )
        })
    }

    fn more_warnings(&self, parsed: &Parsed) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.request.measure.gpu && parsed.gpu.is_none() {
            warnings.push(
                "gpu=true, but Scalene found no GPU that it can profile: nothing is said about the GPU".to_owned(),
            );
        }
        if parsed.files.is_empty() {
            warnings.push(
                "the profile names no file: the source was gone or renamed when Scalene wrote it, or all time \
                 was elsewhere"
                    .to_owned(),
            );
        }
        let unread = |file: &&FileProfile| file.exact && file.source.line_count() == 0;
        if let Some(file) = parsed.files.iter().find(unread) {
            warnings.push(format!(
                "the source of `{}` was gone or not readable when the run ended: its lines have no text, and no \
                 rules were tried on it",
                file.path
            ));
        }
        let is_async = || {
            let mut functions = parsed.files.iter().flat_map(FileProfile::functions);
            functions.any(|function| function.is_async)
        };
        if self.ready.adapter.knows_async() && !self.options.async_profile && is_async() {
            warnings.push(
                "the program uses async def; time in await is not told apart (profiling it makes generators \
                 about ten times slower on Python 3.12 and later; async_profile=true turns it on)"
                    .to_owned(),
            );
        }
        warnings.extend(self.known_crash());
        if self.finished.forced {
            warnings.push("the program did not end when asked and was killed".to_owned());
        }
        if self.state.phase == LaunchPhase::Failed
            && let Some(error) = &self.state.error
        {
            warnings.push(format!("Scalene reported a failure: {}", error.message));
        }
        warnings
    }
}

/// The path with `..` and symlinks resolved, where the file exists.
pub(super) fn real_path(path: &str) -> String {
    let real = std::path::Path::new(path).canonicalize();
    real.map_or_else(|_| path.to_owned(), |real| real.to_string_lossy().into_owned())
}

fn output(captured: &Captured, workspace: &Workspace) -> Output {
    let path = workspace.snippet();
    let readable = |text: &str| text.replace(&*path.to_string_lossy(), SNIPPET);
    Output {
        head: readable(&captured.head),
        tail: readable(&captured.tail),
        omitted_bytes: captured.omitted_bytes,
        total_bytes: captured.total_bytes,
    }
}

fn rename_snippet(parsed: &mut Parsed, workspace: &Workspace) {
    let path = workspace.snippet();
    let real = path.canonicalize().unwrap_or_else(|_| path.clone());
    let is_snippet = |name: &str| {
        let name = std::path::Path::new(name);
        name == path || name == real
    };
    for file in parsed.files.iter_mut().filter(|file| is_snippet(&file.path)) {
        SNIPPET.clone_into(&mut file.path);
    }
    let frames = parsed.call_paths.iter_mut().flat_map(|path| &mut path.frames);
    for frame in frames.filter(|frame| is_snippet(&frame.file)) {
        SNIPPET.clone_into(&mut frame.file);
    }
    if let Some((file, _)) =
        parsed.footprint.as_mut().and_then(|footprint| footprint.peak_at.as_mut())
        && is_snippet(file)
    {
        SNIPPET.clone_into(file);
    }
}
