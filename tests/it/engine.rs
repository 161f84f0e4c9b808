//! `engine`: the sampler alone, where nothing of Scalene is, and in its place where Scalene cannot run.

use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::pythons;

/// Half a second of work; tells in a file that it ran, and whether Scalene was there.
const TELLS: &str = r#"
import sys, time
with open("runs", "a") as runs:
    print(any("scalene" in name for name in sys.modules), sys.argv[1:], file=runs)
end = time.perf_counter() + 0.7
def spin():
    while time.perf_counter() < end: sum(range(1000))
spin()
"#;

/// A server that installs nothing.
async fn bare(place: &Place) -> Session {
    Session::open_with(server_command(&place.path(), &["--no-install"])).await
}

/// Two seconds of work in turns of milliseconds. Truth: `hot` does nine tenths of it.
const KNOWN: &str = r#"
import time
def hot():
    total = 0
    for i in range(9000): total += i * i % 7
    return total
def warm():
    total = 0
    for i in range(1000): total += i * i % 7
    return total
while time.process_time() < 2.0:
    hot()
    warm()
print("done")
"#;

fn runs(place: &Place) -> String {
    std::fs::read_to_string(place.path().join("runs")).unwrap_or_default()
}

fn share(answer: &Value, function: &str) -> f64 {
    let lines = answer["cpu_profile"]["lines"].as_object().unwrap();
    let own = lines.values().filter(|line| line["function_name"] == function);
    own.map(|line| line["percent_of_total"].as_f64().unwrap()).sum()
}

#[tokio::test]
async fn a_script_below_another_working_directory_is_the_users() {
    let place = Place::new();
    let script = place.write("below/known.py", KNOWN);
    let session = bare(&place).await;
    for (minor, python) in pythons::of_minors(&[8, 12]) {
        let bare = pythons::environment(&python, &format!("bare-3.{minor}"), None);
        // Python 3.8 knows the script as it was typed, and the server runs elsewhere.
        let run = json!({"script_path": "known.py", "cwd": script.parent().unwrap(), "python": bare,
            "engine": "sampler"});
        let answer = session.call("profile_script", run).await;
        let hot = share(&answer.structured, "hot");
        assert!(hot > 65.0, "3.{minor}: {}", answer.text);
        assert!(answer.text.contains("known.py:"), "{}", answer.text);
    }
    session.close().await;
}

#[tokio::test]
async fn without_scalene_the_sampler_finds_the_hot_function() {
    let place = Place::new();
    place.write("known.py", KNOWN);
    let session = bare(&place).await;
    for (minor, python) in pythons::of_minors(&[8, 11, 12, 13]) {
        let bare = pythons::environment(&python, &format!("bare-3.{minor}"), None);
        let run = json!({"script_path": "known.py", "python": bare, "engine": "sampler"});
        let answer = session.call("profile_script", run).await;
        let (text, answer) = (answer.text, answer.structured);
        // On a busy machine there are some twenty samples: 7 points for one standard error.
        assert!(share(&answer, "hot") > 65.0, "3.{minor}: {text}");
        assert!(answer["stdout"].to_string().contains("done"), "{text}");
        assert_eq!(answer["environment"]["engine"], "sampler");
        assert_eq!(answer["environment"]["scalene_version"], Value::Null);
        assert_eq!(answer["outcome"]["exit_code"], 0);
        assert_eq!(answer["memory_profile"], Value::Null);
        assert!(text.contains("memory by line is not measured"), "{text}");
        assert!(!text.contains("beside Scalene"), "{text}");
        let id = json!({"profile_id": answer["profile_id"]});
        let calls = session.call("get_call_paths", id.clone()).await.text;
        assert!(calls.contains("hot"), "{calls}");
        for tool in
            ["analyze_profile", "get_bottlenecks", "get_function_summary", "get_cpu_hotspots"]
        {
            session.call(tool, id.clone()).await;
        }
    }
    session.close().await;
}

/// A cheap call of the kernel after each 12 microseconds of work; it measures itself which part of the time that takes.
#[cfg(target_os = "linux")]
const ASKS_THE_KERNEL: &str = "
import os, time
clock = time.perf_counter
def run(until):
    worked = asked = 0.0
    while True:
        a = clock()
        sum(range(1000))
        b = clock()
        os.getppid()
        c = clock()
        worked += b - a; asked += c - b
        if c > until:
            return asked / (worked + asked)
