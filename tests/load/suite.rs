//! The load and what is looked at.

use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{Session, server_command, text};
use crate::support::place::{Place, busy};
use crate::support::synthetic;
use crate::support::traces::{Held, held, names, processes_with};

/// Callers that profile, and callers that ask.
const PROFILING: usize = 4;
const ASKING: usize = 12;
/// Profiles after which memory is looked at first: the store, of 50, has turned over.
const SETTLED: usize = 60;
/// What may be held more at the end. The allocator keeps some of what was freed.
const MORE_KIB: u64 = 24 * 1024;

const QUESTIONS: [&str; 8] = [
    "get_cpu_hotspots",
    "get_function_summary",
    "analyze_profile",
    "get_bottlenecks",
    "get_memory_hotspots",
    "get_gpu_hotspots",
    "get_profile",
    "list_profiles",
];

struct Load {
    session: Session,
    place: Place,
    tmp: tempfile::TempDir,
    marker: (String, String),
    profiles: AtomicUsize,
    questions: AtomicUsize,
}

impl Load {
    async fn start() -> Arc<Self> {
        let place = Place::new();
        let tmp = tempfile::Builder::new().prefix("smt-").tempdir_in("/tmp").unwrap();
        let mut command = server_command(&place.path(), &[]);
        command.env("TMPDIR", tmp.path());
        let session = Session::open_with(command).await;
        let marker = ("SMT_LOAD".to_owned(), tmp.path().display().to_string());
        Arc::new(Self { session, place, tmp, marker, profiles: 0.into(), questions: 0.into() })
    }

    fn held(&self) -> Held {
        held(self.session.server_pid)
    }

    async fn profile(&self) {
        let env = json!({&self.marker.0: self.marker.1});
        let code = json!({"code": busy(0.2), "memory": false, "env": env, "wait_sec": 3600});
        let result = self.session.raw("profile_code", code).await;
        let said = text(&result);
        // On a busy machine so short a program may end before a sample: that is an answer too.
        let short = said.starts_with("too_short: ") || said.starts_with("nothing_sampled: ");
        assert!(result.is_error != Some(true) || short, "{said}");
    }

    async fn ask(&self, number: usize) -> Duration {
        let tool = QUESTIONS[number % QUESTIONS.len()];
        // A profile that is loaded: `latest` is the run that is not finished.
        let arguments =
            if tool == "list_profiles" { json!({}) } else { json!({"profile_id": "previous"}) };
        let asked = Instant::now();
        let result = self.session.raw(tool, arguments).await;
        let took = asked.elapsed();
        assert_ne!(result.is_error, Some(true), "{tool}: {result:?}");
        took
    }
}

/// Calls until all are made; the times of the questions.
async fn callers(load: &Arc<Load>, profiles: usize, questions: usize) -> Vec<Duration> {
    let mut tasks = Vec::new();
    for caller in 0..PROFILING + ASKING {
        let load = Arc::clone(load);
        tasks.push(tokio::spawn(async move {
            let mut times = Vec::new();
            loop {
                if caller < PROFILING {
                    if load.profiles.fetch_add(1, Ordering::Relaxed) >= profiles {
                        return times;
                    }
                    load.profile().await;
                } else {
                    let number = load.questions.fetch_add(1, Ordering::Relaxed);
                    if number >= questions {
                        return times;
                    }
                    times.push(load.ask(number).await);
                }
            }
        }));
    }
    let mut times = Vec::new();
    for task in tasks {
        times.extend(task.await.unwrap());
    }
    times
}

fn percentiles(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at =
        |part: usize| times[(times.len() * part / 1000).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!(
        "{what}: {} questions, p50 {:.1} ms, p90 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
        times.len(),
        at(500),
        at(900),
        at(990),
        at(1000)
    );
}

/// One caller that asks while a program is profiled, as an agent does.
async fn alone(load: &Arc<Load>) {
    let code = json!({"code": busy(8.0), "memory": false});
    let run = {
        let load = Arc::clone(load);
        tokio::spawn(async move { load.session.call("profile_code", code).await })
    };
    tokio::time::sleep(Duration::from_secs(2)).await;
    let mut times = Vec::new();
    for number in 0..300 {
        times.push(load.ask(number).await);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!run.is_finished(), "the program ended before the questions");
    percentiles("one caller, a program being profiled", times);
    run.await.unwrap();
}

/// Questions while a document of 100 MB is loaded.
async fn loading(load: &Arc<Load>) {
    let path = load.place.write("large.json", &synthetic::document(100 << 20));
    let began = Instant::now();
    let loaded = {
        let load = Arc::clone(load);
        tokio::spawn(async move { load.session.call("load_profile", json!({"path": path})).await })
    };
    let mut times = Vec::new();
    while times.len() < 50 || !loaded.is_finished() {
        times.push(load.ask(times.len()).await);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    loaded.await.unwrap();
    percentiles("one caller, 100 MB being loaded", times);
    println!("loaded within {:.1} s", began.elapsed().as_secs_f64());
}

/// What is left when nothing runs: `None` when all is as it was.
async fn left(load: &Load, before: Held) -> Option<String> {
    let marker = format!("{}={}", load.marker.0, load.marker.1);
    let mut why = None;
    // Threads that wait for blocking work go after ten idle seconds.
    for _ in 0..60 {
        let now = load.held();
        let (processes, files) = (processes_with(&marker), names(load.tmp.path()));
        let same = now.descriptors <= before.descriptors && now.threads <= before.threads + 2;
        if processes.is_empty() && files.is_empty() && same {
            return None;
        }
        why = Some(format!("{before:?}, then {now:?}; processes {processes:?}, files {files:?}"));
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    why
}

async fn run(profiles: usize, questions: usize) -> bool {
    let load = Load::start().await;
    load.profile().await;
    load.profile().await;
    let before = load.held();
    println!("at the start: {before:?}");
    alone(&load).await;
    let began = Instant::now();
    let first = SETTLED.min(profiles / 2);
    let mut times = callers(&load, first, questions * first / profiles).await;
    let settled = load.held();
    println!("after {first} profiles: {settled:?}");
    // One number too many was drawn by each caller.
    load.profiles.store(first, Ordering::Relaxed);
    load.questions.store(times.len(), Ordering::Relaxed);
    times.extend(callers(&load, profiles, questions).await);
    let end = load.held();
    println!("after {profiles} profiles: {end:?}, {:.0} s", began.elapsed().as_secs_f64());
    let answered = times.len();
    percentiles("16 callers, programs being profiled", times);
    let mut fine = answered == questions && end.memory_kib <= settled.memory_kib + MORE_KIB;
    if let Some(why) = left(&load, before).await {
        println!("left: {why}");
        fine = false;
    }
    loading(&load).await;
    println!("after a document of 100 MB: {:?}", load.held());
    fine
}

pub(crate) fn main() -> ExitCode {
    let given: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, default: usize| {
        let at = given.iter().position(|arg| arg == name);
        at.and_then(|at| given.get(at + 1)).map_or(default, |text| text.parse().expect("a number"))
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let fine = runtime.block_on(run(number("--profiles", 200), number("--questions", 20_000)));
    println!("{}", if fine { "all answered, nothing left" } else { "FAILED" });
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
