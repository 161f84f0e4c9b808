//! A process that somebody else started: looked at for a while, or once, and left as it was.
//!
//! Nothing of ours runs in it, no signal is sent, nothing is started, and it is not ended. What is known of it
//! beside its stacks is what the system says: command line, working directory, resident size.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use serde_json::{Map, Value, json};

use super::blocks::{self, BlockSpec, Finder};
use super::error::RecordError;
use super::found::{AttachError, Runs, Which, find, label, runs};
use super::guard::Guard;
use super::interim::Watcher;
use super::naming::real_path_from;
use super::record::{Event, Recorder};
use super::resident::Resident;
use super::secrets;
use super::shown::Shown;
use super::stacks::{self, Own};
use super::workspace::{self, SNIPPET};
use crate::analysis;
use crate::process::{Controls, Meter, Running, Tick};
use crate::profile::{
    BlockRange, Dump, DumpedThread, Engine, Environment, FileProfile, LineNo, Marked, Measured,
    Outcome, Output, Profile, ProfileId, Program, ProgramKind, Reporting, RunInfo, Seconds, Source,
    Status,
};
use crate::python;
use crate::sampler::{Look, Refusal, Sampler, Seen, descendants, dump, is_python, refusal};
use crate::scalene::Scope;

/// How often it is looked whether the process is still there, and what it holds.
const TICK: Duration = Duration::from_millis(100);
/// How long a process may take until it can be read.
const PATIENCE: Duration = Duration::from_secs(2);
/// Longest observation, seconds.
const LONGEST: f64 = 24.0 * 3600.0;
/// Most reads in a second.
const MOST_RATE: f64 = 1000.0;
/// Parts of the paths of libraries; what has none of them and lies below the project is the user's.
const LIBRARIES: [&str; 5] =
    ["/site-packages/", "/dist-packages/", "/lib/python3", "\\site-packages\\", "\\Lib\\"];
/// Largest file whose text is read.
const LARGEST_SOURCE: u64 = 10 << 20;
/// Name under which Python knows code that was handed over as text.
const STRING: &str = "<string>";
/// Processes of one dump.
const MOST_DUMPED: usize = 16;
/// A file that is younger than its process by more than this is not what the process runs; start times are whole
/// seconds.
const YOUNGER: Duration = Duration::from_secs(2);

/// A look at a process.
#[derive(Debug, Clone, PartialEq)]
pub struct ProcessRequest {
    /// Which one.
    pub which: Which,
    /// For how long.
    pub duration: Duration,
    /// Reads in a second, on average.
    pub rate_hz: f64,
    /// Whether its descendants are looked at, too.
    pub subprocesses: bool,
    /// Parts of its code to be told apart.
    pub blocks: Vec<BlockSpec>,
}

impl ProcessRequest {
    /// Ten seconds, 100 reads in each, with descendants.
    pub fn new(which: Which) -> Self {
        let (duration, rate_hz) = (Duration::from_secs(10), 100.0);
        Self { which, duration, rate_hz, subprocesses: true, blocks: Vec::new() }
    }

    /// Makes sure that it makes sense.
    ///
    /// # Errors
    /// [`RecordError::InvalidArgument`].
    pub fn check(&self) -> Result<(), RecordError> {
        let invalid =
            |parameter, problem: String| Err(RecordError::InvalidArgument { parameter, problem });
        if !(1.0..=MOST_RATE).contains(&self.rate_hz) {
            return invalid("rate_hz", format!("{} is outside 1 to {MOST_RATE}", self.rate_hz));
        }
        if self.duration.as_secs_f64() > LONGEST {
            return invalid("duration_sec", format!("more than {LONGEST} seconds"));
        }
        blocks::check(&self.blocks)?;
        match &self.which {
            Which::Match(text) if text.trim().is_empty() => {
                invalid("match", "there is no text".to_owned())
            }
            _ => Ok(()),
        }
    }

    /// The process for people, before it is found.
    pub fn label(&self) -> String {
        match &self.which {
            Which::Pid(pid) => format!("pid {pid}"),
            Which::Match(text) => format!("process `{text}`"),
        }
    }

    /// Everything that differs from the defaults, as a call names it; of a process its id.
    fn parameters(&self, pid: u32) -> Map<String, Value> {
        let usual = Self::new(Which::Pid(pid));
        let all = [
            ("pid", json!(pid), true),
            ("duration_sec", json!(self.duration.as_secs_f64()), self.duration != usual.duration),
            ("rate_hz", json!(self.rate_hz), self.rate_hz.to_bits() != usual.rate_hz.to_bits()),
            ("subprocesses", json!(self.subprocesses), self.subprocesses != usual.subprocesses),
            ("blocks", json!(self.blocks), !self.blocks.is_empty()),
        ];
        let differing = all.into_iter().filter(|(.., differs)| *differs);
        differing.map(|(name, value, _)| (name.to_owned(), value)).collect()
    }
}

