//! Runs of tests: what they cost, and what became of them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::{Answer, Session};
use crate::support::place::Place;
use crate::support::pythons::{environment, of_both_kinds, system_python, with_packages};

/// A project: what is slow, and tests of it.
const SHOP: &str = "\
def price(quantity):
    total = 0
    for step in range(quantity):
        total += step * step % 97
    return total
";
const TESTS: &str = "\
import time
import pytest
from shop import price

@pytest.fixture(scope='module')
def database():
    time.sleep(0.4)
    yield {}

def test_costly(database):
    assert price(6_000_000) > 0

def test_cheap():
    assert price(10) == 285

def test_wrong():
    expected = 1
    assert price(3) == expected

@pytest.mark.skip(reason='later')
def test_later():
    pass
";
/// The same with unittest.
const CASES: &str = "\
import time, unittest
from shop import price

class Prices(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        time.sleep(0.3)

    def setUp(self):
        time.sleep(0.05)

    def test_costly(self):
        self.assertGreater(price(6_000_000), 0)

    def test_wrong(self):
        self.assertEqual(price(3), 1, 'prices differ')

    @unittest.skip('later')
    def test_later(self):
        pass
";

fn project(tests: &str) -> Place {
    let place = Place::new();
    place.write("pyproject.toml", "[project]\nname = 'shop'\nversion = '1'\n");
    place.write("shop.py", SHOP);
    place.write("tests/test_shop.py", tests);
    place
}

fn with_pytest(python: &Path) -> String {
    let version = python.file_name().unwrap().to_string_lossy().into_owned();
    let name = format!("pytest-{version}");
    with_packages(python, &name, &["pytest==8.3.5"]).display().to_string()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

fn test<'a>(answer: &'a Answer, name: &str) -> &'a Value {
    let all = answer.structured["tests"]["most_expensive"].as_array().unwrap();
    let found = all.iter().find(|test| test["name"].as_str().unwrap().ends_with(name));
    found.unwrap_or_else(|| panic!("{name}: {}", answer.text))
}

/// What the tests call is among the first lines; a fixture that sleeps may have as much time.
fn assert_names_the_function(answer: &Answer) {
    let lines = answer.structured["top_lines"].as_array().unwrap();
    let named = lines.iter().take(2).any(|line| line["function_name"] == "price");
    assert!(named, "{}", answer.text);
}

/// Every listed line is the project's.
fn assert_only_own_lines(answer: &Answer) {
    let lines = answer.structured["cpu_profile"]["lines"].as_object().unwrap();
    assert!(!lines.is_empty(), "{}", answer.text);
    for place in lines.keys() {
        assert!(
            place.starts_with("shop.py") || place.starts_with("tests/"),
            "{place}: {}",
            answer.text
        );
    }
}

#[tokio::test]
async fn tests_have_their_cost_their_outcome_and_the_projects_hot_lines() {
    for python in of_both_kinds() {
        let place = project(TESTS);
        let session = Session::open(&place.path()).await;
        let answer = session
            .call("profile_tests", json!({"wait_sec": 300, "python": with_pytest(&python)}))
            .await;
        let tests = &answer.structured["tests"];
        assert_eq!(tests["runner"], "pytest 8.3.5", "{}", answer.text);
        let counts =
            ["passed", "failed", "skipped", "errors"].map(|kind| tests[kind].as_u64().unwrap());
        assert_eq!(counts, [2, 1, 1, 0], "{}", answer.text);
        assert_eq!(answer.structured["status"], "complete", "{}", answer.text);
        assert_eq!(answer.structured["errors"], json!(["1 of 4 tests failed"]), "{}", answer.text);
        let message = tests["failures"][0]["message"].as_str().unwrap();
        assert!(
            message.contains("assert 5 == 1") && message.contains("test_shop.py:"),
            "{message}"
        );
        let costly = test(&answer, "test_costly");
        assert_eq!(tests["most_expensive"][0], *costly, "{}", answer.text);
        assert!(
            number(&costly["call_sec"]) > 0.1 && number(&costly["setup_sec"]) >= 0.35,
            "{costly}"
        );
        let fixture = &tests["fixtures"][0];
        assert!(fixture["name"].as_str().unwrap().starts_with("database ("), "{fixture}");
        assert!((0.35..2.0).contains(&number(&fixture["total_sec"])), "{fixture}");
        assert!(tests["collection_sec"].as_f64().is_some(), "{}", answer.text);
        assert_names_the_function(&answer);
        assert_only_own_lines(&answer);
        let left = ["__pycache__", ".pytest_cache", "tests/__pycache__"];
        assert!(!left.iter().any(|name| place.path().join(name).exists()), "something is left");
        session.close().await;
    }
}

