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

const PAIRS: usize = 25;

/// What the programs share: the work is timed from inside, without the interpreter's start.
const TIMED: &str = "import time\nbegin = time.perf_counter(), time.process_time()\n";
const REPORT: &str = "\nprint(time.perf_counter() - begin[0], time.process_time() - begin[1])\n";

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

/// What one run took, and what was seen of it.
struct Run {
    /// Seconds of work.
    wall: f64,
    /// The same in CPU seconds.
    cpu: f64,
    /// Reads a second.
    rate: f64,
    /// Part of the time for which the program was stopped.
    stopped: f64,
}

fn run(program: &str, read: bool) -> Run {
    let source = format!("{TIMED}{program}{REPORT}");
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    let child = command.args(["-c", &source]).stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
    let child = child.unwrap();
    let sampler = read.then(|| Sampler::start(child.id(), "-"));
    let output = child.wait_with_output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    let mut figures = output.split_whitespace().map(|figure| figure.parse::<f64>().unwrap());
    let (wall, cpu) = (figures.next().unwrap(), figures.next().unwrap());
    let sampling = sampler.map(|sampler| sampler.finish().sampling).unwrap_or_default();
    #[expect(clippy::cast_precision_loss, reason = "a number of reads")]
    let rate = sampling.reads as f64 / wall;
    Run { wall, cpu, rate, stopped: sampling.stopped / wall }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap()
}

fn main() {
    println!(
        "{:36} {:>8} {:>8} {:>8} {:>9} {:>8}",
        "program", "ratio", "of CPU", "stopped", "reads/s", "seconds"
    );
    for (name, program) in PROGRAMS {
        let mut pairs = Vec::new();
        for pair in 0..PAIRS {
            // Whoever comes second profits from a warm machine: in turns.
            let first = run(program, pair % 2 == 0);
            let second = run(program, pair % 2 != 0);
            pairs.push(if pair % 2 == 0 { (first, second) } else { (second, first) });
        }
        let of = |figure: fn(&(Run, Run)) -> f64| median(pairs.iter().map(figure).collect());
        println!(
            "{name:36} {:>8.3} {:>8.3} {:>8.3} {:>9.0} {:>8.2}",
            of(|(read, not)| read.wall / not.wall),
            of(|(read, not)| read.cpu / not.cpu),
            of(|(read, _)| read.stopped),
            of(|(read, _)| read.rate),
            of(|(_, not)| not.wall),
        );
    }
}
