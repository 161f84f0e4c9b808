//! One run: started, ended in one way, looked after.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use super::cases::{Case, Entry};
use super::foreign::Foreign;
use super::support::client::server_command;
use super::support::place::busy;
use super::support::traces::{allocator_files, names, processes_with};
use super::support::wire::Wire;

/// Time limit of a run that is ended by it: room for the set-up on a busy machine.
const LIMIT: f64 = 6.0;
/// Time limit of the others.
const NEVER: f64 = 45.0;
/// Longest time from the program's time limit to the answer: asking, forcing, reading.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Longest time until nothing is left, where each core has one thing to do. With more it is longer by as much.
const GONE_WITHIN: Duration = Duration::from_secs(2);

pub(crate) const HEAD: &str = "program                  way        answer                                        profile  answered  left  gone after";

/// What ends a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// The program, or a limit of it other than that of time.
    Itself,
    Timeout,
    Cancelled,
    Eof,
    Terminated,
    Killed,
}

impl Way {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Itself => "itself",
            Self::Timeout => "timeout",
            Self::Cancelled => "cancelled",
            Self::Eof => "eof",
            Self::Terminated => "terminated",
            Self::Killed => "killed",
        }
    }
}

/// One line of the table.
pub(crate) struct Row {
    program: String,
    way: Way,
    answer: String,
    profile: &'static str,
    seconds: f64,
    left: usize,
    /// Seconds until nothing was left.
    gone: f64,
    /// What is not as it must be.
    pub(crate) wrong: Vec<String>,
}

impl fmt::Display for Row {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (program, way, answer) = (&self.program, self.way.name(), &self.answer);
        let (profile, seconds, left, gone) = (self.profile, self.seconds, self.left, self.gone);
        write!(
            out,
            "{program:24} {way:10} {answer:45.45} {profile:8} {seconds:6.1} s  {left:4}  {gone:.1} s"
        )?;
        if self.wrong.is_empty() {
            Ok(())
        } else {
            write!(out, "  WRONG: {}", self.wrong.join("; "))
        }
    }
}

/// Folders of a run, and a mark that all its processes inherit.
struct Ground {
    work: tempfile::TempDir,
    tmp: tempfile::TempDir,
    signs: tempfile::TempDir,
    marker: String,
    seen: Arc<Mutex<BTreeSet<u32>>>,
    over: Arc<AtomicBool>,
}

impl Drop for Ground {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
    }
}

impl Ground {
    fn new(case: &Case) -> Self {
        let folder = || tempfile::Builder::new().prefix("smt-").tempdir_in("/tmp").unwrap();
        let (work, tmp, signs) = (folder(), folder(), folder());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/torture");
        let file = format!("{}.py", case.name);
        std::fs::copy(source.join(&file), work.path().join(&file)).unwrap();
        if case.name == "shadowed" {
            std::fs::write(work.path().join("queue.py"), "MINE = True\n").unwrap();
        }
        let marker = format!("TORTURE_READY={}", signs.path().join("ready").display());
        let (seen, over) =
            (Arc::new(Mutex::new(BTreeSet::new())), Arc::new(AtomicBool::new(false)));
        std::thread::spawn({
            let (marker, seen, over) = (marker.clone(), Arc::clone(&seen), Arc::clone(&over));
            move || {
                while !over.load(Ordering::Relaxed) {
                    seen.lock().unwrap().extend(processes_with(&marker));
                    std::thread::sleep(Duration::from_millis(50));
                }
            }
        });
        Self { work, tmp, signs, marker, seen, over }
    }

    /// The program as a process of somebody else's. It knows the file to write by another path, so that its processes
    /// are not taken for those of a run.
    fn foreign(&self, case: &Case) -> Foreign {
        let script = self.work.path().join(format!("{}.py", case.name));
        Foreign::start(&script, &self.signs.path().join("./ready"))
    }

    fn server(&self) -> tokio::process::Command {
        let mut command = server_command(Path::new("/"), &[]);
        command.env("TMPDIR", self.tmp.path());
        command
    }

