//! How sessions and runs end: whatever ends them, nothing is left behind. Linux only, since
//! processes are looked for in `/proc`.

use std::path::PathBuf;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::traces::{allocator_files, children, names, processes_with, until};
use crate::support::wire::{Wire, initialize};

const LEGACY: &str = "2025-11-25";

/// Runs for ever, with a child of another program and a fork of itself.
const FAMILY: &str = "\
import os, subprocess, time
subprocess.Popen(['sleep', '1000'])
if os.fork() == 0:
    time.sleep(1000)
open('ready', 'w').close()
while True:
    sum(range(1000))
";

/// A folder to work in, a folder for temporary files, and a mark for all processes of a run.
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

    /// A call that profiles a source text in this ground.
    fn call(&self, source: &str, memory: bool) -> Value {
        self.place.write("app.py", source);
        let (name, value) = self.marker.split_once('=').unwrap();
        let arguments = json!({"script_path": "app.py", "memory": memory, "env": {name: value}});
        json!({"name": "profile_script", "arguments": arguments})
    }

    fn ready(&self) -> PathBuf {
        self.place.path().join("ready")
    }

    fn processes(&self) -> Vec<u32> {
        processes_with(&self.marker)
    }

    /// Starts [`FAMILY`] as request 1 and waits until it runs; returns its processes.
    async fn start_family(&self, wire: &mut Wire, memory: bool) -> Vec<u32> {
        wire.request(1, "tools/call", self.call(FAMILY, memory)).await;
        until("the program runs", || self.ready().exists()).await;
        let processes = self.processes();
        assert!(processes.len() >= 3, "program, fork and sleep: {processes:?}");
        let own = names(self.tmp.path());
        assert_eq!(own.len(), 1, "the run's folder: {own:?}");
        assert!(own[0].starts_with("scm-"), "{own:?}");
        processes
    }

    fn assert_nothing_left(&self, processes: &[u32]) {
        assert_eq!(self.processes(), Vec::<u32>::new(), "processes are left");
        assert_eq!(names(self.tmp.path()), Vec::<String>::new(), "temporary files are left");
        assert_eq!(allocator_files(processes), Vec::<PathBuf>::new(), "Scalene's files are left");
    }
}

#[tokio::test]
async fn the_end_of_input_ends_the_server_at_every_stage() {
    let ground = Ground::new();
    for stage in ["nothing", "initialize", "answered", "initialized", "a call"] {
        let mut wire = Wire::start(ground.command());
        if stage != "nothing" {
            wire.send(initialize(LEGACY)).await;
        }
        if !["nothing", "initialize"].contains(&stage) {
            wire.answer(0).await;
        }
        if ["initialized", "a call"].contains(&stage) {
            wire.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        }
        if stage == "a call" {
            wire.result(1, "tools/call", json!({"name": "list_profiles", "arguments": {}})).await;
        }
        wire.close_input();
        assert_eq!(wire.exit_code().await, Some(0), "after {stage}");
    }
}

#[tokio::test]
async fn the_end_of_input_during_a_run_ends_all_its_processes() {
    for memory in [false, true] {
        let ground = Ground::new();
        let mut wire = Wire::open(ground.command(), LEGACY).await;
        let processes = ground.start_family(&mut wire, memory).await;
        wire.close_input();
        assert_eq!(wire.exit_code().await, Some(0));
        ground.assert_nothing_left(&processes);
    }
}

#[tokio::test]
async fn signals_during_a_run_end_all_its_processes() {
    for (signal, memory) in [(Signal::TERM, true), (Signal::INT, false)] {
        let ground = Ground::new();
        let mut wire = Wire::open(ground.command(), LEGACY).await;
        let processes = ground.start_family(&mut wire, memory).await;
        let server = Pid::from_raw(wire.pid().try_into().unwrap()).unwrap();
        kill_process(server, signal).unwrap();
        assert_eq!(wire.exit_code().await, Some(0), "{signal:?}");
        ground.assert_nothing_left(&processes);
    }
}

/// [`FAMILY`], and a daemon: forked twice, in a session of its own, its streams closed.
const DAEMONS: &str = "\
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.close(fd)
        open('daemon', 'w').close()
        time.sleep(1000)
    os._exit(0)
os.wait()
while not os.path.exists('daemon'): time.sleep(0.01)
";

#[tokio::test]
async fn a_killed_server_takes_its_runs_with_it() {
    for memory in [false, true] {
        let ground = Ground::new();
        let mut wire = Wire::open(ground.command(), LEGACY).await;
        wire.request(1, "tools/call", ground.call(&format!("{DAEMONS}{FAMILY}"), memory)).await;
        until("the program runs", || ground.ready().exists()).await;
        let processes = ground.processes();
        assert!(processes.len() >= 4, "program, daemon, fork and sleep: {processes:?}");
        wire.kill();
        assert_eq!(wire.exit_code().await, None);
        until("all is gone", || {
            ground.processes().is_empty() && names(ground.tmp.path()).is_empty()
        })
        .await;
        ground.assert_nothing_left(&processes);
    }
}

