//! Two profiles side by side: what counts as a change, and what is matched with what.

use scalene_mcp::analysis::compare::{Comparison, LineChange, LineStatus, Verdict, compare};
use scalene_mcp::answer::{Answer, Comparing, ComparisonAnswer};
use scalene_mcp::profile::{Outcome, Profile, Status, merged};
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
        let after = profile("/a/app.py", SOURCE, &[(4, 45.0), (8, 55.0)], samples, 2.0);
        compare(&before, &after, 0.05).functions[0].time_verdict
    };
    assert_eq!(verdict(40), Verdict::Noise);
    assert_ne!(verdict(4_000), Verdict::Noise);
    assert_ne!(verdict(4_000), Verdict::Unchanged);
}

/// The same text in two single runs, the second of which took so much longer, on two cores with so much to do.
fn slower_by(factor: f64, load: f64) -> (Profile, Profile) {
    let mut before = recorded::profile("cpu_functions--2.4.0");
    let environment = before.run.environment.as_mut().unwrap();
    (environment.load, environment.cores) = (Some(load), Some(2));
    let mut after = before.clone();
    let elapsed = before.elapsed.unwrap().get() * factor;
    after.elapsed = scalene_mcp::profile::Seconds::from_secs(elapsed);
    (before, after)
}

#[test]
fn single_runs_of_one_text_differ_by_noise() {
    let answer = |(before, after): (Profile, Profile)| ComparisonAnswer::new(&before, &after, 0.05);
    for (factor, load) in [(1.2, 0.5), (1.0 / 1.2, 0.5), (1.45, 4.0)] {
        let answer = answer(slower_by(factor, load));
        let (summary, text) = (&answer.summary, answer.text());
        assert_eq!(summary.elapsed_verdict, "noise", "{text}");
        assert_eq!(summary.has_regressions, Some(false), "{text}");
        assert_eq!(summary.has_improvements, Some(false), "{text}");
        assert!(answer.regressions.is_empty() && answer.improvements.is_empty(), "{text}");
        assert!(summary.same_sources && summary.noise > 0, "{text}");
        let second = text.lines().nth(1).unwrap();
        assert!(
            second.starts_with("The sources are the same: a change is the machine's"),
            "{text}"
        );
        assert!(answer.next.iter().all(|call| call.tool != "verify_speedup"), "{text}");
    }
    let beyond = answer(slower_by(1.9, 0.5));
    assert_eq!(beyond.summary.elapsed_verdict, "slower", "{}", beyond.text());
    assert_eq!(beyond.summary.has_regressions, Some(true));
    assert_eq!(answer(slower_by(1.9, 8.0)).summary.elapsed_verdict, "noise");
    assert_eq!(answer(slower_by(1.02, 8.0)).summary.elapsed_verdict, "unchanged");
}

#[test]
fn a_rename_alone_is_no_edit() {
    let renamed = SOURCE.replace("other", "third");
    let shares = [(4, 60.0), (8, 40.0)];
    let after = |elapsed| profile("/a/app.py", &renamed, &shares, 100_000, elapsed);
    let before = profile("/a/app.py", SOURCE, &shares, 100_000, 2.0);
    let answer = ComparisonAnswer::new(&before, &after(2.4), 0.05);
    assert_eq!(answer.summary.elapsed_verdict, "noise", "{}", answer.text());
    assert_eq!((answer.summary.regressions, answer.summary.noise), (0, 2), "{}", answer.text());
    assert_eq!(answer.summary.has_regressions, Some(false));
    assert!(!answer.summary.same_sources);
    // The flags and the counts say the same.
    let answer = ComparisonAnswer::new(&before, &after(3.2), 0.05);
    assert_eq!((&*answer.summary.elapsed_verdict, answer.summary.regressions), ("slower", 2));
    assert!(answer.text().contains("2 worse, 0 better, 0 unchanged, 0 noise functions"));
}

