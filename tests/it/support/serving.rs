//! A program that runs by itself, as somebody's server would: `fixtures/programs/serves.py`.

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use super::place::{Place, program};
use super::pythons;

/// It, until it is dropped.
pub(crate) struct Serving {
    child: Child,
    threads: usize,
    place: Place,
}

/// What a process does with signals, and who holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Signals(Vec<String>);

impl Serving {
    /// Starts it with one thread that works, and waits until it does.
    pub(crate) fn start(python: &Path, threads: usize, mark: &str) -> Self {
        let place = Place::new();
        let mut command = pythons::command(python);
        command.arg(program("serves.py")).arg(place.path().join("counts"));
        command.args(["--threads", &threads.to_string(), "--mark", mark]);
        let child = command.stdin(Stdio::null()).spawn().unwrap();
        let serving = Self { child, threads, place };
        serving.until("it works", |serving| serving.rounds().iter().all(|rounds| *rounds > 2));
        serving
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Rounds that each thread has done and whose results were right; fails where one was wrong.
    pub(crate) fn rounds(&self) -> Vec<u64> {
        let bytes = std::fs::read(self.place.path().join("counts")).unwrap_or_default();
        let word = |number: usize| {
            let word = bytes.get(8 * number..8 * number + 8).unwrap_or(&[0; 8]);
            u64::from_le_bytes(word.try_into().unwrap())
        };
        let wrong: u64 = (0..self.threads).map(|thread| word(2 * thread + 1)).sum();
        assert_eq!(wrong, 0, "a result was wrong");
        (0..self.threads).map(|thread| word(2 * thread)).collect()
    }

    /// Waits for something; fails if it never comes.
    pub(crate) fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let started = Instant::now();
        while !condition(self) {
            assert!(started.elapsed() < Duration::from_secs(60), "never: {what}");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Makes sure that every thread goes on, is stopped by nobody, and has its signals as before.
    pub(crate) fn is_unharmed(&self, before: &Signals) {
        self.until("no thread is stopped", |serving| !serving.is_stopped());
        let rounds = self.rounds();
        self.until("every thread works on", |serving| {
            serving.rounds().iter().zip(&rounds).all(|(now, then)| now > then)
        });
        assert_eq!(self.signals(), *before);
    }

    /// Whether a thread of it is stopped, by a tracer or a signal.
    pub(crate) fn is_stopped(&self) -> bool {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid())).unwrap();
        let stopped = |task: std::fs::DirEntry| {
            let text = std::fs::read_to_string(task.path().join("stat")).unwrap_or_default();
            let rest = text.rsplit(')').next().unwrap_or_default().trim_start().to_owned();
            rest.starts_with(['t', 'T'])
        };
        tasks.flatten().any(stopped)
    }

    /// What it does with signals now, and that nobody holds it.
    pub(crate) fn signals(&self) -> Signals {
        self.until("nobody holds it", |serving| serving.status("TracerPid:") == "TracerPid:\t0");
        let lines = ["SigBlk:", "SigIgn:", "SigCgt:"];
        Signals(lines.iter().map(|name| self.status(name)).collect())
    }

    fn status(&self, name: &str) -> String {
        let text = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        text.lines().find(|line| line.starts_with(name)).unwrap_or_default().to_owned()
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
