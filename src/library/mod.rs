//! The library under its documented names, for programs that want profiles without the server.
//!
//! | name | does |
//! |---|---|
//! | [`ScaleneProfiler`] | runs a script, a module or a snippet under Scalene |
//! | [`ProfileParser`] | reads a document that Scalene wrote elsewhere |
//! | [`ProfileAnalyzer`] | hotspots, functions, bottlenecks, leaks, a whole analysis |
//! | [`ProfileComparator`] | two profiles side by side |
//! | [`SpeedupVerifier`] | two versions of a program, run in turns |
//!
//! Each is a thin entrance to the modules below it; all of them work on one
//! [`Profile`](crate::profile::Profile).

mod analyzer;
mod comparator;
mod error;
mod logging;
mod parser;
mod profiler;
mod verifier;

pub use analyzer::ProfileAnalyzer;
pub use comparator::ProfileComparator;
pub use error::{Error, ErrorKind};
pub use logging::configure_logging;
pub use parser::ProfileParser;
pub use profiler::ScaleneProfiler;
pub use verifier::SpeedupVerifier;
