//! How often the profile names the true place, on programs whose truth is proven.
//!
//! `fixtures/accuracy/README.md` says what the programs claim, and its `prove.py` proves it without a
//! profiler. Here each is profiled, three times on every Python found, and three rankings are held
//! against the truth: Scalene's own figures, the stacks that were sampled beside it, and what the
//! product makes of both.
//!
//! ```text
//! cargo test --test accuracy                        # all programs, 3.10 to 3.13, three runs
//! cargo test --test accuracy -- sort_in_c 3.11 x1   # this program, this Python, one run
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
use std::time::Duration;

use scalene_mcp::ScaleneProfiler;
use scalene_mcp::analysis::leaks::{leaks, undecided};
use scalene_mcp::process::Controls;
use scalene_mcp::profile::Profile;
use scalene_mcp::recording::{Proving, Recorder, RunRequest, Settings, Target};
use tokio::time::Instant;

#[path = "../it/support/installed.rs"]
mod installed;
mod programs;
mod score;
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;
mod witnesses;

use programs::Program;
use score::{LEAKS_BY, Leaks, QUESTIONS, Score};
use support::pythons;
use witnesses::{Outlines, Witness};

const SCALENE: &str = "2.4.0";
const VERSIONS: [&str; 4] = ["3.10", "3.11", "3.12", "3.13"];
/// What programs import beside the standard library.
const PACKAGES: [&str; 2] = ["numpy", "pandas"];

/// Longest time of a second run that records all allocations, with the reading of its record.
const PROVEN_WITHIN: Duration = Duration::from_secs(45);

