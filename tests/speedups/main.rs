//! Whether verdicts on real programs are right: programs against themselves, and speed-ups that are known.
//!
//! `cargo test --test speedups`; `-- same 10` or `-- known 4` for a part of it, `--budget 15` for shorter runs.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed, and this one reports"
)]

use std::path::Path;
use std::process::{Command, ExitCode};

use serde_json::Value;

/// Comparisons of a program with itself, and how many of them may end otherwise than neutral.
const SAME: usize = 100;
const MOST_WRONG: usize = 3;
/// Comparisons with a known truth, and how many intervals have to cover it.
const KNOWN: usize = 20;
const LEAST_COVERED: usize = 18;
/// Of these, how many may be left undecided: a tenth, which is the power that is promised. A contrary verdict is never right.
const MOST_OPEN: usize = 2;
/// Factors by which the work of the two sides differs.
const FACTORS: [f64; 4] = [1.05, 1.2, 2.0, 10.0];
/// Units of work of the longer side.
const UNITS: f64 = 2000.0;

/// As many units of work as its first argument says: about 0.4 s for all.
const PROGRAM: &str = "\
import sys
def unit():
    total = 0
    for i in range(4000):
        total += i % 7
    return total
for _ in range(int(sys.argv[1])):
    unit()
";

/// One comparison.
struct Found {
    verdict: String,
    /// Estimate and interval; absent below four pairs.
    ratio: Option<[f64; 3]>,
    start: Option<f64>,
    baseline: Option<f64>,
    runs: u64,
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let after = |name: &str| {
        let at = args.iter().position(|arg| arg == name)?;
        args.get(at + 1).and_then(|value| value.parse::<usize>().ok())
    };
    let only = |name: &str| args.iter().any(|arg| arg == name);
    let budget = after("--budget").unwrap_or(20);
    let all = !only("same") && !only("known");
    let place = tempfile::tempdir().unwrap();
    let mut right = true;
    if all || only("same") {
        right &= same(place.path(), after("same").unwrap_or(SAME), budget);
    }
    if all || only("known") {
        right &= known(place.path(), after("known").unwrap_or(KNOWN), budget);
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn same(place: &Path, times: usize, budget: usize) -> bool {
    println!("a program against itself, {times} times");
    let mut wrong = 0;
    for number in 0..times {
        let found = compare(place, [UNITS / 4.0; 2], number, budget);
        wrong += usize::from(found.verdict == "faster" || found.verdict == "slower");
        row(&format!("{number}"), &found, None);
    }
    let allowed = MOST_WRONG * times / SAME;
    println!("{wrong} of {times} not neutral; {allowed} are allowed\n");
    wrong <= allowed
}

fn known(place: &Path, times: usize, budget: usize) -> bool {
    println!("known speed-ups and slow-downs, {times} times");
    let (mut covered, mut misled, mut open) = (0, 0, 0);
    let cases = FACTORS.iter().flat_map(|factor| [(1.0, *factor), (*factor, 1.0)]);
    for (number, (before, after)) in cases.cycle().take(times).enumerate() {
        let largest = f64::max(before, after);
        // The side with the larger factor has the smaller share of the work.
        let units = [before, after].map(|factor| (UNITS * largest / factor / largest).round());
        let found = compare(place, units, number, budget);
        let (start, whole) = (found.start.unwrap_or(0.0), found.baseline.unwrap_or(1.0));
        let unit = (whole - start) / units[0];
        let truth = (start + units[1] * unit) / (start + units[0] * unit);
        let holds = |[_, low, high]: [f64; 3]| low <= truth && truth <= high;
        covered += usize::from(found.ratio.is_some_and(holds));
        let expected = if units[1] < units[0] { "faster" } else { "slower" };
        open += usize::from(found.verdict == "undecided");
        misled += usize::from(found.verdict != expected && found.verdict != "undecided");
        row(&format!("{} -> {} units", units[0], units[1]), &found, Some(truth));
    }
    let least = LEAST_COVERED * times / KNOWN;
    let most_open = MOST_OPEN * times / KNOWN;
    println!(
        "truth covered in {covered} of {times} ({least} needed); {misled} wrong verdicts; \
         {open} undecided ({most_open} allowed)\n"
    );
    covered >= least && misled == 0 && open <= most_open
}

fn row(what: &str, found: &Found, truth: Option<f64>) {
    let ratio = found.ratio.map_or_else(
        || "too few runs".to_owned(),
        |[ratio, low, high]| format!("{ratio:.4} ({low:.4} to {high:.4})"),
    );
    let truth = truth.map_or_else(String::new, |truth| format!("  truth {truth:.4}"));
    println!("  {what:<22} {:<14} {ratio}{truth}  {} runs", found.verdict, found.runs);
}

fn compare(place: &Path, units: [f64; 2], seed: usize, budget: usize) -> Found {
    for (name, units) in ["old.py", "new.py"].iter().zip(units) {
        let program = PROGRAM.replace("sys.argv[1]", &format!("'{units}'"));
        std::fs::write(place.join(name), program).unwrap();
    }
    let (seed, budget) = (seed.to_string(), budget.to_string());
    #[expect(clippy::disallowed_methods, reason = "a suite starts the built binary")]
    let output = Command::new(env!("CARGO_BIN_EXE_scalene-mcp"))
        .args(["check", "--baseline", "old.py", "--max-slowdown", "3%", "--json"])
        .args(["--seed", &seed, "--budget-sec", &budget, "--", "new.py"])
        .current_dir(place)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let Ok(answer) = serde_json::from_str::<Value>(&text) else {
        panic!("{text}\n{}", String::from_utf8_lossy(&output.stderr));
    };
    let answer = &answer["verification"];
    let number = |name: &str| answer[name].as_f64();
    let ratio = ["wall_ratio", "wall_ratio_low", "wall_ratio_high"].map(number);
    Found {
        verdict: answer["verdict"].as_str().unwrap().to_owned(),
        ratio: match ratio {
            [Some(ratio), Some(low), Some(high)] => Some([ratio, low, high]),
            _ => None,
        },
        start: number("python_start_sec"),
        baseline: number("baseline_sec"),
        runs: answer["runs"].as_u64().unwrap(),
    }
}
