//! The integration tests: one binary, one module per subject.
//!
//! Everything goes through the built binary and a real client; what claims a figure runs a
//! real Scalene. The first run sets private environments up below `target/` and needs the
//! package index.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on has failed"
)]

/// Which line of one version is which of the other.
mod alignment;
/// What callers see of recorded profiles, and the budgets of answers.
mod answers;
/// Arguments of programs, delivered intact under every generation of Scalene.
mod arguments;
/// What a person is asked, the folders of a client, calls as tasks.
#[cfg(target_os = "linux")]
mod asking;
/// Processes that somebody else started, looked at and left as they were.
#[cfg(target_os = "linux")]
mod attach;
/// What callers and programs do wrong, and what they are told.
mod bad_input;
/// Named parts of a program.
mod blocks;
/// Call paths, sampled beside Scalene.
mod calls;
/// The gate for changes.
mod check;
/// Two profiles side by side.
mod compare;
/// The settings of MCP clients.
mod config;
/// Calls, counted in one more run of the program.
mod counted_calls;
/// Documents that are generated from the program.
mod docs;
/// Who measures: Scalene, or the sampler alone.
#[cfg(target_os = "linux")]
mod engine;
/// What stays whichever hot line is changed: start, imports, collections.
mod floor;
/// Calls of one function.
mod functions;
/// Lines that no client should send.
#[cfg(target_os = "linux")]
mod hostile_lines;
/// Which module may know which.
mod layers;
/// Leaks and peaks, proven by a second run.
#[cfg(target_os = "linux")]
mod leak_proof;
/// How sessions and runs end, and that nothing is left of them.
#[cfg(target_os = "linux")]
mod lifecycle;
/// Limits of a run on memory.
#[cfg(target_os = "linux")]
mod limits;
/// Profiles recorded elsewhere, and what of a profile is listed.
mod loading;
/// Names of machine code below lines of Python.
#[cfg(target_os = "linux")]
mod natives;
/// Notebooks.
mod notebooks;
/// Real private environments, built from the network's package index.
mod overlay;
/// Bugs in one call, made on purpose.
#[cfg(debug_assertions)]
mod panics;
/// Parts of runs: programs that do not end, and what drives them.
#[cfg(target_os = "linux")]
mod parts;
/// One more run without a profiler.
mod plain_run;
/// Profiling real programs through the server: figures against ground truth.
mod profiling;
/// Prompts: their texts, arguments and completion.
mod prompts;
/// Hostile documents and profiles of any size.
mod properties;
/// The protocol surface: versions, schemas, budgets, resources, progress.
mod protocol;
/// Several runs of one program as one profile.
mod repeat;
/// Resources: what is behind each, pages, completion, subscriptions.
mod resources;
/// The rules behind findings, against recorded programs and any source.
mod rules;
/// What confined programs cannot do.
#[cfg(target_os = "linux")]
mod sandbox;
/// Profiles that outlive the server, and what may happen to their files.
mod store;
/// Runs of tests: what they cost, and what became of them.
#[cfg(target_os = "linux")]
mod suites;
/// What all tests share.
mod support;
/// Which tools a server offers, and in which form it answers.
mod toolsets;
/// Large writes of programs that run without Python's buffer.
mod unbuffered;
/// Two versions of a program, run in turns.
mod verify;
/// How verifications end, and what they may do.
#[cfg(target_os = "linux")]
mod verify_ends;
