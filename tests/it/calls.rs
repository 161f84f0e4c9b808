//! Call paths: sampled from outside, next to Scalene, and asked for through the server.

use scalene_mcp::analysis::{self, Agreement, CpuBasis};
use scalene_mcp::answer::{AnalysisAnswer, Answer, ComparisonAnswer, CpuHotspotsAnswer, Focus};
use scalene_mcp::profile::{
    CallSite, CallTreeBuilder, Calls, LineNo, Profile, Sampling, Source, Witness,
};
use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::{Place, program};
use crate::support::{pythons, recorded};

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn rows(answer: &Value) -> &[Value] {
    answer["calls"].as_array().unwrap()
}

fn named<'a>(answer: &'a Value, function: &str) -> &'a Value {
    let found = rows(answer).iter().find(|row| row["function_name"] == function);
    found.unwrap_or_else(|| panic!("no {function} in {answer}"))
}

async fn profiled(session: &Session, name: &str, scalene: &str) -> String {
    let arguments = json!({
        "script_path": program(name), "memory": false, "python": pythons::with_scalene(scalene),
    });
    let profile = session.call("profile_script", arguments).await.structured;
    profile["profile_id"].as_str().unwrap().to_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_function_that_works_is_found_with_its_callers() {
    let session = Session::open(&program("")).await;
    for version in ["1.5.55", "2.4.0"] {
        let id = profiled(&session, "shop_main.py", version).await;
        let ask = |arguments: Value| session.call("get_call_paths", arguments);
        let run = ask(json!({"profile_id": id})).await;
        let first = &rows(&run.structured)[0];
        assert_eq!(first["function_name"], "<module>", "{version}: {}", run.text);
        assert_eq!(first["percent_of_total"], 100.0);
        // Truth: `quote` is 95 % of the run; Scalene itself may blame the line that calls it.
        let quote = named(&run.structured, "quote");
        assert!(f(&quote["percent_of_total"]) > 75.0, "{version}: {}", run.text);
        assert!(quote["file"].as_str().unwrap().ends_with("shop/pricing.py"), "{quote}");
        assert!([7, 8].contains(&quote["hottest_line"].as_i64().unwrap()), "{}", run.text);
        assert!(f(&run.structured["coverage_percent"]) > 90.0, "{}", run.text);

        let callers = ask(json!({"profile_id": id, "function": "quote"})).await.structured;
        let chain: Vec<_> =
            rows(&callers).iter().take(3).map(|row| row["function_name"].clone()).collect();
        assert_eq!(chain, ["quote", "main", "<module>"], "{callers}");
        assert_eq!(named(&callers, "main")["call_line"], 11);

        let line = json!({"profile_id": id, "file_path": "shop_main.py", "line": 11, "direction": "callees"});
        let callees = ask(line).await.structured;
        assert_eq!(rows(&callees)[0]["function_name"], "main");
        assert_eq!(named(&callees, "quote")["depth"], 1);
    }
    session.close().await;
}

/// A write of half a microsecond beside a sort of six.
#[cfg(target_os = "linux")]
const WRITES: &str = "
import os
def run(records):
    sink = os.open(os.devnull, os.O_WRONLY)
    shuffled = [turn * 7919 % 1009 for turn in range(260)]
    for record in range(records):
        sorted(shuffled)
        os.write(sink, b'record')
run(150_000)
";

/// Scalene 2 puts a wrapper of four microseconds around each function of `os`.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_the_profiler_does_around_a_function_of_os_is_not_the_programs() {
    let place = Place::new();
    place.write("app.py", WRITES);
    let session = Session::open(&place.path()).await;
    let run =
        json!({"script_path": "app.py", "memory": false, "python": pythons::with_scalene("2.4.0")});
    let answer = session.call("profile_script", run).await;
    let [sorted, written] = session.shares("app.py", [7, 8]).await;
    assert!(sorted > 60.0 && written < 32.0, "{sorted} % and {written} %: {}", answer.text);
    session.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn waiting_shows_where_it_is_and_libraries_by_their_entry() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "hidden_waits.py", "2.4.0").await;
    let answer = session.call("get_call_paths", json!({"profile_id": id})).await;
    // Truth: 0.6 s asleep, 0.6 s in a subprocess, 0.3 s of work. On a busy machine the first reads
    // come late.
    for (function, waits) in [("nap", 0.2..=1.0), ("run", 0.3..=1.0), ("work", 0.0..=0.15)] {
        let waited = f(&named(&answer.structured, function)["waiting_sec"]);
        assert!(waits.contains(&waited), "{function}: {}", answer.text);
    }
    let run = named(&answer.structured, "run");
    assert_eq!((&run["file"], &run["call_line"]), (&json!("subprocess.py"), &json!(14)));
    assert!(!answer.text.contains("_try_wait"), "the inside of a library: {}", answer.text);
    session.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn threads_and_children_of_the_program_are_sampled_too() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "threads_cpu.py", "2.4.0").await;
    let answer = session.call("get_call_paths", json!({"profile_id": id})).await;
    let (work, sleep) = (named(&answer.structured, "crunch"), named(&answer.structured, "napper"));
    // Two threads of work share the interpreter: each runs half of the time at most.
    assert!(f(&work["total_sec"]) > 0.3 * f(&sleep["total_sec"]), "{}", answer.text);
    // A sleeper whose time is up waits for a core, on a busy machine for long.
    assert!(f(&sleep["waiting_sec"]) > 0.2 * f(&sleep["total_sec"]), "{}", answer.text);
    assert!(f(&work["waiting_sec"]) < 0.2 * f(&work["total_sec"]), "{}", answer.text);
    assert!(answer.text.contains("several threads or processes"), "{}", answer.text);
    let id = profiled(&session, "multiproc_pool.py", "2.4.0").await;
    let answer = session.call("get_call_paths", json!({"profile_id": id})).await;
    let work = named(&answer.structured, "square_sum");
    assert!(f(&work["total_sec"]) > 0.2, "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn questions_without_an_answer_say_what_to_do() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "cpu_functions.py", "2.4.0").await;
    let fails = async |arguments: Value| session.raw("get_call_paths", arguments).await;
    let cases = [
        (json!({"profile_id": id, "function": "no_such"}), "not_sampled"),
        (json!({"profile_id": id, "function": "heavy", "line": 3}), "pass `function`, or"),
        (json!({"profile_id": id, "line": 3}), "pass `function`, or"),
        (json!({"profile_id": id, "direction": "callers"}), "needs a function"),
        (json!({"profile_id": id, "file_path": "other.py", "line": 3}), "file_not_in_profile"),
        (json!({"profile_id": id, "file_path": "cpu_functions.py", "line": 0}), "line"),
        (json!({"profile_id": id, "depth": 0}), "depth"),
        (json!({"profile_id": id, "limit": 101}), "limit"),
    ];
    for (arguments, part) in cases {
        let answer = fails(arguments.clone()).await;
        let text = format!("{:?}", answer.content);
        assert!(answer.is_error == Some(true) && text.contains(part), "{arguments}: {text}");
    }
    let loaded = json!({"path": recorded::path("shop_main--2.4.0")});
    let loaded = session.call("load_profile", loaded).await.structured;
    let answer = fails(json!({"profile_id": loaded["profile_id"]})).await;
    assert!(format!("{:?}", answer.content).contains("no_call_paths"));
    session.close().await;
}

