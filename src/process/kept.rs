//! A run under a keeper, as the server sees it.

use std::collections::{BTreeSet, HashSet};
use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair,
};
use rustix::process::{Pid, WaitOptions, waitpid};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::pipe;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};
use tokio::process::Command;
use tokio::sync::watch;

use super::ending::end_all;
use super::leftovers;
use super::order::{KILL, Order, RELEASE, Report, TERMINATE, TERMINATE_GROUP, Used};
use super::run::{Exit, Spec, Usage};
use super::table;

/// How long a keeper may take to start its program, on a machine that is busy with other things.
const START_WITHIN: Duration = Duration::from_secs(30);
/// How long the server waits for a keeper to end all processes.
const CLEAR_WITHIN: Duration = Duration::from_secs(12);
/// How long the server itself tries to end processes whose keeper is dead.
const PATIENCE: Duration = Duration::from_secs(5);

/// The executable that is started as a keeper, once there is one.
static EXECUTABLE: OnceLock<(PathBuf, &'static str)> = OnceLock::new();
/// The keepers that live.
static KEEPERS: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// From now on each child of this process gets a keeper: this very executable, called with `command`, which must then
/// call [`super::keep`] before anything else.
///
/// Without it children run all the same, but what they leave behind is only ended as far as it stays in their process
/// group, and not at all when this process is killed.
pub fn keep_children(command: &'static str) {
    let own = PathBuf::from("/proc/self/exe");
    // The link leads to what was started, even when it has been replaced since.
    let executable = if own.exists() { Some(own) } else { std::env::current_exe().ok() };
    if let Some(executable) = executable {
        let _ = EXECUTABLE.set((executable, command));
        // Should a keeper be killed, its processes become ours, and can be found.
        #[cfg(target_os = "linux")]
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
    }
}

/// What the keeper has said so far.
#[derive(Debug, Clone, Default)]
struct Told {
    started: Option<Result<u32, i32>>,
    used: Option<Usage>,
    exit: Option<Exit>,
    empty: bool,
    cleared: bool,
    /// It is gone.
    lost: bool,
}

/// The program's pipes, our ends.
pub(super) struct Pipes {
    pub(super) stdin: pipe::Sender,
    pub(super) stdout: pipe::Receiver,
    pub(super) stderr: pipe::Receiver,
}

/// A run under a keeper. Dropping it ends all processes of the run; the keeper then goes.
#[derive(Debug)]
pub(super) struct Kept {
    keeper: u32,
    pid: u32,
    commands: OwnedWriteHalf,
    told: watch::Receiver<Told>,
}

/// Why there is no run under a keeper.
pub(super) enum Failure {
    /// The keeper works, but the program cannot be started.
    Program(io::Error),
    /// There is no keeper to be had.
    Keeper(io::Error),
}

impl Kept {
    /// `None` where children get no keepers.
    pub(super) async fn spawn(spec: &Spec) -> Option<Result<(Self, Pipes), Failure>> {
        let (executable, command) = EXECUTABLE.get()?;
        let spawned = match Self::start(executable, command, spec).await {
            Ok((kept, pipes)) => kept.started().await.map(|kept| (kept, pipes)),
            Err(error) => Err(Failure::Keeper(error)),
        };
        Some(spawned)
    }

    async fn start(
        executable: &std::path::Path,
        command: &str,
        spec: &Spec,
    ) -> io::Result<(Self, Pipes)> {
        let (ours, theirs) = sockets()?;
        let (stdin, stdin_ours) = io::pipe()?;
        let (stdout_ours, stdout) = io::pipe()?;
        let (stderr_ours, stderr) = io::pipe()?;
        let pipes = Pipes {
            stdin: pipe::Sender::from_owned_fd(stdin_ours.into())?,
            stdout: pipe::Receiver::from_owned_fd(stdout_ours.into())?,
            stderr: pipe::Receiver::from_owned_fd(stderr_ours.into())?,
        };
        #[expect(clippy::disallowed_methods, reason = "the one place where keepers start")]
        let mut keeper = Command::new(executable);
        keeper.arg(command).args(spec.folder.as_deref()).env_clear();
        keeper.stdin(Stdio::from(theirs)).stdout(Stdio::null()).stderr(Stdio::null());
        keeper.arg0("scalene-mcp");
        let ours: std::os::unix::net::UnixStream = ours.into();
        ours.set_nonblocking(true)?;
        let (reports, mut commands) = UnixStream::from_std(ours)?.into_split();
        let order = serde_json::to_vec(&order(spec))?;
        let length = u32::try_from(order.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        let (child, id) = {
            let mut keepers = lock_keepers();
            let child = keeper.spawn()?;
            let id = child.id().unwrap_or_default();
            keepers.insert(id);
            (child, id)
        };
        // It holds a copy of the other end, and with that the socket would never end.
        drop(keeper);
        let (tell, told) = watch::channel(Told::default());
        tokio::spawn(listen(reports, child, id, tell, spec.pid_files.clone()));
        hand_over(commands.as_ref(), length, &[stdin.into(), stdout.into(), stderr.into()])?;
        commands.write_all(&order).await?;
        Ok((Self { keeper: id, pid: 0, commands, told }, pipes))
    }

    async fn started(mut self) -> Result<Self, Failure> {
        let told = self.told.wait_for(|told| told.started.is_some() || told.lost);
        let told = tokio::time::timeout(START_WITHIN, told).await;
        let started = told.ok().and_then(|told| told.ok()?.started);
        match started {
            Some(Ok(pid)) => {
                self.pid = pid;
                Ok(self)
            }
            Some(Err(number)) => Err(Failure::Program(io::Error::from_raw_os_error(number))),
            // The program may have run for a moment: it is not started a second time.
            None => Err(Failure::Program(io::Error::other("its keeper was killed"))),
        }
    }

    pub(super) fn id(&self) -> u32 {
        self.pid
    }

    pub(super) fn keeper(&self) -> u32 {
        self.keeper
    }

    /// The program's end. When the keeper was killed before it, the program was killed after that.
    pub(super) async fn wait(&mut self) -> Exit {
        let told = self.told.wait_for(|told| told.exit.is_some() || told.lost).await;
        let killed = Exit::Signal(rustix::process::Signal::KILL.as_raw());
        told.ok().and_then(|told| told.exit).unwrap_or(killed)
    }

    /// What the program used; known once it has ended.
    pub(super) fn usage(&self) -> Option<Usage> {
        self.told.borrow().used
    }

    /// Until no process of the run is left.
    pub(super) async fn emptied(&mut self) {
        let _ = self.told.wait_for(|told| told.empty || told.lost).await;
    }

    /// Ends what is left of the run, and waits until it is gone.
    pub(super) async fn clear(&mut self) {
        self.kill();
        let told = self.told.wait_for(|told| told.cleared || told.lost);
        if tokio::time::timeout(CLEAR_WITHIN, told).await.is_err() {
            tracing::warn!(pid = self.pid, "some processes of a run could not be ended");
        }
    }

    pub(super) fn terminate_leader(&self) {
        self.command(TERMINATE);
    }

    pub(super) fn terminate(&self) {
        self.command(TERMINATE_GROUP);
    }

    pub(super) fn kill(&self) {
        self.command(KILL);
    }

    fn command(&self, command: u8) {
        // A keeper that is gone obeys no more; `listen` does its work then.
        if let Err(error) = self.commands.try_write(&[command]) {
            tracing::debug!(%error, keeper = self.keeper, "a keeper cannot be told anything");
        }
    }
}

impl Drop for Kept {
    fn drop(&mut self) {
        // What still lives may write into the folder: then the keeper removes it when it has ended that.
        if self.told.borrow().cleared {
            self.command(RELEASE);
        }
    }
}

impl From<Used> for Usage {
    fn from(used: Used) -> Self {
        Self {
            wall: Duration::from_micros(used.wall_us),
            cpu: used.cpu_us.map(Duration::from_micros),
            peak_resident: used.peak_bytes,
        }
    }
}

fn lock_keepers() -> std::sync::MutexGuard<'static, BTreeSet<u32>> {
    KEEPERS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Two ends, neither of which a child inherits by chance.
fn sockets() -> io::Result<(OwnedFd, OwnedFd)> {
    #[cfg(target_os = "linux")]
    let flags = SocketFlags::CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = SocketFlags::empty();
    let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    #[cfg(not(target_os = "linux"))]
    for end in [&ours, &theirs] {
        rustix::io::fcntl_setfd(end, rustix::io::FdFlags::CLOEXEC)?;
    }
    Ok((ours, theirs))
}

/// Sends the length of the order, and the program's streams with it.
fn hand_over(socket: &UnixStream, length: u32, streams: &[OwnedFd; 3]) -> io::Result<()> {
    let borrowed = streams.each_ref().map(AsFd::as_fd);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    control.push(SendAncillaryMessage::ScmRights(&borrowed));
    let bytes = length.to_le_bytes();
    // The first bytes of an empty socket: there is room for all of them.
    let sent = sendmsg(socket.as_fd(), &[IoSlice::new(&bytes)], &mut control, SendFlags::empty())?;
    if sent == bytes.len() { Ok(()) } else { Err(io::ErrorKind::WriteZero.into()) }
}

fn order(spec: &Spec) -> Order {
    let mut env: Vec<(OsString, OsString)> = std::env::vars_os().collect();
    env.retain(|(name, _)| !spec.env_remove.contains(name));
    env.extend(spec.env.iter().cloned());
    Order {
        program: spec.program.clone().into(),
        args: spec.args.clone(),
        env,
        cwd: spec.cwd.clone().map(Into::into),
        folder: spec.folder.clone().map(Into::into),
        pid_files: spec.pid_files.clone().map(Into::into),
    }
}

/// Notes what a keeper says until it ends. When it ends before its processes did, ends those.
async fn listen(
    reports: OwnedReadHalf,
    mut keeper: tokio::process::Child,
    id: u32,
    tell: watch::Sender<Told>,
    pid_files: Option<PathBuf>,
) {
    let mut lines = BufReader::new(reports).lines();
    while let Ok(Some(line)) = lines.next_line().await {
        let Ok(report) = serde_json::from_str(&line) else { continue };
        tell.send_modify(|told| match report {
            Report::Started(pid) => told.started = Some(Ok(pid)),
            Report::Failed(number) => told.started = Some(Err(number)),
            Report::Used(used) => told.used = Some(used.into()),
            Report::Exited(code) => told.exit = Some(Exit::Code(code)),
            Report::Killed(signal) => told.exit = Some(Exit::Signal(signal)),
            Report::Empty => told.empty = true,
            Report::Cleared => (told.empty, told.cleared) = (true, true),
        });
    }
    let _ = keeper.wait().await;
    lock_keepers().remove(&id);
    let told = tell.borrow().clone();
    if let (Some(Ok(pid)), false) = (told.started, told.empty) {
        tracing::warn!(pid, "the keeper of a run was killed; its processes are ended");
        let _ = tokio::task::spawn_blocking(move || mop_up(pid, pid_files)).await;
    }
    tell.send_modify(|told| told.lost = true);
}

/// Ends the processes of a run whose keeper is dead: what descends from its program, and what has
/// become a child of ours without being started here.
fn mop_up(program: u32, pid_files: Option<PathBuf>) {
    let own = std::process::id();
    let mut ids = BTreeSet::from([program]);
    let find = || {
        let all = table::all();
        let keepers: HashSet<u32> = lock_keepers().iter().copied().collect();
        let adopted = |entry: &&table::Entry| {
            let ours = entry.parent == own && EXECUTABLE.get().is_some();
            (ours && !keepers.contains(&entry.pid)) || entry.pid == program
        };
        let mut found: Vec<table::Entry> = all.iter().filter(adopted).copied().collect();
        found.extend(table::below(&found.iter().map(|entry| entry.pid).collect(), &all));
        for entry in &found {
            ids.insert(entry.pid);
            // Those that ended are ours to collect; nobody else waits for them.
            if let Some(pid) = i32::try_from(entry.pid).ok().and_then(Pid::from_raw)
                && entry.ended
            {
                let _ = waitpid(Some(pid), WaitOptions::NOHANG);
            }
        }
        found.iter().filter(|entry| !entry.ended).map(|entry| entry.pid).collect()
    };
    end_all(find, PATIENCE);
    if let Some(prefix) = pid_files {
        leftovers::remove(&prefix, &ids);
    }
}
