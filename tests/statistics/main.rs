//! Holds the statistics against their promise, on machines whose speed varies in known ways.
//!
//! ```sh
//! cargo test --test statistics                     # a few thousand comparisons
//! cargo test --release --test statistics -- full   # 20,000 for each row; the table of docs/verification.md
//! ```
//!
//! Each comparison is a program that takes 0.5 to 1 s, run against a changed one until the rule or the
//! budget of time ends it, as `verify_speedup` does; only the clock is made up. Chance has fixed
//! seeds, so that every run of this gives the same figures.

#![expect(clippy::print_stdout, reason = "it reports")]
#![expect(clippy::cast_precision_loss, reason = "numbers of comparisons")]

mod machine;

use std::process::ExitCode;

use machine::{Chance, Machine, Noise};
use scalene_mcp::statistics::{Pair, Rule, Side, Step, Verdict, order};

/// Seconds that runs may take in all, as by default.
const BUDGET: f64 = 40.0;
/// What 1.1, 1.05 and 2 times as fast means for the ratio; 1 is no difference.
const TRUTHS: [f64; 5] = [1.0, 0.98, 1.0 / 1.05, 0.9, 0.5];

/// A kind of comparison.
#[derive(Clone, Copy)]
struct Case {
    machine: Machine,
    /// Candidate over baseline.
    truth: f64,
    /// Shortest and longest program, in seconds.
    program: (f64, f64),
    budget: f64,
}

/// What came out of many comparisons of one kind.
#[derive(Clone, Copy, Default)]
struct Tally {
    all: u32,
    /// With an interval.
    known: u32,
    covered: u32,
    faster: u32,
    slower: u32,
    same: u32,
    early: u32,
    pairs: u64,
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.all += other.all;
        self.known += other.known;
        self.covered += other.covered;
        self.faster += other.faster;
        self.slower += other.slower;
        self.same += other.same;
        self.early += other.early;
        self.pairs += other.pairs;
    }

    fn part(&self, of: u32) -> f64 {
        100.0 * f64::from(of) / f64::from(self.all.max(1))
    }

    fn coverage(&self) -> f64 {
        100.0 * f64::from(self.covered) / f64::from(self.known.max(1))
    }
}

/// One comparison, from the first run to the verdict.
fn compare(case: Case, seed: u64) -> Tally {
    let mut chance = Chance::new(seed);
    let mut noise = Noise::new(case.machine, &mut chance);
    let (shortest, longest) = case.program;
    let own = shortest + (longest - shortest) * chance.unit();
    let rule = Rule::default();
    // Two runs to warm up are paid for and not used.
    let mut spent = own * (1.0 + case.truth);
    let mut pairs = Vec::new();
    let mut early = false;
    for sides in order(seed ^ 0x5eed) {
        let needed = own * (1.0 + case.truth);
        if spent + needed > case.budget {
            break;
        }
        let mut pair = Pair { baseline: 0.0, candidate: 0.0 };
        for side in sides {
            let candidate = side == Side::Candidate;
            let ideal = if candidate { own * case.truth } else { own };
            let took = noise.run(ideal, candidate, spent / case.budget, &mut chance);
            spent += took;
            *(if candidate { &mut pair.candidate } else { &mut pair.baseline }) = took;
        }
        pairs.push(pair);
        if let Step::Stop(_) = rule.decide(&pairs) {
            early = true;
            break;
        }
    }
    let found = rule.ratio(&pairs);
    let verdict = rule.verdict(found.as_ref());
    let covers = |it: &scalene_mcp::statistics::Ratio| {
        // Rounding of the last digit, where an interval is a point.
        it.low <= case.truth * (1.0 + 1e-12) && case.truth <= it.high * (1.0 + 1e-12)
    };
    Tally {
        all: 1,
        known: u32::from(found.is_some()),
        covered: u32::from(found.as_ref().is_some_and(covers)),
        faster: u32::from(verdict == Verdict::Faster),
        slower: u32::from(verdict == Verdict::Slower),
        same: u32::from(verdict == Verdict::NoDifference),
        early: u32::from(early),
        pairs: pairs.len() as u64,
    }
}

/// Many comparisons, on all cores.
fn repeat(case: Case, times: u64) -> Tally {
    let workers = std::thread::available_parallelism().map_or(1, |cores| cores.get() as u64);
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|worker| {
                scope.spawn(move || {
                    let mut tally = Tally::default();
                    for seed in (worker..times).step_by(workers as usize) {
                        tally.add(compare(case, seed));
                    }
                    tally
                })
            })
            .collect();
        workers.into_iter().fold(Tally::default(), |mut sum, worker| {
            sum.add(worker.join().expect("a comparison does not panic"));
            sum
        })
    })
}

fn row(name: &str, truth: f64, tally: &Tally) {
    println!(
        "| {name:<14} | {truth:.3} | {:5.1} | {:5.2} | {:5.2} | {:5.1} | {:5.1} | {:5.1} |",
        tally.coverage(),
        tally.part(tally.faster),
        tally.part(tally.slower),
        tally.part(tally.same),
        tally.part(tally.early),
        tally.pairs as f64 / f64::from(tally.all.max(1)),
    );
}

fn header(what: &str) {
    println!("\n{what}\n");
    println!(
        "| machine | ratio | covered % | faster % | slower % | no difference % | early % | pairs |"
    );
    println!("|---|---|---|---|---|---|---|---|");
}

/// The promise, as far as this many comparisons can show it: 3 standard errors are let pass.
fn judge(what: &str, truth: f64, tally: &Tally, failed: &mut Vec<String>) {
    let error = |percent: f64| 3.0 * (percent * (100.0 - percent) / f64::from(tally.all)).sqrt();
    let coverage = tally.coverage();
    if coverage < 93.0 - error(5.0) {
        failed.push(format!("{what} {truth}: the interval covers {coverage:.1} %"));
    }
    let (faster, slower) = (tally.part(tally.faster), tally.part(tally.slower));
    if truth == 1.0 && faster.max(slower) > 2.5 + error(2.5) {
        failed.push(format!(
            "{what}: {faster:.1} % faster, {slower:.1} % slower without a difference"
        ));
    }
    if truth < 1.0 && slower > 0.5 + error(0.5) {
        failed.push(format!("{what} {truth}: {slower:.1} % slower"));
    }
}

fn main() -> ExitCode {
    let full = std::env::args().any(|arg| arg == "full");
    let times = if full { 20_000 } else { 250 };
    let mut failed = Vec::new();
    header(&format!("Programs of 0.5 to 1 s, {BUDGET} s, {times} comparisons a row"));
    for truth in TRUTHS {
        let mut sum = Tally::default();
        for machine in Machine::ALL {
            let case = Case { machine, truth, program: (0.5, 1.0), budget: BUDGET };
            let tally = repeat(case, times);
            judge(&format!("{machine:?}"), truth, &tally, &mut failed);
            row(&format!("{machine:?}"), truth, &tally);
            sum.add(tally);
        }
        row("all", truth, &sum);
    }
    if failed.is_empty() {
        println!("\nas promised");
        return ExitCode::SUCCESS;
    }
    println!("\n{}", failed.join("\n"));
    ExitCode::FAILURE
}
