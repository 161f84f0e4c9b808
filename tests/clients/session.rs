//! Sessions of the SDKs: a script does what a client does and says what came of it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::installed::Tools;
use crate::support::client::BINARY;
use crate::support::place::{Place, busy};
use crate::support::pythons::{cache_dir, command};
use crate::support::traces::{names, processes_with};

/// Runs for a minute; a cancelled call must not wait for that.
const ENDLESS: &str = "\
import time
open('ready', 'w').close()
until = time.perf_counter() + 60
while time.perf_counter() < until:
    sum(range(1000))
";
const QUESTIONS: [&str; 10] = [
    "get_blocks",
    "get_profile",
    "analyze_profile",
    "get_bottlenecks",
    "get_cpu_hotspots",
    "get_memory_hotspots",
    "get_gpu_hotspots",
    "get_function_summary",
    "get_call_paths",
    "get_memory_leaks",
];
/// After a client is gone; a program that nobody ends would stay for a minute.
const GONE_WITHIN: Duration = Duration::from_secs(20);

/// The Python SDK in one of its modes.
pub(crate) fn python(tools: &Tools, mode: &str, revision: &str) -> String {
    let mut client = command(tools.python("python"));
    client.arg(tools.script("python_sdk.py")).arg(mode);
    judge(&talk(client), revision)
}

/// A TypeScript SDK.
pub(crate) fn node(tools: &Tools, script: &str, mode: &str, revision: &str) -> String {
    let mut client = command("node");
    client.arg(tools.script(script)).arg(mode);
    judge(&talk(client), revision)
}

/// A recorded session, held against the types of its revision.
pub(crate) fn messages(tools: &Tools, revision: &str) -> String {
    let mut client = command(tools.python("python"));
    client.arg(tools.script("messages.py")).arg(revision);
    let report = talk(client);
    assert_eq!(report["wrong"], json!([]), "messages that {revision} does not have");
    assert_eq!(report["exit_code"], 0);
    let missing = if revision == "2026-07-28" { -32602 } else { -32002 };
    let refused = json!([
        ["tools/list", -32602],
        ["tools/call", -32602],
        ["resources/read", missing],
        ["no/such/method", -32601]
    ]);
    assert_eq!(report["errors_seen"], refused, "what is refused, and how");
    let count = |what: &str| report[what].as_u64().unwrap();
    assert!(count("results") > 15 && count("notifications") > 0, "{report}");
    let (results, errors) = (count("results"), count("errors"));
    format!("{results} results, {errors} errors, {} notifications valid", count("notifications"))
}

/// Lets a script talk to a server of its own; returns its report, once nothing is left of it.
fn talk(mut client: Command) -> Value {
    let (place, other) = (Place::new(), Place::new());
    place.write("app.py", &busy(1.0));
    let outside = other.write("outside.py", &busy(1.0));
    let tmp = tempfile::Builder::new().prefix("smt-").tempdir_in("/tmp").unwrap();
    let tmp_text = tmp.path().display().to_string();
    let task = json!({
        "server": BINARY,
        "args": ["--root", place.path()],
        "outside": outside,
        "cwd": place.path(),
        "env": {
            "TMPDIR": tmp_text,
            "SCALENE_MCP_CACHE_DIR": cache_dir(),
            "SMT_SERVER": tmp_text,
        },
        "run_mark": format!("SMT_RUN={tmp_text}"),
        "ready": place.path().join("ready"),
        "short": {"code": busy(3.0), "memory": false},
        "endless": {
            "code": ENDLESS,
            "memory": false,
            "env": {"SMT_RUN": tmp_text},
            "timeout": 120,
            "wait_sec": 100,
        },
        "questions": QUESTIONS,
        "prompt_values": {"candidate": "app.py"},
    });
    for name in ["VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH"] {
        client.env_remove(name);
    }
    let output = client.arg(task.to_string()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}\n{complained}", output.status);
    nothing_left(&tmp_text, tmp.path());
    serde_json::from_str(said.trim().lines().last().expect("a script prints its report")).unwrap()
}

