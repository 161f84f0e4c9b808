//! Leaks and peaks, proven by a second run in which all allocations are recorded.

use std::time::Duration;

use scalene_mcp::analysis::leaks::{leaks, undecided};
use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, program};
use crate::support::traces::{names, processes_with, until};
use crate::support::wire::Wire;
use crate::support::{pythons, recorded};

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// Profiles a program; returns its id.
async fn profiled(session: &Session, script: &str, more: Value) -> String {
    let mut arguments = json!({"script_path": script, "python": pythons::with_scalene("2.4.0")});
    arguments.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let profile = session.call("profile_script", arguments).await.structured;
    profile["profile_id"].as_str().unwrap().to_owned()
}

/// Lines listed as leaks, and lines listed as cleared with the reason.
fn lines(answer: &Value) -> (Vec<u64>, Vec<(String, String)>) {
    let leaks = answer["leaks"].as_array().unwrap();
    let cleared = answer["cleared"].as_array().unwrap();
    let text = |row: &Value, name: &str| row[name].as_str().unwrap().to_owned();
    (
        leaks.iter().map(|leak| leak["line"].as_u64().unwrap()).collect(),
        cleared.iter().map(|row| (text(row, "location"), text(row, "reason"))).collect(),
    )
}

fn reason<'a>(cleared: &'a [(String, String)], location: &str) -> &'a str {
    let found = cleared.iter().find(|(place, _)| place.ends_with(location));
    &found.unwrap_or_else(|| panic!("no {location} in {cleared:?}")).1
}

#[tokio::test]
async fn the_line_that_keeps_is_proven_and_the_accused_one_cleared() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "leak_masked.py", json!({})).await;
    let ask = json!({"profile_id": id, "confirm": true});
    let answer = session.call("get_memory_leaks", ask).await;
    let (leaks, cleared) = lines(&answer.structured);
    assert_eq!(leaks, [9], "{}", answer.text);
    let leak = &answer.structured["leaks"][0];
    assert_eq!(leak["confidence"], "high", "{}", answer.text);
    // Truth: 20,000 strings of 20 kB.
    assert!((380.0..388.0).contains(&f(&leak["total_leaked_mb"])), "{leak}");
    assert!((20_000..20_010).contains(&leak["retained_objects"].as_u64().unwrap()), "{leak}");
    assert!(
        answer.text.contains("leak_masked.py:18 > remember "),
        "its call path: {}",
        answer.text
    );
    let why = reason(&cleared, "leak_masked.py:14");
    assert!(why.contains("Scalene's detector accuses it"), "{why}");
    // One pool of small objects is left of it, or none.
    let kept = ["keeps 1.00 MiB in 1 allocation, which does not grow", "recorded nothing of it"];
    assert!(kept.iter().any(|kept| why.contains(kept)), "{why}");
    let proof = &answer.structured["proof"];
    assert!(proof["tracker"].as_str().unwrap().starts_with("memray "), "{proof}");
    assert_eq!(proof["complete"], true);
    session.close().await;
}

#[tokio::test]
async fn growth_is_told_from_what_is_kept_once() {
    let session = Session::open(&program("")).await;
    let proven = async |script: &str| {
        let id = profiled(&session, script, json!({})).await;
        let ask = json!({"profile_id": id, "confirm": true, "confidence": "low"});
        session.call("get_memory_leaks", ask).await
    };
    // Truth: line 13 keeps 100 blocks of 4 MiB, line 18 one of 16.
    let list = proven("leak_list.py").await;
    let (leaks, cleared) = lines(&list.structured);
    assert_eq!(leaks, [13], "{}", list.text);
    let leak = &list.structured["leaks"][0];
    assert!((399.0..402.0).contains(&f(&leak["total_leaked_mb"])), "{leak}");
    assert_eq!(leak["confidence"], "high");
    assert!(reason(&cleared, "leak_list.py:18").contains("16.0 MiB in 1 allocation"));
    // Truth: 160 MiB once, and buffers that are freed.
    let buffers = proven("no_leak_buffers.py").await;
    let (leaks, cleared) = lines(&buffers.structured);
    assert_eq!(leaks, Vec::<u64>::new(), "{}", buffers.text);
    assert!(reason(&cleared, "no_leak_buffers.py:5").contains("160 MiB in 1 allocation"));
    // Truth: everything is freed.
    let churn = proven("alloc_churn.py").await;
    assert_eq!(lines(&churn.structured).0, Vec::<u64>::new(), "{}", churn.text);
    assert!(f(&churn.structured["proof"]["retained_mb"]) < 10.0, "{}", churn.text);
    session.close().await;
}

