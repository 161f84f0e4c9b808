//! A program that runs as somebody else's process, and what a look at it must leave as it was.

use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::support::pythons;

/// It, with all that it starts, until it is dropped.
pub(crate) struct Foreign {
    child: Child,
}

impl Foreign {
    /// Starts it in a group of its own.
    pub(crate) fn start(script: &Path, ready: &Path) -> Self {
        let mut command = pythons::command(pythons::system_python());
        command.arg(script).env("TORTURE_READY", ready).process_group(0);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Self { child: command.spawn().unwrap() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What was done to it: its end, or a thread that somebody stopped or still traces. Programs that end or stop by themselves
    /// are named.
    pub(crate) fn harm(&self, name: &str) -> Option<String> {
        let path = format!("/proc/{}", self.pid());
        let state = || {
            let text = std::fs::read_to_string(format!("{path}/stat")).unwrap_or_default();
            text.rsplit(')').next().unwrap_or_default().trim_start().chars().next()
        };
        if name != "crashes" && state().is_none_or(|state| state == 'Z') {
            return Some("the process has ended".to_owned());
        }
        let held = || {
            let tasks = std::fs::read_dir(format!("{path}/task")).into_iter().flatten().flatten();
            tasks.map(|task| task.path()).any(|task| {
                let status = std::fs::read_to_string(task.join("status")).unwrap_or_default();
                let stopped = status.contains("State:\tT") && name != "stops_itself";
                let free = status.is_empty() || status.contains("TracerPid:\t0\n");
                stopped || status.contains("State:\tt") || !free
            })
        };
        let started = Instant::now();
        while held() {
            if started.elapsed() > Duration::from_secs(2) {
                return Some("a thread of the process is held".to_owned());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        None
    }
}

impl Drop for Foreign {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}