/// One program on one Python.
struct Row {
    version: (u32, u32),
    score: Score,
}

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let named = |name: &str| asked.iter().any(|arg| arg == name);
    let versions: Vec<&str> = VERSIONS.into_iter().filter(|version| named(version)).collect();
    let versions = if versions.is_empty() { VERSIONS.to_vec() } else { versions };
    let versions: Vec<String> = versions.into_iter().map(str::to_owned).collect();
    let runs = asked.iter().find_map(|arg| arg.strip_prefix('x')?.parse().ok()).unwrap_or(3);
    let mut suite = Suite::new(runs);
    if suite.programs.iter().any(|program| named(&program.name)) {
        suite.programs.retain(|program| named(&program.name));
    }
    head();
    let mut rows = Vec::new();
    for (version, python) in installed::pythons(&versions) {
        let environment = environment(&python);
        for program in suite.programs.clone().iter().filter(|one| one.python <= version) {
            let score = suite.score(program, &environment);
            print_row(program, version, &score);
            rows.push(Row { version, score });
        }
    }
    totals(&rows);
    for failure in &suite.failed {
        println!("cannot be run: {failure}");
    }
}

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

    /// All runs of one program in one environment.
    fn score(&mut self, program: &Program, environment: &Path) -> Score {
        let mut score = Score::default();
        for _ in 0..self.runs {
            match self.runtime.block_on(profile(program, &self.sources, environment)) {
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

/// An environment with Scalene and the packages that programs import.
fn environment(python: &Path) -> PathBuf {
    let ask = "import sys; print('%d.%d.%d' % sys.version_info[:3])";
    let output = pythons::command(python).args(["-c", ask]).output().unwrap();
    let version = String::from_utf8(output.stdout).unwrap().trim().to_owned();
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

/// A run in a folder of its own, since programs write files.
async fn profile(
    program: &Program,
    sources: &[(String, String)],
    environment: &Path,
) -> Result<Profile, String> {
    let place = support::place::Place::new();
    let name = format!("{}.py", program.name);
    for (file, text) in sources.iter().filter(|(file, _)| *file == name || file.starts_with('_')) {
        place.write(file, text);
    }
    let mut request = RunRequest::new(Target::Script(name));
    request.python = Some(environment.display().to_string());
    request.cwd = Some(place.path());
    request.measure.memory = program.memory();
    let settings = Settings { cache_dir: pythons::cache_dir(), ..Settings::default() };
    let profile = ScaleneProfiler::with_settings(settings.clone()).profile(&request).await;
    let profile = profile.map_err(|error| error.to_string().replace('\n', " "))?;
    if !program.memory() || !leaks(&profile).as_ref().is_some_and(undecided) {
        return Ok(profile);
    }
    // As `get_memory_leaks` does by default.
    let proving = Proving { request, deadline: Instant::now() + PROVEN_WITHIN };
    let proven =
        Recorder::new(settings).prove(&profile, &proving, &Controls::default(), &mut |_| {}).await;
    Ok(proven.unwrap_or(profile))
}

fn head() {
    println!("In each cell: {}; right runs of all runs.\n", QUESTIONS.join(", "));
    let names = Witness::ALL.map(Witness::name).join(" | ");
    let leaks = LEAKS_BY.join(", ");
    println!("| program | Python | {names} | leaks: {leaks} | wrong answers |");
    println!("|---|---|---|---|---|---|---|");
}

fn print_row(program: &Program, version: (u32, u32), score: &Score) {
    let cells = score.counts.map(|counts| counts.map(score::Count::text).join(" "));
    let leaks = score.leaks.map(Leaks::text).join("; ");
    let mut misses = score.misses.clone();
    misses.sort();
    misses.dedup();
    println!(
        "| {} | {}.{} | {} | {leaks} | {} |",
        program.name,
        version.0,
        version.1,
        cells.join(" | "),
        misses.join("; ")
    );
}

fn totals(rows: &[Row]) {
    let mut versions: Vec<(u32, u32)> = rows.iter().map(|row| row.version).collect();
    versions.dedup();
    println!("\nShare of right answers, with the 95 % interval over programs.\n");
    println!("| Python | witness | {} |", QUESTIONS.join(" | "));
    println!("|---|---|---|---|---|---|");
    for version in &versions {
        let here: Vec<&Row> = rows.iter().filter(|row| row.version == *version).collect();
        time_totals(&format!("{}.{}", version.0, version.1), &here);
    }
    println!(
        "\n| Python | leaks by | recall | precision | programs without a leak that are accused |"
    );
    println!("|---|---|---|---|---|");
    for version in &versions {
        let here: Vec<&Row> = rows.iter().filter(|row| row.version == *version).collect();
        leak_totals(&format!("{}.{}", version.0, version.1), &here);
    }
}

fn time_totals(python: &str, rows: &[&Row]) {
    for (index, witness) in Witness::ALL.into_iter().enumerate() {
        let cells = [0, 1, 2, 3].map(|question| {
            let counts = rows.iter().map(|row| row.score.counts[index][question]);
            let asked = counts.filter(|count| count.asked > 0);
            let shares: Vec<f64> =
                asked.map(|count| f64::from(count.right) / f64::from(count.asked)).collect();
            score::share(&shares)
        });
        println!("| {python} | {} | {} |", witness.name(), cells.join(" | "));
    }
}

fn leak_totals(python: &str, rows: &[&Row]) {
    for (index, who) in LEAKS_BY.into_iter().enumerate() {
        let leaks: Vec<Leaks> = rows.iter().map(|row| row.score.leaks[index]).collect();
        let leaking = leaks.iter().filter(|one| one.leaking > 0);
        let found: Vec<f64> =
            leaking.map(|one| f64::from(one.found) / f64::from(one.leaking)).collect();
        let (right, wrong) =
            leaks.iter().fold((0, 0), |sum, one| (sum.0 + one.found, sum.1 + one.innocent));
        let innocent = leaks.iter().filter(|one| one.runs > 0 && one.leaking == 0);
        let accused: Vec<f64> = innocent.map(|one| f64::from(u8::from(one.innocent > 0))).collect();
        println!(
            "| {python} | {who} | {} | {right} of {} named | {} |",
            score::share(&found),
            right + wrong,
            score::share(&accused)
        );
    }
}
