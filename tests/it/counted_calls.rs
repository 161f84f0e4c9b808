//! Calls, counted in one more run of the program, beside a real profile.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::pythons;

/// Every function works by the clock, long enough to be sampled, a fixed number of times.
const PROGRAM: &str = r#"
import functools, sys, threading
from time import perf_counter

class Name(str):
    def __hash__(self): return 1
    def __lt__(self, other): raise RuntimeError("lt")

class Touchy:
    def __hash__(self): raise RuntimeError("hash")
    def __eq__(self, other): raise RuntimeError("eq")
    def __repr__(self): raise RuntimeError("repr")

def traced(label):
    def decorate(function):
        @functools.wraps(function)
        def inner(*args, **kwargs):
            return function(*args, **kwargs)
        return inner
    return decorate

def fib(n):
    until = perf_counter() + 0.004
    while perf_counter() < until: pass
    return n if n < 2 else fib(n - 1) + fib(n - 2)

@traced("once")
@traced(
    "twice")
def decorated(a, *rest, scale=1, **more):
    until = perf_counter() + 0.01
    while perf_counter() < until: pass

class Shape:
    @property
    def area(self):
        until = perf_counter() + 0.01
        while perf_counter() < until: pass

def numbers(count):
    for n in range(count):
        until = perf_counter() + 0.006
        while perf_counter() < until: pass
        yield n

async def answer(n):
    until = perf_counter() + 0.02
    while perf_counter() < until: pass

def step(kind):
    until = perf_counter() + 0.01
    while perf_counter() < until: pass

def keywords(**more):
    until = perf_counter() + 0.02
    while perf_counter() < until: pass

def touch(thing):
    until = perf_counter() + 0.02
    while perf_counter() < until: pass

def worker():
    for n in range(10):
        step(n % 5)

fib(8)
for n in range(30):
    decorated(n % 3, n % 2, scale=1.0 * (n % 2), other=None)
for _ in range(25):
    Shape().area
for generator in [numbers(10), numbers(20), numbers(20), numbers(99)][:3]:
    list(generator)
for n in range(12):
    try: answer(n).send(None)
    except StopIteration: pass
threads = [threading.Thread(target=worker) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
for _ in range(11):
    touch(Touchy())
for n in range(9):
    keywords(**{Name("b"): n, Name("a"): n})
sys.exit(3)
"#;

/// Calls and distinct arguments of each function: counted by hand.
const TRUTH: [(&str, u64, Option<u64>); 8] = [
    ("fib", 67, Some(9)),
    ("decorated", 30, Some(6)),
    ("Shape.area", 25, None),
    ("numbers", 3, None),
    ("answer", 12, None),
    ("step", 40, Some(5)),
    ("touch", 11, None),
    ("keywords", 9, None),
];

async fn profiled(session: &Session, mut arguments: Value) -> Value {
    arguments["memory"] = json!(false);
    arguments["count_calls"] = json!(true);
    let tool = if arguments["code"].is_string() { "profile_code" } else { "profile_script" };
    session.call(tool, arguments).await.structured
}

fn warnings(profile: &Value) -> Vec<&str> {
    profile["warnings"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect()
}

fn counted<'a>(functions: &'a Value, name: &str) -> &'a Value {
    let rows = functions["functions"].as_array().unwrap();
    let found = rows.iter().find(|row| row["function_name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {functions}"))
}

#[tokio::test]
async fn calls_are_counted_exactly() {
    let place = Place::new();
    place.write("calls.py", PROGRAM);
    let session = Session::open(&place.path()).await;
    let pythons = pythons::of_both_kinds();
    assert!(!pythons.is_empty());
    for python in pythons {
        let arguments = json!({"script_path": "calls.py", "python": python});
        let profile = profiled(&session, arguments).await;
        assert_eq!(profile["outcome"]["exit_code"], 3, "{profile}");
        assert_eq!(profile["stderr"]["total_bytes"], 0, "{profile}");
        let about_counting: Vec<_> =
            warnings(&profile).into_iter().filter(|text| text.contains("count")).collect();
        assert_eq!(about_counting, Vec::<&str>::new());
        let answer = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
        for (name, calls, distinct) in TRUTH {
            let row = counted(&answer.structured, name);
            let found = (row["num_calls"].as_u64(), row["distinct_arguments"].as_u64());
            assert_eq!(found, (Some(calls), distinct), "{name} of {python:?}: {}", answer.text);
        }
        assert!(answer.text.contains("calls counted in one more run"), "{}", answer.text);
        let fib = answer.text.lines().find(|line| line.contains(" fib calls.py:")).unwrap();
        let cells: Vec<_> = fib.split_whitespace().rev().take(4).collect();
        assert_eq!(cells, ["calls.py:22", "fib", "9", "67"], "{}", answer.text);
    }
    session.close().await;
}

