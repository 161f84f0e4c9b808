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
    assert_eq!(other.code, 2, "{}{}", other.stdout, other.stderr);
    assert!(other.stdout.contains("different_output"), "{}", other.stdout);
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
    assert!(json["verification"]["wall_ratio"].is_number(), "{json}");
    place.write("perf-budget.toml", &held("0.01"));
    let broken = check(&cwd, &args).await;
    assert_eq!(broken.code, 1, "{}", broken.stdout);
}
