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

/// Arguments of programs, delivered intact under every generation of Scalene.
mod arguments;
/// Real private environments, built from the network's package index.
mod overlay;
/// Profiling real programs through the server: figures against ground truth.
mod profiling;
/// What all tests share.
mod support;
/// Large writes of programs that run without Python's buffer.
mod unbuffered;
