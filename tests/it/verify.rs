//! Two versions of a program, run in turns: is the new one faster, and does it do the same work?

use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{Answer, Session, server_command, text};
use crate::support::place::Place;
use crate::support::pythons;

/// A place with some files, and a session in it.
struct Bench {
    place: Place,
    session: Session,
}

impl Bench {
    async fn new(files: &[(&str, &str)]) -> Self {
        Self::with(files, &[]).await
    }

    async fn with(files: &[(&str, &str)], options: &[&str]) -> Self {
        let place = Place::new();
        for (name, text) in files {
            place.write(name, text);
        }
        let session = Session::open_with(server_command(&place.path(), options)).await;
        Self { place, session }
    }

    /// Verifies and checks what holds for every answer.
    async fn verify(&self, arguments: Value) -> Answer {
        let answer = self.session.call("verify_speedup", arguments).await;
        assert!(answer.text.len() <= 2048, "{} bytes: {}", answer.text.len(), answer.text);
        for figure in ["wall", "cpu", "peak_memory"] {
            let [ratio, low, high] = ["", "_low", "_high"]
                .map(|end| answer.structured[format!("{figure}_ratio{end}")].as_f64());
            assert_eq!((ratio.is_some(), low.is_some()), (high.is_some(), high.is_some()));
            assert!(low <= ratio && ratio <= high, "{}", answer.structured);
        }
        answer
    }

    async fn paths(&self, more: Value) -> Answer {
        let mut arguments = json!({"baseline_path": "old.py", "candidate_path": "new.py"});
        for (name, value) in more.as_object().unwrap() {
            arguments[name] = value.clone();
        }
        self.verify(arguments).await
    }
}

fn number(answer: &Answer, name: &str) -> f64 {
    answer.structured[name].as_f64().unwrap_or_else(|| panic!("{name}: {}", answer.structured))
}

fn assert_verdict(answer: &Answer, verdict: &str) {
    assert_eq!(answer.structured["verdict"], verdict, "{}\n{}", answer.text, answer.structured);
}

/// So much work that other programs on the machine are small beside it; prints its result.
fn work(rounds: u32) -> String {
    format!("total = 0\nfor i in range({rounds}):\n    total += i % 7\nprint('done', total > 5)\n")
}

#[tokio::test]
async fn half_the_work_is_found_to_be_faster() {
    let (old, new) = (work(2_000_000), work(1_000_000));
    let bench = Bench::new(&[("old.py", &old), ("new.py", &new)]).await;
    let answer = bench.paths(json!({"budget_sec": 60, "wait_sec": 120, "seed": 7})).await;
    assert_verdict(&answer, "faster");
    let [low, high] = ["wall_ratio_low", "wall_ratio_high"].map(|name| number(&answer, name));
    assert!(low < 0.8 && high > 0.4, "{}", answer.structured);
    assert!((0.45..0.75).contains(&number(&answer, "cpu_ratio")), "{}", answer.structured);
    assert!((0.8..1.25).contains(&number(&answer, "peak_memory_ratio")), "{}", answer.structured);
    assert!(number(&answer, "python_start_sec") < number(&answer, "candidate_sec"));
    assert!(number(&answer, "baseline_peak_mb") > 4.0, "{}", answer.structured);
    assert_eq!(answer.structured["seed"], 7);
    assert_eq!(answer.structured["same_work"], "equal exit code and stdout");
    assert!(number(&answer, "runs") >= 8.0, "{}", answer.structured);
    assert!(answer.text.contains("x faster, 95 % interval"), "{}", answer.text);
    let back = json!({"baseline_path": "new.py", "candidate_path": "old.py", "budget_sec": 60, "wait_sec": 120});
    assert_verdict(&bench.verify(back).await, "slower");
    bench.session.close().await;
}