#[tokio::test]
async fn a_single_quick_test_is_repeated_until_there_are_samples() {
    let place = project(TESTS);
    let python = with_pytest(&system_python());
    let session = Session::open(&place.path()).await;
    place.write("tests/test_quick.py", "from shop import price\n\ndef test_quick():\n    assert price(20_000) > 0\n\ndef test_fails():\n    assert price(20_000) < 0\n");
    for (name, outcome) in [("test_quick", "passed"), ("test_fails", "failed")] {
        let selector = format!("tests/test_quick.py::{name}");
        let arguments = json!({"wait_sec": 300, "selector": [selector], "python": python});
        let answer = session.call("profile_tests", arguments).await;
        let told = test(&answer, name);
        assert_eq!(told["outcome"], outcome, "{}", answer.text);
        assert!(told["rounds"].as_u64().unwrap() > 10, "{}", answer.text);
        assert!(number(&answer.structured["summary"]["cpu_samples"]) > 10.0, "{}", answer.text);
        assert_eq!(answer.structured["top_lines"][0]["function_name"], "price", "{}", answer.text);
        let counted = number(&answer.structured["tests"]["passed"])
            + number(&answer.structured["tests"]["failed"]);
        assert!((0.99..1.01).contains(&counted), "{}", answer.text);
    }
    let some = json!({"wait_sec": 300, "keyword": "quick and not fails", "python": python});
    let chosen = session.call("profile_tests", some).await;
    assert_eq!(chosen.structured["tests"]["passed"], 1, "{}", chosen.text);
    session.close().await;
}

/// Each round leaves its words in a file; the test in the second file passes once.
const ROUNDS: &str = "\
import time
import pytest

def note(word):
    with open('rounds', 'a') as file:
        print(word, file=file)

@pytest.fixture(scope='session')
def whole():
    note('whole')
    yield
    note('whole ends')

@pytest.fixture(scope='module')
def part(whole):
    time.sleep(0.05)
    note('part')

def test_first(part):
    note('first')
    time.sleep(0.05)

def test_last():
    note('last')
";
const ONCE: &str = "\
import time

runs = []

def test_before():
    time.sleep(0.2)

def test_once():
    runs.append(1)
    assert len(runs) == 1
";

#[tokio::test]
async fn a_further_round_is_all_tests_with_all_their_fixtures() {
    let place = project(TESTS);
    place.write("tests/test_rounds.py", ROUNDS);
    place.write("tests/test_once.py", ONCE);
    let python = with_pytest(&system_python());
    let session = Session::open(&place.path()).await;
    let of = |file: &str| {
        let arguments =
            json!({"wait_sec": 300, "selector": [file], "python": python, "engine": "sampler"});
        session.call("profile_tests", arguments)
    };
    let answer = of("tests/test_rounds.py").await;
    let rounds = test(&answer, "test_first")["rounds"].as_u64().unwrap();
    assert!(rounds > 2, "{}", answer.text);
    assert_eq!(test(&answer, "test_last")["rounds"], rounds, "{}", answer.text);
    let words = std::fs::read_to_string(place.path().join("rounds")).unwrap();
    for word in ["whole", "part", "first", "last", "whole ends"] {
        let times = words.lines().filter(|line| *line == word).count();
        assert_eq!(times as u64, rounds, "{word} in\n{words}");
    }
    let fixture = &answer.structured["tests"]["fixtures"][0];
    assert_eq!(fixture["calls"], 1, "what is told is of the first round: {fixture}");

    let answer = of("tests/test_once.py").await;
    let told = test(&answer, "test_once");
    assert_eq!(
        (&told["outcome"], &told["rounds"]),
        (&json!("passed"), &json!(2)),
        "{}",
        answer.text
    );
    let warnings = answer.structured["warnings"].to_string();
    assert!(warnings.contains("it depends on being run once"), "{warnings}");
    session.close().await;
}

#[tokio::test]
async fn tests_that_cannot_be_run_are_errors_that_name_what_there_is() {
    let place = project(TESTS);
    place.write("broken/test_broken.py", "import no_such_module\n\ndef test_a():\n    pass\n");
    place.write("empty/other.py", "");
    let python = with_pytest(&system_python());
    let session = Session::open(&place.path()).await;
    let cases = [
        (
            json!({"selector": ["tests/test_shop.py::test_cosly"]}),
            "no_tests",
            "tests/test_shop.py::test_costly",
        ),
        (json!({"selector": ["tests/test_shops.py"]}), "no_tests", "tests/test_shop.py"),
        (json!({"selector": ["empty"]}), "no_tests", "tests/test_shop.py"),
        (
            json!({"selector": ["tests"], "keyword": "nothing_like_it"}),
            "no_tests",
            "matches none of 4 tests",
        ),
        (json!({"selector": ["broken"]}), "collection_failed", "No module named 'no_such_module'"),
        (json!({"selector": ["--pdb"]}), "invalid_argument", "`args`"),
    ];
    for (mut arguments, code, why) in cases {
        arguments["python"] = json!(python);
        arguments["wait_sec"] = json!(300);
        let failure = session.failure("profile_tests", arguments.clone()).await;
        assert!(failure.starts_with(code) && failure.contains(why), "{arguments}: {failure}");
    }
    // No pytest there.
    let bare = environment(&system_python(), "bare", None).display().to_string();
    let none = json!({"wait_sec": 300, "python": bare, "selector": ["tests/test_shop.py"]});
    let failure = session.failure("profile_tests", none).await;
    assert!(failure.starts_with("no_pytest"), "{failure}");
    session.close().await;
}

