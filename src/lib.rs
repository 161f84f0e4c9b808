//! Profiles Python programs with Scalene and answers questions about the profiles.
//!
//! The binary `scalene-mcp` is an MCP server on standard input and output, and a command
//! line. This library is everything below its `main`; it can be used without the server:
//!
//! ```
//! use scalene_mcp::{ProfileAnalyzer, ProfileParser};
//!
//! let profile = ProfileParser::new().parse_file("fixtures/profiles/shop_main--2.4.0.json")?;
//! for function in ProfileAnalyzer::new().functions(&profile).iter().take(3) {
//!     println!("{} {}", function.name, profile.seconds(function.on_cpu).unwrap());
//! }
//! # Ok::<(), scalene_mcp::Error>(())
//! ```
//!
//! # Layers
//!
//! Imports point down only; a test holds them to it (`tests/it/layers.rs`).
//!
//! | layer | modules |
//! |---|---|
//! | entrances | [`cli`], [`server`], [`library`] |
//! | use cases | [`doctor`], [`recording`], [`verify`], [`answer`] |
//! | domain | [`analysis`], [`store`], [`scalene`], [`python`], [`sampler`], [`tracker`] |
//! | ground | [`process`], [`profile`], [`sandbox`] |
//! | below all | [`statistics`] |
//!
//! # One call, traced
//!
//! `profile_script`: `server::handler` (protocol) → `server::tools` (parameters) →
//! [`recording::Recorder::record`] (find Python, set Scalene up, run, read) →
//! [`answer::ProfileAnswer`] (what the caller sees).

pub mod analysis;
pub mod answer;
pub mod cli;
pub mod doctor;
pub mod library;
pub mod process;
pub mod profile;
pub mod python;
pub mod recording;
pub mod sampler;
pub mod sandbox;
pub mod scalene;
pub mod server;
pub mod statistics;
pub mod store;
pub mod tracker;
pub mod verify;

pub use library::{
    Error, ErrorKind, ProfileAnalyzer, ProfileComparator, ProfileParser, ScaleneProfiler,
    SpeedupVerifier, configure_logging,
};
