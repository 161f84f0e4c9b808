//! The life of one child process, from spawn to the last reaped descendant.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::bounds::Bounds;
use super::capture::{self, Captured, Shared, Whole, Written};
use super::error::SpawnError;
use super::group::{Group, Streams};
use super::memory::Meter;

/// How often the caller hears of a running child.
const TICK: Duration = Duration::from_millis(250);
/// How long output is still read after the group is gone.
const DRAIN: Duration = Duration::from_secs(1);

/// How long the start of a child may take that says when its own work begins.
const START_WITHIN: Duration = Duration::from_secs(60);
/// How often it is looked whether it has begun.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Spec {
    /// The executable, found by the caller; no shell and no PATH search is involved.
    pub program: PathBuf,
    /// Its arguments, handed over as they are.
    pub args: Vec<OsString>,
    /// Working directory; the parent's when absent.
    pub cwd: Option<PathBuf>,
    /// Variables set on top of the inherited environment.
    pub env: Vec<(OsString, OsString)>,
    /// Inherited variables that the child must not see.
    pub env_remove: Vec<OsString>,
    /// Bytes for stdin; absent means an empty stdin. The parent's stdin is never inherited.
    pub stdin: Option<Vec<u8>>,
    /// A folder of the run, removed when this process dies before it could do so itself.
    pub folder: Option<PathBuf>,
    /// How the paths of files begin that the child's processes leave behind: those that begin so and
    /// end in the id of one of these processes are removed with it.
    pub pid_files: Option<PathBuf>,
    /// A file that the child makes when its own work begins, after a start that is not its own: the time limit
    /// counts from then.
    pub begun: Option<PathBuf>,
    /// Bytes of stdout, from its beginning, that are kept in [`Finished::whole`]; 0 keeps none.
    pub keep_stdout: usize,
    /// A text that somebody waits for in either stream: [`Written::found`] tells of it.
    pub sought: Option<String>,
}

/// How long a child may take, and how much of the machine. Absent means no limit.
#[derive(Debug, Clone, Copy, Default)]
pub struct Limits {
    /// Time until the child is asked to end: from spawn, or from [`Spec::begun`].
    pub timeout: Option<Duration>,
    /// Time between asking and forcing.
    pub grace: Duration,
    /// Resident bytes of the child and all its descendants together until it is asked to end.
    pub memory: Option<u64>,
    /// Bytes on disk in [`Spec::folder`] until it is asked to end.
    pub disk: Option<u64>,
}

/// How a caller ends a run, and looks into it.
#[derive(Debug, Clone, Default)]
pub struct Controls {
    /// Ask the child to end and wait for it, as at a timeout: what it has is kept.
    pub stop: CancellationToken,
    /// Kill everything at once: nobody wants the result any more.
    pub cancel: CancellationToken,
    /// What the child has written until now.
    pub written: Written,
}

/// A sign of life from a running child.
#[derive(Debug, Clone, Copy)]
pub struct Tick {
    /// The child.
    pub pid: u32,
    /// Time since spawn.
    pub elapsed: Duration,
    /// Resident bytes of the child itself, when the system tells.
    pub resident_bytes: Option<u64>,
}

/// How a process ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It returned this exit code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
    /// The system did not say (its status was collected by somebody else).
    Unknown,
}

impl Exit {
    pub(super) fn of(status: ExitStatus) -> Self {
        #[cfg(unix)]
        if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
            return Self::Signal(signal);
        }
        status.code().map_or(Self::Unknown, Self::Code)
    }
}

/// What a child used, by the kernel's account when its end was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Time from just before its start to its end, as its keeper saw it.
    pub wall: Duration,
    /// CPU time, user and system, of the child and of all descendants that were waited for.
    pub cpu: Option<Duration>,
    /// Highest resident size of a process among these, bytes; absent where a confined program was no larger than
    /// the helper that confined it.
    pub peak_resident: Option<u64>,
}

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndedBy {
    /// The program, by itself.
    Itself,
    /// The time limit.
    Timeout,
    /// The limit of memory; resident bytes then.
    Memory(u64),
    /// The limit of disk; bytes then.
    Disk(u64),
    /// [`Controls::stop`].
    Stop,
    /// [`Controls::cancel`].
    Cancel,
}