/// Neither the server nor the program nor a file of theirs is left.
fn nothing_left(mark: &str, tmp: &Path) {
    let ended = Instant::now();
    let left = || {
        let server = processes_with(&format!("SMT_SERVER={mark}"));
        let program = processes_with(&format!("SMT_RUN={mark}"));
        let files = names(tmp);
        let none = server.is_empty() && program.is_empty() && files.is_empty();
        (!none).then(|| format!("server {server:?}, program {program:?}, files {files:?}"))
    };
    while let Some(left) = left() {
        assert!(ended.elapsed() < GONE_WITHIN, "left after the client: {left}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}

/// Holds what a client saw against what it must have seen.
fn judge(report: &Value, revision: &str) -> String {
    assert_eq!(report["protocol"], revision);
    let tools = texts(&report["tools"]);
    for tool in ["profile_code", "get_profile", "analyze_profile", "stop_profile"] {
        assert!(tools.contains(&tool), "{tools:?}");
    }
    for answer in ["profile", "analysis"] {
        let result = &report[answer];
        assert_ne!(result["isError"], true, "{answer}: {result}");
        assert!(result["content"][0]["text"].as_str().unwrap().len() > 100, "{answer}: {result}");
    }
    let profile = &report["profile"]["structuredContent"];
    assert_eq!(profile["status"], "complete");
    let id = profile["profile_id"].as_str().unwrap();
    assert_eq!(report["analysis"]["structuredContent"]["profile_id"], id);

    let progress = report["progress"].as_array().unwrap();
    let values: Vec<f64> = progress.iter().map(|one| one["progress"].as_f64().unwrap()).collect();
    assert!(values.len() >= 2, "a run of 3 s reports each second: {progress:?}");
    assert!(values.is_sorted_by(|one, next| one < next), "progress rises: {values:?}");
    assert!(
        progress.iter().all(|one| one["message"].as_str().is_some_and(|text| !text.is_empty()))
    );

    for (end, calls) in [("cancel", "a call taken back"), ("shutdown", "a call in flight")] {
        assert!(report[end]["before"].as_u64().unwrap() > 0, "{calls} had a program");
        let outcome = report[end]["outcome"].as_str().unwrap();
        // A client that still listens as it closes hears that the run was cancelled.
        assert!(!outcome.contains("structuredContent"), "{calls} has no profile: {outcome}");
    }
    assert_eq!(report["cancel"]["after"], 0, "the cancelled program is gone");

    let form = &report["form"];
    let asked = texts(&form["asked"]);
    assert!(asked.len() == 1 && asked[0].contains("outside the folders"), "{asked:?}");
    assert_eq!(form["result"]["structuredContent"]["status"], "complete", "{form}");

    let uri = format!("profile://{id}");
    assert!(texts(&report["resources"]).contains(&uri.as_str()), "{}", report["resources"]);
    assert!(texts(&report["templates"]).contains(&"profile://{profile_id}"));
    let whole = &report["resource"]["contents"][0];
    assert_eq!(whole["uri"], uri);
    let whole: Value = serde_json::from_str(whole["text"].as_str().unwrap()).unwrap();
    assert_eq!(whole["profile_id"], id);

    let prompts = texts(&report["prompts"]);
    let got = report["got_prompts"].as_array().unwrap();
    assert!(prompts.contains(&"find_bottleneck"), "{prompts:?}");
    assert_eq!(prompts.len(), got.len(), "each prompt can be had");
    for prompt in got {
        assert!(prompt["messages"][0]["content"]["text"].as_str().is_some(), "{prompt}");
    }
    let (tools, seconds) = (tools.len(), report["shutdown"]["seconds"].as_f64().unwrap());
    let (steps, prompts) = (values.len(), prompts.len());
    format!(
        "{revision}, {tools} tools, {prompts} prompts, {steps} progress, closed in {seconds:.2} s"
    )
}