#[tokio::test]
async fn the_peak_is_known_by_line() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "alloc_churn.py", json!({})).await;
    let plain = session.call("get_memory_hotspots", json!({"profile_id": id})).await;
    assert_eq!(plain.structured["exact"], Value::Null, "{}", plain.text);
    let ask = json!({"profile_id": id, "exact": true});
    let answer = session.call("get_memory_hotspots", ask).await;
    let exact = &answer.structured["exact"];
    let held = |line: u64| {
        let rows = exact["lines"].as_array().unwrap();
        let row = rows.iter().find(|row| row["line"] == line);
        f(&row.unwrap_or_else(|| panic!("no line {line}: {}", answer.text))["held_at_peak_mb"])
    };
    // Truth: 120,000 strings of some 70 bytes and a list; then one string of 2.4 MB more.
    assert!((12.0..25.0).contains(&held(8)), "{}", answer.text);
    assert!((1.5..8.0).contains(&held(9)), "{}", answer.text);
    assert!(answer.text.contains("What lines held at the peak"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn what_the_profile_leaves_open_is_run_again_unasked() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "leak_masked.py", json!({})).await;
    let answer = session.call("get_memory_leaks", json!({"profile_id": id})).await;
    assert_eq!(lines(&answer.structured).0, [9], "{}", answer.text);
    let said = answer.structured["confirmation"].as_str().unwrap();
    assert!(said.contains("run again, since the profile alone cannot decide"), "{said}");
    assert_eq!(answer.structured["leaks"][0]["confidence"], "high", "{}", answer.text);
    session.close().await;
}

#[test]
fn a_second_run_is_for_what_the_profile_leaves_open() {
    for (name, expected) in [
        ("leak_masked--2.4.0", true),
        ("leak_list--2.4.0", false),
        ("alloc_churn--2.4.0", false),
        ("no_leak_buffers--2.4.0", false),
    ] {
        let profile = recorded::profile(name);
        assert_eq!(undecided(&leaks(&profile).unwrap()), expected, "{name}");
    }
}

/// A leak of 12 MiB over a second or more; says each time how it was started.
const TELLING: &str = "\
import sys, time
with open('runs', 'a') as runs:
    print(__name__, sys.argv, sys.stdin.read(), file=runs)
KEPT = []
for n in range(48):
    KEPT.append(bytearray(256 * 1024))
    until = time.perf_counter() + 0.025
    while time.perf_counter() < until:
        sum(range(100))
sys.exit(3)
";

#[tokio::test]
async fn the_second_run_is_like_the_first_and_its_evidence_is_kept() {
    let place = Place::new();
    place.write("app.py", TELLING);
    let session = Session::open(&place.path()).await;
    let how = json!({"args": ["--", "-m", "a b", "---"], "stdin": "given"});
    let id = profiled(&session, "app.py", how).await;
    let runs = || std::fs::read_to_string(place.path().join("runs")).unwrap();
    let ask = async |confirm: bool| {
        let ask = json!({"profile_id": id, "confirm": confirm});
        session.call("get_memory_leaks", ask).await
    };
    let unproven = ask(false).await;
    assert_eq!((&unproven.structured["proof"], runs().lines().count()), (&Value::Null, 1));
    let first = ask(true).await;
    assert_eq!(lines(&first.structured).0, [6], "{}", first.text);
    assert!(first.text.contains("Confirmation: the program was run again"), "{}", first.text);
    assert!(!first.text.contains("second run ended"), "exit 3 is no failure: {}", first.text);
    let again = ask(true).await;
    assert_eq!(again.structured["leaks"], first.structured["leaks"]);
    assert_eq!(again.structured["confirmation"], Value::Null, "{}", again.text);
    let told = runs();
    let told: Vec<_> = told.lines().collect();
    assert_eq!(told, ["__main__ ['app.py', '--', '-m', 'a b', '---'] given"; 2], "twice, no more");
    session.close().await;
}

