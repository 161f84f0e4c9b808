//! A child and its descendants as one job object. Compiled only on Windows and
//! not yet run there (docs/architecture.md, "Platforms").

use std::io;
use std::process::ExitStatus;

use process_wrap::tokio::{ChildWrapper, CommandWrap, JobObject, KillOnDrop};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout, Command};

/// A running child in a job of its own. Dropping it ends the job.
pub(super) struct Group {
    child: Box<dyn ChildWrapper>,
    id: u32,
}

impl Group {
    pub(super) fn spawn(command: Command) -> io::Result<Self> {
        let child = CommandWrap::from(command).wrap(KillOnDrop).wrap(JobObject).spawn()?;
        let id = child.id().ok_or_else(|| io::Error::other("child has no pid"))?;
        Ok(Self { child, id })
    }

    pub(super) fn id(&self) -> u32 {
        self.id
    }

    pub(super) fn take_pipes(
        &mut self,
    ) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin().take(), self.child.stdout().take(), self.child.stderr().take())
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
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
    pub(super) fn is_alive(&self) -> bool {
        false
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
