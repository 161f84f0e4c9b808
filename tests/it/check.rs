//! The gate for changes: exit codes, report, JSON, limits from a file.

use std::path::Path;

use serde_json::Value;

use crate::support::client::server_command;
use crate::support::place::Place;

/// What a call printed, and its exit code.
struct Ended {
    code: i32,
    stdout: String,
    stderr: String,
}

async fn check(cwd: &Path, args: &[&str]) -> Ended {
    let mut all = vec!["check"];
    all.extend(args);
    let output = server_command(cwd, &all).output().await.unwrap();
    Ended {
        code: output.status.code().unwrap(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// Takes a quarter of a second at least, or twice that.
fn place() -> Place {
    let place = Place::new();
    place.write("quick.py", "import time\ntime.sleep(0.25)\nprint(1)\n");
    place.write("slow.py", "import time\ntime.sleep(0.75)\nprint(1)\n");
    place.write("other.py", "print(2)\n");
    place.write("fails.py", "raise SystemExit(4)\n");
    place.write("raises.py", "import os\nos.abort()\n");
    place
}

#[tokio::test]
async fn the_exit_code_says_what_became_of_the_change() {
    let place = place();
    let cwd = place.path();
    let pass = check(&cwd, &["--baseline", "slow.py", "--", "quick.py"]).await;
    assert_eq!(pass.code, 0, "{}{}", pass.stdout, pass.stderr);
    assert!(pass.stdout.starts_with("pass\n  wall time"), "{}", pass.stdout);
    let worse = check(&cwd, &["--baseline", "quick.py", "--", "slow.py"]).await;
    assert_eq!(worse.code, 1, "{}{}", worse.stdout, worse.stderr);
    assert!(worse.stdout.contains("limit 1.05x"), "{}", worse.stdout);
    assert!(worse.stdout.lines().count() <= 24, "{}", worse.stdout);
    let other = check(&cwd, &["--baseline", "slow.py", "--", "other.py"]).await;
    assert_eq!(other.code, 1, "{}{}", other.stdout, other.stderr);
    assert!(other.stdout.starts_with("different output\n"), "{}", other.stdout);
    assert!(!other.stdout.contains("float_tolerance"), "{}", other.stdout);
    for verdict in ["different_output", "undecided", "regression", "not measured"] {
        assert!(!other.stdout.contains(verdict), "{verdict}: {}", other.stdout);
    }
    let json = check(&cwd, &["--baseline", "slow.py", "--json", "--", "other.py"]).await;
    let json: Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["exit_code"]), (&"different_output".into(), &1.into()));
    let fails = check(&cwd, &["--baseline", "quick.py", "--", "fails.py"]).await;
    assert_eq!(fails.code, 1, "{}{}", fails.stdout, fails.stderr);
    assert!(fails.stdout.starts_with("candidate failed\n"), "{}", fails.stdout);
    for baseline in ["fails.py", "raises.py"] {
        let fails = check(&cwd, &["--baseline", baseline, "--", "quick.py"]).await;
        assert_eq!(fails.code, 2, "{}{}", fails.stdout, fails.stderr);
        assert!(fails.stdout.starts_with("baseline failed\n"), "{}", fails.stdout);
    }
    let any = ["--baseline", "slow.py", "--any-output", "--", "other.py"];
    assert_eq!(check(&cwd, &any).await.code, 0);
    for (args, said) in [
        (&["--baseline", "none.py", "--", "quick.py"][..], "`none.py` is no file"),
        (&["--baseline", "quick.py", "--", "none.py"], "script_not_found"),
        (&["--baseline", "quick.py"], "SCRIPT"),
        (&["--", "quick.py"], "nothing to compare with"),
        (&["--baseline", "quick.py", "--max-slowdown", "x", "--", "quick.py"], "such as 5%"),
        (&["--budget", "none.toml", "--", "quick.py"], "none.toml"),
    ] {
        let ended = check(&cwd, args).await;
        assert_eq!((ended.code, ended.stdout.as_str()), (3, ""), "{args:?}: {}", ended.stderr);
        assert!(ended.stderr.contains(said), "{args:?}: {}", ended.stderr);
    }
}

#[tokio::test]
async fn limits_come_from_a_file_too() {
    let place = place();
    let cwd = place.path();
    let held = |seconds: &str| {
        format!("[scripts.\"quick.py\"]\nmax_seconds = {seconds}\nmax_memory_mb = 4000\n")
    };
    place.write("perf-budget.toml", &held("30"));
    let args = ["--budget", "perf-budget.toml", "--budget-sec", "15", "--json", "--", "quick.py"];
    let pass = check(&cwd, &args).await;
    assert_eq!(pass.code, 0, "{}{}", pass.stdout, pass.stderr);
    let json: Value = serde_json::from_str(&pass.stdout).unwrap();
    assert_eq!((&json["verdict"], &json["exit_code"]), (&"pass".into(), &0.into()));
    assert_eq!(json["limits"].as_array().unwrap().len(), 2, "{json}");
    assert!(json["limits"][0]["value"].as_f64().unwrap() >= 0.25, "{json}");
    assert!(json["verification"].get("wall_ratio").is_none(), "{json}");
    assert!(json["verification"]["candidate_sec"].is_number(), "{json}");
    let text = check(&cwd, &[&args[..4], &args[5..]].concat()).await;
    assert!(text.stdout.starts_with("pass\n  wall time, s"), "{}", text.stdout);
    for compared in ["undecided", "ratio", "Baseline", "would decide", "each side"] {
        assert!(!text.stdout.contains(compared), "{compared}: {}", text.stdout);
    }
    place.write("perf-budget.toml", &held("0.01"));
    let broken = check(&cwd, &args).await;
    assert_eq!(broken.code, 1, "{}", broken.stdout);
    place.write("perf-budget.toml", &format!("{}max_slowdown = \"1%\"\n", held("30")));
    let ratios = check(&cwd, &args).await;
    assert_eq!((ratios.code, &*ratios.stdout), (3, ""), "{}", ratios.stderr);
    assert!(
        ratios.stderr.contains("ratio limits (max_slowdown) need --baseline"),
        "{}",
        ratios.stderr
    );
}

#[tokio::test]
async fn read_only_runs_nothing() {
    let place = place();
    place.write("ran.py", "open('ran.txt', 'w').write('x')\n");
    for (args, code) in [
        (&["--read-only", "profile", "ran.py"][..], 2),
        (&["--read-only", "check", "--baseline", "ran.py", "--", "ran.py"], 3),
        (&["--read-only", "setup"], 2),
        (&["profile", "ran.py", "--read-only"], 2),
    ] {
        let output = server_command(&place.path(), args).output().await.unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains("--read-only runs nothing"), "{args:?}: {said}");
    }
    assert!(!place.path().join("ran.txt").exists());
}
