//! Hostile input, made from recorded input by small changes: documents, source, lines, arguments.
//!
//! ```sh
//! cargo test --test fuzz                                # 20 s, always the same cases
//! cargo test --test fuzz -- --long 1200                 # this many seconds, new cases every time
//! cargo test --test fuzz -- --target source --seed 7 --case 1234   # one case again
//! ```
//!
//! Nothing may panic, take more than its time or its memory, or give a figure that is no number;
//! shares add up, and what is refused is refused with a documented code. A case that fails is
//! written to `target/tmp/fuzz` and named; it belongs into a regression test.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed"
)]
#![expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    reason = "sizes, and chance"
)]

mod inside;
mod json;
mod random;
mod wire;

#[path = "../it/support/recorded.rs"]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
mod recorded;
#[path = "../it/support/sane.rs"]
mod sane;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use peak_alloc::PeakAlloc;

use random::Random;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// One case in a debug build on a busy machine.
const LONGEST_CASE: Duration = Duration::from_secs(90);
/// What a case may allocate at once besides 60 times its input.
const MOST_BYTES: usize = 256 << 20;
/// What threads of the server have.
const STACK: usize = 2 << 20;
const TARGETS: [&str; 5] = ["document", "proof", "source", "lines", "arguments"];

struct Options {
    seconds: u64,
    seed: u64,
    targets: Vec<String>,
    case: Option<u64>,
}

impl Options {
    fn read() -> Self {
        let given: Vec<String> = std::env::args().skip(1).collect();
        let value =
            |name: &str| given.iter().position(|arg| arg == name).and_then(|at| given.get(at + 1));
        let number = |name: &str| value(name).map(|text| text.parse().expect("a number"));
        let long = number("--long");
        let now =
            std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        Self {
            seconds: long.unwrap_or(20),
            seed: number("--seed").unwrap_or(if long.is_some() { now } else { 1 }),
            targets: value("--target")
                .map_or_else(|| TARGETS.map(str::to_owned).to_vec(), |name| vec![name.clone()]),
            case: number("--case"),
        }
    }
}

/// What a target did.
#[derive(Default)]
struct Report {
    cases: u64,
    /// Cases that were read, not refused.
    read: u64,
    failed: Vec<String>,
    slowest: (Duration, u64),
    /// Most bytes at once above those at the start, and the case.
    largest: (usize, u64),
}

/// Makes an input and tries it; whether it was read.
type Target = (Box<dyn FnMut(&mut Random) -> Vec<u8>>, Box<dyn FnMut(&[u8]) -> bool>);

fn target(name: &str) -> Target {
    let base = || recorded::profile("leak_list--2.4.0");
    match name {
        "document" => {
            let documents = inside::Documents::read();
            (Box::new(move |random| documents.make(random)), Box::new(inside::document))
        }
        "proof" => {
            let base = base();
            (Box::new(inside::tracked), Box::new(move |text| inside::proof(text, &base)))
        }
        "source" => {
            let (sources, base) = (inside::Sources::read(), base());
            (
                Box::new(move |random| sources.make(random)),
                Box::new(move |text| inside::source(text, &base)),
            )
        }
        "lines" => {
            let mut server = wire::Server::start();
            (Box::new(wire::lines), Box::new(move |bytes| server.feed(bytes)))
        }
        "arguments" => {
            let server = std::rc::Rc::new(std::cell::RefCell::new(wire::Server::start()));
            let maker = std::rc::Rc::clone(&server);
            (
                Box::new(move |random| maker.borrow().arguments(random)),
                Box::new(move |bytes| server.borrow_mut().call(bytes)),
            )
        }
        other => panic!("no target `{other}` (targets: {})", TARGETS.join(", ")),
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("fuzz")
}

fn fuzz(name: &str, options: &Options, time: Duration, now: &AtomicU64) -> Report {
    let (mut make, mut try_it) = target(name);
    let (started, mut report) = (Instant::now(), Report::default());
    let cases = options.case.map_or(0..u64::MAX, |case| case..case + 1);
    for case in cases {
        if started.elapsed() >= time || report.failed.len() >= 5 {
            break;
        }
        now.store(case, Ordering::Relaxed);
        // A stack that overflows ends the process: the case is on disk before it is tried.
        std::fs::write(
            folder().join(format!("{name}.now")),
            format!("--seed {} --case {case}", options.seed),
        )
        .unwrap();
        let input = make(&mut Random::new(options.seed, case));
        let before = ALLOCATED.current_usage();
        ALLOCATED.reset_peak_usage();
        let began = Instant::now();
        let tried = catch_unwind(AssertUnwindSafe(|| try_it(&input)));
        let (took, peak) = (began.elapsed(), ALLOCATED.peak_usage().saturating_sub(before));
        report.cases += 1;
        report.slowest = report.slowest.max((took, case));
        report.largest = report.largest.max((peak, case));
        let large = peak > MOST_BYTES + 60 * input.len();
        match tried {
            Ok(read) if !large => report.read += u64::from(read),
            outcome => {
                let why = if outcome.is_err() { "panicked" } else { "took much memory" };
                let path = folder().join(format!("{name}-{}-{case}", options.seed));
                std::fs::write(&path, &input).unwrap();
                report.failed.push(format!(
                    "{name}: --seed {} --case {case} {why}: {}",
                    options.seed,
                    path.display()
                ));
            }
        }
    }
    report
}

/// Runs a target in a thread as small as the server's; `None` when a case does not end.
fn watched(name: &str, options: &Options, time: Duration) -> Option<Report> {
    static CASE: AtomicU64 = AtomicU64::new(0);
    let (done, wait) = channel();
    let (name, copy) = (name.to_owned(), Options { targets: Vec::new(), ..*options });
    std::thread::Builder::new()
        .stack_size(STACK)
        .spawn(move || done.send(fuzz(&name, &copy, time, &CASE)))
        .unwrap();
    let (mut seen, mut since) = (u64::MAX, Instant::now());
    loop {
        match wait.recv_timeout(Duration::from_millis(200)) {
            Ok(report) => return Some(report),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let case = CASE.load(Ordering::Relaxed);
        if case != seen {
            (seen, since) = (case, Instant::now());
        }
        if since.elapsed() > LONGEST_CASE {
            println!("--seed {} --case {case} does not end", options.seed);
            return None;
        }
    }
}

fn main() -> ExitCode {
    let options = Options::read();
    std::fs::create_dir_all(folder()).unwrap();
    let each = Duration::from_secs_f64(options.seconds as f64 / options.targets.len() as f64);
    let mut fine = true;
    for name in &options.targets {
        let Some(report) = watched(name, &options, each) else {
            println!("{name}: not finished");
            return ExitCode::FAILURE;
        };
        println!(
            "{name}, seed {}: {} cases, {} read, {} failed; slowest {:.2} s (case {}), most memory {} MiB (case {})",
            options.seed,
            report.cases,
            report.read,
            report.failed.len(),
            report.slowest.0.as_secs_f64(),
            report.slowest.1,
            report.largest.0 >> 20,
            report.largest.1
        );
        report.failed.iter().for_each(|failed| println!("{failed}"));
        let tried = report.cases > 0 && (options.case.is_some() || report.read > 0);
        fine &= report.failed.is_empty() && tried;
    }
    if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
