//! How often the profile names the true place, on programs whose truth is proven.
//!
//! `fixtures/accuracy/README.md` says what the programs claim, and its `prove.py` proves it without a
//! profiler. Here each is profiled, three times on every Python found, and three rankings are held
//! against the truth: Scalene's own figures, the stacks that were sampled beside it, and what the
//! product makes of both. Most are profiled as scripts; others each by the way in that they are for.
//!
//! ```text
//! cargo test --test accuracy                        # all programs, three runs
//! cargo test --test accuracy -- sort_in_c 3.11 x1   # this program, this Python, one run
//! cargo test --test accuracy -- ways                # those that have a way in of their own
//! cargo test --test accuracy -- scripts             # the others
//! cargo test --test accuracy -- sampler 3.12 x1     # the others by the sampler alone
//! ```
//!
//! It measures: the exit code is 0 whatever the scores. A run without a profile is said, and counts as
//! a wrong answer to every question.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; its table is for people"
)]

use std::path::{Path, PathBuf};

#[path = "../it/support/installed.rs"]
mod installed;
mod programs;
mod score;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod table;
mod way;
mod ways;
mod witnesses;

use programs::Program;
use score::Score;
use support::pythons;
use table::Row;
use way::Way;
use witnesses::Outlines;

const SCALENE: &str = "2.4.0";
/// Pythons for programs that are scripts, and for those with a way of their own.
const VERSIONS: [&str; 4] = ["3.10", "3.11", "3.12", "3.13"];
const VERSIONS_OF_WAYS: [&str; 4] = ["3.8", "3.11", "3.12", "3.13"];
/// What scripts import beside the standard library.
const PACKAGES: [&str; 2] = ["numpy", "pandas"];
/// What runs the tests of those that are tests.
const PYTEST: [&str; 1] = ["pytest==8.3.5"];

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let named = |name: &str| asked.iter().any(|arg| arg == name);
    let runs = asked.iter().find_map(|arg| arg.strip_prefix('x')?.parse().ok()).unwrap_or(3);
    let mut suite = Suite::new(runs);
    if suite.programs.iter().any(|program| named(&program.name)) {
        suite.programs.retain(|program| named(&program.name));
    }
    if named("ways") {
        suite.programs.retain(Program::has_way);
    }
    if named("scripts") || named("sampler") {
        suite.programs.retain(|program| !program.has_way());
    }
    if named("sampler") {
        suite.programs.retain(|program| !program.memory());
        suite.programs.iter_mut().for_each(|program| program.way = Way::Sampler);
    }
    let is_version = |arg: &&String| arg.starts_with("3.");
    let versions: Vec<String> = asked.iter().filter(is_version).cloned().collect();
    let mut rows = Vec::new();
    table::head();
    for ((version, python), program) in suite.plan(&versions) {
        let score = suite.score(&program, &python);
        let row = Row { program: program.name, way: program.way.word(), version, score };
        row.print();
        rows.push(row);
    }
    table::totals(&rows);
    for failure in &suite.failed {
        println!("cannot be run: {failure}");
    }
}

/// A Python by its version.
type Python = ((u32, u32), PathBuf);

/// The programs, and what it takes to run them.
struct Suite {
    sources: Vec<(String, String)>,
    programs: Vec<Program>,
    outlines: Outlines,
    runs: u32,
    runtime: tokio::runtime::Runtime,
    /// Runs without a profile.
    failed: Vec<String>,
}

impl Suite {
    fn new(runs: u32) -> Self {
        let sources = programs::sources();
        Self {
            programs: programs::programs(&sources),
            outlines: Outlines::new(&sources),
            sources,
            runs,
            runtime: tokio::runtime::Runtime::new().unwrap(),
            failed: Vec::new(),
        }
    }

    /// Which program is run on which Python: on those that were asked for, or on its usual ones.
    fn plan(&self, versions: &[String]) -> Vec<(Python, Program)> {
        let all = VERSIONS.into_iter().chain(VERSIONS_OF_WAYS).map(str::to_owned);
        let asked = if versions.is_empty() { all.collect() } else { versions.to_vec() };
        let mut plan = Vec::new();
        for python in installed::pythons(&asked) {
            let version = python.0;
            let text = format!("{}.{}", version.0, version.1);
            for program in &self.programs {
                let usual = if program.has_way() { VERSIONS_OF_WAYS } else { VERSIONS };
                let wanted = !versions.is_empty() || usual.contains(&text.as_str());
                if wanted && program.python <= version {
                    plan.push((python.clone(), program.clone()));
                }
            }
        }
        plan
    }

    /// All runs of one program on one Python.
    fn score(&mut self, program: &Program, python: &Path) -> Score {
        let environment = environment(program, python);
        let mut score = Score::default();
        for _ in 0..self.runs {
            let run = ways::profile(program, &self.sources, &environment);
            match self.runtime.block_on(run) {
                Ok(profile) => score.add(program, &profile, &self.outlines),
                Err(why) => {
                    score.add_nothing(program);
                    self.failed.push(format!(
                        "{} in {}: {why}",
                        program.name,
                        environment.display()
                    ));
                }
            }
        }
        score
    }
}

/// An environment with what a program imports; for scripts with a Scalene of its own.
fn environment(program: &Program, python: &Path) -> PathBuf {
    let ask = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    let output = pythons::command(python).args(["-c", ask]).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    if program.has_way() {
        return pythons::with_packages(python, &format!("accuracy-ways-{version}"), &PYTEST);
    }
    let venv = pythons::environment(python, &format!("accuracy-{version}"), Some(SCALENE));
    let python = || pythons::command(venv.join("bin/python"));
    let import = format!("import {}", PACKAGES.join(", "));
    if !python().args(["-c", &import]).output().unwrap().status.success() {
        let install =
            python().args(["-m", "pip", "install", "-q"]).args(PACKAGES).output().unwrap();
        assert!(install.status.success(), "{}", String::from_utf8_lossy(&install.stderr));
    }
    venv
}