    fn call(&self, case: &Case, way: Way, foreign: Option<&Foreign>) -> Value {
        let (name, value) = self.marker.split_once('=').unwrap();
        let timeout = if way == Way::Timeout { LIMIT } else { NEVER };
        let file = self.work.path().join(format!("{}.py", case.name));
        let (tool, which) = match case.entry {
            Entry::Script => ("profile_script", json!({"script_path": file})),
            Entry::With(_, parameters) => {
                let mut all: Value = serde_json::from_str(parameters).unwrap();
                all["script_path"] = json!(file);
                ("profile_script", all)
            }
            Entry::Function(function) => {
                let target = format!("{}:{function}", file.display());
                ("profile_function", json!({"target": target}))
            }
            Entry::Tests(class) => {
                let selector = format!("{}.{class}", case.name);
                ("profile_tests", json!({"selector": [selector]}))
            }
            Entry::Process => return foreign_call(foreign, way),
        };
        let mut arguments = json!({
            "cwd": self.work.path(), "memory": case.memory, "env": {name: value},
            "timeout": timeout, "wait_sec": 100,
        });
        arguments.as_object_mut().unwrap().extend(which.as_object().unwrap().clone());
        if let Some(limit) = case.max_memory_mb {
            arguments["max_memory_mb"] = json!(limit);
        }
        if !case.python.is_empty() {
            arguments["python"] = json!(case.python);
        }
        json!({"name": tool, "arguments": arguments})
    }

    fn ready(&self) -> PathBuf {
        self.signs.path().join("ready")
    }

    /// Processes of the run, its keeper too; files; files of Scalene's allocator.
    fn left(&self) -> Vec<String> {
        let mut left: Vec<String> =
            processes_with(&self.marker).iter().map(|pid| format!("process {pid}")).collect();
        let marked = left.len();
        left.truncate(3);
        if marked > 3 {
            left.push(format!("{} more processes", marked - 3));
        }
        left.extend(keepers(self.tmp.path()).iter().map(|pid| format!("keeper {pid}")));
        left.extend(names(self.tmp.path()));
        let seen: Vec<u32> = self.seen.lock().unwrap().iter().copied().collect();
        left.extend(allocator_files(&seen).iter().map(|path| path.display().to_string()));
        left
    }

