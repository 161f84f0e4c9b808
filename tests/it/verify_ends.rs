//! How verifications are waited for, ended and confined, and that nothing is left of them.
//! Linux only, since processes are looked for in `/proc`.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::Place;
use crate::support::traces::{names, processes_with, until};
use crate::support::wire::Wire;

const LEGACY: &str = "2025-11-25";

/// Runs for ever, with a child of another program, a fork of itself, and a daemon.
const FAMILY: &str = "\
import os, subprocess, time
subprocess.Popen(['sleep', '1000'])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(1000)
    os._exit(0)
open(os.path.join(os.environ['PLACE'], 'ready'), 'w').close()
time.sleep(1000)
";

struct Ground {
    place: Place,
    tmp: tempfile::TempDir,
    marker: String,
}

impl Ground {
    fn new() -> Self {
        let tmp = tempfile::Builder::new().prefix("smt-").tempdir_in("/tmp").unwrap();
        let marker = format!("SMT_MARKER={}", tmp.path().display());
        Self { place: Place::new(), tmp, marker }
    }

    fn command(&self) -> tokio::process::Command {
        let mut command = server_command(&self.place.path(), &[]);
        command.env("TMPDIR", self.tmp.path());
        command
    }

    fn call(&self, old: &str, new: &str) -> Value {
        self.place.write("old.py", old);
        self.place.write("new.py", new);
        let (name, value) = self.marker.split_once('=').unwrap();
        let arguments = json!({"baseline_path": "old.py", "candidate_path": "new.py", "budget_sec": 300,
            "env": {name: value, "PLACE": self.place.path()}});
        json!({"name": "verify_speedup", "arguments": arguments})
    }

    /// Starts a comparison of which the second side runs for ever.
    async fn start(&self, wire: &mut Wire) {
        wire.request(1, "tools/call", self.call("pass\n", FAMILY)).await;
        until("the program runs", || self.place.path().join("ready").exists()).await;
        until("all are there", || processes_with(&self.marker).len() >= 3).await;
    }

    async fn nothing_left(&self) {
        until("all is gone", || {
            processes_with(&self.marker).is_empty() && names(self.tmp.path()).is_empty()
        })
        .await;
    }
}

#[tokio::test]
async fn whatever_ends_a_verification_nothing_is_left() {
    for end in ["cancel", "input", "term", "kill"] {
        let ground = Ground::new();
        let mut wire = Wire::open(ground.command(), LEGACY).await;
        ground.start(&mut wire).await;
        let server = Pid::from_raw(wire.pid().try_into().unwrap()).unwrap();
        match end {
            "cancel" => {
                let params = json!({"requestId": 1, "reason": "changed my mind"});
                let method = "notifications/cancelled";
                wire.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
            }
            "input" => wire.close_input(),
            "term" => kill_process(server, Signal::TERM).unwrap(),
            _ => wire.kill(),
        }
        ground.nothing_left().await;
        if end == "cancel" {
            // The turn is free again.
            wire.request(2, "tools/call", ground.call("print(1)\n", "print(2)\n")).await;
            let answer = wire.answer(2).await;
            let verdict = &answer["result"]["structuredContent"]["verdict"];
            assert_eq!(verdict, "different_output", "{answer}");
        }
    }
}

const QUICK: &str = "print(sum(range(1000)))\n";