impl Recorder {
    /// Looks at a process for a while. It goes on as if nobody had looked.
    ///
    /// # Errors
    /// [`RecordError::Attach`]; [`RecordError::Cancelled`].
    pub async fn record_process(
        &self,
        id: ProfileId,
        request: &ProcessRequest,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Event) + Send),
    ) -> Result<Profile, RecordError> {
        request.check()?;
        let target = self.target(&request.which).await?;
        let blocks = target.blocks(&request.blocks, self.guard())?;
        on_event(Event::Starting);
        let began = SystemTime::now();
        let load = sysinfo::System::load_average().ok().map(|load| load.one);
        let (sampler, resident, stopped) = watch(&target, request, controls, on_event).await?;
        on_event(Event::Reading);
        let request = request.clone();
        let conclude = move || {
            let seen = sampler.finish();
            let observed = Observed { began, load, resident, stopped };
            let mut profile = target.profile(id, &request, &seen, &observed)?;
            let mut source = |path: &str| target.source(path);
            profile.blocks = analysis::blocks(&profile, &blocks, &Marked::default(), &mut source);
            Ok(profile)
        };
        tokio::task::spawn_blocking(conclude).await.map_err(|_| RecordError::Cancelled)?
    }

    /// Makes sure that there is a process to look at, and that it may be.
    ///
    /// # Errors
    /// [`RecordError::Attach`].
    pub async fn find_process(&self, request: &ProcessRequest) -> Result<(), RecordError> {
        request.check()?;
        let target = self.target(&request.which).await?;
        target.blocks(&request.blocks, self.guard()).map(|_| ())
    }

    /// Looks at a process once.
    ///
    /// # Errors
    /// [`RecordError::Attach`].
    pub async fn dump_process(&self, request: &ProcessRequest) -> Result<Dump, RecordError> {
        request.check()?;
        let target = self.target(&request.which).await?;
        let children = request.subprocesses;
        let look = move || target.dump(children);
        let looked = tokio::task::spawn_blocking(look).await;
        Ok(looked.map_err(|_| RecordError::Cancelled)??)
    }

    async fn target(&self, which: &Which) -> Result<Target, RecordError> {
        let (which, home) = (which.clone(), self.env.home().map(Path::to_owned));
        // To list the processes takes some milliseconds.
        let found = tokio::task::spawn_blocking(move || {
            find(&which).map(|process| Target::new(process, home.as_deref()))
        });
        Ok(found.await.map_err(|_| RecordError::Cancelled)??)
    }
}

/// Waits for the end of the observation; whether it was ended early, by request.
async fn watch(
    target: &Target,
    request: &ProcessRequest,
    controls: &Controls,
    on_event: &mut (dyn FnMut(Event) + Send),
) -> Result<(Sampler, Resident, bool), RecordError> {
    let pid = target.process.pid;
    let look = Look {
        runner: None,
        interval: Duration::from_secs_f64(1.0 / request.rate_hz),
        children: request.subprocesses,
        patience: PATIENCE,
    };
    let sampler = Sampler::look(pid, look);
    let (started, mut meter) = (Instant::now(), Meter::new(pid));
    let mut resident = Resident::default();
    let mut watcher = Watcher::of(&target.scope, &target.root, &target.cwd);
    loop {
        let begun = sampler.begun().unwrap_or(started);
        let left = request.duration.saturating_sub(begun.elapsed());
        if sampler.is_over() || (left.is_zero() && sampler.begun().is_some()) {
            return Ok((sampler, resident, false));
        }
        let bytes = meter.resident_bytes();
        if sampler.begun().is_some() {
            resident.add(begun.elapsed(), bytes);
        }
        on_event(Event::Running(Tick { pid, elapsed: begun.elapsed(), resident_bytes: bytes }));
        if let Some(seen) = watcher.look(&sampler) {
            on_event(Event::Seen(seen));
        }
        tokio::select! {
            () = tokio::time::sleep(left.clamp(Duration::from_millis(1), TICK)) => {}
            () = controls.stop.cancelled() => return Ok((sampler, resident, true)),
            () = controls.cancel.cancelled() => return Err(RecordError::Cancelled),
        }
    }
}

/// What is known of an observation beside the stacks.
struct Observed {
    began: SystemTime,
    load: Option<f64>,
    resident: Resident,
    stopped: bool,
}