/// A child that has ended, with its group.
#[derive(Debug, Clone)]
pub struct Finished {
    /// Exit code or signal of the child.
    pub exit: Exit,
    /// Who ended it.
    pub ended_by: EndedBy,
    /// True when asking was not enough and the group was killed.
    pub forced: bool,
    /// What it wrote to stdout.
    pub stdout: Captured,
    /// What it wrote to stderr.
    pub stderr: Captured,
    /// The first bytes of stdout as they are, where [`Spec::keep_stdout`] asked for them.
    pub whole: Option<Whole>,
    /// Time from spawn to exit.
    pub wall: Duration,
    /// What it used; absent without a keeper.
    pub usage: Option<Usage>,
    /// Process id it had.
    pub pid: u32,
    /// As long as this lives, [`Spec::folder`] goes when this process is killed.
    pub hold: Hold,
}

/// What looks after the folder of a run that has ended.
#[derive(Debug, Clone)]
pub struct Hold {
    _group: Arc<Group>,
}

/// Runs `spec` to its end, whichever way that comes, and kills what is left of its group.
///
/// `on_tick` is called about four times a second while the child runs.
///
/// # Errors
/// [`SpawnError`] when the child could not be started. A child that fails is not an error.
pub async fn run(
    spec: &Spec,
    limits: Limits,
    controls: &Controls,
    on_tick: &mut (dyn FnMut(Tick) + Send),
) -> Result<Finished, SpawnError> {
    let started = Instant::now();
    let (mut group, streams) = spawn(spec).await?;
    let writer = tokio::spawn(feed(streams.stdin, spec.stdin.clone().unwrap_or_default()));
    let (out, err) = (capture::keeping(spec.keep_stdout), Shared::default());
    for stream in [&out, &err] {
        spec.sought.iter().for_each(|text| capture::lock(stream).seek(text));
    }
    controls.written.set(Some([out.clone(), err.clone()]));
    let readers = [
        streams.stdout.map(|pipe| tokio::spawn(capture::drain(pipe, out.clone()))),
        streams.stderr.map(|pipe| tokio::spawn(capture::drain(pipe, err.clone()))),
    ];

    let (exit, ended_by, forced) = live(&mut group, spec, limits, controls, started, on_tick).await;
    let (wall, usage) = (started.elapsed(), group.usage());
    group.clear().await;
    writer.abort();
    finish_reading(readers).await;
    controls.written.set(None);
    let (stdout, stderr) = (capture::lock(&out).finish(), capture::lock(&err).finish());
    let whole = capture::lock(&out).take_whole();
    let pid = group.id();
    let hold = Hold { _group: Arc::new(group) };
    Ok(Finished { exit, ended_by, forced, stdout, stderr, whole, wall, usage, pid, hold })
}

async fn spawn(spec: &Spec) -> Result<(Group, Streams), SpawnError> {
    if let Some(dir) = spec.cwd.as_ref().filter(|dir| !dir.is_dir()) {
        return Err(SpawnError::BadWorkingDir(dir.clone()));
    }
    Group::spawn(spec, || command(spec)).await.map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => SpawnError::NotFound(spec.program.clone()),
        std::io::ErrorKind::PermissionDenied => SpawnError::NotExecutable(spec.program.clone()),
        _ => SpawnError::Os { program: spec.program.clone(), source },
    })
}

/// The child where it has no keeper.
fn command(spec: &Spec) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one place where children start")]
    let mut command = Command::new(&spec.program);
    command.args(&spec.args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    for name in &spec.env_remove {
        command.env_remove(name);
    }
    command.envs(spec.env.iter().map(|(name, value)| (name, value)));
    if let Some(dir) = &spec.cwd {
        command.current_dir(dir);
    }
    command
}