#[tokio::test]
async fn a_long_verification_is_waited_for_by_its_id_and_ended_early() {
    let ground = Ground::new();
    let session = Session::open_with(ground.command()).await;
    let mut arguments = ground.call(QUICK, QUICK)["arguments"].clone();
    arguments["wait_sec"] = json!(0);
    // So small an effect that no number of these runs decides.
    arguments["min_effect"] = json!(0.001);
    let handle = session.call("verify_speedup", arguments).await.structured;
    assert_eq!((&handle["status"], &handle["verdict"]), (&json!("running"), &Value::Null));
    let id = handle["verification_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with('v'), "{id}");
    let wait = json!({"verification_id": id, "wait_sec": 0.5});
    let mut seen = Value::Null;
    for _ in 0..200 {
        let answer = session.call("verify_speedup", wait.clone()).await;
        assert_eq!(answer.structured["status"], "running", "{}", answer.text);
        seen = answer.structured;
        if seen["wall_ratio"].is_number() {
            break;
        }
    }
    assert!(seen["runs"].as_u64() >= Some(4), "{seen}");
    assert_eq!(seen["next"][1]["tool"], "stop_profile");
    // A profile has to wait meanwhile; it is no profile, so that nothing lists it.
    assert_eq!(session.call("list_profiles", json!({})).await.structured["total"], 0);
    let stopped = session.call("stop_profile", json!({"profile_id": id})).await.structured;
    assert_eq!(stopped["status"], "partial", "{stopped}");
    let next = &stopped["next"][0];
    assert_eq!(next["tool"], "verify_speedup");
    let answer = session.call("verify_speedup", next["arguments"].clone()).await;
    assert_eq!(answer.structured["ended"], "stopped", "{}", answer.text);
    assert!(answer.structured["wall_ratio"].is_number(), "{}", answer.structured);
    assert!(answer.structured["verdict"].is_string(), "{}", answer.structured);
    let again = session.call("verify_speedup", json!({"verification_id": "latest"})).await;
    assert_eq!(again.structured, answer.structured);
    ground.nothing_left().await;
    session.close().await;
}

#[tokio::test]
async fn progress_is_told_while_it_runs() {
    let ground = Ground::new();
    let session = Session::open_with(ground.command()).await;
    let mut arguments = ground.call(QUICK, QUICK)["arguments"].clone();
    arguments["budget_sec"] = json!(4);
    arguments["min_effect"] = json!(0.001);
    session.call("verify_speedup", arguments).await;
    let told = session.listener.progress.lock().unwrap().clone();
    assert!(told.iter().any(|(_, text)| text.contains("pairs of runs in")), "{told:?}");
    assert!(told.iter().any(|(_, text)| text == "warming up"), "{told:?}");
    session.close().await;
}

#[tokio::test]
async fn roots_and_sandbox_hold_for_both_sides() {
    let (inside, outside) = (Place::new(), Place::new());
    inside.write("old.py", "print(1)\n");
    let spy = outside.write("new.py", "print(1)\n");
    let root = inside.path();
    let root = root.to_str().unwrap();
    let options = ["--root", root, "--min-sandbox", "strict"];
    let session = Session::open_with(server_command(Path::new(root), &options)).await;
    for (name, value) in [("candidate_path", json!(spy)), ("cwd", json!(outside.path()))] {
        let mut arguments = json!({"baseline_path": "old.py", "candidate_path": "old.py"});
        arguments[name] = value;
        let failure = session.failure("verify_speedup", arguments).await;
        assert!(failure.starts_with("outside_roots"), "{failure}");
    }
    // It may read its project, but not what lies outside, and may write nothing.
    let secret = outside.write("secret.txt", "secret");
    let reads = format!("try:\n    open({secret:?}).read()\nexcept PermissionError: print('no')\n");
    let writes = "try:\n    open('made', 'w')\nexcept PermissionError: print('no')\n";
    inside.write("old.py", &reads);
    inside.write("new.py", writes);
    let arguments = json!({"baseline_path": "old.py", "candidate_path": "new.py", "budget_sec": 2});
    let answer = session.call("verify_speedup", arguments.clone()).await;
    assert!(answer.structured["same_work"].is_string(), "{}", answer.text);
    assert_eq!(answer.structured["environment"]["sandbox"], "strict");
    assert_eq!(names(&inside.path()).len(), 2, "nothing was made");
    // A check is no way out.
    let mut checked = arguments;
    checked["check"] = json!(format!("cat {}", secret.display()));
    let answer = session.call("verify_speedup", checked).await;
    assert_eq!(answer.structured["verdict"], "baseline_failed", "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn runs_and_verifications_take_turns() {
    let ground = Ground::new();
    let session = Session::open_with(ground.command()).await;
    let stamp = "import os, time\nwith open(os.environ['PLACE'] + '/times', 'a') as f: print('v', file=f)\n";
    let mut verify = ground.call(stamp, stamp)["arguments"].clone();
    verify["budget_sec"] = json!(3);
    let place = ground.place.path();
    let code = format!(
        "import time\nf = open({:?}, 'a')\nprint('p', file=f, flush=True)\nend = time.time() + 1.5\n\
         while time.time() < end: sum(range(1000))\nprint('p', file=f)\n",
        place.join("times")
    );
    let profile = json!({"code": code, "memory": false});
    let (verified, profiled) =
        tokio::join!(session.call("verify_speedup", verify), session.call("profile_code", profile));
    assert_eq!(profiled.structured["status"], "complete");
    assert!(verified.structured["runs"].as_u64() > Some(0), "{}", verified.text);
    let times = std::fs::read_to_string(place.join("times")).unwrap();
    let times: String = times.lines().collect();
    assert!(times.contains("pp"), "the profiled run was disturbed: {times}");

    session.close().await;
}
