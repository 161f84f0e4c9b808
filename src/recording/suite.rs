//! Runs of tests: what is asked for, and what `run_tests.py` told of them.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::error::{Ran, RecordError};
use super::guard::Guard;
use super::request::{RunRequest, expand_home};
use super::workspace::{self, Workspace};
use crate::profile::{FixtureCost, Outcome, Seconds, TestCost, TestCounts, TestRun};
use crate::python;
use crate::scalene::LaunchState;

/// Runs the tests, in the program's process.
const RUNNER: &str = include_str!("run_tests.py");
/// Files of a run of tests.
const RUNNER_FILE: &str = "run_tests.py";
const REQUEST_FILE: &str = "tests.json";
const NOTES_FILE: &str = "tests.jsonl";
/// Largest file of notes that is read.
const MOST_NOTES: u64 = 64 << 20;
/// Imports that are told.
const MOST_IMPORTS: usize = 10;

/// Tests to run with pytest, or with unittest where there is no pytest or names with dots are given.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tests {
    /// Paths and node ids of pytest, or dotted names of unittest; empty for all tests of the working directory.
    pub selector: Vec<String>,
    /// What names of tests must match, as after `-k`.
    pub keyword: Option<String>,
    /// More arguments for pytest.
    pub args: Vec<String>,
}

/// What the runner is told.
#[derive(Serialize)]
struct Asked<'a> {
    selector: &'a [String],
    keyword: Option<&'a str>,
    args: &'a [String],
    notes: String,
    cache: String,
}

impl Tests {
    /// For people.
    pub(super) fn label(&self) -> String {
        let keyword = self.keyword.iter().flat_map(|keyword| ["-k".to_owned(), keyword.clone()]);
        let words = std::iter::once("pytest".to_owned()).chain(self.selector.iter().cloned());
        words.chain(keyword).chain(self.args.iter().cloned()).collect::<Vec<_>>().join(" ")
    }

    /// Its arguments as the program's.
    pub(super) fn arguments(&self) -> Vec<String> {
        let keyword = self.keyword.iter().flat_map(|keyword| ["-k".to_owned(), keyword.clone()]);
        self.args.iter().cloned().chain(keyword).chain(self.selector.iter().cloned()).collect()
    }

    /// As a call names it.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (String, Value)> {
        [
            ("selector", (!self.selector.is_empty()).then(|| json!(self.selector))),
            ("keyword", self.keyword.as_ref().map(|keyword| json!(keyword))),
            ("args", (!self.args.is_empty()).then(|| json!(self.args))),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    }