#[test]
fn an_edit_that_takes_time_is_held_against_the_samples_alone() {
    let edited = SOURCE.replace("total += i", "total += i * i");
    let shares = [(4, 60.0), (8, 40.0)];
    let before = profile("/a/app.py", SOURCE, &shares, 100_000, 2.0);
    let after = profile("/a/app.py", &edited, &[(4, 66.0), (8, 34.0)], 100_000, 2.3);
    let answer = ComparisonAnswer::new(&before, &after, 0.05);
    assert_eq!(states(&answer.regressions), [("slow".to_owned(), "edited".to_owned())]);
    assert_eq!(answer.summary.elapsed_verdict, "slower", "{}", answer.text());
}

#[test]
fn wall_time_that_no_function_explains_is_named_as_such() {
    // All time is on no line of the profile.
    let (before, after) = (
        profile("/a/app.py", SOURCE, &[(8, 1.0)], 100, 2.0),
        profile("/a/app.py", SOURCE, &[(8, 0.5)], 100, 4.0),
    );
    let text = ComparisonAnswer::new(&before, &after, 0.05).text();
    let first = text.lines().next().unwrap();
    assert!(first.contains("slower") && first.contains("0 worse"), "{text}");
    assert!(first.ends_with("has regressions: wall time"), "{text}");
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

fn states(changes: &[scalene_mcp::answer::Change]) -> Vec<(String, String)> {
    changes.iter().map(|change| (change.function_name.clone(), change.state.clone())).collect()
}

#[test]
fn new_and_gone_functions_are_called_so() {
    let before = base();
    let replaced = SOURCE
        .replace(
            "def other(n):\n    return sum(range(n))",
            "def count(text):\n    words = text.split()\n    return len(words)",
        )
        .replace("other(10)", "count('a b')");
    let after = profile("/a/app.py", &replaced, &[(4, 60.0), (8, 40.0)], 1_000, 2.0);
    let answer = ComparisonAnswer::new(&before, &after, 0.05);
    assert_eq!(states(&answer.regressions), [("count".to_owned(), "new".to_owned())]);
    assert_eq!(states(&answer.improvements), [("other".to_owned(), "gone".to_owned())]);
    assert!(answer.text().contains("count app.py:7-9"), "{}", answer.text());
}

#[test]
fn a_renamed_function_is_one_function() {
    let before = base();
    let renamed = SOURCE.replace("other", "third");
    let after = profile("/a/app.py", &renamed, &[(4, 30.0), (8, 70.0)], 1_000, 1.5);
    let answer = ComparisonAnswer::new(&before, &after, 0.05);
    assert_eq!(states(&answer.regressions), [("third".to_owned(), "renamed".to_owned())]);
    assert_eq!(answer.regressions[0].name_before.as_deref(), Some("other"));
    let renaming = &answer.renamed[0];
    assert_eq!(
        (&*renaming.name_before, &*renaming.name_after, &*renaming.location_after),
        ("other", "third", "app.py:7-8")
    );
    let text = answer.text();
    assert!(text.contains("other app.py:7-8 -> third app.py:7-8  (renamed)"), "{text}");
    assert!(text.contains("+0.250 s in third (was other)"), "{text}");
    let back = ComparisonAnswer::new(&after, &before, 0.05);
    assert_eq!(states(&back.improvements), [("other".to_owned(), "renamed".to_owned())]);
}

#[test]
fn few_samples_of_a_line_are_noise() {
    let line = |samples, share| {
        let before = profile("/a/app.py", SOURCE, &[(4, 12.0), (8, 88.0)], samples, 2.0);
        let after = profile("/a/app.py", SOURCE, &[(4, share), (8, 100.0 - share)], samples, 2.0);
        let comparison = compare(&before, &after, 0.05);
        let lines = comparison.lines();
        lines.iter().find(|line| line.text.contains("+= i")).unwrap().verdict
    };
    // 12 samples and 30 % more; the same change of 12,000 samples; 12 samples and five times as much.
    assert_eq!(line(100, 15.6), Verdict::Noise);
    assert_eq!(line(100_000, 15.6), Verdict::Regression);
    assert_eq!(line(100, 60.0), Verdict::Regression);
}

#[test]
fn several_runs_say_more_than_their_samples() {
    let runs = |elapsed: &[f64], samples| {
        let run = |elapsed: &f64| {
            profile("/a/app.py", SOURCE, &[(4, 60.0), (8, 40.0)], samples, *elapsed)
        };
        merged(elapsed.iter().map(run).collect()).unwrap()
    };
    let verdict = |before: &Profile, after: &Profile| {
        let comparison = compare(before, after, 0.05);
        let lines = comparison.lines();
        let line = lines.iter().find(|line| line.text.contains("+= i")).unwrap();
        (line.verdict, comparison.functions[0].time_verdict, comparison.elapsed_verdict)
    };
    // Many samples of runs that differ among themselves as much as from the others.
    let (before, after) = (runs(&[1.0, 2.0, 3.0], 100_000), runs(&[1.3, 2.3, 3.3], 100_000));
    assert_eq!(verdict(&before, &after), (Verdict::Noise, Verdict::Noise, Verdict::Noise));
    let answer = ComparisonAnswer::new(&before, &after, 0.05);
    assert_eq!(answer.summary.elapsed_verdict, "noise", "{}", answer.text());
    // Few samples of runs that hardly differ.
    let (before, after) = (
        runs(&[2.0, 2.01, 1.99, 2.0, 2.02, 1.98], 8),
        runs(&[2.3, 2.31, 2.29, 2.3, 2.32, 2.28], 8),
    );
    let slower = Verdict::Regression;
    assert_eq!(verdict(&before, &after), (slower, slower, slower));
    let text = ComparisonAnswer::new(&before, &after, 0.05).text();
    assert!(!text.contains("is one run under the profiler"), "{text}");
    let single = profile("/a/app.py", SOURCE, &[(4, 60.0), (8, 40.0)], 48, 2.3);
    let text = ComparisonAnswer::new(&before, &single, 0.05).text();
    assert!(
        text.contains("one of the profiles is one run") && text.contains("runs 6 -> 1"),
        "{text}"
    );
}

/// Profiles of two versions with shares that look random.
fn random_pair(seed: u32) -> (Profile, Profile) {
    let edited = SOURCE.replace("other", "third").replace("total += i", "total += i * i");
    let share =
        |line: u32, salt: u32| f64::from((seed * 7_919 + line * 104_729 + salt) % 997) / 40.0;
    let shares = |salt| [3, 4, 5, 8, 10].map(|line: u32| (line, share(line, salt)));
    let elapsed = |salt| 0.1 + share(99, salt) / 3.0;
    let before = profile("/a/app.py", SOURCE, &shares(1), 2_000, elapsed(2));
    (before, profile("/a/app.py", &edited, &shares(3), 3_000, elapsed(4)))
}

#[test]
fn the_parts_add_up_to_the_total() {
    let mut left = 0;
    for seed in 0..200 {
        let (before, after) = random_pair(seed);
        let explanation = ComparisonAnswer::new(&before, &after, 0.05).explanation.unwrap();
        let parts: f64 = explanation.parts.iter().map(|part| part.change_sec).sum();
        let sum = parts + explanation.others_change_sec + explanation.left_sec;
        let total = explanation.total_change_sec;
        assert!((sum - total).abs() < 1e-9, "{explanation:?}");
        assert!(
            (total - (after.elapsed.unwrap().get() - before.elapsed.unwrap().get())).abs() < 0.01
        );
        // As printed: the words before ` s`.
        let (head, tail) = explanation.text.split_once(": ").unwrap();
        let number = |text: &str| text.split(" s").next().unwrap().parse::<f64>().unwrap();
        let printed: f64 = tail.split(", ").map(number).sum();
        assert!((number(head) - printed).abs() < 1e-9, "{}", explanation.text);
        left += usize::from(explanation.left_sec != 0.0);
    }
    // The shares do not add up to 100 %: what is on no line is said.
    assert!(left > 100, "{left}");
}

#[test]
fn swapping_the_profiles_inverts_the_changes() {
    for seed in 0..60 {
        let (before, after) = random_pair(seed);
        let there = compare(&before, &after, 0.0);
        let back = compare(&after, &before, 0.0);
        let mut changes: Vec<f64> = there.functions.iter().map(|f| f.time.change()).collect();
        let mut inverse: Vec<f64> = back.functions.iter().map(|f| -f.time.change()).collect();
        changes.sort_by(f64::total_cmp);
        inverse.sort_by(f64::total_cmp);
        assert_eq!(changes, inverse);
        let opposite = |verdict| match verdict {
            Verdict::Regression => Verdict::Improvement,
            Verdict::Improvement => Verdict::Regression,
            other => other,
        };
        for line in there.lines() {
            let same =
                |other: &&LineChange<'_>| other.before == line.after && other.after == line.before;
            let lines = back.lines();
            let other = lines.iter().find(same).unwrap();
            assert_eq!(other.verdict, opposite(line.verdict));
            assert_eq!(other.time.change().to_bits(), (-line.time.change()).to_bits());
        }
    }
}

/// Code, structured answer and text of a comparison that must be refused.
fn refused(before: &Profile, after: &Profile) -> (String, Value, String) {
    let answer = ComparisonAnswer::new(before, after, 0.05);
    let (value, text) = (serde_json::to_value(&answer).unwrap(), answer.text());
    let summary = value["summary"].as_object().unwrap();
    assert_eq!(summary["comparable"], false, "{text}");
    for absent in
        ["has_regressions", "has_improvements", "elapsed_change_sec", "elapsed_change_pct"]
    {
        assert!(!summary.contains_key(absent), "{absent}: {text}");
    }
    assert!(value["regressions"].as_array().unwrap().is_empty(), "{text}");
    assert!(value["improvements"].as_array().unwrap().is_empty(), "{text}");
    assert!(value.get("explanation").is_none() && !value["shares"].as_array().unwrap().is_empty());
    assert!(
        text.contains("Not comparable (") && text.contains("What can be said: shares"),
        "{text}"
    );
    let code = value["reasons"][0]["code"].as_str().unwrap().to_owned();
    (code, value, text)
}

#[test]
fn what_cannot_be_compared_is_refused() {
    let base = recorded::profile("cpu_functions--2.4.0");
    let mut other = base.clone();
    other.measured.memory = false;
    other.footprint = None;
    let (code, value, text) = refused(&base, &other);
    assert_eq!(code, "mode");
    assert!(text.contains("(time and memory -> time)"), "{text}");
    assert_eq!(value["next"][0]["tool"], "profile_script", "{text}");

    let mut other = base.clone();
    other.run.status = Status::Partial;
    other.run.outcome = Outcome::TimedOut;
    let (code, value, text) = refused(&base, &other);
    assert_eq!(code, "coverage");
    assert!(text.contains("complete -> partial"), "{text}");
    assert!(value["next"][0]["arguments"]["timeout"].as_f64().unwrap() >= 60.0, "{text}");
    let (code, _, text) = refused(&other, &other);
    assert!(code == "coverage" && text.contains("both runs were stopped"), "{text}");

    let mut other = base.clone();
    other.run.outcome = Outcome::ExitCode(1);
    let (code, value, text) = refused(&base, &other);
    assert_eq!(code, "outcome");
    assert!(text.contains("exit 0 -> exit 1"), "{text}");
    assert_eq!(value["next"][0]["tool"], "get_profile");

    let other = recorded::profile("io_sleep--2.4.0");
    let (code, _, text) = refused(&base, &other);
    assert!(code == "other_program" && text.contains("different programs"), "{text}");

    let mut other = base.clone();
    other.measured.part_of_time = true;
    assert_eq!(refused(&base, &other).0, "no_seconds");

    let comparison = compare(&base, &other, 0.05);
    assert!(!comparison.is_comparable() && !comparison.has_regressions());
    assert!(comparison.functions.iter().all(|f| f.verdict() == Verdict::Unknown));
}

#[test]
fn the_environment_comes_first() {
    let base = recorded::profile("cpu_functions--2.4.0");
    let mut other = base.clone();
    let environment = other.run.environment.as_mut().unwrap();
    environment.python_version = "3.13.1".into();
    environment.python = "/opt/python".into();
    environment.scalene_version = Some("2.0.1".into());
    environment.cores = Some(64);
    environment.load = Some(7.25);
    other.program.args = vec!["--large".into()];
    other.run.cwd = "/elsewhere".into();
    other.measured.sampling_interval = scalene_mcp::profile::Seconds::from_secs(0.001);
    other.run.parameters.insert("env".into(), json!({"TOKEN": "secret-value"}));
    let answer = ComparisonAnswer::new(&base, &other, 0.05);
    let text = answer.text();
    let second = text.lines().find(|line| line.starts_with("Environment: ")).unwrap();
    for said in [
        "Environment: arguments a b -> --large; Python 3.11.7 -> 3.13.1;",
        "interpreter /usr/bin/python3 -> /opt/python; Scalene 2.4.0 -> 2.0.1;",
        "machine linux x86_64, 2 cores -> linux x86_64, 64 cores;",
        "working directory /tmp/demo -> /elsewhere; sampling interval 0.01 s -> 0.001 s;",
        "load 0.5 -> 7.25; other parameters none -> env;",
        "same program, sandbox, mode, lines timed by, coverage, outcome, runs; samples ",
    ] {
        assert!(second.contains(said), "{said}\n{text}");
    }
    assert!(!text.contains("secret-value") && text.contains("the arguments differ"), "{text}");
    let value = serde_json::to_value(&answer).unwrap();
    assert_eq!(value["environment"]["differs"].as_array().unwrap().len(), 9, "{value}");
}

#[test]
fn every_line_of_a_file_is_listed_once() {
    let (before, after) = random_pair(5);
    let unsampled = [Vec::new(), Vec::new()];
    let comparing = Comparing { baseline: &before, candidate: &after, tolerance: 0.05, unsampled };
    let answer = comparing.answer_about("app.py").unwrap();
    let value = serde_json::to_value(&answer).unwrap();
    let stretches = value["lines"]["stretches"].as_array().unwrap();
    let numbers = |first: &str, last: &str| -> Vec<u64> {
        let ranges = stretches.iter().filter_map(|s| Some(s[first].as_u64()?..=s[last].as_u64()?));
        ranges.flatten().collect()
    };
    let all: Vec<u64> = (1..=11).collect();
    assert_eq!(numbers("first_before", "last_before"), all, "{}", answer.text());
    assert_eq!(numbers("first_after", "last_after"), all, "{}", answer.text());
    assert!(answer.text().contains("  same 1-2 -> 1-2\n"), "{}", answer.text());
    assert!(answer.text().contains("(was: def other(n):)"), "{}", answer.text());
    assert!(comparing.answer_about("b.py").is_none());
}

#[test]
fn scripts_and_snippets_of_other_names_are_held_together() {
    let rewritten = SOURCE
        .replace("    for i in range(n):\n        total += i\n", "    total = n * (n - 1) // 2\n");
    for (one, two) in [("/a/slow.py", "/a/fast.py"), ("<snippet>", "<snippet>")] {
        let before = profile(one, SOURCE, &[(4, 60.0), (8, 40.0)], 1_000, 2.0);
        let after = profile(two, &rewritten, &[(3, 1.0), (7, 99.0)], 1_000, 0.8);
        let answer = ComparisonAnswer::new(&before, &after, 0.05);
        assert_eq!(states(&answer.improvements), [("slow".to_owned(), "edited".to_owned())]);
        assert!(answer.summary.comparable, "{}", answer.text());
        let value = serde_json::to_value(&answer).unwrap();
        assert_eq!(value["improvements"][0]["lines"][0]["status"], "removed", "{}", answer.text());
    }
}

#[test]
fn long_names_and_many_changes_stay_within_the_budget() {
    let name = |n: usize| format!("function_{n}_{}", "with_a_long_name_".repeat(20));
    let source: String = (0..60)
        .map(|n| format!("def {}(n):\n    return n + {n}  # {}\n\n", name(n), "x".repeat(300)))
        .collect();
    let path = format!("/a/{}.py", "folder/".repeat(40));
    let shares = |up: bool| -> Vec<(u32, f64)> {
        (0..60).map(|n| (n * 3 + 2, if (n % 2 == 0) == up { 3.0 } else { 0.3 })).collect()
    };
    let before = profile(&path, &source, &shares(true), 100_000, 20.0);
    let after =
        profile(&path, &source.replace("return n +", "return 1 +"), &shares(false), 100_000, 20.0);
    let answer = ComparisonAnswer::new(&before, &after, 0.05);
    assert!(answer.text().len() <= 4_096, "{} bytes\n{}", answer.text().len(), answer.text());
    assert!(
        !answer.regressions.is_empty() && !answer.improvements.is_empty() && answer.omitted > 50
    );
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

/// The hot function goes to another module under another name, and gets faster on the way.
#[tokio::test]
async fn a_hot_function_is_named_after_it_moved_and_was_renamed() {
    let body = |name: &str, container: &str, add: &str| {
        format!(
            "def {name}(words):\n    \"\"\"Different words in order of their first appearance.\"\"\"\n    \
             known = {container}\n    found = 0\n    for word in words:\n        key = word.strip().lower()\n        \
             if key not in known:\n            known.{add}(key)\n            found += 1\n    return found\n"
        )
    };
    let rest = "def make(count):\n    return [f'  Word{n * 7919 % 3000} ' for n in range(count)]\n\n\n\
                def steady():\n    total = 0\n    for i in range(4_000_000):\n        total += i % 7\n    return total\n";
    let place = Place::new();
    place.write(
        "app.py",
        &format!(
            "{}\n\n{rest}\n\nprint(tally(make(12_000)))\nprint(steady())\n",
            body("tally", "[]", "append")
        ),
    );
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "memory": false});
    session.call("profile_script", arguments.clone()).await;
    place.write("counting.py", &body("count_distinct", "set()", "add"));
    place.write(
        "app.py",
        &format!(
            "from counting import count_distinct\n\n\n{rest}\n\nprint(count_distinct(make(12_000)))\nprint(steady())\n"
        ),
    );
    session.call("profile_script", arguments).await;
    let ids = json!({"profile_id1": "previous", "profile_id2": "latest", "tolerance": 0.3});
    let answer = session.call("compare_profiles", ids).await;
    let (value, text) = (&answer.structured, &answer.text);
    assert_eq!(value["summary"]["comparable"], true, "{text}");
    let better = &value["improvements"][0];
    assert_eq!(better["name_before"], "tally", "{text}");
    assert_eq!(better["function_name"], "count_distinct", "{text}");
    assert_eq!(better["state"], "renamed, moved, edited", "{text}");
    assert!(better["location_before"].as_str().unwrap().starts_with("app.py:1-"), "{text}");
    assert!(better["location"].as_str().unwrap().starts_with("counting.py:1-"), "{text}");
    assert!(better["time_change_sec"].as_f64().unwrap() < -0.1, "{text}");
    assert_eq!(value["renamed"][0]["name_after"], "count_distinct", "{text}");
    assert!(text.contains("tally app.py:1-10 -> count_distinct counting.py:1-10"), "{text}");
    assert!(text.contains("in count_distinct (was tally)"), "{text}");
    assert!(
        text.contains("same program, arguments, Python, interpreter, Scalene, machine"),
        "{text}"
    );
    let first = &value["next"][0];
    assert_eq!(first["tool"], "verify_speedup", "{text}");
    assert_eq!(first["arguments"]["baseline_profile_id"], value["profile_id1"], "{text}");
    // Every line of the new module on demand.
    let asked = json!({"profile_id1": "previous", "profile_id2": "latest", "file_path": "app.py"});
    let answer = session.call("compare_profiles", asked).await;
    let lines = answer.structured["lines"]["stretches"].as_array().unwrap();
    assert!(
        lines.iter().any(|line| line["status"] == "new" && line["first_after"] == 1),
        "{}",
        answer.text
    );
    let moved = lines.iter().find(|line| line["status"] == "moved").unwrap();
    assert_eq!(moved["file_after"], "counting.py", "{}", answer.text);
    assert!(answer.text.contains("  moved 2 -> counting.py:2\n"), "{}", answer.text);
    let unknown = json!({"profile_id1": "previous", "profile_id2": "latest", "file_path": "b.py"});
    let failure = session.failure("compare_profiles", unknown).await;
    assert!(failure.starts_with("file_not_in_profile"), "{failure}");
    session.close().await;
}
