//! The figures this program promises, measured: `cargo bench --bench figures`.
//!
//! One run compares with Scalene's own command line on the same interpreter with the same
//! options, in pairs one after the other, so that a busy machine slows both. It ends with a
//! table and exit code 0 whatever the verdicts: a busy machine is no defect.
//!
//! `cargo bench --bench figures -- quick` takes fewer pairs; the figures are rougher.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a benchmark that cannot go on has failed; its table is for people"
)]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../tests/it/support/mod.rs"]
mod support;

use support::client::{BINARY, Session};
use support::place::Place;
use support::pythons;

const SCALENE: &str = "2.4.0";
/// Work that a profiler slows, unlike waiting for a clock.
const WORK: &str = "import sys\ndef work(rounds):\n    total = 0\n    for i in range(rounds):\n        \
     total += i * i % 7\n    return total\nwork(int(sys.argv[1]))\n";
/// Writes 100 MB.
const PRINTS: &str = "import sys\nline = 'x' * 99 + '\\n'\nfor i in range(1000):\n    sys.stdout.write(line * 1000)\n";

/// How often each thing is measured.
struct Effort {
    short_pairs: usize,
    long_pairs: usize,
    first_pairs: usize,
    starts: usize,
}

struct Row {
    what: String,
    measured: String,
    target: String,
    met: Option<bool>,
}

fn main() {
    let quick = std::env::args().any(|arg| arg == "quick");
    let effort = if quick {
        Effort { short_pairs: 5, long_pairs: 1, first_pairs: 3, starts: 20 }
    } else {
        Effort { short_pairs: 15, long_pairs: 3, first_pairs: 5, starts: 100 }
    };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let before = load();
    let mut rows = Vec::new();
    rows.extend(start(effort.starts));
    rows.extend(runtime.block_on(memory()));
    rows.extend(runtime.block_on(wall(&effort)));
    println!("load average {before} before, {} after\n", load());
    println!("| figure | measured | target | verdict |\n|---|---|---|---|");
    for Row { what, measured, target, met } in rows {
        let verdict = met.map_or("", |met| if met { "met" } else { "MISSED" });
        println!("| {what} | {measured} | {target} | {verdict} |");
    }
}

fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 {
        values[middle]
    } else {
        f64::midpoint(values[middle - 1], values[middle])
    }
}

/// From the start of the process to the answer of `initialize`.
fn start(times: usize) -> Vec<Row> {
    let request = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}});
    let once = || {
        let started = Instant::now();
        let mut child = pythons::command(BINARY)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(child.stdin.as_mut().unwrap(), "{request}").unwrap();
        let mut answer = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
        let seconds = started.elapsed().as_secs_f64();
        assert!(answer.contains("serverInfo"), "{answer}");
        drop(child.stdin.take());
        child.wait().unwrap();
        seconds * 1000.0
    };
    let milliseconds = median((0..times).map(|_| once()).collect());
    vec![Row {
        what: format!("process start to `initialize` answered, median of {times}"),
        measured: format!("{milliseconds:.1} ms"),
        target: "≤ 5 ms".to_owned(),
        met: Some(milliseconds <= 5.0),
    }]
}

/// Resident MiB of a process; the kernel's count, Linux only.
fn resident_mib(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches(" kB").parse::<f64>().ok()? / 1024.0)
}

async fn memory() -> Vec<Row> {
    let place = Place::new();
    place.write("prints.py", PRINTS);
    let venv = pythons::with_scalene(SCALENE);
    let session = Session::open(&place.path()).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let row = |what: &str, mib: Option<f64>, limit: f64| Row {
        what: what.to_owned(),
        measured: mib.map_or_else(|| "no /proc here".to_owned(), |mib| format!("{mib:.1} MiB")),
        target: format!("≤ {limit} MB"),
        met: mib.map(|mib| mib * 1.048_576 <= limit),
    };
    let idle = row("resident memory, idle", resident_mib(session.server_pid), 15.0);
    let arguments = json!({"script_path": "prints.py", "python": venv, "memory": false});
    let result = session.raw("profile_script", arguments).await;
    let profile = result.structured_content.unwrap_or_default();
    // Not all 100 MB: Python loses some of a large write that a timer signal interrupts,
    // under Scalene's own command line just as much.
    assert!(profile["stdout"]["total_bytes"].as_u64() > Some(98_000_000), "{profile}");
    let after = row(
        "resident memory after a script that printed 100 MB",
        resident_mib(session.server_pid),
        25.0,
    );
    session.close().await;
    vec![idle, after]
}

