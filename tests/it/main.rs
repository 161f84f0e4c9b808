//! The integration tests: one binary, one module per subject.

/// Real private environments, built from the network's package index.
mod overlay;
