//! What a call takes, beside `timeit`: twenty functions from a microsecond to a second on every Python of the machine.
//!
//! `cargo test --test timings`; `-- 3.11 3.13` for these Pythons, `-- 3.11 sorting` for one function.
//!
//! The median of `profile_function` has to be within 10 % of that of `timeit` (its garbage collector on), which is measured
//! before and after it in the same minute. A try in which these two differ by more than 5 % tells of the machine, and is
//! repeated. The profile must be of the functions alone.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and this one reports"
)]

#[path = "../it/support/installed.rs"]
mod installed;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use scalene_mcp::ScaleneProfiler;
use scalene_mcp::recording::{FunctionCall, RunRequest, Settings, Target};
use serde_json::{Value, json};

use self::support::place::Place;
use self::support::pythons::{cache_dir, command};

/// Part by which the medians may differ.
const MOST: f64 = 0.10;
/// Tries until a function counts as wrong; three times as many with those that do not count.
const TRIES: usize = 3;
/// Seconds of calls.
const MIN_TIME: f64 = 1.0;

/// Functions of one argument, how large or how often.
const MODULE: &str = r#"
import asyncio, hashlib, json, re, time

BYTES = bytes(1_000_000)

def adding(n):
    total = 0
    for i in range(n):
        total += i * i % 7
    return total

def nothing(n):
    return n

def listing(n):
    return [i * 2 for i in range(n)]

def mapping(n):
    return {i: str(i) for i in range(n)}

def joining(n):
    return ",".join(str(i) for i in range(n))

def largest(n):
    return max(range(n), key=lambda i: i * 7919 % n)

def calling(n):
    for i in range(n):
        nothing(i)

def branching(n):
    return n if n < 2 else branching(n - 1) + branching(n - 2)

def packing(n):
    return json.dumps(list(range(n)))

def matching(n):
    return re.search(r"(\w+ )+x", "ab cd " * n) is None

def hashing(n):
    return hashlib.sha256(BYTES[:n]).digest()

def sleeping(n):
    time.sleep(n / 1000)

def yielding(n):
    for i in range(n):
        yield i

async def awaiting(n):
    for i in range(n):
        await asyncio.sleep(0)

class Holder:
    @classmethod
    def making(cls, n):
        return [cls() for _ in range(n)]
"#;

/// Function, its argument, and how `timeit` calls it. None allocates much at a time: whether the heap grows and shrinks with each
/// call depends on where it ends, which differs between two processes of `timeit` as well.
const CALLS: [(&str, u64, &str); 20] = [
    ("adding", 20, ""),
    ("calling", 30, ""),
    ("listing", 50, ""),
    ("mapping", 30, ""),
    ("adding", 100, ""),
    ("joining", 100, ""),
    ("Holder.making", 50, ""),
    ("packing", 200, ""),
    ("yielding", 1_000, "consume"),
    ("branching", 10, ""),
    ("awaiting", 20, "await"),
    ("matching", 3, ""),
    ("adding", 5_000, ""),
    ("hashing", 500_000, ""),
    ("sleeping", 2, ""),
    ("largest", 50_000, ""),
    ("branching", 22, ""),
    ("sleeping", 50, ""),
    ("adding", 2_000_000, ""),
    ("sleeping", 1_000, ""),
];

/// Median and batch of `timeit`, in batches of a millisecond and more as ours are.
const TIMEIT: &str = r#"
import asyncio, collections, json, statistics, sys, timeit
import timed
from timed import awaiting
stmt, seconds = sys.argv[1], float(sys.argv[2])
space = dict(vars(timed), gc=__import__("gc"), consume=collections.deque(maxlen=0).extend)
loop = asyncio.new_event_loop()
if stmt.startswith("await "):
    async def inner(number):
        clock = timeit.default_timer
        start = clock()
        for _ in range(number):
            await awaiting(int(sys.argv[3]))
        return clock() - start
    run = lambda number: loop.run_until_complete(inner(number))
