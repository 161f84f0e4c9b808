//! The profile model: what a run measured, with units in the types.
//!
//! Owns: ids, units, lines, files, footprint, call paths, the facts of a run, and the
//! outline of Python source (which function a line belongs to). No I/O, no Scalene names,
//! no rendering. A [`Profile`] never changes after it was built.

mod allocation_proof;
mod blocks;
mod call_counts;
mod call_tree;
mod covered;
mod derived;
mod dump;
mod file;
mod floor;
mod ids;
mod interim;
mod memo;
mod merge;
mod model;
mod outline;
mod path_text;
mod per_call;
mod place;
mod raw;
mod repeats;
mod run;
mod test_run;
mod totals;
mod units;

pub use allocation_proof::{AllocationProof, AllocationTracker, ProvenPlace, RetainedPath};
pub use blocks::{
    Block, BlockKind, BlockPlace, BlockRange, Blocks, Marked, MarkedBlock, MarkedPlace,
};
pub use call_counts::{CallCount, CallCounts, CountedFunction, DistinctArguments};
pub use call_tree::{
    CallNode, CallSite, CallTree, CallTreeBuilder, CalledFunction, MachineCode, Meanwhile,
    NativePart, Sampling,
};
pub use covered::{Covered, CoveredUntil, Drive, DriveEnd};
pub use dump::{Dump, DumpedFrame, DumpedThread, ProcessDump};
pub use file::{Activity, FileProfile, Line, LineCpu, LineGpu, LineMemory, NativeFunction, Source};
pub use floor::{Collections, Floor, Imports, PlainRun};
pub use ids::{LineNo, ProfileId};
pub use interim::{Interim, InterimLine};
pub use memo::Memo;
pub use merge::merged;
pub use model::{
    AllocationPath, CallPath, Calls, Footprint, Frame, LeakReport, Measured, Profile, Program,
    ProgramKind, Reporting, Witness,
};
pub use outline::{FunctionKind, FunctionSpan, outline};
pub use per_call::{CallMemory, PerCall};
pub use place::{cell_name, is_notebook, place};
pub use raw::RawDocument;
pub use repeats::{LineTime, RepeatedRun, Repeats};
pub use run::{Engine, Environment, Outcome, Output, RunInfo, Status, signal_name};
pub use test_run::{FixtureCost, TestCost, TestCounts, TestRun};
pub use totals::{FunctionTotals, Totals};
pub use units::{Fraction, Mebibytes, MebibytesPerSec, Percent, Seconds, round_for_display};
