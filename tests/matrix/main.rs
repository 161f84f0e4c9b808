//! The same program under every Python there is, with the project's own Scalene and with a
//! private one.
//!
//! It takes minutes and needs interpreters that a machine may not have, so `cargo test`
//! leaves it out:
//!
//! ```text
//! cargo test --test matrix                            # every Python found
//! cargo test --test matrix -- 3.12 /opt/py/bin/python # these
//! ```
//!
//! It prints one row for each Python and Scalene, and fails if any row is wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; its table is for people"
)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use serde_json::{Value, json};

#[path = "../it/support/installed.rs"]
mod installed;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

use support::client::{Session, text};
use support::place::Place;
use support::pythons;

/// Where Scalene comes from in a row.
const OWN: &str = "project";
const OVERLAY: &str = "overlay";

/// `hot` takes the time, on lines 3 to 6.
const PROGRAM: &str = "import sys, time\ndef hot(until):\n    total = 0\n    while time.perf_counter() < until:\n        \
     for i in range(2000):\n            total += i % 7\n    return total\ndef cold():\n    return sum(range(1000))\n\
     cold()\nhot(time.perf_counter() + 1.2)\nkept = [bytearray(1 << 20) for _ in range(32)]\nprint(sys.argv[1:])\nsys.exit(3)\n";
/// A pool whose tasks are over at once: workers are asked to end while they begin.
const POOL: &str = "import multiprocessing, time\ndef square(n):\n    return n * n\ndef hot(until):\n    \
     while time.perf_counter() < until:\n        sum(range(100))\nif __name__ == '__main__':\n    \
     hot(time.perf_counter() + 0.3)\n    with multiprocessing.Pool(2) as pool:\n        \
     print(pool.map(square, range(8)))\n";
const ARGS: [&str; 7] = ["--n", "5", "-o", "x", "--", "", "é漢.py"];

fn main() -> ExitCode {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    println!(
        "| Python | Scalene | from | cpu: hot line, share | full: hot line, share, peak | pool | seconds | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|");
    let mut wrong = 0;
    for (_, python) in installed::pythons(&asked) {
        for row in runtime.block_on(rows(&python)) {
            wrong += usize::from(!row.right);
            println!("{}", row.text);
        }
    }
    println!("{wrong} rows are wrong");
    if wrong == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Row {
    text: String,
    right: bool,
}

async fn rows(python: &Path) -> Vec<Row> {
    let script = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    let output = pythons::command(python).args(["-c", script]).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    let number = |at| version.split('.').nth(at).unwrap().parse::<u32>().unwrap();
    if (number(0), number(1)) < (3, 8) {
        return vec![refusal(python, &version).await];
    }
    // The last Scalene with wheels for 3.8.
    let scalene = if number(1) == 8 { "1.5.53" } else { "2.4.0" };
    let own = pythons::environment(python, &format!("matrix-{version}"), Some(scalene));
    let bare = pythons::environment(python, &format!("matrix-{version}-bare"), None);
    vec![profiled(&own, &version, OWN).await, profiled(&bare, &version, OVERLAY).await]
}

/// The row of a Python that is not supported: what the user is told.
async fn refusal(python: &Path, version: &str) -> Row {
    let place = Place::new();
    place.write("app.py", PROGRAM);
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "python": python});
    let result = session.raw("profile_script", arguments).await;
    session.close().await;
    let said = text(&result).replace('\n', " ");
    let right = result.is_error == Some(true) && said.contains(version);
    Row { text: format!("| {version} | | | {said} | | | | {} |", verdict(right)), right }
}

fn verdict(right: bool) -> &'static str {
    if right { "right" } else { "WRONG" }
}

async fn profiled(venv: &Path, version: &str, source: &str) -> Row {
    let started = Instant::now();
    let place = Place::new();
    place.write("app.py", PROGRAM);
    place.write("pool.py", POOL);
    let session = Session::open(&place.path()).await;
    let mut wrong = Vec::new();
    let mut cells = Vec::new();
    let mut scalene = String::new();
    for memory in [false, true] {
        let arguments =
            json!({"script_path": "app.py", "python": venv, "args": ARGS, "memory": memory});
        let result = session.raw("profile_script", arguments).await;
        let Some(profile) = result.structured_content.as_ref() else {
            cells.push("failed".to_owned());
            wrong.push(text(&result).replace('\n', " "));
            continue;
        };
        profile["environment"]["scalene_version"].as_str().unwrap_or("?").clone_into(&mut scalene);
        wrong.extend(complaints(profile, version, source, memory));
        let functions = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
        let first = &functions.structured["functions"][0];
        if first["function_name"] != "hot" || first["percent_of_total_cpu"].as_f64() < Some(70.0) {
            wrong.push(format!("first function: {first}"));
        }
        let mut cell = format!(
            "{}, {} %",
            profile["top_lines"][0]["location"].as_str().unwrap_or("?"),
            first["percent_of_total_cpu"]
        );
        if memory {
            cell += &format!(", {} MB", profile["memory_profile"]["peak_mb"]);
        }
        cells.push(cell);
    }
    let arguments =
        json!({"script_path": "pool.py", "python": venv, "memory": false, "timeout": 30});
    let result = session.raw("profile_script", arguments).await;
    let pool = result.structured_content.unwrap_or_default();
    let complete =
        pool["status"] == "complete" && pool["stdout"]["head"] == "[0, 1, 4, 9, 16, 25, 36, 49]\n";
    if !complete {
        wrong.push(format!("pool: {pool} {}", result.content.first().map_or("", |_| "see text")));
    }
    session.close().await;
    let row = [
        version.to_owned(),
        scalene,
        source.to_owned(),
        cells.join(" | "),
        verdict(complete).to_owned(),
        format!("{:.1}", started.elapsed().as_secs_f64()),
        if wrong.is_empty() { "right".to_owned() } else { format!("WRONG: {}", wrong.join("; ")) },
    ];
    Row { text: format!("| {} |", row.join(" | ")), right: wrong.is_empty() }
}

/// What is wrong with an answer, apart from the functions.
fn complaints(profile: &Value, version: &str, source: &str, memory: bool) -> Vec<String> {
    let argv = "['--n', '5', '-o', 'x', '--', '', 'é漢.py']\n";
    let environment = &profile["environment"];
    let location = profile["top_lines"][0]["location"].as_str().unwrap_or_default().to_owned();
    let in_hot = ["app.py:3", "app.py:4", "app.py:5", "app.py:6"].contains(&location.as_str());
    let checks = [
        ("status", profile["status"] == "complete", &profile["status"]),
        ("exit code", profile["outcome"]["exit_code"] == 3, &profile["outcome"]),
        ("arguments", profile["stdout"]["head"] == argv, &profile["stdout"]),
        ("version", environment["python_version"] == version, environment),
        ("source", environment["scalene_source"] == source, environment),
        ("memory", profile.get("memory_profile").is_some() == memory, &profile["memory_profile"]),
        ("hot line", in_hot, &profile["top_lines"]),
    ];
    let wrong = checks.iter().filter(|(_, right, _)| !right);
    wrong.map(|(name, _, value)| format!("{name}: {value}")).collect()
}
