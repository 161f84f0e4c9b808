//! From a thread's stack to the program's own calls.

use py_spy::{Frame, StackTrace};

use super::Found;
use super::attribution::{Code, Doing, Read, Thread};
use super::system::{self, States};
use crate::profile::CallSite;

/// Scalene's own package, wherever it is installed.
const SCALENE: [&str; 4] = [
    "site-packages/scalene/",
    "dist-packages/scalene/",
    "site-packages\\scalene\\",
    "dist-packages\\scalene\\",
];
/// Functions of it that stand in for functions of Python, by the beginning of their file's name or
/// a part of their own: waiting in them is the program's waiting.
const STAND_INS: (&str, &str) = ("replacement_", "signal_blocking_wrapper");
/// The same in Python before 3.11, which does not know what a function is inside of.
const BLOCKING: (&str, &str) = ("scalene_utility.py", "wrapped");
/// What the file that starts Scalene calls itself where the program begins; and the function of Scalene's
/// that runs a program, should it have been left out.
const BEGINNING: (&str, &str) = ("<scalene launcher>", "profile_code");

/// What the same file calls the part of the calls of a function that is no part of the measurement.
const ASIDE: &str = "unmeasured";

/// What its wrapper around each function of `os` says where it calls the function.
const WRAPPED_CALL: &str = "func(*args, **kwargs)";

/// What is remembered of the threads of one process.
pub(super) struct Stacks {
    tids: system::ThreadIds,
    /// File that starts Scalene, where that runs.
    runner: Option<String>,
    natives: system::Natives,
    /// Lines of Scalene's wrapper that call what it wraps, once they are known.
    wrapped_calls: Option<Vec<i32>>,
}

impl Stacks {
    pub(super) fn new(runner: Option<&str>) -> Self {
        Self {
            tids: system::ThreadIds::default(),
            runner: runner.map(str::to_owned),
            natives: system::Natives::default(),
            wrapped_calls: None,
        }
    }

    /// Whether this is Scalene's work around a function of `os`: it blocks a signal before the call and lets it through
    /// after, which takes ten times as long as the shortest of these functions.
    fn is_wrapping(&mut self, frames: &[Frame]) -> bool {
        let Some(frame) = frames.iter().rfind(|frame| is_blocking(frame)) else { return false };
        let calls = self.wrapped_calls.get_or_insert_with(|| {
            let text = std::fs::read_to_string(&frame.filename).unwrap_or_default();
            let lines = (1..).zip(text.lines());
            lines.filter(|(_, line)| line.contains(WRAPPED_CALL)).map(|(line, _)| line).collect()
        });
        !calls.is_empty() && !calls.contains(&frame.line)
    }

    /// Counts what one thread did; nothing for a thread of Scalene's own.
    pub(super) fn count(
        &mut self,
        trace: &StackTrace,
        pid: u32,
        states: &States,
        code: &mut dyn FnMut(u32) -> Option<(Code, u64)>,
        found: &mut Found,
    ) -> Option<Thread> {
        let of_whom = match &self.runner {
            Some(runner) => own(&trace.frames, runner),
            None => Own::Program { frames: &trace.frames, replaced: None },
        };
        let (frames, replaced) = match of_whom {
            Own::Program { frames, replaced } => (frames, replaced),
            Own::Profiler { interrupted } => {
                let tid = self.tids.of(trace, pid, states);
                let doing = system::doing(trace, tid, states);
                if doing != Doing::WantsInterpreter || !waits_in_python(interrupted) {
                    return Some(Thread { node: None, doing, code: None });
                }
                // Scalene's timer woke a thread that waits for another one, which goes on meanwhile.
                (interrupted, Some(Replaced::Lock))
            }
        };
        if frames.is_empty() {
            return None;
        }
        let tid = self.tids.of(trace, pid, states);
        let doing = match system::doing(trace, tid, states) {
            // Scalene lets a wait time out now and then to look after its timer.
            Doing::Waits if replaced == Some(Replaced::Lock) => Doing::WaitsForThread,
            Doing::Runs | Doing::WantsInterpreter if replaced == Some(Replaced::Lock) => {
                Doing::Polls
            }
            Doing::Waits if replaced == Some(Replaced::Join) => Doing::WaitsForChild,
            // A timer of Scalene's wakes the main thread, which waits for the interpreter to say that it still
            // waits for another thread.
            Doing::WantsInterpreter if waits_in_python(frames) => Doing::Polls,
            doing => doing,
        };
        if doing == Doing::Runs
            && replaced == Some(Replaced::Other)
            && self.is_wrapping(&trace.frames)
        {
            return Some(Thread { node: None, doing, code: None });
        }
        let waiting = !matches!(doing, Doing::Runs | Doing::WantsInterpreter);
        let mut stack: Vec<CallSite> = Vec::with_capacity(frames.len());
        // py-spy lists the innermost first.
        for frame in frames.iter().rev() {
            let function = found.tree.function(&frame.filename, &frame.name, false);
            stack.push(CallSite { function, line: u32::try_from(frame.line).unwrap_or(0) });
        }
        let code = tid.filter(|_| doing == Doing::Runs).and_then(code);
        let node = found.tree.add(&stack, 0.0, waiting);
        Some(Thread { node, doing, code })
    }