/// A process that may be looked at, and which code of it is the user's.
#[derive(Debug, Clone)]
struct Target {
    process: Running,
    runs: Runs,
    /// The script's real path, where it can be told.
    script: Option<PathBuf>,
    cwd: PathBuf,
    root: PathBuf,
    scope: Scope,
}

impl Target {
    fn new(process: Running, home: Option<&Path>) -> Self {
        let runs = runs(&process.command);
        let cwd = process.cwd.clone().unwrap_or_else(|| PathBuf::from("/"));
        let script = runs.script.as_ref().and_then(|script| cwd.join(script).canonicalize().ok());
        let folder = script.as_deref().and_then(Path::parent);
        // The program of an installed package says nothing of the project: that is where it runs.
        let installed = |folder: &&Path| {
            folder.ends_with("bin")
                || LIBRARIES.iter().any(|part| folder.to_string_lossy().contains(part))
        };
        let near = folder.filter(|folder| !installed(folder)).unwrap_or(&cwd);
        let root = python::project_root(near, &cwd, home);
        let scope = Scope {
            program_path: root.clone(),
            exclude: LIBRARIES.map(str::to_owned).to_vec(),
            ..Scope::default()
        };
        Self { process, runs, script, cwd, root, scope }
    }

    /// Where its blocks are.
    fn blocks(&self, blocks: &[BlockSpec], guard: &Guard) -> Result<Vec<BlockRange>, RecordError> {
        let own = match (&self.runs.code, &self.script) {
            (Some(code), _) => blocks::Own::Text(code),
            (None, Some(script)) => blocks::Own::File(script),
            (None, None) => blocks::Own::Several,
        };
        let near = self.script.as_deref().and_then(Path::parent).unwrap_or(&self.cwd);
        Finder { own, cwd: &self.cwd, near, root: &self.root, guard }.all(blocks)
    }

    /// The text of a file that the process names. It names what it likes: only what looks like Python is read.
    fn source(&self, path: &str) -> Option<Source> {
        if path == SNIPPET {
            return self.runs.code.clone().map(Source::new);
        }
        let real = Path::new(path).canonicalize().ok()?;
        let ending = real.extension().unwrap_or_default();
        if !["py", "pyw"].iter().any(|python| ending == *python)
            && self.script.as_ref() != Some(&real)
        {
            return None;
        }
        let bytes = workspace::read(&real, LARGEST_SOURCE)?;
        Some(Source::new(String::from_utf8_lossy(&bytes).into_owned()))
    }

    fn dump(&self, children: bool) -> Result<Dump, AttachError> {
        let pid = self.process.pid;
        let mut processes = vec![dump(pid).map_err(|why| self.unread(why))?];
        let below = if children { descendants(pid) } else { Vec::new() };
        // A child need not be Python, and may end meanwhile.
        let below = below.into_iter().filter(|child| is_python(*child)).take(MOST_DUMPED);
        processes.extend(below.filter_map(|child| dump(child).ok()));
        let threads = processes.iter_mut().flat_map(|process| &mut process.threads);
        threads.for_each(|thread| self.explain(thread));
        let moving = processes.iter().any(|process| !process.stood);
        let moving = moving.then(|| {
            "it could not be stopped for the read: frames of running threads may mix two moments".to_owned()
        });
        Ok(Dump {
            label: label(&self.process),
            root: self.root.clone(),
            processes,
            warnings: moving.into_iter().collect(),
        })
    }

    /// Says which calls are the user's, and the text of the line that says most.
    fn explain(&self, thread: &mut DumpedThread) {
        let is_text = |file: &str| file == STRING && self.runs.code.is_some();
        for frame in &mut thread.frames {
            if Path::new(&frame.file).is_relative() {
                frame.file = real_path_from(&self.cwd, &frame.file);
            }
            frame.own = is_text(&frame.file) || self.scope.covers(&frame.file, &[]);
        }
        let own = thread.frames.iter().position(|frame| frame.own).unwrap_or(0);
        if let Some(frame) = thread.frames.get_mut(own) {
            let source = self.source(if is_text(&frame.file) { SNIPPET } else { &frame.file });
            let line = LineNo::new(frame.line);
            frame.text = source
                .zip(line)
                .and_then(|(source, line)| Some(source.line(line)?.trim().to_owned()));
        }
    }

    /// Why nothing was read.
    fn unread(&self, why: String) -> AttachError {
        let pid = self.process.pid;
        let gone = !exists(pid);
        match (gone, is_python(pid)) {
            (true, _) => AttachError::Ended(pid),
            (false, true) => AttachError::Unreadable { pid, why },
            (false, false) => AttachError::NotPython { pid, why },
        }
    }

