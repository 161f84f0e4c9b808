//! The keeper of one run: a process between the server and the program.
//!
//! It starts the program, collects every process that the program leaves behind, and says over a
//! socket what becomes of it. When the server asks, or is gone (killed, even), it ends them all. On Linux nothing escapes: it
//! is the subreaper, so that daemons become its children. Elsewhere it remembers descendants
//! that it saw while their parents lived.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::ffi::OsString;
use std::io::{self, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};
use rustix::process::{Pid, Signal, WaitOptions, kill_process_group};

use super::ending::{end_all, send};
use super::leftovers;
use super::order::{KILL, Order, RELEASE, Report, TERMINATE, TERMINATE_GROUP};
use super::table::{self, Entry};
use super::usage;

/// Largest order that is accepted.
const LARGEST_ORDER: u32 = 64 << 20;
/// In the command line of the process that removes what others leave in shared memory.
const TRACKER: &[u8] = b"multiprocessing.resource_tracker";
/// Time for it to do so.
const TRACKERS_WITHIN: Duration = Duration::from_secs(1);
/// Time for killed processes to go.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often descendants are looked for where they get lost when their parents end.
#[cfg(not(target_os = "linux"))]
const LOOK: Duration = Duration::from_millis(200);

/// A run and its processes.
struct Keeper {
    leader: u32,
    /// Just before the program was started.
    started: Instant,
    /// It begins as this executable, and then becomes another one.
    confined: bool,
    socket: UnixStream,
    pid_files: Option<OsString>,
    family: Mutex<Family>,
    collected: Condvar,
}

/// What is known of the processes.
#[derive(Default)]
struct Family {
    /// Those that were seen, with the time of their start.
    known: HashMap<u32, u64>,
    /// All ids that ever were the run's.
    ids: BTreeSet<u32>,
    leader_ended: bool,
    /// The group was killed: its id may be another's by now.
    is_over: bool,
    /// There are no children any more.
    childless: bool,
}

/// Runs the program that comes in over standard input, a socket, and ends when the socket does.
pub fn keep() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

fn serve() -> io::Result<()> {
    // A signal for the server's terminal or group is not for us. Fails for the leader of a group.
    let _ = rustix::process::setsid();
    #[cfg(target_os = "linux")]
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut socket = UnixStream::from(io::stdin().as_fd().try_clone_to_owned()?);
    let null = std::fs::File::open("/dev/null")?;
    rustix::stdio::dup2_stdin(&null)?;
    let (order, streams) = receive(&mut socket)?;
    let folder = order.folder.clone();
    let keeper = match start(order, streams, &socket) {
        Ok(keeper) => Arc::new(keeper),
        Err(error) => {
            let number = error.raw_os_error().unwrap_or(Errno::IO.raw_os_error());
            return say(&socket, Report::Failed(number));
        }
    };
    say(&socket, Report::Started(keeper.leader))?;
    // Nobody's folder may be busy because of us.
    let _ = std::env::set_current_dir("/");
    let collector = Arc::clone(&keeper);
    std::thread::spawn(move || collector.collect());
    #[cfg(not(target_os = "linux"))]
    {
        let watcher = Arc::clone(&keeper);
        std::thread::spawn(move || {
            loop {
                watcher.alive();
                std::thread::sleep(LOOK);
            }
        });
    }
    let released = keeper.obey(&mut socket);
    keeper.end();
    if let Some(folder) = folder.filter(|_| !released) {
        remove_folder(Path::new(&folder));
    }
    Ok(())
}

/// The order, and the program's standard streams.
fn receive(socket: &mut UnixStream) -> io::Result<(Order, Vec<OwnedFd>)> {
    let mut length = [0; 4];
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(3))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    #[cfg(target_os = "linux")]
    let flags = RecvFlags::CMSG_CLOEXEC;
    #[cfg(not(target_os = "linux"))]
    let flags = RecvFlags::empty();
    let parts = &mut [IoSliceMut::new(&mut length)];
    let received = recvmsg(socket.as_fd(), parts, &mut control, flags)?;
    let mut streams = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(rights) = message {
            streams.extend(rights);
        }
    }
    #[cfg(not(target_os = "linux"))]
    for stream in &streams {
        rustix::io::fcntl_setfd(stream, rustix::io::FdFlags::CLOEXEC)?;
    }
    let length = u32::from_le_bytes(length);
    if received.bytes != 4 || length > LARGEST_ORDER {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut order = vec![0; length as usize];
    socket.read_exact(&mut order)?;
    Ok((serde_json::from_slice(&order)?, streams))
}

fn start(order: Order, streams: Vec<OwnedFd>, socket: &UnixStream) -> io::Result<Keeper> {
    let Ok([stdin, stdout, stderr]) = <[OwnedFd; 3]>::try_from(streams) else {
        return Err(io::ErrorKind::InvalidData.into());
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place where a keeper starts its program"
    )]
    let mut command = Command::new(&order.program);
    command.args(&order.args).env_clear().envs(order.env).process_group(0);
    // Our own group, which changes nothing but that the child is forked. Otherwise it would borrow our memory until
    // it becomes the program, and its highest resident size would be ours at least.
    command.gid(rustix::process::getgid().as_raw());
    let confined = std::env::current_exe().is_ok_and(|own| own == Path::new(&order.program));
    command.stdin(Stdio::from(stdin)).stdout(Stdio::from(stdout)).stderr(Stdio::from(stderr));
    if let Some(dir) = order.cwd {
        command.current_dir(dir);
    }
    let started = Instant::now();
    let leader = command.spawn()?.id();
    let family = Family { ids: BTreeSet::from([leader]), ..Family::default() };
    Ok(Keeper {
        leader,
        started,
        confined,
        socket: socket.try_clone()?,
        pid_files: order.pid_files,
        family: Mutex::new(family),
        collected: Condvar::new(),
    })
}

