//! A child and its descendants as one process group.

use std::io;
use std::process::ExitStatus;

use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command};

/// A running child that leads a process group of its own. Dropping it kills the
/// group: a call that is cancelled or panics leaves no process behind.
pub(super) struct Group {
    child: Child,
    pid: Pid,
}

impl Group {
    pub(super) fn spawn(mut command: Command) -> io::Result<Self> {
        let child = command.process_group(0).kill_on_drop(true).spawn()?;
        let raw = child.id().and_then(|id| i32::try_from(id).ok());
        let pid =
            raw.and_then(Pid::from_raw).ok_or_else(|| io::Error::other("child has no pid"))?;
        Ok(Self { child, pid })
    }

    pub(super) fn id(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    pub(super) fn take_pipes(
        &mut self,
    ) -> (Option<ChildStdin>, Option<ChildStdout>, Option<ChildStderr>) {
        (self.child.stdin.take(), self.child.stdout.take(), self.child.stderr.take())
    }

    pub(super) async fn wait(&mut self) -> io::Result<ExitStatus> {
        self.child.wait().await
    }

    /// Asks the child itself (not its descendants) to end.
    pub(super) fn terminate_leader(&self) {
        // Failure means that it is gone already, which is what was wanted.
        let _ = kill_process(self.pid, Signal::TERM);
    }

    /// Asks everything in the group to end.
    pub(super) fn terminate(&self) {
        let _ = kill_process_group(self.pid, Signal::TERM);
    }

    /// Ends everything in the group at once.
    pub(super) fn kill(&self) {
        let _ = kill_process_group(self.pid, Signal::KILL);
    }

    pub(super) fn is_alive(&self) -> bool {
        test_kill_process_group(self.pid).is_ok()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}
