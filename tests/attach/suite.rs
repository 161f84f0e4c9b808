//! The attaches, the kills, and what is looked at.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::client::{Session, server_command};
use crate::support::place::Place;
use crate::support::pythons;
use crate::support::serving::Serving;

/// Threads of the process that work.
const THREADS: usize = 4;
/// Seconds of each attach, one after the other.
const SHORT: f64 = 0.25;
/// Seconds of those that tell the speed, and of each pause; one in ten.
const LONG: f64 = 2.0;
const ONE_IN: usize = 10;
/// Least part of its speed that the process keeps while it is looked at.
const KEPT: f64 = 0.95;

pub(crate) fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |name: &str, usual: usize| {
        let at = arguments.iter().position(|argument| argument == name);
        at.map_or(usual, |at| arguments[at + 1].parse().unwrap())
    };
    let (attaches, kills) = (number("--attaches", 1000), number("--kills", 200));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let python = pythons::system_python();
    let fast = runtime.block_on(attached(&python, attaches));
    let alive = runtime.block_on(killed(&python, kills));
    if fast && alive { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Rounds of all threads, and when.
fn rounds(serving: &Serving) -> (f64, Instant) {
    #[expect(clippy::cast_precision_loss, reason = "a number of rounds")]
    let all = serving.rounds().iter().sum::<u64>() as f64;
    (all, Instant::now())
}

/// Rounds per second since then.
fn speed(serving: &Serving, since: (f64, Instant)) -> f64 {
    let (now, at) = rounds(serving);
    (now - since.0) / at.duration_since(since.1).as_secs_f64()
}

async fn look(session: &Session, pid: u32, seconds: f64) {
    let look = json!({"pid": pid, "duration_sec": seconds, "wait_sec": 60});
    let result = session.raw("profile_process", look).await;
    assert_ne!(result.is_error, Some(true), "{result:?}");
}

/// A process that sleeps. A look at it costs the busy one what it costs to have a neighbour: the core that reads.
fn sleeper(python: &Path) -> std::process::Child {
    let mut command = pythons::command(python);
    command.args(["-c", "while True: __import__('time').sleep(0.001)"]);
    command.stdin(std::process::Stdio::null()).spawn().unwrap()
}

/// Attaches again and again; whether the process kept its speed. That its results stay right is looked at with every count.
/// Its speed is that of the long looks, each between a pause and a look at another process.
async fn attached(python: &Path, times: usize) -> bool {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let serving = Serving::start(python, THREADS, "");
    let mut beside = sleeper(python);
    let before = serving.signals();
    let (mut kept, mut neighbour) = (Vec::new(), Vec::new());
    for number in 0..times {
        if number % ONE_IN > 0 {
            look(&session, serving.pid(), SHORT).await;
            continue;
        }
        let since = rounds(&serving);
        tokio::time::sleep(Duration::from_secs_f64(LONG)).await;
        let free = speed(&serving, since);
        let since = rounds(&serving);
        look(&session, serving.pid(), LONG).await;
        kept.push(speed(&serving, since) / free);
        let since = rounds(&serving);
        look(&session, beside.id(), LONG).await;
        neighbour.push(speed(&serving, since) / free);
    }
    beside.kill().unwrap();
    beside.wait().unwrap();
    serving.is_unharmed(&before);
    let median = told("while it is looked at", kept);
    told("while another process is looked at", neighbour);
    println!("{times} attaches at 100 Hz to {THREADS} busy threads; every result right");
    session.close().await;
    if median < KEPT {
        println!("wrong: it keeps less than {KEPT} of its speed");
    }
    median >= KEPT
}

/// Prints parts of the speed; their median.
fn told(when: &str, mut ratios: Vec<f64>) -> f64 {
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios.get(ratios.len() * part / 100).copied().unwrap_or(1.0);
    println!(
        "speed {when}, of that in the pause before ({} times {LONG} s): median {:.3} (quartiles {:.3}, {:.3})",
        ratios.len(),
        at(50),
        at(25),
        at(75)
    );
    at(50)
}

/// Kills servers while they look at a process, when one of its threads is seen stopped.
async fn killed(python: &Path, times: usize) -> bool {
    let place = Place::new();
    let serving = Serving::start(python, THREADS, "");
    let before = serving.signals();
    let mut met = 0;
    for _ in 0..times {
        let session = Session::open_with(server_command(&place.path(), &[])).await;
        let look =
            json!({"pid": serving.pid(), "duration_sec": 600, "rate_hz": 1000, "wait_sec": 0.5});
        session.call("profile_process", look).await;
        let started = Instant::now();
        while !serving.is_stopped() && started.elapsed() < Duration::from_secs(3) {}
        let stopped = serving.is_stopped();
        let server = i32::try_from(session.server_pid).unwrap();
        nix::sys::signal::kill(nix::unistd::Pid::from_raw(server), nix::sys::signal::SIGKILL)
            .unwrap();
        met += usize::from(stopped);
        serving.is_unharmed(&before);
    }
    println!(
        "{times} servers killed while they looked at {THREADS} busy threads, {met} while a thread stood still: no thread \
         stays stopped, all go on, signals as before"
    );
    true
}
