//! A child and its descendants as one job object. Compiled only on Windows and
//! not yet run there (docs/architecture.md, "Platforms").

use std::io;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::process::Command;

use super::run::{Exit, Spec, Usage};

/// Our ends of the child's standard streams.
#[derive(Default)]
pub(super) struct Streams {
    pub(super) stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    pub(super) stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    pub(super) stderr: Option<Box<dyn AsyncRead + Send + Unpin>>,
}

/// A running child in a job of its own. Dropping it ends the job.
#[derive(Debug)]
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    id: u32,
}

impl Group {
    pub(super) async fn spawn(
        _: &Spec,
        command: impl FnOnce() -> Command,
    ) -> io::Result<(Self, Streams)> {
        let mut child = CommandWrap::from(command()).wrap(KillOnDrop).wrap(JobObject).spawn()?;
        let id = child.id().ok_or_else(|| io::Error::other("child has no pid"))?;
        let streams = Streams {
            stdin: child.stdin().take().map(|pipe| Box::new(pipe) as _),
            stdout: child.stdout().take().map(|pipe| Box::new(pipe) as _),
            stderr: child.stderr().take().map(|pipe| Box::new(pipe) as _),
        };
        Ok((Self { child, id }, streams))
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    /// The process from which all of the run descend.
    pub(super) fn root(&self) -> u32 {
        self.id
    }

    pub(super) async fn wait(&mut self) -> Exit {
        self.child.wait().await.map_or(Exit::Unknown, Exit::of)
    }

    /// Not asked for here yet.
    pub(super) fn usage(&self) -> Option<Usage> {
        None
    }

    /// Windows has no request that a console program without a window would see.
    pub(super) fn terminate_leader(&self) {}

    /// See [`Self::terminate_leader`].
    pub(super) fn terminate(&self) {}

    /// Ends every process of the job at once.
    pub(super) fn kill(&mut self) {
        let _ = self.child.start_kill();
    }

    /// The job ends with its leader's wrapper; nothing is left to look at.
    pub(super) async fn emptied(&mut self) {}

    /// See [`Self::kill`].
    pub(super) async fn clear(&mut self) {
        self.kill();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