/// A server that is gone hears nothing: what follows is the same.
fn say(mut socket: &UnixStream, report: Report) -> io::Result<()> {
    let mut line = serde_json::to_vec(&report)?;
    line.push(b'\n');
    socket.write_all(&line)
}

impl Keeper {
    fn family(&self) -> MutexGuard<'_, Family> {
        self.family.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Collects everything that ends, until nothing is left that could.
    fn collect(&self) {
        loop {
            match rustix::process::wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => {
                    let wall = self.started.elapsed();
                    let pid = pid.as_raw_nonzero().get().unsigned_abs();
                    let mut family = self.family();
                    family.ids.insert(pid);
                    if pid != self.leader {
                        continue;
                    }
                    family.leader_ended = true;
                    drop(family);
                    let _ =
                        say(&self.socket, Report::Used(usage::of_children(wall, self.confined)));
                    let signal = status.terminating_signal().map(Report::Killed);
                    let code = status.exit_status().map(Report::Exited);
                    let _ = say(&self.socket, signal.or(code).unwrap_or(Report::Exited(-1)));
                }
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => break,
            }
        }
        self.family().childless = true;
        self.collected.notify_all();
        if cfg!(target_os = "linux") {
            let _ = say(&self.socket, Report::Empty);
        }
    }

    /// Does what the server says. True when it lives on, false when it is gone.
    fn obey(&self, socket: &mut UnixStream) -> bool {
        let (mut command, mut released) = ([0], false);
        loop {
            match socket.read(&mut command) {
                Ok(1) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Ok(_) | Err(_) => return released,
            }
            match command {
                [TERMINATE] if !self.family().leader_ended => send(self.leader, Signal::TERM),
                [TERMINATE_GROUP] => self.signal_group(Signal::TERM),
                [KILL] => self.end(),
                [RELEASE] => released = true,
                _ => {}
            }
        }
    }

    /// Failure means that the group has no process left.
    fn signal_group(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.leader).ok().and_then(Pid::from_raw) {
            let _ = kill_process_group(group, signal);
        }
    }

    /// Ends all but those that Python starts to remove what other processes leave in shared memory, and gives
    /// these a moment: they do so when the last of the others is gone.
    fn end_all_but_trackers(&self) {
        let is_tracker = |pid: &u32| {
            let command = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            command.windows(TRACKER.len()).any(|part| part == TRACKER)
        };
        let trackers: HashSet<u32> = self.alive().into_iter().filter(is_tracker).collect();
        if trackers.is_empty() {
            return;
        }
        let others = || self.alive().into_iter().filter(|pid| !trackers.contains(pid)).collect();
        end_all(others, PATIENCE);
        for tracker in &trackers {
            send(*tracker, Signal::CONT);
        }
        let deadline = Instant::now() + TRACKERS_WITHIN;
        while !self.alive().is_empty() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends all processes of the run and removes their files.
    fn end(&self) {
        let is_over = std::mem::replace(&mut self.family().is_over, true);
        // One call is for the whole group, however many they are. While they stand still they do not keep
        // the machine so busy that to look for what left the group takes seconds.
        if !is_over {
            self.signal_group(Signal::STOP);
        }
        self.end_all_but_trackers();
        if !is_over {
            self.signal_group(Signal::KILL);
        }
        end_all(|| self.alive(), PATIENCE);
        // What was killed is collected within moments, then its leader's end has been told.
        let family = self.family();
        let waited =
            self.collected.wait_timeout_while(family, PATIENCE, |family| !family.childless);
        let (family, _) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(prefix) = &self.pid_files {
            leftovers::remove(Path::new(prefix), &family.ids);
        }
        drop(family);
        let _ = say(&self.socket, Report::Cleared);
    }

    /// All processes of the run that have not ended.
    fn alive(&self) -> Vec<u32> {
        let mut family = self.family();
        if family.childless && cfg!(target_os = "linux") {
            return Vec::new();
        }
        let all = table::all();
        let is_known = |entry: &&Entry| family.known.get(&entry.pid) == Some(&entry.started);
        let known: Vec<Entry> = all.iter().filter(is_known).copied().collect();
        let mut roots: HashSet<u32> = known.iter().map(|entry| entry.pid).collect();
        roots.insert(std::process::id());
        let mut found = known;
        found.extend(table::below(&roots, &all));
        for entry in &found {
            family.known.insert(entry.pid, entry.started);
            family.ids.insert(entry.pid);
        }
        let alive = found.iter().filter(|entry| !entry.ended).map(|entry| entry.pid);
        alive.collect::<BTreeSet<u32>>().into_iter().collect()
    }
}

/// Removes a folder with all that is in it; what was just killed may still be letting go of it.
fn remove_folder(folder: &Path) {
    for _ in 0..20 {
        match std::fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                std::thread::sleep(Duration::from_millis(50));
            }
            Ok(()) | Err(_) => return,
        }
    }
}