#[tokio::test]
async fn a_program_is_not_faster_than_itself() {
    let bench = Bench::new(&[("old.py", &work(300_000))]).await;
    for seed in [1, 2, 3] {
        let arguments = json!({"baseline_path": "old.py", "candidate_path": "old.py", "seed": seed, "budget_sec": 12});
        let answer = bench.verify(arguments).await;
        // One wrong verdict in forty is allowed to the method, and a loaded machine has none of these three.
        let [low, high] = ["wall_ratio_low", "wall_ratio_high"].map(|name| number(&answer, name));
        assert!(low < 1.1 && high > 0.9, "{}", answer.structured);
        assert_ne!(answer.structured["more_runs_to_decide"], 0);
    }
    bench.session.close().await;
}

#[tokio::test]
async fn memory_is_compared_too() {
    let old = "data = b'x' * (80 << 20)\nprint(len(data) > 0)\n";
    let new = "data = b'x' * (20 << 20)\nprint(len(data) > 0)\n";
    let bench = Bench::new(&[("old.py", old), ("new.py", new)]).await;
    let answer = bench.paths(json!({"budget_sec": 20})).await;
    assert!((0.2..0.6).contains(&number(&answer, "peak_memory_ratio")), "{}", answer.structured);
    let [one, other] = ["baseline_peak_mb", "candidate_peak_mb"].map(|name| number(&answer, name));
    assert!((82.0..130.0).contains(&one) && (22.0..70.0).contains(&other), "{one} {other}");
    bench.session.close().await;
}

#[tokio::test]
async fn another_result_is_never_a_speedup() {
    let bench = Bench::new(&[
        ("old.py", "print('a')\nprint(1 + 1)\n"),
        ("new.py", "print('a')\nprint(3)\n"),
    ])
    .await;
    let answer = bench.paths(json!({})).await;
    assert_verdict(&answer, "different_output");
    let expected = json!({"line": 2, "baseline": "2", "candidate": "3"});
    assert_eq!(answer.structured["difference"], expected);
    assert_eq!(answer.structured["wall_ratio"], Value::Null);
    assert!(answer.text.contains("baseline: 2\n  candidate: 3\n"), "{}", answer.text);
    // A number that is off by rounding is, once that is allowed, the same.
    bench.place.write("old.py", "print('mean', 0.1 + 0.2)\n");
    bench.place.write("new.py", "print('mean', 0.3)\n");
    let answer = bench.paths(json!({"budget_sec": 2})).await;
    assert_verdict(&answer, "different_output");
    let next = &answer.structured["next"][0];
    assert_eq!(next["arguments"]["float_tolerance"], json!(1e-12), "{next}");
    let answer = bench.verify(next["arguments"].clone()).await;
    assert_eq!(answer.structured["difference"], Value::Null, "{}", answer.structured);
    bench.session.close().await;
}

#[tokio::test]
async fn an_output_that_varies_by_itself_is_told_apart() {
    let varying = "import time\nprint('total', 5)\nprint('took', time.time())\n";
    let bench = Bench::new(&[("old.py", varying), ("new.py", varying)]).await;
    let answer = bench.paths(json!({"budget_sec": 4})).await;
    assert_verdict(&answer, "nondeterministic_output");
    let difference = &answer.structured["difference"];
    assert_eq!((&difference["line"], &difference["lines_repeated"]), (&json!(2), &json!(1)));
    assert!(answer.structured["timing_verdict"].is_string(), "{}", answer.structured);
    assert!(answer.text.contains("1 of 2 lines are the same"), "{}", answer.text);
    assert_eq!(difference["float_tolerance"], Value::Null, "{}", answer.text);
    assert!(answer.structured["summary"].as_str().unwrap().contains("`check`"), "{}", answer.text);
    // What the baseline does repeat has to be the same.
    bench.place.write("new.py", &varying.replace("5)", "6)"));
    let answer = bench.paths(json!({"budget_sec": 4})).await;
    assert_verdict(&answer, "different_output");
    assert_eq!(answer.structured["difference"]["candidate"], "total 6");
    bench.session.close().await;
}