#[tokio::test]
async fn suites_of_unittest_are_run_where_there_is_no_pytest() {
    let place = project(CASES);
    let session = Session::open(&place.path()).await;
    let bare = environment(&system_python(), "bare", None).display().to_string();
    let file = session
        .call(
            "profile_tests",
            json!({"wait_sec": 300, "python": bare, "selector": ["tests/test_shop.py"]}),
        )
        .await;
    let tests = &file.structured["tests"];
    assert!(tests["runner"].as_str().unwrap().starts_with("unittest 3."), "{}", file.text);
    let counts =
        ["passed", "failed", "skipped", "errors"].map(|kind| tests[kind].as_u64().unwrap());
    assert_eq!(counts, [1, 1, 1, 0], "{}", file.text);
    assert!(
        tests["failures"][0]["message"].as_str().unwrap().contains("prices differ"),
        "{}",
        file.text
    );
    assert!(number(&test(&file, "test_costly")["setup_sec"]) >= 0.045, "{}", file.text);
    let fixture = &tests["fixtures"][0];
    assert_eq!(fixture["name"], "setUpClass (Prices)", "{}", file.text);
    assert_only_own_lines(&file);

    let name = "tests.test_shop.Prices.test_costly";
    let one = session
        .call("profile_tests", json!({"wait_sec": 300, "python": bare, "selector": [name]}))
        .await;
    assert_eq!(one.structured["tests"]["passed"], 1, "{}", one.text);
    assert_names_the_function(&one);
    let wrong =
        json!({"wait_sec": 300, "python": bare, "selector": ["tests.test_shop.Prices.test_costl"]});
    let failure = session.failure("profile_tests", wrong).await;
    assert!(failure.starts_with("no_tests") && failure.contains(name), "{failure}");
    session.close().await;
}

#[tokio::test]
async fn a_test_that_ends_the_run_or_never_ends_is_named() {
    let cases = "import os, time, unittest\n\ndef busy(seconds):\n    until = time.process_time() + seconds\n    \
                 while time.process_time() < until:\n        pass\n\n\
                 class Ends(unittest.TestCase):\n    def test_a(self):\n        busy(0.3)\n    \
                 def test_b(self):\n        busy(0.6)\n        os._exit(3)\n\n\
                 class Hangs(unittest.TestCase):\n    def test_c(self):\n        busy(600)\n";
    let place = Place::new();
    place.write("test_ends.py", cases);
    let session = Session::open(&place.path()).await;
    let bare = environment(&system_python(), "bare", None).display().to_string();
    for (class, timeout, ended, open) in [
        ("Ends", 300, "exit 3", "test_ends.Ends.test_b"),
        ("Hangs", 6, "stopped at the time limit", "test_ends.Hangs.test_c"),
    ] {
        let arguments = json!({"wait_sec": 300, "python": bare, "timeout": timeout,
            "selector": [format!("test_ends.{class}")]});
        let answer = session.call("profile_tests", arguments).await;
        let found = &answer.structured;
        assert_eq!(found["outcome"]["description"], ended, "{}", answer.text);
        let errors = found["errors"].to_string();
        assert!(errors.contains(&format!("`{open}` began and did not end")), "{}", answer.text);
        assert_eq!(found["top_lines"][0]["function_name"], "busy", "{}", answer.text);
    }
    session.close().await;
}

#[tokio::test]
async fn cases_of_unittest_fail_in_every_round_of_pytest() {
    let place = Place::new();
    let cases = "import unittest\n\nclass Prices(unittest.TestCase):\n    def test_right(self):\n        \
                 self.assertEqual(sum(range(20000)), 199990000)\n    def test_wrong(self):\n        \
                 self.assertEqual(sum(range(20000)), 1)\n";
    place.write("test_prices.py", cases);
    let session = Session::open(&place.path()).await;
    let python = with_pytest(&system_python());
    let arguments = json!({"wait_sec": 300, "python": python, "selector": ["test_prices.py"]});
    let answer = session.call("profile_tests", arguments).await;
    assert!(!answer.text.contains("depends on being run once"), "{}", answer.text);
    let wrong = test(&answer, "test_wrong");
    assert!(wrong["rounds"].as_u64().unwrap() > 5, "{}", answer.text);
    let message = answer.structured["tests"]["failures"][0]["message"].as_str().unwrap();
    assert!(message.contains("test_prices.py:7"), "{message}");

    // And unittest shows the line of the test, none of ours.
    let bare = environment(&system_python(), "bare", None).display().to_string();
    let arguments = json!({"wait_sec": 300, "python": bare, "selector": ["test_prices"]});
    let answer = session.call("profile_tests", arguments).await;
    let message = answer.structured["tests"]["failures"][0]["message"].as_str().unwrap();
    assert!(
        message.contains("test_prices.py\", line 7") && !message.contains("run_tests"),
        "{message}"
    );
    let options = json!({"python": python, "args": ["--nonsense"]});
    let failure = session.failure("profile_tests", options).await;
    assert!(failure.contains("unrecognized arguments: --nonsense"), "{failure}");
    session.close().await;
}
