//! Two profiles side by side: what got slower, what got faster, what the samples cannot tell.
//!
//! `align` says which line of the one is which of the other, by their stored sources; the figures
//! follow the lines. A change of time counts when it exceeds the tolerance *and* the sampling
//! error of both profiles. How much the program varies from run to run is in neither where each is one run:
//! `noise` says what is let pass then.
//! `environment` says what else differs, and what keeps the two from being compared.

mod align;
mod blocks;
mod comparison;
mod delta;
mod environment;
mod explain;
mod function;
mod line;
mod noise;
mod scale;

pub use align::{
    Alignment, Fate, FilePair, Function, FunctionPair, LineStatus, Named, Place, align,
};
pub use blocks::{BlockChange, block_changes};
pub use comparison::{Comparison, FileChange, compare, compare_with};
pub use delta::{Delta, Verdict};
pub use environment::{Circumstances, Difference, Obstacle};
pub use explain::{ExplainedPart, Explanation};
pub use function::FunctionChange;
pub use line::LineChange;