    /// Puts down the time that a read stands for.
    pub(super) fn charge(&mut self, read: &Read, seconds: f64, found: &mut Found) {
        for thread in &read.threads {
            let Some(node) = thread.node else { continue };
            let waiting = !matches!(thread.doing, Doing::Runs | Doing::WantsInterpreter);
            found.tree.spend(node, seconds, waiting);
            if let Some((Code::Interpreter | Code::Extension | Code::System, address)) = thread.code
            {
                self.natives.note(node, address, seconds);
            }
        }
        found.attribute(read, seconds);
    }

    /// Names the machine code that ran, when there is no more to come.
    pub(super) fn finish(self, code: &system::CodeMap, found: &mut Found) {
        self.natives.name(code, &mut found.tree);
    }
}

/// Whether the innermost frame is the part of Python's library that lets threads wait for each other.
fn waits_in_python(frames: &[Frame]) -> bool {
    frames.first().is_some_and(|frame| frame.filename.ends_with("threading.py"))
}

/// What a frame of Scalene's stands in for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Replaced {
    /// Something that another thread ends.
    Lock,
    /// The end of a process.
    Join,
    Other,
}

impl Replaced {
    fn by(frame: &Frame) -> Self {
        let file = frame.filename.rsplit(['/', '\\']).next().unwrap_or_default();
        match file {
            "replacement_pjoin.py" => Self::Join,
            _ if file.contains("lock") || file.contains("thread_join") => Self::Lock,
            _ => Self::Other,
        }
    }
}

enum Own<'a> {
    /// Its frames, innermost first, and what Scalene put on top of them.
    Program { frames: &'a [Frame], replaced: Option<Replaced> },
    /// Scalene's handlers, on top of the program's frames, which are these.
    Profiler { interrupted: &'a [Frame] },
}

/// The frames of the program itself, with what called it. Of Scalene's own frames on top of them
/// those are dropped that only stand in for Python; others make the sample one of the profiler's.
fn own<'a>(frames: &'a [Frame], runner: &str) -> Own<'a> {
    let is_scalene = |frame: &Frame| SCALENE.iter().any(|part| frame.filename.contains(part));
    let stands_in = |frame: &Frame| {
        let file = frame.filename.rsplit(['/', '\\']).next().unwrap_or_default();
        file.starts_with(STAND_INS.0) || is_blocking(frame)
    };
    // Scalene runs the program, and a part of each thread: the outermost frames are its own, too. Of its
    // own threads nothing is left then.
    let runs_it = |frame: &&Frame| {
        is_scalene(frame)
            || frame.filename == runner
            || frame.filename.starts_with('<')
            || frame.filename.ends_with("threading.py")
    };
    let outer = frames.iter().rev().take_while(runs_it).count();
    let outermost = || frames.iter().rev().take(outer);
    if is_profilers(outermost(), runner) || is_before(outermost(), runner) {
        return Own::Program { frames: &[], replaced: None };
    }
    let rest = frames.get(..frames.len() - outer).unwrap_or_default();
    let Some(first) = rest.iter().rposition(is_scalene) else {
        // Of a thread of Scalene's own nothing is left but what starts threads.
        let frames = if rest.is_empty() { rest } else { frames };
        return Own::Program { frames, replaced: None };
    };
    match rest.get(first).filter(|frame| stands_in(frame)) {
        Some(frame) => Own::Program {
            frames: frames.get(first + 1..).unwrap_or_default(),
            replaced: Some(Replaced::by(frame)),
        },
        None => Own::Profiler { interrupted: frames.get(first + 1..).unwrap_or_default() },
    }
}

/// Whether a frame is Scalene's wrapper around a function of `os`.
fn is_blocking(frame: &Frame) -> bool {
    frame.name.contains(STAND_INS.1)
        || (frame.name == BLOCKING.1 && frame.filename.ends_with(BLOCKING.0))
}