print(run(clock() + 2.0))
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_cheap_call_of_the_kernel_does_not_get_the_time_of_the_work_beside_it() {
    let place = Place::new();
    place.write("app.py", ASKS_THE_KERNEL);
    let session = bare(&place).await;
    let run = json!({"script_path": "app.py", "engine": "sampler"});
    let answer = session.call("profile_script", run).await;
    let truth: f64 = answer.structured["stdout"]["head"].as_str().unwrap().trim().parse().unwrap();
    let [worked, asked] = session.shares("app.py", [8, 10]).await;
    assert!(worked > 60.0, "{worked} % and {asked} % of {truth}: {}", answer.text);
    assert!(asked < 100.0 * truth + 15.0, "{worked} % and {asked} % of {truth}: {}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn the_sampler_takes_over_where_scalene_cannot_be_had() {
    let place = Place::new();
    place.write("app.py", TELLS);
    let python = pythons::environment(&pythons::system_python(), "bare", None);
    let session = bare(&place).await;
    let run = json!({"script_path": "app.py", "args": ["a b"], "python": python, "memory": false});
    let answer = session.call("profile_script", run.clone()).await;
    assert_eq!(runs(&place), "False ['a b']\n");
    assert_eq!(answer.structured["environment"]["engine"], "sampler", "{}", answer.text);
    let told = answer.structured["warnings"][0].as_str().unwrap();
    assert!(told.contains("Scalene could not run") && told.contains("scalene-mcp setup"), "{told}");
    assert!(share(&answer.structured, "spin") > 60.0, "{}", answer.text);
    let mut insisted = run;
    insisted["engine"] = json!("scalene");
    let failure = session.failure("profile_script", insisted).await;
    assert!(failure.starts_with("scalene_missing: "), "{failure}");
    assert_eq!(runs(&place).lines().count(), 1);
    session.close().await;
}

#[tokio::test]
async fn a_program_that_has_begun_is_not_run_again() {
    let place = Place::new();
    let python = pythons::with_scalene("2.4.0");
    let session = Session::open(&place.path()).await;
    // Ends the interpreter before Scalene has begun; only the launcher is met.
    place.write(
        "early/sitecustomize.py",
        "import os, sys\nif any('launch.py' in word for word in getattr(sys, 'orig_argv', [])):\n    \
         os.kill(os.getpid(), 11)\n",
    );
    place.write("app.py", TELLS);
    let env = json!({"PYTHONPATH": place.path().join("early")});
    let run = json!({"script_path": "app.py", "python": python, "memory": false, "env": env});
    let answer = session.call("profile_script", run).await;
    assert_eq!(answer.structured["environment"]["engine"], "sampler", "{}", answer.text);
    assert!(answer.text.contains("Scalene could not run"), "{}", answer.text);
    assert_eq!(runs(&place), "False []\n");
    std::fs::remove_file(place.path().join("runs")).unwrap();
    let crashes = "open('runs', 'a').write('once\\n')\nimport os\nos.kill(os.getpid(), 11)\n";
    place.write("crashes.py", crashes);
    let run = json!({"script_path": "crashes.py", "python": python, "memory": false});
    let failure = session.failure("profile_script", run).await;
    assert!(failure.starts_with("program_crashed: "), "{failure}");
    assert_eq!(runs(&place), "once\n");
    session.close().await;
}

#[tokio::test]
async fn code_runs_as_python_would_run_it() {
    let place = Place::new();
    place.write(
        "helper.py",
        "def slow(until):\n    import time\n    while time.perf_counter() < until: pass\n",
    );
    let session = bare(&place).await;
    let code = "print(__name__, __import__('sys').argv, [n for n in dir() if n[0] != '_'])\n\
                import helper, time\nhelper.slow(time.perf_counter() + 0.4)\nend = time.perf_counter() + 0.8\n\
                while time.perf_counter() < end: pass\n";
    let python = pythons::environment(&pythons::system_python(), "bare", None);
    let run = json!({"code": code, "python": python, "engine": "sampler", "memory": false});
    let answer = session.call("profile_code", run).await;
    let stdout = answer.structured["stdout"].to_string();
    assert!(stdout.contains("__main__ ['-c'] []"), "{}", answer.text);
    let lines = answer.structured["cpu_profile"]["lines"].as_object().unwrap();
    let of = |part: &str| lines.keys().any(|key| key.contains(part));
    assert!(of("<snippet>:5") && of("helper.py:3"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn ends_are_told_as_with_scalene() {
    let place = Place::new();
    let session = bare(&place).await;
    let python = pythons::environment(&pythons::system_python(), "bare", None);
    let run = |name: &str| json!({"script_path": name, "python": python, "engine": "sampler", "memory": false});
    place.write("fails.py", &format!("{}raise KeyError('x')\n", busy(0.7)));
    let failed = session.call("profile_script", run("fails.py")).await;
    assert_eq!(failed.structured["outcome"]["exit_code"], 1, "{}", failed.text);
    assert!(failed.text.contains("KeyError") && share(&failed.structured, "busy") > 60.0);
    place.write("long.py", &busy(60.0));
    let mut limited = run("long.py");
    limited["timeout"] = json!(1.5);
    let stopped = session.call("profile_script", limited).await;
    assert_eq!(stopped.structured["status"], "partial", "{}", stopped.text);
    place.write("short.py", "pass\n");
    let short = session.failure("profile_script", run("short.py")).await;
    assert!(short.starts_with("too_short: ") || short.starts_with("nothing_sampled: "), "{short}");
    place.write("early.py", "import sys\nsys.exit(3)\n");
    let early = session.failure("profile_script", run("early.py")).await;
    assert!(early.starts_with("program_failed: "), "{early}");
    place.write("counted.py", &busy(0.7));
    let mut counted = run("counted.py");
    counted["count_calls"] = json!(true);
    counted["repeat"] = json!(2);
    let mean = session.call("profile_script", counted).await;
    assert_eq!(mean.structured["summary"]["runs"], 2, "{}", mean.text);
    session.close().await;
}
