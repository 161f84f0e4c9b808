//! What reading a program's stacks costs it: `cargo bench --bench sampler`.
//!
//! Each program does a fixed amount of work under plain Python, without Scalene, in pairs of runs: one that
//! is read and one that is not, in turns. Printed is the median over the pairs of the ratio of the wall times that the
//! programs report themselves. The promise is 1.05 at most, at up to 100 reads a second. A machine that does
//! other work shows more.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a measuring program; its table is for people"
)]

use std::process::{Command, Stdio};

use scalene_mcp::sampler::Sampler;

const PAIRS: usize = 15;

/// What the programs share: the work is timed from inside, without the interpreter's start.
const TIMED: &str = "import time\nbegin = time.perf_counter()\n";
const REPORT: &str = "\nprint(time.perf_counter() - begin)\n";

const PROGRAMS: [(&str, &str); 5] = [
    ("a plain loop", "total = 0\nfor i in range(12_000_000): total += i * i % 7"),
    (
        "many short calls",
        "def leaf(n): return n + 1\ndef middle(n): return leaf(n) + leaf(n)\ntotal = 0\n\
         for i in range(2_500_000): total += middle(i)",
    ),
    (
        "a stack 500 deep",
        "import sys\nsys.setrecursionlimit(2000)\ndef down(n):\n    if n: return down(n - 1)\n    \
         total = 0\n    for i in range(12_000_000): total += i * i % 7\n    return total\ndown(500)",
    ),
    (
        "eight threads of Python",
        "import threading\ndef work():\n    total = 0\n    for i in range(1_500_000): total += i * i % 7\n\
         all = [threading.Thread(target=work) for _ in range(8)]\n[one.start() for one in all]\n[one.join() for one in all]",
    ),
    (
        "fifty threads asleep, one at work",
        "import threading\ngo = threading.Event()\n\
         all = [threading.Thread(target=go.wait) for _ in range(50)]\n[one.start() for one in all]\ntotal = 0\n\
         for i in range(12_000_000): total += i * i % 7\ngo.set()",
    ),
];

/// Seconds of work, and reads a second when it is read.
fn run(program: &str, read: bool) -> (f64, f64) {
    let source = format!("{TIMED}{program}{REPORT}");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    let child = command.args(["-c", &source]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.unwrap();
    let sampler = read.then(|| Sampler::start(child.id(), "-"));
    let output = child.wait_with_output().unwrap();
    let seconds: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
    #[expect(clippy::cast_precision_loss, reason = "a number of reads")]
    let rate = sampler.map_or(0.0, |sampler| sampler.finish().sampling.reads as f64 / seconds);
    (seconds, rate)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap()
}

fn main() {
    println!("{:36} {:>8} {:>12} {:>10}", "program", "ratio", "reads/s", "seconds");
    for (name, program) in PROGRAMS {
        let (mut ratios, mut rates, mut plain) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..PAIRS {
            // Whoever comes second profits from a warm machine: in turns.
            let first = run(program, pair % 2 == 0);
            let second = run(program, pair % 2 != 0);
            let (read, not) = if pair % 2 == 0 { (first, second) } else { (second, first) };
            ratios.push(read.0 / not.0);
            rates.push(read.1);
            plain.push(not.0);
        }
        let (ratio, rate, seconds) = (median(ratios), median(rates), median(plain));
        println!("{name:36} {ratio:>8.3} {rate:>12.0} {seconds:>10.2}");
    }
}
