//! A busy process of somebody else's, attached to again and again, and servers killed in mid-sample: the process goes
//! on with its work, as fast as before.
//!
//! ```sh
//! cargo test --release --test attach                              # 1,000 attaches, 200 kills; half an hour
//! cargo test --release --test attach -- --attaches 100 --kills 20 # fewer
//! ```
//!
//! With a release build: what a read takes is measured, too.

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
    println!("processes are looked at on Linux");
}