/// Writes the given input and closes the pipe, so that the program sees an end of file.
async fn feed(stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>, bytes: Vec<u8>) {
    if let Some(mut pipe) = stdin {
        // A program that does not read its input breaks the pipe; that is its right.
        let _ = pipe.write_all(&bytes).await;
    }
}

/// Waits for the leader's end, and brings it about when a limit or a caller says so.
async fn live(
    group: &mut Group,
    spec: &Spec,
    limits: Limits,
    controls: &Controls,
    started: Instant,
    on_tick: &mut (dyn FnMut(Tick) + Send),
) -> (Exit, EndedBy, bool) {
    let mut meter = Meter::new(group.id());
    let mut ticks = tokio::time::interval(TICK);
    let expiry = expiry(spec, limits.timeout);
    let bounds = Bounds::new(group.root(), spec, &limits);
    let exceeded = bounds.exceeded();
    tokio::pin!(expiry, exceeded);
    let reason = loop {
        tokio::select! {
            exit = group.wait() => return (exit, EndedBy::Itself, false),
            () = &mut expiry => break EndedBy::Timeout,
            limit = &mut exceeded => break limit,
            () = controls.stop.cancelled() => break EndedBy::Stop,
            () = controls.cancel.cancelled() => break EndedBy::Cancel,
            _ = ticks.tick() => on_tick(Tick {
                pid: group.id(),
                elapsed: started.elapsed(),
                resident_bytes: meter.resident_bytes(),
            }),
        }
    };
    if reason == EndedBy::Cancel {
        group.kill();
        return (group.wait().await, reason, true);
    }
    let far = bounds.far();
    let too_late = async {
        match reason {
            EndedBy::Memory(_) | EndedBy::Disk(_) => _ = far.exceeded().await,
            _ => std::future::pending().await,
        }
    };
    let (exit, forced) = wind_down(group, limits.grace, &controls.cancel, too_late).await;
    (exit, reason, forced)
}

/// The end of the time that a child has; never without a limit.
async fn expiry(spec: &Spec, limit: Option<Duration>) {
    let Some(limit) = limit else { return std::future::pending().await };
    if let Some(begun) = &spec.begun {
        let latest = tokio::time::Instant::now() + START_WITHIN;
        while !begun.exists() && tokio::time::Instant::now() < latest {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
    tokio::time::sleep(limit).await;
}

/// Asks the leader to end, then its group, then forces. Only the leader is asked first:
/// it may need its workers to write what it has, and a wrapper that dies of the signal
/// leaves the real program to be asked in its turn.
async fn wind_down(
    group: &mut Group,
    grace: Duration,
    cancel: &CancellationToken,
    too_late: impl Future<Output = ()>,
) -> (Exit, bool) {
    group.terminate_leader();
    let deadline = tokio::time::Instant::now() + grace;
    let asked = tokio::select! {
        exit = group.wait() => Some(exit),
        () = tokio::time::sleep_until(deadline) => None,
        () = cancel.cancelled() => None,
        () = too_late => None,
    };
    let Some(exit) = asked else {
        group.kill();
        return (group.wait().await, true);
    };
    if !matches!(exit, Exit::Code(_)) {
        group.terminate();
        tokio::select! {
            () = group.emptied() => {}
            () = tokio::time::sleep_until(deadline) => {}
            () = cancel.cancelled() => {}
        }
    }
    (exit, false)
}

/// The pipes close when the last writer is gone; one that escaped the group must not hold us.
async fn finish_reading(readers: [Option<JoinHandle<()>>; 2]) {
    let deadline = tokio::time::Instant::now() + DRAIN;
    for mut reader in readers.into_iter().flatten() {
        if tokio::time::timeout_at(deadline, &mut reader).await.is_err() {
            reader.abort();
        }
    }
}