/// Calls of one function: wall seconds by line, and the number of reads.
fn sampled(file: &str, lines: &[(u32, f64)], reads: u32) -> Calls {
    let mut builder = CallTreeBuilder::default();
    let function = builder.function(file, "native", false);
    let library = builder.function("/lib/numpy.py", "matmul", true);
    for (line, seconds) in lines {
        let stack = [CallSite { function, line: *line }, CallSite { function: library, line: 1 }];
        let node = builder.add(&stack, *seconds, false).unwrap();
        builder.attribute(node, *seconds, false);
    }
    let attributed: f64 = lines.iter().map(|(_, seconds)| seconds).sum();
    let squares = attributed * attributed / f64::from(reads);
    let sampling = Sampling { reads: reads.into(), attributed, squares, ..Sampling::default() };
    Calls { tree: builder.finish(), sampling }
}

fn reconciled(profile: &mut Profile, calls: Calls) -> Witness {
    let mut source = |path: &str| Some(Source::new(format!("# {path}\n")));
    let witness = analysis::reconcile(&mut profile.files, &calls, false, &mut source);
    (profile.timed_by, profile.calls) = (witness, Some(calls));
    witness
}

#[test]
fn stacks_say_which_lines_take_the_time() {
    // Truth: line 10 has nearly all of the time; Scalene gives it nothing.
    let recorded = recorded::profile("operator_lines.cpu-only--2.4.0");
    let file = recorded.files[0].path.clone();
    let top = analysis::cpu_hotspots(&recorded, CpuBasis::WithSystem)[0];
    let (blamed, scalene) = (top.line.number.get(), top.share);
    assert_ne!(blamed, 10, "what is recorded has the fault");
    assert_eq!(analysis::contradiction(&recorded), None);

    let mut profile = recorded.clone();
    let calls = sampled(&file, &[(10, 1.8), (blamed, 0.1), (4, 0.1)], 200);
    let witness = reconciled(&mut profile, calls);
    assert!(
        matches!(witness, Witness::Stacks { scalene_samples: Some(n), .. } if n > 30),
        "{witness:?}"
    );
    let spots = analysis::cpu_hotspots(&profile, CpuBasis::WithSystem);
    assert_eq!(spots[0].line.number.get(), 10);
    assert!((spots[0].share.get() - 90.0).abs() < 1e-9, "{}", spots[0].share);
    assert_eq!(profile.cpu_samples(), Some(200));
    assert!((profile.totals().total().get() - 100.0).abs() < 1e-9);
    let line = profile.files[0].line(LineNo::new(blamed).unwrap()).unwrap();
    assert!((line.scalene.as_ref().unwrap().total().get() - scalene.get()).abs() < scalene.get());
    let (other, mark) =
        analysis::second_opinion(&profile, spots[0].file, spots[0].line, CpuBasis::WithSystem)
            .unwrap();
    assert_eq!((other.get(), mark), (0.0, Agreement::OnTheFunction));
    let text = CpuHotspotsAnswer::new(&profile, 10, CpuBasis::OnCpu).text();
    assert!(text.contains("b = a @ a  [Scalene: 0 %, agrees on the function]"), "{text}");
    let text = ComparisonAnswer::new(&recorded, &profile, 0.05).text();
    assert!(text.contains("lines timed by Scalene -> stacks beside it"), "{text}");

    // Another file altogether, which Scalene does not list.
    let mut profile = recorded.clone();
    reconciled(&mut profile, sampled("/p/other.py", &[(1, 2.0)], 200));
    let found = analysis::contradiction(&profile).unwrap();
    assert_eq!((found.file.path.as_str(), found.stacks.get()), (&*file, 0.0));
    assert_eq!(profile.files.iter().map(|file| file.path.as_str()).min(), Some("/p/other.py"));
    let text = AnalysisAnswer::new(&profile, Focus::Overall).text();
    assert!(text.contains("Scalene alone gives"), "{text}");

    for (why, calls) in [
        ("too few", sampled(&file, &[(10, 2.0)], 4)),
        ("no time", sampled(&file, &[], 200)),
        ("unreadable", {
            let calls = sampled(&file, &[(10, 2.0)], 200);
            Calls { sampling: Sampling { failures: 20, ..calls.sampling }, ..calls }
        }),
    ] {
        let mut profile = recorded.clone();
        assert_eq!(reconciled(&mut profile, calls), Witness::Scalene, "{why}");
        assert_eq!(profile.files, recorded.files, "{why}");
    }
}

