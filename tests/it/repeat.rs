//! Several runs of one program as one profile.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::{Place, busy};

/// Counts its runs in a file, as `n`, before anything else.
const COUNTED: &str = "import pathlib\nlog = pathlib.Path('runs.txt')\n\
                       n = len(log.read_text()) + 1 if log.exists() else 1\nlog.write_text('x' * n)\n";

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn runs(place: &Path) -> usize {
    std::fs::read_to_string(place.join("runs.txt")).unwrap().len()
}

/// Checks that an interval is one, and holds the figure.
fn holds(interval: &Value, figure: f64) {
    let (low, high) = (f(&interval[0]), f(&interval[1]));
    // Each is rounded to three digits.
    assert!(low <= figure * 1.01 && figure <= high * 1.01, "{interval} {figure}");
}

fn texts(list: &Value) -> String {
    let list = list.as_array().unwrap();
    list.iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn three_runs_are_one_profile_with_means_and_intervals() {
    let place = Place::new();
    place.write("app.py", &format!("{COUNTED}{}", busy(1.2)));
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "memory": false, "repeat": 3});
    let answer = session.call("profile_script", arguments).await;
    assert_eq!(runs(&place.path()), 3);
    let (profile, summary) = (&answer.structured, &answer.structured["summary"]);
    assert_eq!((&profile["status"], &summary["runs"]), (&json!("complete"), &json!(3)));
    let elapsed = f(&summary["elapsed_time_sec"]);
    assert!((0.5..60.0).contains(&elapsed), "a mean, not a sum that a limit would show: {elapsed}");
    holds(&summary["elapsed_interval_sec"], elapsed);
    assert!(answer.text.contains("mean of 3 runs"), "{}", answer.text);

    let hotspots = session.call("get_cpu_hotspots", json!({"profile_id": "latest"})).await;
    assert_eq!(hotspots.structured["runs"], 3);
    let hot = &hotspots.structured["hotspots"][0];
    assert_eq!(hot["function_name"], "busy");
    holds(&hot["time_interval_sec"], f(&hot["python_time_sec"]) + f(&hot["c_time_sec"]));
    assert!(hotspots.text.contains("95 % interval over 3 runs"), "{}", hotspots.text);
    // The samples of all runs. One has a third of them where the machine is as busy all the time.
    let single =
        session.call("profile_script", json!({"script_path": "app.py", "memory": false})).await;
    assert_eq!(single.structured["summary"].get("runs"), None);
    assert!(!single.text.contains("mean of"), "{}", single.text);
    let samples = [&answer, &single].map(|answer| f(&answer.structured["summary"]["cpu_samples"]));
    assert!(samples[0] > samples[1], "{samples:?}");
    session.close().await;
}

#[tokio::test]
async fn a_run_that_ends_otherwise_is_told_and_left_out() {
    let place = Place::new();
    let fails = "if n == 2:\n    raise ValueError('only now')\n";
    let code = format!("{COUNTED}{}{fails}", busy(1.2));
    let session = Session::open(&place.path()).await;
    let arguments = json!({"code": code, "cwd": place.path(), "memory": false, "repeat": 3});
    let answer = session.call("profile_code", arguments).await;
    assert_eq!(runs(&place.path()), 3);
    let profile = &answer.structured;
    assert_eq!(
        (&profile["outcome"]["exit_code"], &profile["summary"]["runs"]),
        (&json!(0), &json!(2)),
        "{}",
        answer.text
    );
    let errors = texts(&profile["errors"]);
    assert_eq!(errors, "run 2 of 3 is left out of the means: the program raised ValueError");
    let warnings = texts(&profile["warnings"]);
    assert!(warnings.contains("repeat=3: the profile is of 2 runs only"), "{warnings}");
    assert!(
        answer.text.contains(&errors) && answer.text.contains("mean of 2 runs"),
        "{}",
        answer.text
    );
    session.close().await;
}

#[tokio::test]
async fn the_time_limit_is_for_each_run_and_ends_them() {
    let place = Place::new();
    let hangs = "if n == 2:\n    time.sleep(600)\n";
    place.write("app.py", &format!("{COUNTED}{}{hangs}", busy(1.2)));
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "memory": false, "repeat": 5, "timeout": 12, "wait_sec": 600});
    let answer = session.call("profile_script", arguments).await;
    assert_eq!(runs(&place.path()), 2, "no run follows one that was cut short: {}", answer.text);
    let profile = &answer.structured;
    assert_eq!((&profile["status"], profile["summary"].get("runs")), (&json!("complete"), None));
    let errors = texts(&profile["errors"]);
    assert_eq!(errors, "run 2 of 5 is left out of the means: stopped at the time limit of 12 s");
    assert!(texts(&profile["warnings"]).contains("repeat=5: the profile is of 1 run only"));
    session.close().await;
}

#[tokio::test]
async fn a_stop_keeps_the_runs_that_are_done() {
    let place = Place::new();
    let waits = "if n == 3:\n    time.sleep(600)\n";
    place.write("app.py", &format!("{COUNTED}{}{waits}", busy(1.2)));
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "memory": false, "repeat": 4, "wait_sec": 0});
    let started = session.call("profile_script", arguments).await.structured;
    let id = json!({"profile_id": started["profile_id"], "wait_sec": 0});
    let phase = loop {
        let now = session.call("get_profile", id.clone()).await.structured;
        let phase = now["progress"]["phase"].as_str().unwrap_or_default().to_owned();
        let elapsed = now["progress"]["elapsed_sec"].as_f64().unwrap_or_default();
        // By then its work is over, unless the machine is busy, and it waits.
        if phase.starts_with("run 3 of 4: running") && elapsed > 4.0 {
            break phase;
        }
        assert_eq!(now["status"], "running", "{now}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };
    assert_eq!(phase, "run 3 of 4: running");
    let stopped = session.call("stop_profile", json!({"profile_id": id["profile_id"]})).await;
    let profile = &stopped.structured;
    assert_eq!((&profile["status"], &profile["summary"]["runs"]), (&json!("complete"), &json!(2)));
    let errors = texts(&profile["errors"]);
    // On a machine with much to do the third run may have no profile yet.
    let without = "stopped on request before run 3 of 4 had a profile";
    let left_out = "run 3 of 4 is left out of the means: stopped on request";
    assert!([without, left_out].contains(&errors.as_str()), "{errors}");
    assert_eq!(runs(&place.path()), 3);
    session.close().await;
}

#[tokio::test]
async fn a_number_of_runs_that_makes_no_sense_is_refused() {
    let place = Place::new();
    place.write("app.py", "print(1)\n");
    let session = Session::open(&place.path()).await;
    for repeat in [0, 11] {
        let arguments = json!({"script_path": "app.py", "repeat": repeat});
        let failure = session.failure("profile_script", arguments).await;
        assert!(
            failure.contains(&format!("repeat: {repeat} is outside 1 to 10 runs")),
            "{failure}"
        );
    }
    session.close().await;
}
