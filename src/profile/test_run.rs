//! What became of a run of tests, and what each of them cost.

use serde::{Deserialize, Serialize};

use super::units::Seconds;

/// A run of tests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestRun {
    /// `pytest` or `unittest`.
    pub runner: String,
    /// Its version.
    pub version: String,
    /// Tests that were found.
    pub collected: usize,
    /// Time to find them, with the imports of their modules.
    pub collection: Option<Seconds>,
    /// Tests by outcome.
    pub counts: TestCounts,
    /// Tests with their cost, the most expensive first; [`TestRun::MOST_TESTS`] at most.
    pub tests: Vec<TestCost>,
    /// Fixtures with their cost, the most expensive first; [`TestRun::MOST_FIXTURES`] at most.
    pub fixtures: Vec<FixtureCost>,
    /// Imports that took longest, seconds by module, without those of the test runner.
    pub imports: Vec<(String, Seconds)>,
}

/// Tests by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestCounts {
    /// Passed, those that were expected to fail and passed included.
    pub passed: usize,
    /// An assertion or another exception in the test itself.
    pub failed: usize,
    /// Skipped, or failed as expected.
    pub skipped: usize,
    /// An exception in a fixture, before or after the test.
    pub errors: usize,
}

/// A test: seconds of its first round.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct TestCost {
    /// Name of the test, as the runner takes it.
    pub name: String,
    /// `passed`, `failed`, `skipped` or `error`.
    pub outcome: String,
    /// Time in fixtures and `setUp` before it.
    pub setup: Seconds,
    /// Time of the test itself.
    pub call: Seconds,
    /// Time after it.
    pub teardown: Seconds,
    /// How often it was run: more than once, if it was too quick for samples.
    pub rounds: u64,
    /// What failed, as the runner words it.
    pub message: Option<String>,
}

/// A fixture, or `setUpClass` and `setUpModule`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FixtureCost {
    /// Its name, with where it is defined.
    pub name: String,
    /// `function`, `class`, `module`, `package` or `session`.
    pub scope: String,
    /// Time in it, over all its calls in first rounds; without the fixtures that it asks for.
    pub total: Seconds,
    /// How often it was set up in first rounds.
    pub calls: u64,
}

impl TestCost {
    /// Setup, call and teardown together.
    pub fn total(&self) -> f64 {
        self.setup.get() + self.call.get() + self.teardown.get()
    }
}

impl TestRun {
    /// Most tests that are kept.
    pub const MOST_TESTS: usize = 200;
    /// Most fixtures that are kept.
    pub const MOST_FIXTURES: usize = 50;

    /// Bytes that it occupies beside its own size.
    pub(super) fn bytes(&self) -> usize {
        let tests = self.tests.iter().map(|test| {
            let message = test.message.as_ref().map_or(0, String::capacity);
            size_of::<TestCost>() + test.name.capacity() + message
        });
        let fixtures = { self.fixtures.iter() }
            .map(|fixture| size_of::<FixtureCost>() + fixture.name.capacity());
        tests.sum::<usize>() + fixtures.sum::<usize>()
    }
}