#[tokio::test]
async fn the_order_of_a_set_is_the_same_on_both_sides_of_a_pair() {
    let set = "print({str(n) for n in range(20)})\n";
    let bench = Bench::new(&[("old.py", set), ("new.py", set)]).await;
    let answer = bench.paths(json!({"budget_sec": 4})).await;
    assert_eq!(answer.structured["same_work"], "equal exit code and stdout", "{}", answer.text);
    bench.session.close().await;
}

#[tokio::test]
async fn a_check_decides_in_place_of_stdout() {
    let old = "import random\ntotal = 6\nprint(random.random(), total)\n";
    let new = "import random, sys\ntotal = 2 * 3\nprint(random.random(), total)\nsys.exit(0)\n";
    let bench = Bench::new(&[("old.py", old), ("new.py", new)]).await;
    let answer = bench.paths(json!({"check": "=total", "budget_sec": 3})).await;
    assert_eq!(answer.structured["same_work"], "equal value of `total`", "{}", answer.text);
    let answer = bench.paths(json!({"check": "=total + nothing", "budget_sec": 3})).await;
    assert_verdict(&answer, "baseline_failed");
    assert!(answer.text.contains("NameError"), "{}", answer.text);
    let check = "python -c 'import sys; sys.exit(sys.stdin.read().split()[1] != \"6\")'";
    let answer = bench.paths(json!({"check": check, "budget_sec": 3})).await;
    assert!(answer.structured["same_work"].as_str().unwrap().contains("passed for both"));
    bench.place.write("new.py", &new.replace("2 * 3", "7"));
    for check in ["=total", check] {
        assert_verdict(&bench.paths(json!({"check": check})).await, "different_output");
    }
    bench.session.close().await;
}

#[tokio::test]
async fn a_side_that_fails_is_named_with_its_reason() {
    let (good, bad) = ("print(1)\n", "raise ValueError('what went wrong')\n");
    let bench = Bench::new(&[("old.py", good), ("new.py", bad)]).await;
    let answer = bench.paths(json!({})).await;
    assert_verdict(&answer, "candidate_failed");
    assert_eq!(answer.structured["failure"]["what"], "exit code 1");
    assert!(answer.text.contains("ValueError: what went wrong"), "{}", answer.text);
    bench.place.write("old.py", bad);
    assert_verdict(&bench.paths(json!({})).await, "baseline_failed");
    // The same code on both sides, and no exception: that is how the program ends.
    bench.place.write("old.py", "import sys\nsys.exit(3)\n");
    bench.place.write("new.py", "import sys\nsys.exit(3)\n");
    let answer = bench.paths(json!({"budget_sec": 2})).await;
    assert!(answer.text.contains("both sides end with exit code 3"), "{}", answer.text);
    bench.place.write("new.py", "import sys\nsys.exit(4)\n");
    // Both fail, otherwise: other work. Where one ends with 0, the other fails.
    let answer = bench.paths(json!({})).await;
    assert_verdict(&answer, "different_output");
    assert!(
        answer.text.contains("exit code 3 of the baseline, 4 of the candidate"),
        "{}",
        answer.text
    );
    bench.place.write("new.py", "pass\n");
    let answer = bench.paths(json!({})).await;
    assert_verdict(&answer, "baseline_failed");
    assert!(
        answer.text.contains("exit code 3 of the baseline, 0 of the candidate"),
        "{}",
        answer.text
    );
    bench.place.write("new.py", "import sys\nsys.exit(3)\n");
    bench.place.write("old.py", "pass\n");
    let answer = bench.paths(json!({})).await;
    assert_verdict(&answer, "candidate_failed");
    assert!(
        answer.text.contains("exit code 0 of the baseline, 3 of the candidate"),
        "{}",
        answer.text
    );
    bench.session.close().await;
}

/// Fails at every third run, by a count in a file.
const THIRD: &str = "
import os, sys
with open('count', 'a') as count: count.write('x')
if os.path.getsize('count') % 3 == 0: sys.exit('the third run')
";