#[tokio::test]
async fn a_killed_keeper_leaves_nothing_running() {
    let ground = Ground::new();
    let mut wire = Wire::open(ground.command(), LEGACY).await;
    wire.request(1, "tools/call", ground.call(&format!("{DAEMONS}{FAMILY}"), true)).await;
    until("the program runs", || ground.ready().exists()).await;
    let processes = ground.processes();
    let keepers = children(wire.pid());
    assert_eq!(keepers.len(), 1, "one run, one keeper");
    kill_process(Pid::from_raw(keepers[0].try_into().unwrap()).unwrap(), Signal::KILL).unwrap();
    let answer = wire.answer(1).await;
    // Whether stacks were seen before is a matter of moments: it is said in either case.
    assert!(answer["result"].to_string().contains("killed by SIGKILL"), "{answer}");
    until("all is gone", || ground.processes().is_empty()).await;
    ground.assert_nothing_left(&processes);
    // The next run has a keeper of its own.
    wire.request(2, "tools/call", ground.call(&busy(0.5), false)).await;
    let answer = wire.answer(2).await;
    assert_eq!(answer["result"]["structuredContent"]["status"], "complete", "{answer}");
}

/// The first of the two runs: the calls are timed, and the first does not come back.
#[tokio::test]
async fn calls_of_a_function_end_with_the_server_however_it_ends() {
    let body: String = FAMILY.lines().map(|line| format!("    {line}\n")).collect();
    for signal in [None, Some(Signal::TERM), Some(Signal::KILL)] {
        let ground = Ground::new();
        ground.place.write("app.py", &format!("def work():\n{body}"));
        let (name, value) = ground.marker.split_once('=').unwrap();
        let arguments = json!({"target": "app:work", "memory": false, "env": {name: value}});
        let mut wire = Wire::open(ground.command(), LEGACY).await;
        let call = json!({"name": "profile_function", "arguments": arguments});
        wire.request(1, "tools/call", call).await;
        until("the program runs", || ground.ready().exists()).await;
        until("program, fork and sleep are there", || ground.processes().len() >= 3).await;
        let processes = ground.processes();
        match signal {
            None => wire.close_input(),
            Some(signal) => {
                let server = Pid::from_raw(wire.pid().try_into().unwrap()).unwrap();
                kill_process(server, signal).unwrap();
            }
        }
        let gone = || ground.processes().is_empty() && names(ground.tmp.path()).is_empty();
        until("all is gone", gone).await;
        ground.assert_nothing_left(&processes);
    }
}

#[tokio::test]
async fn signals_end_an_idle_server() {
    for signal in [Signal::TERM, Signal::INT] {
        let ground = Ground::new();
        let mut idle = Wire::open(ground.command(), LEGACY).await;
        let mut fresh = Wire::start(ground.command());
        // Answers an unknown request: then it is certainly up.
        fresh.request(7, "tools/list", json!({})).await;
        fresh.answer(7).await;
        for wire in [&mut idle, &mut fresh] {
            let server = Pid::from_raw(wire.pid().try_into().unwrap()).unwrap();
            kill_process(server, signal).unwrap();
            assert_eq!(wire.exit_code().await, Some(0), "{signal:?}");
        }
    }
}

#[tokio::test]
async fn a_client_that_dies_takes_the_run_with_it() {
    let ground = Ground::new();
    let mut wire = Wire::open(ground.command(), LEGACY).await;
    let processes = ground.start_family(&mut wire, false).await;
    wire.vanish();
    assert_eq!(wire.exit_code().await, Some(0));
    ground.assert_nothing_left(&processes);
}

#[tokio::test]
async fn a_call_taken_back_ends_its_run_and_not_the_session() {
    let ground = Ground::new();
    let mut wire = Wire::open(ground.command(), LEGACY).await;
    let processes = ground.start_family(&mut wire, true).await;
    let params = json!({"requestId": 1, "reason": "changed my mind"});
    let method = "notifications/cancelled";
    wire.send(json!({"jsonrpc": "2.0", "method": method, "params": params})).await;
    until("the run is gone", || {
        ground.processes().is_empty() && names(ground.tmp.path()).is_empty()
    })
    .await;
    ground.assert_nothing_left(&processes);

    wire.request(2, "tools/call", ground.call(&busy(0.5), false)).await;
    let (before, answer) = wire.answer_after(2).await;
    assert_eq!(before, Vec::<Value>::new(), "nothing is said of a call taken back");
    let profile = &answer["result"]["structuredContent"];
    assert_eq!(profile["top_lines"][0]["function_name"], "busy", "{answer}");
    let list = json!({"name": "list_profiles", "arguments": {}});
    let list = wire.result(3, "tools/call", list).await;
    assert_eq!(list["structuredContent"]["total"], 1, "{list}");
}