    pub(super) fn check(&self, request: &RunRequest) -> Result<(), RecordError> {
        let invalid = |parameter: &'static str, problem: String| {
            Err(RecordError::InvalidArgument { parameter, problem })
        };
        if let Some(option) = self.selector.iter().find(|word| word.starts_with('-')) {
            return invalid(
                "selector",
                format!(
                    "`{option}` is an option: `args` takes options of pytest, `keyword` what follows -k"
                ),
            );
        }
        if self.selector.iter().any(|word| word.trim().is_empty()) {
            return invalid("selector", "an entry is empty".to_owned());
        }
        if self
            .selector
            .iter()
            .chain(&self.args)
            .chain(&self.keyword)
            .any(|word| word.contains('\0'))
        {
            return invalid("selector", "an argument holds a NUL byte".to_owned());
        }
        if request.measure.count_calls || request.measure.plain_run {
            return invalid("count_calls", "not for tests".to_owned());
        }
        Ok(())
    }

    /// The folder or file of an entry, without the name of a test in it; `None` for a dotted name.
    fn path<'a>(entry: &'a str, cwd: &Path) -> Option<(PathBuf, &'a str)> {
        let (path, rest) = entry
            .split_once("::")
            .map_or((entry, ""), |(path, _)| (path, entry.get(path.len()..).unwrap_or_default()));
        let full = cwd.join(expand_home(path));
        let named = path.contains(std::path::is_separator)
            || Path::new(path).extension().is_some_and(|ending| ending == "py")
            || !rest.is_empty();
        (named || full.exists()).then_some((full, rest))
    }

    /// The working directory where none is asked for: that of the server, if what is named lies below it, else the
    /// root of its project.
    pub(super) fn folder(&self, own: &Path, home: Option<&Path>) -> Option<PathBuf> {
        let (path, _) = Self::path(self.selector.first()?, own)?;
        let path = path.canonicalize().ok()?;
        let near = if path.is_dir() { path.as_path() } else { path.parent()? };
        let fits = Some(own) != home && own.parent().is_some() && near.starts_with(own);
        (!fits).then(|| python::project_root(near, near, home))
    }

    /// Makes sure that all that is named lies in the folders of the server.
    pub(super) fn admit(&self, guard: &Guard, cwd: &Path) -> Result<(), RecordError> {
        for (path, _) in self.selector.iter().filter_map(|entry| Self::path(entry, cwd)) {
            guard.admit("selector", &path)?;
        }
        Ok(())
    }

    /// Writes what runs the tests; the file that Python is to run, and its arguments.
    pub(super) fn prepare(
        &self,
        cwd: &Path,
        workspace: &Workspace,
    ) -> Result<(String, Vec<String>), RecordError> {
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        let own = std::env::current_dir().unwrap_or_else(|_| cwd.to_owned());
        let full = |entry: &String| {
            let (path, rest) = Self::path(entry, cwd)?;
            // The home folder is the shell's to know; and what is named from the server's folder is found from there.
            let path = if entry.starts_with("~/") {
                path
            } else {
                Self::path(entry, &own)
                    .map(|(path, _)| path)
                    .filter(|from_own| !path.exists() && from_own.exists())?
            };
            Some(format!("{}{rest}", text(path)))
        };
        let selector: Vec<String> = self
            .selector
            .iter()
            .map(|entry| full(entry).unwrap_or_else(|| entry.clone()))
            .collect();
        let asked = Asked {
            selector: &selector,
            keyword: self.keyword.as_deref(),
            args: &self.args,
            notes: text(workspace.output(NOTES_FILE)),
            cache: text(workspace.output("cache")),
        };
        let json = serde_json::to_vec(&asked).unwrap_or_default();
        workspace.write(REQUEST_FILE, &json)?;
        workspace.write(RUNNER_FILE, RUNNER.as_bytes())?;
        Ok((text(runner(workspace)), vec![text(workspace.path(REQUEST_FILE))]))
    }
}

/// The file that runs the tests: no code of the user's.
pub(super) fn runner(workspace: &Workspace) -> PathBuf {
    workspace.path(RUNNER_FILE)
}

/// What Python is started with to run them, where no launcher is.
pub(super) fn arguments(workspace: &Workspace) -> [PathBuf; 2] {
    [runner(workspace), workspace.path(REQUEST_FILE)]
}

/// One line of what the runner told.
#[derive(Debug, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
enum Note {
    Runner { name: String, version: String },
    Warning { text: String },
    Collected { tests: usize, seconds: f64, imported: HashSet<String> },
    Begins { name: String },
    Test(Told),
    Rounds { rounds: u64 },
    Trouble { kind: String, text: String, near: Vec<String> },
}

#[derive(Debug, Deserialize)]
struct Told {
    name: String,
    outcome: String,
    message: Option<String>,
    setup: f64,
    call: f64,
    teardown: f64,
    rounds: u64,
    fixtures: Vec<(String, String, f64)>,
}

/// What is known of a run of tests.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Report {
    pub(super) run: TestRun,
    pub(super) warnings: Vec<String>,
    /// Modules that were imported to find the tests.
    imported: HashSet<String>,
    /// A test that began and did not end.
    open: Option<String>,
    /// Kind, text and similar names.
    trouble: Option<(String, String, Vec<String>)>,
}

