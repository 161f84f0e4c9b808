//! One more run without a profiler, timed.

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::Place;

/// Tells each run what it is, in a file, and does half a second of work.
const PROGRAM: &str = r#"
import os, sys, time
with open("runs", "a") as runs:
    print("scalene" in sys.modules, sys.argv[1:], sys.stdin.read(), file=runs)
end = time.perf_counter() + 0.5
while time.perf_counter() < end: sum(range(1000))
if "second" in sys.argv and os.path.exists("once"): sys.exit(3)
open("once", "w").close()
"#;

async fn profiled(place: &Place, args: Value) -> (Value, String, Value) {
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "args": args, "stdin": "told",
        "memory": false, "plain_run": true});
    let profile = session.call("profile_script", arguments).await.structured;
    let answer = session.call("analyze_profile", json!({"profile_id": "latest"})).await;
    let result = (profile, answer.text, answer.structured["floor"].clone());
    session.close().await;
    result
}

#[tokio::test]
async fn the_same_run_without_a_profiler_is_timed_beside_the_profiled_one() {
    let place = Place::new();
    place.write("app.py", PROGRAM);
    let (_, text, floor) = profiled(&place, json!(["--n", "a b"])).await;
    let runs = std::fs::read_to_string(place.path().join("runs")).unwrap();
    assert_eq!(runs, "True ['--n', 'a b'] told\nFalse ['--n', 'a b'] told\n");
    let [plain, profiled] =
        ["plain_elapsed_sec", "profiled_elapsed_sec"].map(|name| floor[name].as_f64().unwrap());
    assert!(plain >= 0.5, "{floor}");
    assert!(profiled >= 0.5, "{floor}");
    assert!(text.contains("without a profiler "), "{text}");
}

#[tokio::test]
async fn a_second_run_that_ends_otherwise_is_no_measure() {
    let place = Place::new();
    place.write("app.py", PROGRAM);
    let (profile, _, floor) = profiled(&place, json!(["second"])).await;
    assert_eq!(floor["plain_elapsed_sec"], Value::Null);
    let warnings = profile["warnings"].to_string();
    let why = "the plain run was not timed: it ended with exit code 3, the profiled one with 0";
    assert!(warnings.contains(why), "{warnings}");
}
