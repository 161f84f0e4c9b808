//! Call paths: sampled from outside, next to Scalene, and asked for through the server.

use scalene_mcp::analysis::{self, CpuBasis};
use scalene_mcp::answer::{AnalysisAnswer, Answer, Focus};
use scalene_mcp::profile::{CallSite, CallTreeBuilder, Calls, Sampling};
use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::program;
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
    assert!(f(&work["total_sec"]) > f(&sleep["total_sec"]), "{}", answer.text);
    assert!(f(&sleep["waiting_sec"]) > 0.8 * f(&sleep["total_sec"]), "{}", answer.text);
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

/// Calls of one function: seconds and samples by line.
fn sampled(file: &str, lines: &[(u32, f64, u32)]) -> Calls {
    let mut builder = CallTreeBuilder::default();
    let function = builder.function(file, "native", false);
    let library = builder.function("/lib/numpy.py", "matmul", true);
    for (line, seconds, samples) in lines {
        for _ in 0..*samples {
            let stack =
                [CallSite { function, line: *line }, CallSite { function: library, line: 1 }];
            builder.add(&stack, seconds / f64::from(*samples), false);
        }
    }
    let sampling = Sampling { reads: 90, ..Sampling::default() };
    Calls { tree: builder.finish(), sampling }
}

#[test]
fn stacks_that_contradict_the_largest_place_are_told() {
    // Truth: line 10 has nearly all of the time; Scalene gives it nothing.
    let mut profile = recorded::profile("operator_lines.cpu-only--2.4.0");
    let file = profile.files[0].path.clone();
    let elapsed = profile.elapsed.unwrap().get();
    let top = analysis::cpu_hotspots(&profile, CpuBasis::WithSystem)[0];
    let blamed = top.line.number.get();
    assert_ne!(blamed, 10, "what is recorded has the fault");
    assert_eq!(analysis::disagreement(&profile), None);

    profile.calls = Some(sampled(&file, &[(10, 0.9 * elapsed, 80), (blamed, 0.05 * elapsed, 5)]));
    let found = analysis::disagreement(&profile).unwrap();
    assert_eq!((found.lines.0.get(), found.instead, found.samples), (blamed, (&*file, 10), 85));
    let text = AnalysisAnswer::new(&profile, Focus::Overall).text();
    assert!(text.contains("85 stacks sampled beside Scalene give"), "{text}");
    assert!(text.contains("operator_lines.py:10 94.7 %"), "{text}");

    let silent = [
        ("they agree", vec![(blamed, 0.9 * elapsed, 80), (10, 0.1 * elapsed, 9)]),
        ("too few", vec![(10, 0.9 * elapsed, 8), (blamed, 0.05 * elapsed, 5)]),
        ("several threads", vec![(10, 2.0 * elapsed, 160), (blamed, 0.05 * elapsed, 5)]),
    ];
    for (why, lines) in silent {
        profile.calls = Some(sampled(&file, &lines));
        assert_eq!(analysis::disagreement(&profile), None, "{why}");
    }
}