impl Report {
    /// Reads what the runner told.
    pub(super) fn read(workspace: &Workspace, state: &LaunchState) -> Self {
        let bytes = workspace::read(&workspace.output(NOTES_FILE), MOST_NOTES).unwrap_or_default();
        let mut report = Self::of(&String::from_utf8_lossy(&bytes));
        let imports = state.floor.iter().flat_map(|floor| &floor.imports);
        // Those of the runner itself are no cost of the tests.
        report.run.imports = imports
            .filter(|(module, _)| report.imported.contains(module))
            .filter_map(|(module, time)| Some((module.clone(), Seconds::from_secs(*time)?)))
            .take(MOST_IMPORTS)
            .collect();
        report
    }

    fn of(notes: &str) -> Self {
        let mut report = Self::default();
        let mut fixtures: HashMap<(String, String), (f64, u64)> = HashMap::new();
        let seconds = |value: f64| Seconds::from_secs(value).unwrap_or_default();
        for note in notes.lines().filter_map(|line| serde_json::from_str(line).ok()) {
            let run = &mut report.run;
            match note {
                Note::Runner { name, version } => (run.runner, run.version) = (name, version),
                Note::Warning { text } => report.warnings.push(text),
                Note::Collected { tests, seconds: time, imported } => {
                    report.imported = imported;
                    (run.collected, run.collection) = (tests, Seconds::from_secs(time));
                }
                Note::Trouble { kind, text, near } => report.trouble = Some((kind, text, near)),
                Note::Rounds { rounds } => {
                    run.tests.iter_mut().for_each(|test| test.rounds = test.rounds.max(rounds));
                }
                Note::Begins { name } => report.open = Some(name),
                Note::Test(told) => {
                    report.open = None;
                    count(&mut run.counts, &told.outcome);
                    for (name, scope, time) in told.fixtures {
                        let sum = fixtures.entry((name, scope)).or_default();
                        *sum = (sum.0 + time, sum.1 + 1);
                    }
                    run.tests.push(TestCost {
                        name: told.name,
                        outcome: told.outcome,
                        setup: seconds(told.setup),
                        call: seconds(told.call),
                        teardown: seconds(told.teardown),
                        rounds: told.rounds,
                        message: told.message,
                    });
                }
            }
        }
        let run = &mut report.run;
        // Those that failed are kept whatever they cost.
        run.tests.sort_by(|a, b| b.total().total_cmp(&a.total()));
        let (kept, rest) = run.tests.split_at(run.tests.len().min(TestRun::MOST_TESTS));
        let failed = rest.iter().filter(|test| test.message.is_some()).take(TestRun::MOST_TESTS);
        run.tests = kept.iter().chain(failed).cloned().collect();
        run.fixtures = { fixtures.into_iter() }
            .map(|((name, scope), (total, calls))| FixtureCost {
                name,
                scope,
                total: seconds(total),
                calls,
            })
            .collect();
        run.fixtures.sort_by(|a, b| {
            b.total.get().total_cmp(&a.total.get()).then_with(|| a.name.cmp(&b.name))
        });
        run.fixtures.truncate(TestRun::MOST_FIXTURES);
        report
    }

    /// Tests that were run.
    pub(super) fn ran(&self) -> usize {
        let TestCounts { passed, failed, skipped, errors } = self.run.counts;
        passed + failed + skipped + errors
    }