/// Eight threads; whoever holds the lock sleeps.
const CROWDED: &str = "\
import threading, time

guard = threading.Lock()

def fetch():
    for _ in range(5):
        with guard:
            time.sleep(0.04)

threads = [threading.Thread(target=fetch) for _ in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_lock_does_not_drown_who_holds_it() {
    let session = Session::open(&program("")).await;
    let arguments = json!({
        "code": CROWDED, "memory": false, "python": pythons::with_scalene("2.4.0"),
    });
    let profile = session.call("profile_code", arguments).await.structured;
    let id = &profile["profile_id"];
    let answer = session.call("analyze_profile", json!({"profile_id": id})).await;
    let top = &answer.structured["hotspots"][0];
    assert_eq!(top["line"], 8, "{}", answer.text);
    assert!(f(&top["metric"]) > 60.0, "{}", answer.text);
    let wait = &answer.structured["threads"]["waits"][0];
    assert_eq!(wait["location"], "<snippet>:7", "{}", answer.text);
    assert!(f(&wait["mean_threads"]) > 1.5, "{}", answer.text);
    assert_eq!(wait["meanwhile"][0]["location"], "<snippet>:8", "{}", answer.text);
    assert_eq!(wait["meanwhile"][0]["doing"], "waits", "{}", answer.text);
    session.close().await;
}

/// Works, then dies without a word to Scalene.
const CRASHES: &str = "\
import ctypes, time

def work():
    end, total = time.process_time() + 1.0, 0
    while time.process_time() < end:
        total += sum(range(100))

work()
ctypes.string_at(0)
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_crashes_keeps_what_the_stacks_saw() {
    let session = Session::open(&program("")).await;
    let arguments = json!({
        "code": CRASHES, "memory": false, "python": pythons::with_scalene("2.4.0"),
    });
    let answer = session.call("profile_code", arguments).await;
    let profile = &answer.structured;
    assert_eq!(
        (&profile["status"], &profile["outcome"]["signal"]),
        (&json!("partial"), &json!("SIGSEGV"))
    );
    assert_eq!(profile["top_lines"][0]["function_name"], "work", "{}", answer.text);
    assert!(f(&profile["top_lines"][0]["percent_of_total"]) > 50.0, "{}", answer.text);
    assert!(answer.text.contains("from stacks alone"), "{}", answer.text);
    assert_eq!(profile["memory_profile"], Value::Null, "nothing is known of it");
    session.close().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_program_that_nobody_can_stop_is_read_as_it_runs_and_that_is_said() {
    let session = Session::open(&program("")).await;
    let id = profiled(&session, "traced.py", "2.4.0").await;
    let profile = session.call("get_profile", json!({"profile_id": id})).await;
    assert!(profile.text.contains("held: True"), "{}", profile.text);
    assert!(profile.text.contains("lines are timed by Scalene alone"), "{}", profile.text);
    assert!(profile.text.contains("could not be stopped for a read"), "{}", profile.text);
    let hotspots = session.call("get_cpu_hotspots", json!({"profile_id": id})).await;
    let first = &hotspots.structured["hotspots"][0];
    assert_eq!(first["function_name"], "spin", "{}", hotspots.text);
    assert_eq!(first["agreement"], Value::Null, "one witness only");
    let paths = session.call("get_call_paths", json!({"profile_id": id})).await;
    assert!(f(&named(&paths.structured, "spin")["total_sec"]) > 0.5, "{}", paths.text);
    assert!(paths.text.contains("read while the program ran"), "{}", paths.text);
}

/// Two places call the same function, one of them a hundred times as often.
const SHARED_FUNCTION: &str = "def cost(v, n):
    out = 0
    for i in range(n):
        out += (v * i) % 7 + (v ^ i) % 11
    return out
def rare():
    return [cost(i, 3000) for i in range(60)]
def often(xs):
    return [cost(x, 3000) for x in xs]
print(len(rare()) + len(often(range(6000))))
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_caller_is_charged_for_its_own_calls_only() {
    let session = Session::open(&program("")).await;
    let python = pythons::with_scalene("2.4.0");
    let run = json!({"code": SHARED_FUNCTION, "memory": false, "python": python});
    session.call("profile_code", run).await;
    let found = session.call("get_bottlenecks", json!({"profile_id": "latest"})).await;
    let rows = found.structured["bottlenecks"].as_array().unwrap();
    let of = |line: &str| rows.iter().find(|row| row["location"].as_str().unwrap().ends_with(line));
    let often = of(":9").unwrap_or_else(|| panic!("{}", found.text));
    assert!(f(&often["percent_of_total"]) > 70.0, "{}", found.text);
    assert_eq!(of(":7"), None, "{}", found.text);
    session.close().await;
}
