//! What is known of a run that has not ended.

use super::units::Percent;

/// A line of the user's code that took time so far.
#[derive(Debug, Clone, PartialEq)]
pub struct InterimLine {
    /// `file:line`, the file relative to the project root.
    pub location: String,
    /// Function that it is in, as the interpreter names it.
    pub function: String,
    /// Source text, as it is on disk now; empty when it cannot be read.
    pub content: String,
    /// Share of the time sampled so far.
    pub part: Percent,
    /// Share of that time in which it waited.
    pub waiting: Percent,
}

/// The time so far, from stacks alone.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Interim {
    /// Most first.
    pub lines: Vec<InterimLine>,
    /// Wall seconds that were put down to lines.
    pub seconds: f64,
}
