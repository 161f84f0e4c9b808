//! Two profiles side by side: what counts as a change, and what is matched with what.

use scalene_mcp::analysis::compare::{Comparison, LineStatus, Verdict, compare};
use scalene_mcp::answer::{Answer, ComparisonAnswer};
use scalene_mcp::profile::Profile;
use scalene_mcp::{ProfileComparator, ProfileParser};
use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::Place;
use crate::support::recorded;

const SOURCE: &str = "\
def slow(n):
    total = 0
    for i in range(n):
        total += i
    return total

def other(n):
    return sum(range(n))

slow(10)
other(10)
";

/// A profile of one file in which lines hold shares, with so many samples and seconds.
fn profile(
    path: &str,
    source: &str,
    shares: &[(u32, f64)],
    samples: usize,
    elapsed: f64,
) -> Profile {
    let lines: Vec<Value> = source
        .lines()
        .zip(1_u32..)
        .map(|(text, number)| {
            let share = shares.iter().find(|(line, _)| *line == number).map_or(0.0, |(_, s)| *s);
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a number of samples"
            )]
            let listed = (samples as f64 * share / 100.0) as usize;
            json!({"lineno": number, "line": format!("{text}\n"), "n_cpu_percent_python": share,
                "n_cpu_percent_c": 0.0, "n_sys_percent": 0.0, "cpu_samples_list": moments(number, listed),
                "n_malloc_mb": share})
        })
        .collect();
    let document = json!({"program": path, "args": ["x"], "elapsed_time_sec": elapsed, "memory": true,
        "max_footprint_mb": 50.0, "files": {path: {"percent_cpu_time": 100.0, "lines": lines}}});
    ProfileParser::new().parse_json(document.to_string()).unwrap()
}

/// So many moments, different ones for each line.
fn moments(line: u32, many: usize) -> Vec<f64> {
    (0..).map(|n: u32| f64::from(line) + f64::from(n) / 1e6).take(many).collect()
}

fn base() -> Profile {
    profile("/a/app.py", SOURCE, &[(4, 60.0), (8, 40.0)], 1_000, 2.0)
}

fn verdicts<'a>(comparison: &'a Comparison<'_>) -> Vec<(&'a str, Verdict)> {
    let mut all: Vec<_> =
        comparison.functions.iter().map(|function| (function.name, function.verdict())).collect();
    all.sort_unstable();
    all
}

#[test]
fn a_profile_does_not_differ_from_itself() {
    for name in ["cpu_functions--2.4.0", "leak_list--2.0.1", "shop_main.stacks--2.4.0"] {
        let profile = recorded::profile(name);
        let comparison = ProfileComparator::new().compare(&profile, &profile, 0.0);
        assert!(!comparison.has_regressions() && !comparison.has_improvements(), "{name}");
        assert!(comparison.functions.iter().all(|function| !function.edited), "{name}");
        assert!(!comparison.functions.is_empty(), "{name}");
    }
}

#[test]
fn lines_that_moved_are_the_same_lines() {
    let before = base();
    let moved = format!("import os\n\n\n{SOURCE}");
    let after = profile("/a/app.py", &moved, &[(7, 60.0), (11, 40.0)], 1_000, 2.0);
    let comparison = compare(&before, &after, 0.05);
    assert_eq!(
        verdicts(&comparison),
        [("other", Verdict::Unchanged), ("slow", Verdict::Unchanged)]
    );
    let slow = comparison.functions.iter().find(|function| function.name == "slow").unwrap();
    assert!(!slow.edited && !slow.moved);
    let line = &comparison.lines_of([slow].into_iter())[0][0];
    assert_eq!((line.before.unwrap().line.get(), line.after.unwrap().line.get()), (4, 7));
    assert_eq!(line.status, LineStatus::Same);
    assert_eq!(line.text, "        total += i");
}

#[test]
fn what_got_slower_what_faster_and_by_how_much() {
    let before = base();
    let edited =
        SOURCE.replace("        total += i\n", "        total += i * i\n        total %= 7\n");
    // other() starts at line 8 now: 0.8 s before, 0.4 s now; slow() 1.2 s before, 2.6 s now.
    let after = profile("/a/app.py", &edited, &[(4, 60.0), (5, 26.666), (9, 13.334)], 1_500, 3.0);
    let comparison = compare(&before, &after, 0.05);
    assert_eq!(
        verdicts(&comparison),
        [("other", Verdict::Improvement), ("slow", Verdict::Regression)]
    );
    let slow = &comparison.functions[0];
    assert!(slow.name == "slow" && slow.edited);
    assert!((slow.time.change() - 1.4).abs() < 1e-3, "{:?}", slow.time);
    assert!((slow.time.percent().unwrap() - 116.66).abs() < 0.1);
    assert!(comparison.has_regressions() && comparison.elapsed_verdict == Verdict::Regression);

    let back = compare(&after, &before, 0.05);
    assert_eq!(verdicts(&back), [("other", Verdict::Regression), ("slow", Verdict::Improvement)]);
}