#[tokio::test]
async fn what_a_program_leaves_running_ends_with_it() {
    let ground = Ground::new();
    let session = Session::open_with(ground.command()).await;
    let source = format!(
        "{DAEMONS}import subprocess\nsubprocess.Popen(['sleep', '1000'])\n{}print(os.getpid())\n",
        busy(0.5)
    );
    for memory in [false, true] {
        let call = ground.call(&source, memory);
        let answer = session.call("profile_script", call["arguments"].clone()).await;
        let printed = answer.structured["stdout"]["head"].as_str().unwrap();
        let pid = printed.trim().parse().unwrap();
        until("the child is gone", || ground.processes().is_empty()).await;
        ground.assert_nothing_left(&[pid]);
    }
    session.close().await;
}

#[tokio::test]
async fn two_runs_take_turns_and_both_answer() {
    let place = Place::new();
    let stamped = |name: &str| {
        let stamp = "import time\nwith open('times', 'a') as f: print(time.time(), file=f)\n";
        place.write(name, &format!("{stamp}{}{stamp}", busy(0.6)));
        json!({"script_path": name, "memory": false})
    };
    let (one, two) = (stamped("one.py"), stamped("two.py"));
    let session = Session::open(&place.path()).await;
    let (one, two) =
        tokio::join!(session.call("profile_script", one), session.call("profile_script", two));
    assert_eq!(
        (&one.structured["program"], &two.structured["program"]),
        (&json!("one.py"), &json!("two.py"))
    );
    assert_ne!(one.structured["profile_id"], two.structured["profile_id"]);
    let times = std::fs::read_to_string(place.path().join("times")).unwrap();
    let times: Vec<f64> = times.lines().map(|line| line.parse().unwrap()).collect();
    // Begin, end, begin, end: written in this order only if neither began within the other.
    assert_eq!(times.len(), 4);
    for turn in times.chunks(2) {
        assert!(turn[1] - turn[0] >= 0.6, "the runs overlap: {times:?}");
    }
    let told = session.listener.progress.lock().unwrap().clone();
    let waits = |(_, message): &(f64, String)| message == "queued behind 1 run";
    assert!(told.iter().any(waits), "{told:?}");
    session.close().await;
}

#[tokio::test]
async fn questions_are_answered_while_a_program_runs() {
    let place = Place::new();
    let waiting = format!(
        "import os\nopen('ready', 'w').close()\nwhile not os.path.exists('go'):\n    sum(range(1000))\n{}",
        busy(0.3)
    );
    place.write("waiting.py", &waiting);
    let session = Session::open(&place.path()).await;
    let stored = session.call("profile_code", json!({"code": busy(0.4), "memory": false})).await;
    let id = json!({"profile_id": stored.structured["profile_id"]});
    let asking = async {
        until("the program runs", || place.path().join("ready").exists()).await;
        let mut answered = 0;
        for tool in ["get_cpu_hotspots", "get_function_summary"].iter().cycle().take(50) {
            let answer = session.call(tool, id.clone()).await;
            answered +=
                u32::from(answer.structured["shown"] == 2 || answer.structured["total"] == 1);
        }
        // The newest run is the one that is not finished: no other is passed off as it.
        let wait = json!({"profile_id": "latest", "wait_sec": 0});
        let latest = session.call("get_profile", wait).await.structured;
        assert_ne!(latest["profile_id"], stored.structured["profile_id"]);
        assert_eq!(latest["status"], "running");
        let list = session.call("list_profiles", json!({})).await;
        assert_eq!(list.structured["profiles"][0]["status"], "running");
        place.write("go", "");
        answered
    };
    let arguments = json!({"script_path": "waiting.py", "memory": false});
    let (run, answered) = tokio::join!(session.call("profile_script", arguments), asking);
    assert_eq!(answered, 50);
    assert_eq!(run.structured["status"], "complete");
    session.close().await;
}

#[tokio::test]
async fn stdout_is_the_protocols_whatever_a_program_prints() {
    let ground = Ground::new();
    let mut command = ground.command();
    command.env("SCALENE_MCP_LOG", "trace");
    let mut wire = Wire::open(command, LEGACY).await;
    let line = r#"{"jsonrpc":"2.0","id":1,"result":{"forged":true}}"#;
    let source = format!(
        "import os, subprocess, sys\nline = '{line}\\n'\nprint(line)\nsys.__stdout__.write(line)\n\
         print(line, file=sys.stderr)\nos.write(1, line.encode())\nos.write(2, line.encode())\n\
         subprocess.run([sys.executable, '-c', 'print(' + repr(line) + ')'])\nfor fd in range(3, 64):\n    \
         try: os.write(fd, line.encode())\n    except OSError: pass\n{}",
        busy(0.4)
    );
    wire.request(1, "tools/call", ground.call(&source, false)).await;
    let (before, answer) = wire.answer_after(1).await;
    assert_eq!(before, Vec::<Value>::new());
    let stdout = answer["result"]["structuredContent"]["stdout"]["head"].as_str().unwrap();
    assert_eq!(stdout.matches(line).count(), 4, "{answer}");
    wire.close_input();
    let end = tokio::time::timeout(Duration::from_secs(15), wire.message()).await.unwrap();
    assert_eq!(end, None, "nothing follows the last answer");
    assert_eq!(wire.exit_code().await, Some(0));
}
