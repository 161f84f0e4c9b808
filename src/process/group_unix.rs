//! A child and its descendants: under a keeper where there is one, else as one process group.

use std::io;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::{Child, Command};

use super::kept::{Failure, Kept};
use super::leftovers;
use super::run::{Exit, Spec, Usage};

/// How often a dying group is looked at.
const POLL: Duration = Duration::from_millis(20);

/// Our ends of the child's standard streams.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(super) stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    pub(super) stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

/// A running child that leads a process group of its own. Dropping it kills the
/// group: a call that is cancelled or panics leaves no process behind.
#[derive(Debug)]
pub(super) enum Group {
    Kept(Kept),
    Bare(Bare),
}

impl Group {
    pub(super) async fn spawn(
        spec: &Spec,
        command: impl FnOnce() -> Command,
    ) -> io::Result<(Self, Streams)> {
        match Kept::spawn(spec).await {
            Some(Ok((kept, pipes))) => {
                let streams = Streams {
                    stdin: Some(Box::new(pipes.stdin)),
                    stdout: Some(Box::new(pipes.stdout)),
                    stderr: Some(Box::new(pipes.stderr)),
                };
                return Ok((Self::Kept(kept), streams));
            }
            Some(Err(Failure::Program(error))) => return Err(error),
            Some(Err(Failure::Keeper(error))) => {
                tracing::warn!(%error, "a program runs without a keeper");
            }
            None => {}
        }
        Bare::spawn(command(), spec).map(|(bare, streams)| (Self::Bare(bare), streams))
    }

    /// Process id of the child.
    pub(super) fn id(&self) -> u32 {
        match self {
            Self::Kept(kept) => kept.id(),
            Self::Bare(bare) => bare.pid.as_raw_nonzero().get().unsigned_abs(),
        }
    }

    /// The process from which all of the run descend.
    pub(super) fn root(&self) -> u32 {
        match self {
            Self::Kept(kept) => kept.keeper(),
            Self::Bare(_) => self.id(),
        }
    }

    pub(super) async fn wait(&mut self) -> Exit {
        match self {
            Self::Kept(kept) => kept.wait().await,
            Self::Bare(bare) => bare.child.wait().await.map_or(Exit::Unknown, Exit::of),
        }
    }

    /// What the child used, once it has ended; only a keeper tells.
    pub(super) fn usage(&self) -> Option<Usage> {
        match self {
            Self::Kept(kept) => kept.usage(),
            Self::Bare(_) => None,
        }
    }

    /// Asks the child itself (not its descendants) to end.
    pub(super) fn terminate_leader(&self) {
        match self {
            Self::Kept(kept) => kept.terminate_leader(),
            // Failure means that it is gone already, which is what was wanted.
            Self::Bare(bare) => _ = kill_process(bare.pid, Signal::TERM),
        }
    }

    /// Asks everything in the group to end.
    pub(super) fn terminate(&self) {
        match self {
            Self::Kept(kept) => kept.terminate(),
            Self::Bare(bare) => _ = kill_process_group(bare.pid, Signal::TERM),
        }
    }

    /// Ends everything at once.
    pub(super) fn kill(&self) {
        match self {
            Self::Kept(kept) => kept.kill(),
            Self::Bare(bare) => bare.kill(),
        }
    }

    /// Until nothing is left.
    pub(super) async fn emptied(&mut self) {
        match self {
            Self::Kept(kept) => kept.emptied().await,
            Self::Bare(bare) => {
                while test_kill_process_group(bare.pid).is_ok() {
                    tokio::time::sleep(POLL).await;
                }
            }
        }
    }

    /// Ends what is left, and waits until it is gone.
    pub(super) async fn clear(&mut self) {
        match self {
            Self::Kept(kept) => kept.clear().await,
            Self::Bare(bare) => bare.kill(),
        }
    }
}

/// A child without a keeper.
#[derive(Debug)]
pub(super) struct Bare {
    child: Child,
    pid: Pid,
    pid_files: Option<std::path::PathBuf>,
}

impl Bare {
    fn spawn(mut command: Command, spec: &Spec) -> io::Result<(Self, Streams)> {
        let mut child = command.process_group(0).kill_on_drop(true).spawn()?;
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        let pid =
            raw.and_then(Pid::from_raw).ok_or_else(|| io::Error::other("child has no pid"))?;
        let streams = Streams {
            stdin: child.stdin.take().map(|pipe| Box::new(pipe) as _),
            stdout: child.stdout.take().map(|pipe| Box::new(pipe) as _),
            stderr: child.stderr.take().map(|pipe| Box::new(pipe) as _),
        };
        Ok((Self { child, pid, pid_files: spec.pid_files.clone() }, streams))
    }

    fn kill(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
        if let Some(prefix) = &self.pid_files {
            let pid = self.pid.as_raw_nonzero().get().unsigned_abs();
            leftovers::remove(prefix, &[pid].into());
        }
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        self.kill();
    }
}
