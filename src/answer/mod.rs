//! What a caller gets to see: typed answers and their text.
//!
//! Each answer is one struct. Its structured form is the struct itself, its text is made
//! from the struct alone, so neither can hold a fact that the other lacks. Paths are
//! shortened, numbers rounded, lists capped here, and nowhere before.

mod analysis;
mod annotated;
mod blocks;
mod bottlenecks;
mod budget;
mod call_paths;
mod comparison;
mod cpu_hotspots;
mod doubts;
mod environment;
mod exact_peak;
mod file;
mod floor;
mod functions;
mod gpu_hotspots;
mod leak_proof;
mod leaking;
mod leaks;
mod line;
mod list;
mod listing;
mod memory_hotspots;
mod native;
mod next;
mod output;
mod per_call;
mod process;
mod profile;
mod running;
mod test_run;
mod text;
mod threads;
mod verification;
mod window;

use schemars::JsonSchema;
use serde::Serialize;

pub use analysis::{AnalysisAnswer, AnalysisHotspot, Focus};
pub use annotated::annotated_source;
pub use blocks::{BlockDelta, BlockRow, BlocksAnswer};
pub use bottlenecks::{Bottleneck, BottlenecksAnswer};
pub use call_paths::{CallPathsAnswer, CallRow};
pub use comparison::{Change, Comparing, ComparisonAnswer, ComparisonSummary, LineDelta, Renaming};
pub use cpu_hotspots::{CpuHotspot, CpuHotspotsAnswer};
pub use environment::EnvironmentInfo;
pub use exact_peak::{ExactLine, ExactPeak};
pub use file::{FileAnswer, FileQuery};
pub use floor::{FloorInfo, ImportSeconds};
pub use functions::FunctionsAnswer;
pub use gpu_hotspots::{GpuHotspot, GpuHotspotsAnswer};
pub use leak_proof::ProofInfo;
pub use leaks::{LeaksAnswer, MemoryLeak};
pub use list::{ProfileMetadata, ProfilesAnswer};
pub use memory_hotspots::{MemoryHotspot, MemoryHotspotsAnswer};
pub use next::{NextCall, run_again};
pub use output::OutputInfo;
pub use per_call::PerCallInfo;
pub use process::{DumpInfo, ProcessAnswer};
pub use profile::{ProfileAnswer, StatusInfo};
pub use running::{SoFar, running};
pub use test_run::{FixtureInfo, ImportInfo, TestInfo, TestsInfo};
pub use text::{amount, count, one_line};
pub use verification::{DifferenceInfo, FailureInfo, NoiseInfo, VerifyAnswer, WhereInfo};
pub use window::{DriveInfo, WindowInfo};

/// An answer: structured by `Serialize`, readable by [`Answer::text`].
pub trait Answer: Serialize + JsonSchema {
    /// The calls that it recommends.
    fn next_calls(&mut self) -> &mut Vec<NextCall>;

    /// The same facts for a reader, within the text budget.
    fn text(&self) -> String;

    /// The stored profile that is the answer, where it is one.
    fn profile(&self) -> Option<&str> {
        None
    }
}
