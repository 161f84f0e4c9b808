//! A program's arguments arrive as `python script.py ARGS` would deliver them, whatever
//! Scalene's own command line would make of them.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::Place;
use crate::support::pythons;

/// What a program sees of how it was started, written as JSON to `REPORT`. `START` names
/// the start method of a pool; without it there is no pool and the program is done at once.
const PROGRAM: &str = r#"
import json, multiprocessing, os, pickle, sys, time

class Thing:
    def __init__(self, value):
        self.value = value

def square(n):
    return n * n

def busy(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until:
        sum(range(50))

def main():
    report = {
        "argv": sys.argv, "name": __name__, "file": __file__, "path": sys.path,
        "orig_argv": getattr(sys, "orig_argv", [""])[1:], "thing": Thing.__module__,
        "pickled": pickle.loads(pickle.dumps(Thing(5))).value, "package": __package__,
    }
    if "START" in os.environ:
        busy(0.3)
        with multiprocessing.get_context(os.environ["START"]).Pool(2) as pool:
            report["pool"] = pool.map(square, range(5))
    with open(os.environ["REPORT"], "w") as file:
        json.dump(report, file)
    print(json.dumps(sys.argv))

if __name__ == "__main__":
    main()
"#;

/// Everything that some Scalene swallows, reorders or takes for the program.
fn cases(existing: &Path) -> Vec<Vec<String>> {
    let existing = existing.to_str().unwrap();
    let long = "0123456789".repeat(1024);
    let cases: [&[&str]; 18] = [
        &["--n", "5"],
        &["--mem"],
        &["-o", "x"],
        &["-c", "y"],
        &["--"],
        &["---"],
        &["--help"],
        &["-h"],
        &["-m"],
        &["data.py"],
        &[existing],
        &[""],
        &["a b"],
        &["'single' \"double\" \\ $HOME"],
        &["two\nlines"],
        &["é漢"],
        &["--cpu-only", "run", "--version"],
        &[&long],
    ];
    cases.iter().map(|case| case.iter().map(ToString::to_string).collect()).collect()
}

struct Torture {
    place: Place,
    venv: PathBuf,
    session: Session,
}

impl Torture {
    async fn new(version: &str) -> Self {
        let place = Place::new();
        place.write("torture.py", PROGRAM);
        let venv = pythons::with_scalene(version);
        let session = Session::open(&place.path()).await;
        Self { place, venv, session }
    }

    fn report(&self) -> PathBuf {
        self.place.path().join("report.json")
    }

    fn take_report(&self) -> Value {
        let text = std::fs::read_to_string(self.report()).unwrap_or_default();
        let _ = std::fs::remove_file(self.report());
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// What plain Python delivers, and how much it writes to stdout.
    fn plain(&self, args: &[String], start: Option<&str>) -> (Value, usize) {
        let mut command = pythons::command(self.venv.join("bin/python"));
        command.arg("torture.py").args(args).current_dir(self.place.path());
        command.env("REPORT", self.report()).env_remove("PYTHONPATH");
        if let Some(start) = start {
            command.env("START", start);
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (self.take_report(), output.stdout.len())
    }

    /// Profiles a run with a pool; the profile must be complete.
    async fn whole(&self, args: &[String], start: &str, memory: bool) {
        let (expected, bytes) = self.plain(args, Some(start));
        let env = json!({"REPORT": self.report(), "START": start});
        let arguments = json!({"script_path": "torture.py", "args": args, "python": self.venv,
            "cwd": self.place.path(), "env": env, "memory": memory, "timeout": 50});
        let answer = self.session.call("profile_script", arguments).await;
        assert_eq!(answer.structured["status"], "complete", "{}", answer.text);
        assert_eq!(answer.structured["outcome"]["exit_code"], 0, "{}", answer.text);
        assert_eq!(answer.structured["stdout"]["total_bytes"], bytes);
        assert_eq!(self.take_report(), expected, "{start} {memory}");
        assert_eq!(expected["pool"], json!([0, 1, 4, 9, 16]));
        let functions = json!({"profile_id": "latest"});
        let functions = self.session.call("get_function_summary", functions).await;
        let functions = functions.structured["functions"].as_array().unwrap().clone();
        // Waiting for the pool may take longer than the work.
        assert!(functions.iter().any(|function| function["function_name"] == "busy"));
    }

    /// Runs the program for a moment: too short for a profile, long enough for its report.
    async fn short(&self, args: &[String]) {
        let (expected, _) = self.plain(args, None);
        let arguments = json!({"script_path": "torture.py", "args": args, "python": self.venv,
            "cwd": self.place.path(), "env": {"REPORT": self.report()}, "memory": false});
        self.session.raw("profile_script", arguments).await;
        assert_eq!(self.take_report(), expected);
        assert_eq!(expected["argv"].as_array().unwrap().len(), args.len() + 1);
    }
}

async fn arguments_arrive_intact(version: &str) {
    let torture = Torture::new(version).await;
    let existing = torture.place.write("existing.py", "raise SystemExit('the wrong program')\n");
    let cases = cases(&existing);
    let all: Vec<String> = cases.concat();
    torture.whole(&all, "fork", false).await;
    torture.whole(&all, "spawn", true).await;
    for case in &cases {
        torture.short(case).await;
    }
    torture.session.close().await;
}

#[tokio::test]
async fn arguments_arrive_intact_under_1_5_55() {
    arguments_arrive_intact("1.5.55").await;
}

#[tokio::test]
async fn arguments_arrive_intact_under_2_0_1() {
    arguments_arrive_intact("2.0.1").await;
}

#[tokio::test]
async fn arguments_arrive_intact_under_2_2_1() {
    arguments_arrive_intact("2.2.1").await;
}

#[tokio::test]
async fn arguments_arrive_intact_under_2_4_0() {
    arguments_arrive_intact("2.4.0").await;
}