/// Whether Scalene is still being started, or already writes its profile; or whether it stands still while something is
/// prepared that is not measured.
fn is_before<'a>(mut outer: impl Iterator<Item = &'a Frame> + Clone, runner: &str) -> bool {
    let begins = |frame: &Frame| {
        frame.filename == BEGINNING.0
            || frame.name == BEGINNING.1
            || frame.name.ends_with(".profile_code")
    };
    let aside = |frame: &Frame| frame.filename == BEGINNING.0 && frame.name.ends_with(ASIDE);
    let started = outer.clone().any(|frame| frame.filename == runner);
    started && (outer.clone().any(aside) || !outer.any(begins))
}

/// Whether a thread is one of Scalene's own, from its outermost frames, outermost first: those of the
/// program come through the file that starts Scalene, or begin in Scalene's stand-in for a thread's start.
fn is_profilers<'a>(outer: impl Iterator<Item = &'a Frame>, runner: &str) -> bool {
    let mut own = false;
    for frame in outer {
        let name = frame.filename.rsplit(['/', '\\']).next().unwrap_or_default();
        if frame.filename == runner || (name == "scalene_profiler.py" && !own) {
            return false;
        }
        own |= SCALENE.iter().any(|part| frame.filename.contains(part))
            && !name.starts_with(STAND_INS.0);
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    const SITE: &str = "/v/lib/python3.11/site-packages/scalene";

    fn frames(files_and_names: &[(&str, &str)]) -> Vec<Frame> {
        let frame = |(file, name): &(&str, &str)| Frame {
            name: (*name).to_owned(),
            filename: file.replace("SITE", SITE),
            module: None,
            short_filename: None,
            line: 1,
            locals: None,
            is_entry: false,
            is_shim_entry: false,
        };
        files_and_names.iter().map(frame).collect()
    }

    /// Frames that are left; none for a sample of the profiler's.
    fn kept(files_and_names: &[(&str, &str)]) -> Option<usize> {
        match own(&frames(files_and_names), "/w/launch.py") {
            Own::Program { frames, .. } => Some(frames.len()),
            Own::Profiler { .. } => None,
        }
    }

    #[test]
    fn frames_of_the_profiler_are_told_from_the_programs() {
        let run = [
            ("<scalene launcher>", "program"),
            ("SITE/scalene_profiler.py", "run_profiler"),
            ("/w/launch.py", "main"),
        ];
        let with = |inner: &[(&'static str, &'static str)]| {
            kept(&inner.iter().chain(&run).copied().collect::<Vec<_>>())
        };
        assert_eq!(with(&[("/p/app.py", "f"), ("/p/app.py", "<module>")]), Some(5));
        let handler = [("SITE/scalene_profiler.py", "cpu_signal_handler"), ("/p/app.py", "f")];
        assert_eq!(with(&handler), None);
        let inside = [("<frozen posixpath>", "join"), handler[0], handler[1]];
        assert_eq!(with(&inside), None, "called by the handler");
        let lock = [("SITE/replacement_lock.py", "acquire"), ("/p/app.py", "f")];
        assert_eq!(with(&lock), Some(4), "the program waits for its lock");
        let thread = [
            ("/p/app.py", "crunch"),
            ("/l/threading.py", "run"),
            ("SITE/scalene_profiler.py", "wrapper"),
            ("/l/threading.py", "_bootstrap"),
        ];
        assert_eq!(kept(&thread), Some(4), "a thread of the program");
        let queue = [
            ("/l/random.py", "random"),
            ("SITE/scalene_profiler.py", "malloc_signal_queue_processor"),
            ("SITE/scalene_sigqueue.py", "run"),
            ("/l/threading.py", "_bootstrap"),
        ];
        assert_eq!(kept(&queue), Some(0), "a thread of Scalene's");
        let prepare = [("<scalene launcher>", "Calls.unmeasured"), run[0]];
        let prepared = with(&[("/p/app.py", "make"), prepare[0], prepare[1]]);
        assert_eq!(prepared, Some(0), "not measured");
        let start =
            [("SITE/numpy/core.py", "<module>"), ("SITE/scalene_profiler.py", "<module>"), run[2]];
        assert_eq!(kept(&start), Some(0), "Scalene is imported");
        assert_eq!(with(&[("SITE/scalene_utility.py", "wrapped"), ("/p/app.py", "f")]), Some(4));
    }
}