/// Wall time of a call over wall time of Scalene's own command line.
async fn wall(effort: &Effort) -> Vec<Row> {
    let place = Place::new();
    place.write("work.py", WORK);
    let bench = Wall { venv: pythons::with_scalene(SCALENE), place };
    let per_second = bench.rounds_per_second();
    let rounds = |seconds: f64| format!("{:.0}", seconds * per_second);
    // Once unmeasured: files come into the page cache.
    bench.bare(&rounds(0.1), true);
    let mut rows = Vec::new();
    for (seconds, pairs, target) in [(0.1, effort.short_pairs, 0.7), (5.0, effort.long_pairs, 1.0)]
    {
        for memory in [false, true] {
            let mode = if memory { "full" } else { "cpu-only" };
            let session = bench.open().await;
            bench.call(&session, &rounds(0.1), memory).await;
            let mut measured = Vec::new();
            for _ in 0..pairs {
                let bare = bench.bare(&rounds(seconds), memory);
                measured.push((bench.call(&session, &rounds(seconds), memory).await, bare));
            }
            session.close().await;
            rows.push(ratio(
                &format!("{seconds} s script, {mode}, later calls"),
                &measured,
                target,
            ));
        }
    }
    for memory in [false, true] {
        let mut measured = Vec::new();
        for _ in 0..effort.first_pairs {
            let bare = bench.bare(&rounds(0.1), memory);
            let session = bench.open().await;
            measured.push((bench.call(&session, &rounds(0.1), memory).await, bare));
            session.close().await;
        }
        let mode = if memory { "full" } else { "cpu-only" };
        rows.push(ratio(&format!("0.1 s script, {mode}, first call of a server"), &measured, 0.7));
    }
    rows
}

fn ratio(what: &str, measured: &[(f64, f64)], target: f64) -> Row {
    let ours = median(measured.iter().map(|(ours, _)| *ours).collect());
    let bare = median(measured.iter().map(|(_, bare)| *bare).collect());
    let ratio = median(measured.iter().map(|(ours, bare)| ours / bare).collect());
    Row {
        what: format!(
            "wall time over Scalene's command line, {what}, median of {}",
            measured.len()
        ),
        measured: format!("{ratio:.2} ({ours:.2} s / {bare:.2} s)"),
        target: format!("≤ {target:.2}"),
        met: Some(ratio <= target),
    }
}

struct Wall {
    place: Place,
    venv: PathBuf,
}

impl Wall {
    fn python(&self) -> PathBuf {
        self.venv.join("bin/python")
    }

    fn timed(&self, command: &mut std::process::Command) -> f64 {
        command.current_dir(self.place.path()).env_remove("PYTHONPATH");
        let started = Instant::now();
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        started.elapsed().as_secs_f64()
    }

    /// How much of the work plain Python does in a second; its own start is left out.
    fn rounds_per_second(&self) -> f64 {
        let seconds = |rounds: &str| {
            let run = || self.timed(pythons::command(self.python()).args(["work.py", rounds]));
            median((0..5).map(|_| run()).collect())
        };
        4e6 / (seconds("4000000") - seconds("0"))
    }

    /// Scalene's own command line, with the options that a call sends by default.
    fn bare(&self, rounds: &str, memory: bool) -> f64 {
        let outfile: &Path = &self.place.path().join("bare.json");
        let mut command = pythons::command(self.python());
        command.args(["-m", "scalene", "run", "-o"]).arg(outfile).arg("--no-stacks");
        command.arg(if memory { "--memory" } else { "--cpu-only" });
        command.args(["---", "work.py", rounds]);
        let seconds = self.timed(&mut command);
        std::fs::remove_file(outfile).unwrap();
        seconds
    }

    async fn open(&self) -> Session {
        Session::open(&self.place.path()).await
    }

    /// One call of `profile_script`.
    async fn call(&self, session: &Session, rounds: &str, memory: bool) -> f64 {
        let arguments = json!({"script_path": "work.py", "args": [rounds], "python": self.venv,
            "memory": memory, "wait_sec": 50});
        let started = Instant::now();
        let result = session.raw("profile_script", arguments).await;
        let seconds = started.elapsed().as_secs_f64();
        // A tenth of a second may end without a sample, under either; the time counts all the same.
        let text = crate::support::client::text(&result);
        let profile: Value = result.structured_content.unwrap_or_default();
        assert!(profile["status"] == "complete" || text.starts_with("too_short"), "{text}");
        seconds
    }
}
