//! What became of a run of tests.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::{amount, count, one_line, table};
use crate::profile::{FixtureCost, Seconds, TestCost, TestRun};

/// Most tests by cost, tests that failed, fixtures and imports that are told.
const MOST_TESTS: usize = 10;
const MOST_FAILED: usize = 10;
const MOST_FIXTURES: usize = 5;
const MOST_IMPORTS: usize = 5;
/// Fewer seconds are nothing to name.
const NAMED: f64 = 0.001;
/// A fixture that takes this part of all tests or more is told, as is an import of this part of the collection.
const NAMED_PART: f64 = 0.02;
/// Characters of a message: of each at most, and for each row that there may be.
const MESSAGE: usize = 700;
/// Characters of a name: longer ones cannot be asked for again, but by `-k`.
const NAME: usize = 300;
const MESSAGE_PER_ROW: usize = 120;

/// What one test cost, in its first round.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TestInfo {
    /// As `selector` takes it.
    pub name: String,
    /// `passed`, `failed`, `skipped` or `error` (outside the test itself).
    pub outcome: String,
    /// Seconds in fixtures before it.
    pub setup_sec: f64,
    /// Seconds of the test itself.
    pub call_sec: f64,
    /// Seconds after it.
    pub teardown_sec: f64,
    /// How often it was run: a quick test is repeated until there are samples.
    pub rounds: u64,
    /// What failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

/// What a fixture cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FixtureInfo {
    /// Its name, and where it is defined.
    pub name: String,
    /// `function`, `class`, `module`, `package` or `session`.
    pub scope: String,
    /// Seconds to set it up, all times together, without other fixtures.
    pub total_sec: f64,
    /// Times it was set up.
    pub calls: u64,
}

/// Seconds of a module's import.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ImportInfo {
    /// The module.
    pub module: String,
    /// Seconds.
    pub seconds: f64,
}

/// A run of tests.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TestsInfo {
    /// `pytest` or `unittest`, with its version.
    pub runner: String,
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that were skipped, or failed as expected.
    pub skipped: usize,
    /// Tests with an exception outside the test itself.
    pub errors: usize,
    /// Seconds to find the tests, with the imports of their modules.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collection_sec: Option<f64>,
    /// The most expensive tests.
    pub most_expensive: Vec<TestInfo>,
    /// Tests that failed, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<TestInfo>,
    /// Fixtures that take a fiftieth of all tests' time or more.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fixtures: Vec<FixtureInfo>,
    /// Modules whose import took longest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub imports: Vec<ImportInfo>,
}

fn info(test: &TestCost, rows: usize) -> TestInfo {
    let most = MESSAGE.min(rows.saturating_mul(MESSAGE_PER_ROW));
    let cut = |text: &String| {
        let short: String = text.chars().take(most).collect();
        if short.len() < text.len() { format!("{short} …") } else { short }
    };
    TestInfo {
        name: one_line(&test.name, NAME),
        outcome: test.outcome.clone(),
        setup_sec: test.setup.rounded(),
        call_sec: test.call.rounded(),
        teardown_sec: test.teardown.rounded(),
        rounds: test.rounds,
        message: test.message.as_ref().map(cut),
    }
}

impl TestsInfo {
    /// With so many rows of each kind at most.
    pub(super) fn of(run: &TestRun, rows: usize) -> Self {
        let all: f64 = run.tests.iter().map(TestCost::total).sum();
        let named = |fixture: &&FixtureCost| fixture.total.get() >= (NAMED_PART * all).max(NAMED);
        let collection = run.collection.map_or(0.0, Seconds::get);
        let slow =
            |(_, time): &&(String, Seconds)| time.get() >= (NAMED_PART * collection).max(NAMED);
        let failed = |test: &&TestCost| ["failed", "error"].contains(&test.outcome.as_str());
        Self {
            runner: format!("{} {}", run.runner, run.version),
            passed: run.counts.passed,
            failed: run.counts.failed,
            skipped: run.counts.skipped,
            errors: run.counts.errors,
            collection_sec: run.collection.map(Seconds::rounded),
            most_expensive: { run.tests.iter().take(MOST_TESTS.min(rows)) }
                .map(|test| TestInfo { message: None, ..info(test, rows) })
                .collect(),
            failures: run
                .tests
                .iter()
                .filter(failed)
                .take(MOST_FAILED.min(rows))
                .map(|test| info(test, rows))
                .collect(),
            fixtures: { run.fixtures.iter().filter(named).take(MOST_FIXTURES) }
                .map(|fixture| FixtureInfo {
                    name: fixture.name.clone(),
                    scope: fixture.scope.clone(),
                    total_sec: fixture.total.rounded(),
                    calls: fixture.calls,
                })
                .collect(),
            imports: { run.imports.iter().filter(slow).take(MOST_IMPORTS) }
                .map(|(module, time)| ImportInfo {
                    module: module.clone(),
                    seconds: time.rounded(),
                })
                .collect(),
        }
    }

    pub(super) fn text(&self) -> String {
        let kinds = [
            (self.passed, "passed"),
            (self.failed, "failed"),
            (self.errors, "with errors"),
            (self.skipped, "skipped"),
        ];
        let counts = { kinds.iter() }
            .filter(|(number, _)| *number > 0)
            .map(|(number, word)| format!("{number} {word}"));
        let mut counts = counts.collect::<Vec<_>>().join(", ");
        if counts.is_empty() {
            counts.push_str("none ended");
        }
        let mut text = format!("Tests ({}): {counts}", self.runner);
        text.extend(self.collection_sec.map(|time| {
            format!("; found within {} s, imports of their modules included", amount(time))
        }));
        text.push('\n');
        let rows = self.most_expensive.iter().map(|test| {
            let times = [test.setup_sec, test.call_sec, test.teardown_sec].map(amount);
            let name = format!("{}  {}", test.outcome, one_line(&test.name, 160));
            times.into_iter().chain([test.rounds.to_string(), name]).collect()
        });
        let head =
            ["setup s", "call s", "teardown s", "rounds", "test (seconds of its first round)"];
        let rows: Vec<Vec<String>> = rows.collect();
        if !rows.is_empty() {
            text.push_str(&table(&head, &rows));
        }
        for test in &self.failures {
            let message = test.message.as_deref().unwrap_or_default();
            text.push_str(&format!("{} {}: {message}\n", test.outcome, one_line(&test.name, 160)));
        }
        for fixture in &self.fixtures {
            text.push_str(&format!(
                "Fixture {} ({}): {} s in {}\n",
                one_line(&fixture.name, 160),
                fixture.scope,
                amount(fixture.total_sec),
                count(fixture.calls, "call")
            ));
        }
        let imports: Vec<_> = { self.imports.iter() }
            .map(|import| format!("{} {} s", one_line(&import.module, 80), amount(import.seconds)))
            .collect();
        if !imports.is_empty() {
            text.push_str(&format!("Imports: {}\n", imports.join(", ")));
        }
        text
    }
}