#[tokio::test]
async fn a_side_that_fails_now_and_then_is_unstable() {
    let bench = Bench::new(&[("old.py", "pass\n"), ("new.py", THIRD)]).await;
    let answer = bench.paths(json!({})).await;
    assert_verdict(&answer, "unstable");
    let failure = &answer.structured["failure"];
    assert_eq!((&failure["side"], &failure["run"]), (&json!("candidate"), &json!(3)));
    assert!(answer.text.contains("the third run"), "{}", answer.text);
    // The very first one fails, the second does not.
    bench.place.write("new.py", &THIRD.replace("% 3 == 0", "== 1"));
    std::fs::remove_file(bench.place.path().join("count")).unwrap();
    assert_verdict(&bench.paths(json!({})).await, "unstable");
    bench.session.close().await;
}

#[tokio::test]
async fn a_side_that_does_not_end_is_a_timeout() {
    let bench =
        Bench::new(&[("old.py", "print(1)\n"), ("new.py", "import time\ntime.sleep(1000)\n")])
            .await;
    let answer = bench.paths(json!({"timeout": 3})).await;
    assert_verdict(&answer, "timeout");
    assert_eq!(answer.structured["failure"]["side"], "candidate");
    assert!(answer.structured["next"][0]["arguments"]["timeout"].as_f64() > Some(3.0));
    bench.session.close().await;
}

#[tokio::test]
async fn a_budget_that_the_first_runs_spend_is_said() {
    let sleep = "import time\ntime.sleep(1.5)\n";
    let bench = Bench::new(&[("old.py", sleep), ("new.py", sleep)]).await;
    let answer = bench.paths(json!({"budget_sec": 0.5})).await;
    assert_verdict(&answer, "undecided");
    assert_eq!(answer.structured["runs"], 0);
    assert!(answer.text.contains("left no time"), "{}", answer.text);
    let budget = &answer.structured["next"][0]["arguments"]["budget_sec"];
    assert!(budget.as_f64() > Some(12.0), "four pairs of 3 s: {budget}");
    bench.session.close().await;
}

#[tokio::test]
async fn a_result_that_is_written_down_shows_with_other_arguments() {
    let old = "import sys\nprint(sum(range(int(sys.argv[1]))))\n";
    let bench = Bench::new(&[("old.py", old), ("new.py", "print(4950)\n")]).await;
    let answer = bench.paths(json!({"args": ["100"], "budget_sec": 2})).await;
    assert!(answer.structured["same_work"].is_string(), "{}", answer.text);
    let varied = json!({"args": ["100"], "args_variants": [["100"], ["7"]], "budget_sec": 2});
    let answer = bench.paths(varied.clone()).await;
    assert_verdict(&answer, "different_output");
    assert_eq!(answer.structured["difference"]["baseline"], "21");
    bench.place.write("new.py", "import sys\nn = int(sys.argv[1])\nprint(n * (n - 1) // 2)\n");
    let answer = bench.paths(varied).await;
    let same = answer.structured["same_work"].as_str().unwrap();
    assert!(same.ends_with("for each of 2 lists of arguments (timed: 100)"), "{same}");
    // The run without arguments is one, too.
    bench.place.write("old.py", "import sys\nprint(len(sys.argv))\n");
    bench.place.write("new.py", "import sys\nprint(len(sys.argv) if sys.argv[1:] else 0)\n");
    for args in [json!({"args_variants": [["7"]]}), json!({"args": [], "args_variants": [["7"]]})] {
        let answer = bench.paths(args).await;
        assert_verdict(&answer, "different_output");
        assert_eq!(answer.structured["difference"]["args"], json!([]), "{}", answer.text);
        assert!(answer.text.contains("Arguments: none"), "{}", answer.text);
    }
    bench.place.write("new.py", "import sys\nprint(len(sys.argv))\n");
    let answer = bench.paths(json!({"args_variants": [["7"]], "budget_sec": 2})).await;
    assert!(answer.text.contains("2 lists of arguments (timed: none)"), "{}", answer.text);
    bench.session.close().await;
}