else:
    run = timeit.Timer(stmt, "gc.enable()", globals=space).timeit
run(1)
number = 1
while run(number) < 0.001:
    number *= 2
times, total = [], 0.0
while total < seconds or len(times) < 3:
    took = run(number)
    total += took
    times.append(took / number)
print(json.dumps(statistics.median(times)))
"#;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (asked, functions): (Vec<String>, Vec<String>) =
        args.into_iter().partition(|arg| arg.contains('/') || arg.starts_with(char::is_numeric));
    let place = Place::new();
    place.write("timed.py", MODULE);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut right = true;
    for ((major, minor), python) in installed::pythons(&asked) {
        if (major, minor) < (3, 8) {
            continue;
        }
        println!("Python {major}.{minor}");
        for (name, size, form) in CALLS {
            if functions.is_empty() || functions.iter().any(|wanted| wanted == name) {
                right &= runtime.block_on(compared(&place, &python, name, size, form));
            }
        }
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn compared(place: &Place, python: &Path, name: &str, size: u64, form: &str) -> bool {
    let mut counted = 0;
    for _ in 0..TRIES * 3 {
        let before = timeit(place, python, name, size, form);
        let own = profiled(place, python, name, size).await;
        let after = timeit(place, python, name, size, form);
        let ratio = own / f64::midpoint(before, after);
        let busy = (after / before - 1.0).abs() > MOST / 2.0;
        let right = (ratio - 1.0).abs() <= MOST;
        counted += usize::from(!busy);
        let verdict = match (right, busy) {
            (true, _) => "",
            (false, true) => "  (the machine did something else)",
            (false, false) => "  WRONG",
        };
        println!(
            "  {:<22} timeit {before:>12.9} {after:>12.9}  profile_function {own:>12.9}  ratio {ratio:.3}{verdict}",
            format!("{name}({size})")
        );
        if right {
            return true;
        }
        if counted == TRIES {
            break;
        }
    }
    false
}

async fn profiled(place: &Place, python: &Path, name: &str, size: u64) -> f64 {
    let call = FunctionCall {
        args: vec![json!(size)],
        min_time: Some(Duration::from_secs_f64(MIN_TIME)),
        ..FunctionCall::of(format!("timed:{name}"))
    };
    let mut request = RunRequest::new(Target::Function(Box::new(call)));
    request.cwd = Some(place.path());
    request.python = Some(python.to_string_lossy().into_owned());
    let settings = Settings { cache_dir: cache_dir(), ..Settings::default() };
    let profile = ScaleneProfiler::with_settings(settings).profile(&request).await;
    let profile = profile.unwrap_or_else(|error| panic!("{name}({size}): {error}"));
    // What makes the calls is no part of the profile: its lines are the functions'.
    let files: Vec<&str> = profile.files.iter().map(|file| file.path.as_str()).collect();
    let own = place.path().join("timed.py");
    // Of a coroutine the line of the call has what the event loop takes.
    let is_call = |file: &str| name == "awaiting" && file == "<snippet>";
    assert!(
        files.iter().all(|file| Path::new(file) == own || is_call(file)),
        "{name}({size}): {files:?}"
    );
    assert!(!files.is_empty(), "{name}({size}): {:?}", profile.run.warnings);
    profile.per_call.unwrap().median.get()
}

fn timeit(place: &Place, python: &Path, name: &str, size: u64, form: &str) -> f64 {
    let call = format!("{name}({size})");
    let stmt = match form {
        "" => call,
        "await" => format!("await {call}"),
        form => format!("{form}({call})"),
    };
    let output = command(python)
        .args(["-c", TIMEIT, &stmt, &MIN_TIME.to_string(), &size.to_string()])
        .current_dir(place.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let failed = || panic!("{stmt}: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_str::<Value>(&said)
        .ok()
        .and_then(|value| value.as_f64())
        .unwrap_or_else(failed)
}