/// What a program sees of how it was started, one line a run.
fn witness(report: &Path) -> String {
    format!(
        "import json, os, sys\nfacts = [sys.argv, __name__, sys.path, os.environ.get('PYTHONPATH'), \
         os.environ.get('SEEN'), sys.stdin.read(), sys.orig_argv[1:] if hasattr(sys, 'orig_argv') else 0]\n\
         facts += [globals().get('__file__'), 'json' in sys.modules, sys.getprofile() is None]\n\
         with open('{}', 'a') as file:\n    file.write(json.dumps(facts) + '\\n')\n{}",
        report.display(),
        busy(0.5)
    )
}

#[tokio::test]
async fn the_counted_program_is_started_like_the_profiled_one() {
    let place = Place::new();
    let report = place.path().join("report");
    let code = witness(&report);
    place.write("app.py", &code);
    place.write("sub/tool.py", &code);
    place.write("own/sitecustomize.py", "import os\nos.environ['SEEN'] = 'yes'\n");
    let session = Session::open(&place.path()).await;
    let own = place.path().join("own");
    let args = ["-c", "--", "", "two words"];
    let python = pythons::with_scalene("2.4.0");
    for target in [
        json!({"script_path": "app.py", "args": args}),
        json!({"script_path": "-m sub.tool", "args": args}),
        json!({"code": code}),
    ] {
        let mut arguments = target.clone();
        let shared = json!({"python": python, "stdin": "line\n", "cwd": place.path(),
            "env": {"PYTHONPATH": own}});
        for (name, value) in shared.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        let profile = profiled(&session, arguments).await;
        let text = std::fs::read_to_string(&report).unwrap();
        let runs: Vec<Vec<Value>> =
            text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        // The profile function is the counter's, before Python 3.12; all else is as it was.
        let (profiled, counted) = (&runs[0][..9], &runs[1][..9]);
        assert_eq!(profiled, counted, "{target}");
        assert_eq!((&counted[3], &counted[4]), (&json!(own), &json!("yes")), "{target}");
        assert_eq!(runs.len(), 2, "{text}");
        let answer = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
        assert_eq!(counted_calls(&answer.structured, "busy"), Some(1), "{profile}");
        std::fs::remove_file(&report).unwrap();
    }
    session.close().await;
}

fn counted_calls(functions: &Value, name: &str) -> Option<u64> {
    counted(functions, name)["num_calls"].as_u64()
}

#[tokio::test]
async fn a_counting_run_that_goes_wrong_costs_no_profile() {
    let place = Place::new();
    let marker = place.path().join("ran");
    // The second run does something else.
    let program = |second: &str| {
        format!(
            "import os, sys, time\n{}\nif os.path.exists({marker:?}):\n    {second}\nopen({marker:?}, 'w').close()\n",
            busy(0.5)
        )
    };
    let session = Session::open(&place.path()).await;
    for (second, warning) in [
        ("sys.exit(4)", "exited with code 4, the profiled one with code 0"),
        ("os._exit(0)", "calls could not be counted: the counting run ended without"),
        ("os.kill(os.getpid(), 9)", "calls could not be counted: the counting run was killed by"),
        ("time.sleep(60)", "calls could not be counted: the counting run was stopped at the time"),
        ("sys.setprofile(lambda *a: None)", ""),
    ] {
        place.write("app.py", &program(second));
        let arguments = json!({"script_path": "app.py", "timeout": 8,
            "python": pythons::with_scalene("2.4.0")});
        let profile = profiled(&session, arguments).await;
        let found = warnings(&profile).iter().any(|text| text.contains(warning));
        assert!(found, "{second}: {profile}");
        assert_eq!(profile["outcome"]["exit_code"], 0, "{profile}");
        let answer = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
        let counts = counted_calls(&answer.structured, "busy");
        // From 3.12 on the counter does not care for the program's profile function.
        let refused = "calls could not be counted: the program sets a profile function of its own";
        let refused = warnings(&profile).iter().any(|text| text.starts_with(refused));
        let counted = match second {
            "sys.setprofile(lambda *a: None)" => !refused,
            _ => second.starts_with("sys.exit"),
        };
        assert_eq!(counts, counted.then_some(1), "{second}: {profile}");
        std::fs::remove_file(&marker).unwrap();
    }
    session.close().await;
}