#[tokio::test]
async fn code_is_compared_as_python_runs_it() {
    let bench = Bench::new(&[("helper.py", "answer = 42\n")]).await;
    let arguments = json!({"baseline_code": "import helper, sys\nprint(helper.answer, sys.argv)",
        "candidate_code": "import sys\nprint(42, sys.argv)", "args": ["x"], "budget_sec": 2});
    let answer = bench.verify(arguments).await;
    assert!(answer.structured["same_work"].is_string(), "{}", answer.text);
    let calls = [
        (json!({"baseline_code": "1"}), "there is no candidate"),
        (json!({"candidate_code": "1"}), "there is no baseline"),
        (json!({"baseline_code": "1", "baseline_path": "a", "candidate_code": "1"}), "several"),
        (json!({"baseline_code": "1", "candidate_code": "2", "min_effect": 0}), "min_effect"),
        (json!({"baseline_code": "1", "candidate_code": "2", "check": "'"}), "quotes"),
        (json!({"baseline_rev": "HEAD", "candidate_code": "2"}), "script_path"),
        (json!({"verification_id": "v0"}), "known: v"),
    ];
    for (arguments, said) in calls {
        let failure = bench.session.failure("verify_speedup", arguments).await;
        assert!(failure.contains(said), "{failure}");
    }
    bench.session.close().await;
}

