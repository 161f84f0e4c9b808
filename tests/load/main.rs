//! Many calls at once, through the built binary: every one is answered, and afterwards the server
//! holds what it held before. By hand: `cargo test --test load`, with `--release` for figures.
//!
//! ```sh
//! cargo test --test load                                  # 200 profiles, 20,000 questions
//! cargo test --test load -- --profiles 20 --questions 500 # fewer
//! ```

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a suite that cannot go on has failed, and what it measures it prints"
)]

#[cfg(target_os = "linux")]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
#[path = "../it/support/mod.rs"]
mod support;

#[cfg(target_os = "linux")]
mod suite;

#[cfg(target_os = "linux")]
fn main() -> std::process::ExitCode {
    suite::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {
    println!("what a process holds is read from /proc, which this system does not have");
}
