//! Programs that do the worst, ended in every way, and what is left of them: nothing.
//!
//! Each program of `fixtures/torture` is profiled through the built binary, as a script, by the sampler alone, for a part of its
//! time, driven by a client, as calls of a function, as tests or as somebody else's process, and ended by itself, by its
//! time limit, by a call taken back, by the end of the server's input, by SIGTERM or SIGKILL to the
//! server. Every process that the run ever had is followed. Within two seconds of the answer
//! (of the ending, where nobody is left to be answered) no process, no temporary file and no file of
//! Scalene's allocator may be left, and the next run must not be stopped by anything.
//!
//! ```text
//! cargo test --test torture                   # everything, a quarter of an hour
//! cargo test --test torture -- daemon killed  # this program, ended in this way
//! cargo test --test torture -- process        # all that are profiled in this way
//! ```
//!
//! It prints the table of `docs/robustness.md`, and fails if any row is wrong.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test that cannot go on has failed; its table is for people"
)]

use std::process::ExitCode;

#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod foreign;
#[cfg(target_os = "linux")]
mod ground;
#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
#[tokio::main]
async fn main() -> ExitCode {
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    let (mut rows, mut wrong) = (0, 0);
    println!("{}", ground::HEAD);
    for case in cases::CASES {
        for (way, expected) in case.ways {
            let words = [case.name, way.name(), case.entry.kind()];
            let named = |want: &String| words.contains(&want.as_str());
            if !wanted.iter().all(named) {
                continue;
            }
            for _ in 0..case.times {
                let row = ground::run(case, *way, expected).await;
                println!("{row}");
                rows += 1;
                wrong += u32::from(!row.wrong.is_empty());
            }
        }
    }
    println!("{rows} rows, {wrong} wrong");
    if wrong == 0 && rows > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[cfg(not(target_os = "linux"))]
fn main() -> ExitCode {
    println!("processes are followed in /proc: Linux only");
    ExitCode::SUCCESS
}