fn git(folder: &Path, args: &[&str]) -> String {
    let identity = ["-c", "user.name=Test", "-c", "user.email=test@example.org"];
    let output = pythons::command("git").args(identity).args(args).current_dir(folder).output();
    let output = output.expect("tests need git");
    assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// A repository with a package beside the script, whose first commit is slower by a wait; data are not tracked.
fn repository(place: &Place) -> String {
    place.write(".gitignore", "data/\n");
    place.write("data/n.txt", "5");
    place.write(
        "src/app.py",
        "import shop.price\nprint(shop.price.of(open('data/n.txt').read()))\n",
    );
    place.write("src/shop/__init__.py", "");
    place.write(
        "src/shop/price.py",
        "import time\ndef of(n):\n    time.sleep(0.2)\n    return int(n) * 2\n",
    );
    let top = place.path();
    git(&top, &["init", "-q", "-b", "main"]);
    git(&top, &["add", "."]);
    git(&top, &["commit", "-q", "-m", "first"]);
    place.write("src/shop/price.py", "def of(n):\n    return int(n) * 2\n");
    git(&top, &["commit", "-q", "-a", "-m", "second"]);
    git(&top, &["rev-parse", "HEAD~1"]).trim().to_owned()
}

/// What git says of a repository and its files.
fn state(place: &Place) -> (String, Vec<u8>, String) {
    let top = place.path();
    let index = std::fs::read(top.join(".git/index")).unwrap();
    let files = git(&top, &["ls-files", "--others", "--cached"]);
    (git(&top, &["--no-optional-locks", "status", "--porcelain"]), index, files)
}

#[tokio::test]
async fn a_revision_is_compared_with_the_files_as_they_are() {
    let bench = Bench::new(&[]).await;
    let first = repository(&bench.place);
    // Neither committed nor staged, and staged and not committed.
    bench.place.write("src/shop/price.py", "def of(n):\n    return 2 * int(n)\n");
    bench.place.write("src/new.py", "");
    git(&bench.place.path(), &["add", "src/new.py"]);
    let before = state(&bench.place);
    let arguments =
        json!({"script_path": "src/app.py", "baseline_rev": "HEAD~1", "budget_sec": 30});
    let answer = bench.verify(arguments).await;
    assert_verdict(&answer, "faster");
    assert!(number(&answer, "wall_ratio") < 0.8, "{}", answer.structured);
    assert_eq!(
        answer.structured["baseline"],
        format!("src/app.py at HEAD~1 ({})", &first[..10]),
        "{}",
        answer.text
    );
    assert_eq!(answer.structured["candidate"], "src/app.py");
    assert_eq!(state(&bench.place), before);
    // Two revisions; the working tree does not count.
    bench.place.write("src/shop/price.py", "def of(n):\n    return 0\n");
    let before = state(&bench.place);
    let arguments = json!({"script_path": "src/app.py", "baseline_rev": "main", "candidate_rev": first,
        "budget_sec": 30});
    assert_verdict(&bench.verify(arguments).await, "slower");
    assert_eq!(state(&bench.place), before);
    for (revision, said) in [("no-such", "names no commit"), ("--help", "names no commit")] {
        let arguments = json!({"script_path": "src/app.py", "baseline_rev": revision});
        let failure = bench.session.failure("verify_speedup", arguments).await;
        assert!(failure.contains(said), "{failure}");
    }
    bench.session.close().await;
}

#[tokio::test]
async fn a_copy_does_not_import_what_is_installed_from_the_original() {
    let bench = Bench::new(&[]).await;
    repository(&bench.place);
    bench.place.write("scripts/run.py", "import shop.price\nprint(shop.price.of('4'))\n");
    let top = bench.place.path();
    git(&top, &["add", "scripts"]);
    git(&top, &["commit", "-q", "-m", "third"]);
    let made = pythons::command(pythons::system_python())
        .args(["-m", "venv", "--without-pip", ".venv"])
        .current_dir(&top)
        .status();
    assert!(made.unwrap().success());
    // As an editable install does.
    let packages = std::fs::read_dir(top.join(".venv/lib")).unwrap().next().unwrap().unwrap();
    let link = packages.path().join("site-packages/shop.pth");
    std::fs::write(link, format!("{}\n", top.join("src").display())).unwrap();
    bench
        .place
        .write("src/shop/price.py", "import time\ndef of(n):\n    time.sleep(0.5)\n    return 8\n");
    let arguments =
        json!({"script_path": "scripts/run.py", "baseline_rev": "HEAD", "budget_sec": 20});
    let answer = bench.verify(arguments).await;
    assert_verdict(&answer, "slower");
    let python = answer.structured["environment"]["python"].as_str().unwrap();
    assert!(python.contains("/.venv/"), "{python}");
    bench.session.close().await;
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn a_revision_is_checked_out_and_run_in_the_sandbox() {
    let place = Place::new();
    repository(&place);
    let root = place.path();
    let options = ["--root", root.to_str().unwrap(), "--min-sandbox", "strict"];
    let session = Session::open_with(server_command(&root, &options)).await;
    let bench = Bench { place, session };
    let arguments =
        json!({"script_path": "src/app.py", "baseline_rev": "HEAD~1", "budget_sec": 30});
    let answer = bench.verify(arguments).await;
    assert_verdict(&answer, "faster");
    assert_eq!(answer.structured["environment"]["sandbox"], "strict");
    // A repository whose data lie elsewhere is none of this server's.
    let elsewhere = Place::new();
    repository(&elsewhere);
    let link = bench.place.path().join("linked");
    git(&elsewhere.path(), &["worktree", "add", "-q", link.to_str().unwrap(), "HEAD~1"]);
    let arguments = json!({"script_path": "linked/src/app.py", "baseline_rev": "main"});
    let failure = bench.session.failure("verify_speedup", arguments).await;
    assert!(failure.starts_with("outside_roots"), "{failure}");
    bench.session.close().await;
    // Without roots it is one like any other.
    let session = Session::open(&link).await;
    let arguments = json!({"script_path": "src/app.py", "baseline_rev": "HEAD", "budget_sec": 4});
    std::fs::create_dir_all(link.join("data")).unwrap();
    std::fs::write(link.join("data/n.txt"), "5").unwrap();
    let answer = session.call("verify_speedup", arguments).await;
    assert!(answer.structured["same_work"].is_string(), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn modules_are_compared_too() {
    let bench = Bench::new(&[]).await;
    repository(&bench.place);
    bench.place.write("src/shop/__main__.py", "import sys\nanswer = 7\nprint(sys.argv[1:])\n");
    let top = bench.place.path();
    git(&top, &["add", "src"]);
    git(&top, &["commit", "-q", "-m", "third"]);
    let arguments = json!({"script_path": "-m shop", "baseline_rev": "HEAD", "args": ["a"],
        "cwd": top.join("src"), "check": "=answer", "budget_sec": 3});
    let answer = bench.verify(arguments.clone()).await;
    assert_eq!(answer.structured["same_work"], "equal value of `answer`", "{}", answer.text);
    bench.place.write("src/shop/__main__.py", "answer = 8\n");
    assert_verdict(&bench.verify(arguments).await, "different_output");
    bench.session.close().await;
}

#[tokio::test]
async fn the_sources_of_a_profile_are_a_baseline() {
    let slow = "def heavy(n):\n    total = 0\n    for i in range(n):\n        total += i % 7\n    return total\n";
    let quick =
        "def heavy(n):\n    return sum(i % 7 for i in range(n // 7 * 7, n)) + n // 7 * 21\n";
    let app = "import helper, work\nprint(work.heavy(2_000_000) + helper.one)\n";
    let files = [("app.py", app), ("work.py", slow), ("helper.py", "one = 1\n")];
    let bench = Bench::new(&files).await;
    let arguments = json!({"script_path": "app.py", "memory": false});
    let profile = bench.session.call("profile_script", arguments).await;
    bench.place.write("work.py", quick);
    let id = &profile.structured["profile_id"];
    let answer = bench.verify(json!({"baseline_profile_id": id, "budget_sec": 20})).await;
    assert_verdict(&answer, "faster");
    assert!(answer.text.contains("changed since: work.py"), "{}", answer.text);
    assert_eq!(std::fs::read_to_string(bench.place.path().join("work.py")).unwrap(), quick);
    bench.session.close().await;
}

/// Records a profile of `app.py`, runs an edit, and compares what is there then with what was recorded.
async fn against_its_profile(bench: &Bench, script: &str, edit: impl FnOnce(&Place)) -> Value {
    let arguments = json!({"script_path": script, "memory": false});
    let profile = bench.session.call("profile_script", arguments).await;
    edit(&bench.place);
    json!({"baseline_profile_id": profile.structured["profile_id"], "budget_sec": 20})
}

/// Takes so long that a profile has samples, and the run seconds.
const RUN: &str = "import time\ndef run(n):\n    time.sleep(0.8)\n    total = 0\n    for i in range(n * 20):\n        total += i % 7\n    return n\n";

#[tokio::test]
async fn code_that_is_newer_than_the_profile_is_not_in_the_baseline() {
    let main = "from work import run\nprint(run(100_000))\n";
    // The script, which has no samples as a rule, is another one now: what ran is not known.
    let bench = Bench::new(&[("main.py", main), ("work.py", RUN)]).await;
    let slower = RUN.replace("0.8", "1.6");
    let call = against_its_profile(&bench, "main.py", |place| {
        place.write("fast.py", &slower);
        place.write("main.py", &main.replace("work", "fast"));
    })
    .await;
    let said = text(&bench.session.raw("verify_speedup", call.clone()).await);
    // Where a sample did fall on its call, its text is stored, and it is compared as it was.
    let refused = said.contains("main.py") && said.contains("changed since");
    assert!(refused || said.starts_with("slower"), "{said}");
    bench.session.close().await;
    // It is the same, and what it imports leads to the new file now.
    let bench = Bench::new(&[("main.py", main), ("work.py", RUN)]).await;
    let call = against_its_profile(&bench, "main.py", |place| {
        place.write("fast.py", &slower);
        place.write("work.py", "from fast import run\n");
    })
    .await;
    let answer = bench.verify(call).await;
    assert_verdict(&answer, "slower");
    assert!(number(&answer, "wall_ratio") > 1.3, "{}", answer.structured);
    let notes = answer.structured["notes"].to_string();
    assert!(notes.contains("the profile lacks it: fast.py"), "{notes}");
    assert!(notes.contains("unchanged since the run: main.py"), "{notes}");
    bench.session.close().await;
}

#[tokio::test]
async fn code_that_git_does_not_track_is_not_in_the_baseline() {
    let bench = Bench::new(&[]).await;
    let util = "import time\ndef run():\n    time.sleep(0.2)\n    return 1\n";
    bench.place.write("app.py", "import util\nprint(util.run())\n");
    bench.place.write("util.py", util);
    let top = bench.place.path();
    git(&top, &["init", "-q", "-b", "main"]);
    git(&top, &["add", "."]);
    git(&top, &["commit", "-q", "-m", "first"]);
    // A package comes before a module of the same name.
    bench.place.write("util/__init__.py", &util.replace("0.2", "1.2"));
    let arguments = json!({"script_path": "app.py", "baseline_rev": "HEAD", "budget_sec": 30});
    let answer = bench.verify(arguments).await;
    assert_verdict(&answer, "slower");
    let notes = answer.structured["notes"].to_string();
    assert!(notes.contains("git does not track it: util"), "{notes}");
    // A script that the revision does not have, whatever its name.
    for name in ["new.py", "new"] {
        bench.place.write(name, "print(1)\n");
        let arguments = json!({"script_path": name, "baseline_rev": "HEAD"});
        let failure = bench.session.failure("verify_speedup", arguments).await;
        assert!(failure.starts_with("script_not_found"), "{failure}");
        assert!(failure.contains(&format!("{name} at HEAD")), "{failure}");
    }
    bench.session.close().await;
}

#[tokio::test]
async fn a_baseline_writes_to_its_own_data() {
    let old = "with open('data/log.txt', 'a') as log: log.write('old')\nopen('state.txt', 'w').write('old')\nfor i in range(6_000_000): i % 7\n";
    let new = old.replace("'old'", "'new'");
    let bench = Bench::new(&[("app.py", old), ("state.txt", "first")]).await;
    bench.place.write("data/log.txt", "first");
    bench.place.write(".gitignore", "data/\nstate.txt\n");
    let top = bench.place.path();
    git(&top, &["init", "-q", "-b", "main"]);
    git(&top, &["add", "."]);
    git(&top, &["commit", "-q", "-m", "first"]);
    let arguments = json!({"script_path": "app.py", "memory": false});
    let profile = bench.session.call("profile_script", arguments).await;
    bench.place.write("app.py", &new);
    bench.place.write("data/log.txt", "first");
    let read = |name: &str| std::fs::read_to_string(top.join(name)).unwrap();
    let answer = bench
        .verify(json!({"script_path": "app.py", "baseline_rev": "HEAD", "budget_sec": 3}))
        .await;
    assert!(answer.structured["same_work"].is_string(), "{}", answer.text);
    assert!(!read("data/log.txt").contains("old") && read("data/log.txt").contains("new"));
    assert_eq!(read("state.txt"), "new");
    let notes = answer.structured["notes"].to_string();
    assert!(notes.contains("data files copied: 2"), "{notes}");
    // The same from a profile.
    let id = &profile.structured["profile_id"];
    bench.place.write("data/log.txt", "first");
    let answer = bench.verify(json!({"baseline_profile_id": id, "budget_sec": 3})).await;
    assert!(answer.structured["same_work"].is_string(), "{}", answer.text);
    assert!(!read("data/log.txt").contains("old") && read("data/log.txt").contains("new"));
    // Too large to be copied: linked, and that is said.
    std::fs::File::create(top.join("data/large.bin")).unwrap().set_len(65 << 20).unwrap();
    let answer = bench
        .verify(json!({"script_path": "app.py", "baseline_rev": "HEAD", "budget_sec": 3}))
        .await;
    let notes = answer.structured["notes"].to_string();
    assert!(
        notes.contains("writes of the baseline to these reach the project: data/large.bin"),
        "{notes}"
    );
    bench.session.close().await;
}