    /// What is left when there was time to go, and how long it took until nothing was.
    async fn left_in_the_end(&self) -> (Vec<String>, f64) {
        let started = Instant::now();
        loop {
            let left = self.left();
            if left.is_empty() || started.elapsed() > GONE_WITHIN.mul_f64(load_per_core()) {
                return (left, started.elapsed().as_secs_f64());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Looks at a process for two seconds, or until the look is ended.
fn foreign_call(foreign: Option<&Foreign>, way: Way) -> Value {
    let seconds = if way == Way::Itself { 2.0 } else { NEVER };
    let arguments =
        json!({"pid": foreign.unwrap().pid(), "duration_sec": seconds, "wait_sec": 100});
    json!({"name": "profile_process", "arguments": arguments})
}

/// Threads that want to run, for each core; at least one.
fn load_per_core() -> f64 {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap();
    let load: f64 = text.split(' ').next().unwrap().parse().unwrap();
    let cores = std::thread::available_parallelism().unwrap().get();
    (load / f64::from(u32::try_from(cores).unwrap())).max(1.0)
}

/// Keepers of runs whose folder is below this one.
fn keepers(tmp: &Path) -> Vec<u32> {
    let folder = tmp.display().to_string();
    let entries = std::fs::read_dir("/proc").unwrap();
    let pids = entries.filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
    let keeps = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains(&folder) && line.contains("keep-one-run")
    };
    pids.filter(keeps).collect()
}

/// Runs a program, ends it, and looks at what is left.
pub(crate) async fn run(case: &Case, way: Way, expected: &str) -> Row {
    let ground = Ground::new(case);
    let foreign = (case.entry == Entry::Process).then(|| ground.foreign(case));
    let mut wrong = Vec::new();
    if foreign.is_some() && !until_ready(&ground).await {
        wrong.push("the process never began".to_owned());
    }
    let mut wire = Wire::open(ground.server(), "2025-11-25").await;
    let started = Instant::now();
    wire.request(1, "tools/call", ground.call(case, way, foreign.as_ref())).await;
    let asked = matches!(way, Way::Itself | Way::Timeout);
    if !asked && !until_ready(&ground).await {
        wrong.push("the program never began".to_owned());
    }
    let ended = Instant::now();
    let answer = if asked {
        let within = if way == Way::Timeout { ANSWER_WITHIN } else { Duration::from_secs(90) };
        tokio::time::timeout(within, wire.answer(1)).await.ok()
    } else {
        end(&mut wire, way).await;
        None
    };
    let seconds = if asked { started.elapsed() } else { ended.elapsed() }.as_secs_f64();
    if asked && answer.is_none() {
        wrong.push("no answer in time".to_owned());
    }
    let (said, profile) = answer.as_ref().map_or(("-".to_owned(), "-"), read);
    if !expected.split('|').any(|text| said.starts_with(text)) {
        wrong.push(format!("expected {expected}, got {said}"));
    }
    if let Some(harm) = foreign.as_ref().and_then(|foreign| foreign.harm(case.name)) {
        wrong.push(harm);
    }
    let (left, gone) = ground.left_in_the_end().await;
    wrong.extend(left.iter().map(|what| format!("left: {what}")));
    if let Err(why) = again(&ground, wire, way).await {
        wrong.push(why);
    }
    let memory = if case.memory { " +memory" } else { "" };
    let program = format!("{}{memory}{}", case.name, case.entry.words());
    Row { program, way, answer: said, profile, seconds, left: left.len(), gone, wrong }
}

async fn until_ready(ground: &Ground) -> bool {
    let started = Instant::now();
    while !ground.ready().exists() {
        if started.elapsed() > Duration::from_secs(60) {
            return false;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // In the middle of its work.
    tokio::time::sleep(Duration::from_millis(300)).await;
    true
}

async fn end(wire: &mut Wire, way: Way) {
    let server = Pid::from_raw(wire.pid().try_into().unwrap()).unwrap();
    match way {
        Way::Itself | Way::Timeout => {}
        Way::Cancelled => {
            let params = json!({"requestId": 1, "reason": "changed my mind"});
            let method = "notifications/cancelled";
            wire.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
        }
        Way::Eof => wire.close_input(),
        Way::Terminated => kill_process(server, Signal::TERM).unwrap(),
        Way::Killed => kill_process(server, Signal::KILL).unwrap(),
    }
    if matches!(way, Way::Eof | Way::Terminated | Way::Killed) {
        wire.exit_code().await;
    }
}

/// What the answer says, and whether there is a profile.
fn read(answer: &Value) -> (String, &'static str) {
    let result = &answer["result"];
    if result["isError"] == true {
        let text = result["content"][0]["text"].as_str().unwrap_or_default();
        return (text.lines().next().unwrap_or_default().to_owned(), "no");
    }
    let profile = &result["structuredContent"];
    let status = profile["status"].as_str().unwrap_or("?");
    let outcome = profile["outcome"]["description"].as_str().unwrap_or("?");
    let kept = match status {
        "complete" => "yes",
        "partial" => "partial",
        _ => "?",
    };
    (format!("{status}: {outcome}"), kept)
}

/// One more run, by the same server where it lives, else by a new one.
async fn again(ground: &Ground, wire: Wire, way: Way) -> Result<(), String> {
    let mut wire = if matches!(way, Way::Itself | Way::Timeout | Way::Cancelled) {
        wire
    } else {
        Wire::open(ground.server(), "2025-11-25").await
    };
    let code = json!({"code": busy(0.4), "memory": false});
    wire.request(9, "tools/call", json!({"name": "profile_code", "arguments": code})).await;
    let answer = wire.answer(9).await;
    let (said, _) = read(&answer);
    if said == "complete: exit 0" { Ok(()) } else { Err(format!("the next run: {said}")) }
}