#[tokio::test]
async fn a_profile_from_a_file_is_not_repeated() {
    let session = Session::open(&program("")).await;
    let path = json!({"path": recorded::path("leak_masked--2.4.0")});
    let loaded = session.call("load_profile", path).await.structured;
    let ask = json!({"profile_id": loaded["profile_id"], "confirm": true});
    let answer = session.call("get_memory_leaks", ask).await;
    assert_eq!(lines(&answer.structured).0, [9], "{}", answer.text);
    assert_eq!(answer.structured["proof"], Value::Null);
    assert!(answer.text.contains("loaded from a file"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn without_memray_tracemalloc_is_used_and_that_is_said() {
    let offline = |command: &mut tokio::process::Command| {
        for name in ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"] {
            command.env(name, "http://127.0.0.1:9/simple");
        }
        command.env_remove("PIP_EXTRA_INDEX_URL").env_remove("PIP_FIND_LINKS");
    };
    for (flags, why) in [
        (&["--no-install"][..], "memray is not installed, and installing it is not allowed"),
        (&[][..], "could not reach the package index to install `memray=="),
    ] {
        let place = Place::new();
        place.write("app.py", TELLING);
        let mut command = server_command(&place.path(), flags);
        command.env("SCALENE_MCP_CACHE_DIR", place.path().join("cache"));
        offline(&mut command);
        let session = Session::open_with(command).await;
        let id = profiled(&session, "app.py", json!({})).await;
        let ask = json!({"profile_id": id, "confirm": true});
        let answer = session.call("get_memory_leaks", ask).await;
        assert_eq!(lines(&answer.structured).0, [6], "{}", answer.text);
        let leak = &answer.structured["leaks"][0];
        assert!((11.5..13.0).contains(&f(&leak["total_leaked_mb"])), "{leak}");
        let proof = &answer.structured["proof"];
        assert!(proof["tracker"].as_str().unwrap().starts_with("tracemalloc "), "{proof}");
        assert!(answer.text.contains(why), "{}", answer.text);
        session.close().await;
    }
}

/// Ends soon, unless there is a file `long`: then it keeps more and more for ever.
const LONG: &str = "\
import os, time
KEPT = []
def step():
    KEPT.append(bytearray(64 * 1024))
    until = time.perf_counter() + 0.01
    while time.perf_counter() < until:
        sum(range(100))
for n in range(60):
    step()
if os.path.exists('long'):
    if os.fork() == 0:
        time.sleep(1000)
    open('ready', 'w').close()
    while True:
        step()
";

/// A place with [`LONG`], profiled in its short form, and a call that runs it in its long form.
struct Ground {
    place: Place,
    tmp: tempfile::TempDir,
    marker: String,
}

impl Ground {
    async fn open(timeout: f64) -> (Self, Wire) {
        let tmp = tempfile::Builder::new().prefix("smt-").tempdir_in("/tmp").unwrap();
        let marker = format!("SMT_MARKER={}", tmp.path().display());
        let ground = Self { place: Place::new(), tmp, marker };
        ground.place.write("app.py", LONG);
        let mut command = server_command(&ground.place.path(), &[]);
        command.env("TMPDIR", ground.tmp.path());
        let mut wire = Wire::open(command, "2025-11-25").await;
        let (name, value) = ground.marker.split_once('=').unwrap();
        let arguments = json!({
            "script_path": "app.py", "python": pythons::with_scalene("2.4.0"), "timeout": timeout,
            "env": {name: value},
        });
        let call = json!({"name": "profile_script", "arguments": arguments});
        let profile = wire.result(1, "tools/call", call).await;
        assert_eq!(profile["structuredContent"]["status"], "complete", "{profile}");
        ground.place.write("long", "");
        (ground, wire)
    }

    fn call() -> Value {
        let arguments = json!({"profile_id": "latest", "confirm": true});
        json!({"name": "get_memory_leaks", "arguments": arguments})
    }

    fn is_clean(&self) -> bool {
        processes_with(&self.marker).is_empty() && names(self.tmp.path()).is_empty()
    }
}

#[tokio::test]
async fn a_second_run_goes_with_its_call() {
    let (ground, mut wire) = Ground::open(60.0).await;
    wire.request(2, "tools/call", Ground::call()).await;
    until("the program runs", || ground.place.path().join("ready").exists()).await;
    assert!(processes_with(&ground.marker).len() >= 2 && !ground.is_clean());
    let params = json!({"requestId": 2, "reason": "changed my mind"});
    let method = "notifications/cancelled";
    wire.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    until("the run is gone", || ground.is_clean()).await;
    let list = json!({"name": "list_profiles", "arguments": {}});
    let list = wire.result(3, "tools/call", list).await;
    assert_eq!(list["structuredContent"]["total"], 1, "the session goes on: {list}");
    wire.close_input();
    assert_eq!(wire.exit_code().await, Some(0));
}

#[tokio::test]
async fn a_second_run_stops_at_the_limit_and_covers_the_time_until_then() {
    let (ground, mut wire) = Ground::open(8.0).await;
    let answer = wire.result(2, "tools/call", Ground::call()).await;
    let answer = &answer["structuredContent"];
    assert_eq!(answer["proof"]["complete"], false, "{answer}");
    let verdict = answer["verdict"].as_str().unwrap();
    assert!(verdict.contains("s, which is all that was recorded"), "{answer}");
    assert_eq!(lines(answer).0, [4], "{answer}");
    until("nothing is left", || ground.is_clean()).await;
    wire.close_input();
    let ended = tokio::time::timeout(Duration::from_secs(30), wire.exit_code()).await;
    assert_eq!(ended.unwrap(), Some(0));
}

/// Truth: `self.seen` in line 6 keeps everything until `main` returns, which frees it; line 10 drops
/// all it makes.
const UNTIL_MAIN_RETURNS: &str = "\
class Registry:
    def __init__(self):
        self.seen = []

    def note(self, i):
        self.seen.append('x' * 3000 + str(i))


def noise():
    return ['y' * 1000 + str(j) for j in range(20)]


def main():
    registry = Registry()
    for i in range(20000):
        registry.note(i)
        noise()


main()
";

#[tokio::test]
async fn what_is_freed_when_main_returns_was_kept_until_then() {
    let place = Place::new();
    place.write("app.py", UNTIL_MAIN_RETURNS);
    let session = Session::open(&place.path()).await;
    let id = profiled(&session, "app.py", json!({})).await;
    let ask = json!({"profile_id": id, "confirm": true});
    let answer = session.call("get_memory_leaks", ask).await;
    assert_eq!(lines(&answer.structured).0, [6], "{}", answer.text);
    let leak = &answer.structured["leaks"][0];
    // 20,000 strings of 3 kB are 58 MiB; the lowest of the last three points is below, the more the busier the
    // machine is.
    assert!((25.0..60.0).contains(&f(&leak["total_leaked_mb"])), "{leak}");
    assert!(answer.text.contains("freed only when the program ends"), "{}", answer.text);
    assert!(f(&answer.structured["proof"]["retained_mb"]) < 5.0, "{}", answer.text);
    session.close().await;
}