    /// Why no test was run, if so.
    pub(super) fn failure(&self, tests: &Tests, ran: &Ran) -> Option<RecordError> {
        let ended = matches!(ran.outcome, Outcome::ExitCode(_));
        if self.ran() > 0 || self.open.is_some() || !ended {
            return None;
        }
        let ran = Box::new(ran.clone());
        let Some((kind, text, near)) = self.trouble.clone() else {
            let last = ran.stderr.last_lines(6);
            let error = last.iter().find(|line| line.contains("error:"));
            let said = error.map_or_else(|| last.join(" "), |line| (*line).to_string());
            let said = said.trim();
            let said = if said.is_empty() { "" } else { &format!(": {said}") };
            let problem = format!("no test was run ({}){said}", tests.label());
            return Some(RecordError::NoTests { problem, near: Vec::new(), ran });
        };
        Some(match kind.as_str() {
            "collection" => RecordError::CollectionFailed { problem: text, ran },
            "no_pytest" => RecordError::NoPytest { problem: text, ran },
            _ => RecordError::NoTests { problem: text, near, ran },
        })
    }

    /// What failed, in one line each.
    pub(super) fn errors(&self) -> Vec<String> {
        let TestCounts { failed, errors, .. } = self.run.counts;
        let of = self.ran();
        let failures = match (failed, errors) {
            (0, 0) => None,
            (_, 0) => Some(format!("{failed} of {of} tests failed")),
            _ => Some(format!(
                "{} of {of} tests failed, {errors} of them outside the test itself",
                failed + errors
            )),
        };
        let open = self.open.as_ref().map(|name| format!("`{name}` began and did not end"));
        failures.into_iter().chain(open).collect()
    }
}

fn count(counts: &mut TestCounts, outcome: &str) {
    match outcome {
        "passed" => counts.passed += 1,
        "failed" => counts.failed += 1,
        "skipped" => counts.skipped += 1,
        _ => counts.errors += 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTES: &str = r#"{"event": "runner", "name": "pytest", "version": "8.3.4"}
{"event": "collected", "tests": 3, "seconds": 0.25, "imported": ["shop"]}
{"event": "test", "name": "t.py::a", "outcome": "passed", "message": null, "setup": 0.5, "call": 0.1, "teardown": 0.0, "rounds": 3, "fixtures": [["db", "session", 0.4], ["row", "function", 0.1]]}
{"event": "test", "name": "t.py::b", "outcome": "failed", "message": "assert 1 == 2", "setup": 0.1, "call": 1.0, "teardown": 0.0, "rounds": 1, "fixtures": [["row", "function", 0.1]]}
{"event": "warning", "text": "careful"}
{"event": "begins", "name": "t.py::c"}
{"event": "test", "name": "t.py::c", "outc"#;

    #[test]
    fn notes_of_a_run_that_was_ended_are_read_as_far_as_they_go() {
        let report = Report::of(NOTES);
        let run = &report.run;
        assert_eq!((run.runner.as_str(), run.collected, report.ran()), ("pytest", 3, 2));
        assert_eq!(run.counts, TestCounts { passed: 1, failed: 1, ..TestCounts::default() });
        let names: Vec<&str> = run.tests.iter().map(|test| test.name.as_str()).collect();
        assert_eq!(names, ["t.py::b", "t.py::a"], "the most expensive first");
        let fixtures: Vec<_> =
            run.fixtures.iter().map(|one| (one.name.as_str(), one.calls)).collect();
        assert_eq!(fixtures, [("db", 1), ("row", 2)]);
        assert_eq!(report.errors(), ["1 of 2 tests failed", "`t.py::c` began and did not end"]);
        assert_eq!(report.warnings, ["careful"]);
    }

    #[test]
    fn options_are_no_tests() {
        let mut request = RunRequest::new(super::super::Target::Module("pytest".to_owned()));
        let refused = |selector: &str, request: &mut RunRequest| {
            let tests = Tests { selector: vec![selector.to_owned()], ..Tests::default() };
            request.tests = Some(tests.clone());
            tests.check(request).map_err(|error| error.to_string())
        };
        assert!(refused("-x", &mut request).unwrap_err().contains("`args`"));
        assert!(refused(" ", &mut request).is_err());
        assert!(refused("tests/test_a.py::test_b[1-2]", &mut request).is_ok());
    }
}