#[tokio::test]
async fn a_run_that_is_stopped_is_not_counted() {
    let place = Place::new();
    place.write("app.py", &busy(30.0));
    let session = Session::open(&place.path()).await;
    let python = pythons::with_scalene("2.4.0");
    let arguments = json!({"script_path": "app.py", "timeout": 3, "python": python});
    let profile = profiled(&session, arguments).await;
    assert_eq!(profile["status"], "partial");
    let warning = "calls could not be counted: the profiled run did not end by itself";
    assert!(warnings(&profile).contains(&warning), "{profile}");
    session.close().await;
}

#[tokio::test]
async fn rules_about_calls_have_the_count_as_evidence() {
    let place = Place::new();
    let rules = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/rules");
    let session = Session::open(&place.path()).await;
    for (rule, evidence) in [
        (
            "recursion-without-cache",
            "the function on line 1 was called 4356617 times with 32 different arguments (counted)",
        ),
        (
            "repeated-pure-call",
            "the function on line 1 was called 200 times, always with the same arguments (counted)",
        ),
    ] {
        let code = std::fs::read_to_string(rules.join(rule).join("fires.py")).unwrap();
        place.write("app.py", &code);
        let arguments = json!({"script_path": "app.py", "python": pythons::with_scalene("2.4.0")});
        profiled(&session, arguments).await;
        let answer = session.call("get_bottlenecks", json!({"profile_id": "latest"})).await;
        let found = answer.structured["bottlenecks"].as_array().unwrap();
        let found = found.iter().find(|row| row["rule"] == rule).expect(&answer.text);
        assert!(found["evidence"].as_array().unwrap().contains(&json!(evidence)), "{found}");
    }
    session.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn nothing_of_a_counting_run_outlives_its_session() {
    let place = Place::new();
    let code = format!(
        "import os, subprocess, sys, time\nif os.path.exists('ran'):\n    \
         child = subprocess.Popen(['sleep', '60'])\n    open('pids.tmp', 'w').write('%d %d' % (os.getpid(), child.pid))\n    \
         os.rename('pids.tmp', 'pids')\n    time.sleep(60)\nopen('ran', 'w').close()\n{}",
        busy(0.5)
    );
    place.write("app.py", &code);
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "memory": false, "count_calls": true,
        "wait_sec": 0, "python": pythons::with_scalene("2.4.0")});
    let handle = session.call("profile_script", arguments).await.structured;
    assert_eq!(handle["status"], "running");
    let pids = place.path().join("pids");
    while !pids.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    let waiting = json!({"profile_id": handle["profile_id"], "wait_sec": 0});
    let waiting = session.call("get_profile", waiting).await;
    assert!(waiting.text.contains("counting calls in one more run"), "{}", waiting.text);
    session.close().await;
    let pids = std::fs::read_to_string(pids).unwrap();
    for pid in pids.split(' ') {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "{stat}");
    }
}

#[tokio::test]
async fn the_command_line_counts_calls_too() {
    let place = Place::new();
    place.write("app.py", &busy(0.5));
    let python = pythons::with_scalene("2.4.0");
    let args = ["profile", "app.py", "--no-memory", "--count-calls", "--python"];
    let mut command = server_command(&place.path(), &args);
    let output = command.arg(python).output().await.unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = text.lines().find(|line| line.ends_with(" busy app.py:2")).unwrap();
    assert!(row.contains("  1              1  busy"), "{text}");
}