    fn profile(
        &self,
        id: ProfileId,
        request: &ProcessRequest,
        seen: &Seen,
        observed: &Observed,
    ) -> Result<Profile, RecordError> {
        let pid = self.process.pid;
        let text = self.runs.code.as_ref().map(|_| Shown::known_as(STRING));
        let shown = &text.unwrap_or_default();
        let (scope, cwd) = (&self.scope, &self.cwd);
        let own = Own { scope, libraries: &[], cwd, shown, whole: true };
        let Some(calls) = stacks::calls(&own, seen) else {
            let nothing = || "it ran no Python while it was looked at".to_owned();
            return Err(match &seen.trouble {
                None if !exists(pid) => AttachError::Ended(pid),
                why => self.unread(why.clone().unwrap_or_else(nothing)),
            }
            .into());
        };
        let ended = !exists(pid);
        let seconds = if ended { calls.sampling.attributed } else { calls.sampling.wall };
        let mut files = Vec::new();
        let timed_by =
            analysis::timed_by_stacks(&mut files, &calls, false, &mut |path| self.source(path));
        let mut run = self.run_info(request, seen, observed, ended);
        run.warnings.extend(stacks::doubtful(&calls));
        run.warnings.extend(self.edited(&files));
        Ok(Profile {
            id,
            program: Program {
                kind: ProgramKind::Process,
                name: self.runs.name.clone(),
                args: secrets::without(&self.runs.args),
            },
            run,
            measured: Measured {
                cpu: true,
                memory: false,
                gpu: None,
                peaks_per_visit: false,
                part_of_time: false,
                leak_detector: false,
                virtual_time: false,
                sampling_interval: Seconds::from_secs(1.0 / request.rate_hz),
            },
            reporting: Reporting {
                cpu_percent_threshold: 1.0,
                malloc_threshold: 100,
                reduced: false,
            },
            elapsed: Seconds::from_secs(seconds),
            files,
            footprint: None,
            call_paths: Vec::new(),
            calls: Some(calls),
            proof: None,
            call_counts: None,
            floor: None,
            timed_by,
            repeats: None,
            blocks: None,
            covered: None,
            tests: None,
            per_call: None,
            raw: None,
        })
    }

    fn run_info(
        &self,
        request: &ProcessRequest,
        seen: &Seen,
        observed: &Observed,
        ended: bool,
    ) -> RunInfo {
        let pid = self.process.pid;
        let started = jiff::Timestamp::try_from(observed.began).unwrap_or_default();
        let error = ended.then(|| {
            format!(
                "process {pid} ended while it was looked at; the profile covers the time until then"
            )
        });
        let early = observed.stopped.then(|| {
            "stopped on request: the profile covers the time until then; the process goes on"
                .to_owned()
        });
        RunInfo {
            status: if ended || observed.stopped { Status::Partial } else { Status::Complete },
            outcome: if ended { Outcome::Unknown } else { Outcome::StillRuns },
            started_at: Some(format!("{started:.0}")),
            imported_from: None,
            parameters: request.parameters(pid),
            cwd: self.cwd.clone(),
            project_root: self.root.clone(),
            environment: Some(Environment {
                python: self.process.executable.clone().unwrap_or_default(),
                python_source: format!("process {pid}"),
                python_version: seen.python.clone().unwrap_or_default(),
                engine: Engine::Sampler,
                platform: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
                cores: std::thread::available_parallelism().ok().map(std::num::NonZero::get),
                load: observed.load,
                ..Environment::default()
            }),
            stdout: Output::default(),
            stderr: Output::default(),
            peak_resident_bytes: observed.resident.highest(),
            resident: observed.resident.points(),
            process_cpu: None,
            warnings: vec![
                "engine sampler: time and waiting only; memory by line is not measured".to_owned(),
            ],
            errors: error.into_iter().chain(early).collect(),
        }
    }

    /// What to know where a file is not what the process runs.
    fn edited(&self, files: &[FileProfile]) -> Option<String> {
        let younger = |file: &&FileProfile| {
            let changed = Path::new(&file.path).metadata().and_then(|found| found.modified());
            changed.is_ok_and(|changed| changed > self.process.started + YOUNGER)
        };
        let file = files.iter().find(younger)?;
        Some(format!(
            "`{}` was changed after the process started: its lines may not be those that run",
            file.path
        ))
    }
}

/// Whether a process is still there.
fn exists(pid: u32) -> bool {
    refusal(pid) != Some(Refusal::Gone)
}