#[test]
fn few_samples_make_noise_of_the_same_change() {
    let verdict = |samples| {
        let before = profile("/a/app.py", SOURCE, &[(4, 60.0), (8, 40.0)], samples, 2.0);
        let after = profile("/a/app.py", SOURCE, &[(4, 50.0), (8, 50.0)], samples, 2.0);
        compare(&before, &after, 0.05).functions[0].time_verdict
    };
    assert_eq!(verdict(40), Verdict::Noise);
    assert_ne!(verdict(4_000), Verdict::Noise);
    assert_ne!(verdict(4_000), Verdict::Unchanged);
}

#[test]
fn the_tolerance_is_let_pass() {
    let before = base();
    let after = profile("/a/app.py", SOURCE, &[(4, 63.0), (8, 37.0)], 100_000, 2.0);
    let verdict = |tolerance| verdicts(&compare(&before, &after, tolerance))[1].1;
    assert_eq!(verdict(0.10), Verdict::Unchanged);
    let after = profile("/a/app.py", SOURCE, &[(4, 80.0), (8, 20.0)], 100_000, 2.0);
    assert_eq!(verdicts(&compare(&before, &after, 0.10))[1].1, Verdict::Regression);
}

#[test]
fn new_and_gone_functions_are_called_so() {
    let before = base();
    let renamed = SOURCE.replace("other", "third");
    let after = profile("/a/app.py", &renamed, &[(4, 60.0), (8, 40.0)], 1_000, 2.0);
    let answer = ComparisonAnswer::new(&before, &after, 0.05);
    let states = |changes: &[scalene_mcp::answer::Change]| {
        changes
            .iter()
            .map(|change| (change.function_name.clone(), change.state.clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(states(&answer.regressions), [("third".to_owned(), "new".to_owned())]);
    assert_eq!(states(&answer.improvements), [("other".to_owned(), "gone".to_owned())]);
    assert!(answer.text().contains("third app.py:7-8"), "{}", answer.text());
}

#[test]
fn the_same_file_elsewhere_is_found() {
    let before = base();
    let other = format!("{SOURCE}# the end\n");
    let after = profile("/ci/build/42/app.py", &other, &[(4, 60.0), (8, 40.0)], 1_000, 2.0);
    let comparison = compare(&before, &after, 0.05);
    assert_eq!(comparison.files.len(), 1, "{:?}", comparison.files);
    assert_eq!(verdicts(&comparison).len(), 2);
}

/// The natural way: profile, change, profile, compare.
#[tokio::test]
async fn a_change_is_seen_where_it_was_made() {
    let program = |container: &str| {
        format!(
            "def build():\n    return {container}(range(2500))\n\ndef search(known):\n    found = 0\n    \
             for i in range(40_000):\n        if i % 5000 in known:\n            found += 1\n    return found\n\n\
             def steady():\n    total = 0\n    for i in range(5_000_000):\n        total += i % 7\n    return total\n\n\
             print(search(build()))\nprint(steady())\n"
        )
    };
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "memory": false});
    place.write("app.py", &program("list"));
    session.call("profile_script", arguments.clone()).await;
    place.write("app.py", &program("set"));
    session.call("profile_script", arguments).await;
    let ids = json!({"profile_id1": "previous", "profile_id2": "latest", "tolerance": 0.3});
    let answer = session.call("compare_profiles", ids).await;
    let summary = &answer.structured["summary"];
    assert_eq!(summary["elapsed_verdict"], "faster", "{}", answer.text);
    let better = answer.structured["improvements"].as_array().unwrap();
    assert_eq!(better[0]["function_name"], "search", "{}", answer.text);
    let change = better[0]["time_change_sec"].as_f64().unwrap();
    assert!(change < -0.2, "{}", answer.text);
    // What was bad is named, and the change was the one it asks for.
    let before = session.call("get_bottlenecks", json!({"profile_id": "previous"})).await;
    assert_eq!(
        before.structured["bottlenecks"][0]["rule"], "list-membership-in-loop",
        "{}",
        before.text
    );
    let failure = session
        .failure(
            "compare_profiles",
            json!({"profile_id1": "latest", "profile_id2": "latest", "tolerance": -1}),
        )
        .await;
    assert!(failure.starts_with("invalid_argument: tolerance: -1"), "{failure}");
    session.close().await;
}
