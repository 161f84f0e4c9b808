//! How Scalene's figures are read, in the words that several prompts share.

/// What time on a line is.
pub(super) const KINDS: &str = "\
`Python` is time in the interpreter: fewer steps, or the loop in a builtin or a library. \
`native` is compiled code that the line called: fewer calls, less data, a better routine; the Python around it does \
not matter. `system` is waiting: ask for less, in batches, or at the same time.";

/// What a share is worth.
pub(super) const SHARES: &str = "\
A share is an estimate from samples; the range beside it is its 95 % interval, and lines whose ranges overlap are \
equally hot. Too few samples (answers say so): take a larger input. A line with p % of the time saves p % at most.";

/// What figures about memory are.
pub(super) const MEMORY: &str = "\
MiB are growth since the start, sampled, not resident size; small allocations are not seen. \
`peak` counts against a limit. `allocated` is volume, freed or not: with a low peak it is churn, which costs time, \
not memory. Copies are data moved unchanged: slices, conversions, concatenation.";

/// Why a profiler's clock is not believed.
pub(super) const CLOCK: &str = "\
Times under a profiler say where to look, not whether a change helped.";
