//! The profile itself.

use std::borrow::Cow;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::allocation_proof::AllocationProof;
use super::blocks::Blocks;
use super::call_counts::CallCounts;
use super::call_tree::{CallTree, Sampling};
use super::covered::Covered;
use super::file::{FileProfile, Line};
use super::floor::Floor;
use super::ids::{LineNo, ProfileId};
use super::per_call::PerCall;
use super::raw::RawDocument;
use super::repeats::Repeats;
use super::run::{Engine, RunInfo};
use super::test_run::TestRun;
use super::totals::Totals;
use super::units::{Fraction, Mebibytes, Percent, Seconds};

/// How a program was named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ProgramKind {
    /// A file.
    Script,
    /// `-m package.module`.
    Module,
    /// Code handed over as text.
    Snippet,
    /// A process that somebody else started: name and arguments are those of its command line.
    Process,
    /// Calls of one function.
    Function,
}

/// What was profiled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// Script, module, snippet or function.
    pub kind: ProgramKind,
    /// The script as typed, the module's name, `<snippet>`, or `module:function`.
    pub name: String,
    /// Its arguments.
    pub args: Vec<String>,
}

impl Program {
    /// It as a profiling call takes it.
    pub fn argument(&self) -> String {
        match self.kind {
            ProgramKind::Module => format!("-m {}", self.name),
            _ => self.name.clone(),
        }
    }
}

/// Who says which lines take the time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub enum Witness {
    /// Scalene alone.
    #[default]
    Scalene,
    /// Stacks of the program, read from outside while Scalene ran.
    Stacks {
        /// Samples behind Scalene's own figures, when their number is known.
        scalene_samples: Option<u64>,
        /// Share of the time of which nothing says how it divides into Python and native: it is counted as
        /// Python.
        undivided: Percent,
    },
}

/// The kinds of measurement a profile holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// CPU time was asked for. (It is always sampled; not asked for, it is not shown.)
    pub cpu: bool,
    /// Allocations were sampled.
    pub memory: bool,
    /// Name of the kind of accelerator, when one was sampled.
    pub gpu: Option<String>,
    /// A line's memory peak covers one visit, not the whole run: so where Scalene noticed that the
    /// line was left (`n_mallocs` above 0: 2.3 and later, and up to 1.5.54).
    pub peaks_per_visit: bool,
    /// Only some files were sampled (`profile_only`): shares are of their time, and nobody knows
    /// what part of the run that is.
    pub part_of_time: bool,
    /// Scalene's leak detector was asked for.
    pub leak_detector: bool,
    /// Time is CPU time of the process; waiting was not measured.
    pub virtual_time: bool,
    /// Mean time between two CPU samples that was asked for, when known.
    pub sampling_interval: Option<Seconds>,
}

/// Which of the measured lines answers report.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reporting {
    /// Smallest share of sampled time, in percent, of a line listed by time.
    pub cpu_percent_threshold: f64,
    /// Smallest allocated volume, in bytes, of a line listed by memory.
    pub malloc_threshold: u64,
    /// Listings of a file leave out lines below both thresholds.
    pub reduced: bool,
}

impl Reporting {
    /// Whether a line reaches a threshold: its share of sampled time, or the volume it allocated.
    pub fn is_significant(&self, line: &Line) -> bool {
        let smallest = Mebibytes::from_bytes(self.malloc_threshold);
        let allocated = line.memory.as_ref().map(|memory| memory.allocated);
        line.cpu.total().get() >= self.cpu_percent_threshold
            || allocated
                .is_some_and(|allocated| allocated >= smallest && allocated > Mebibytes::ZERO)
    }
}

/// The program's memory over time, as growth since its start (not resident size).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Footprint {
    /// Highest footprint. Scalene: `max_footprint_mb`.
    pub peak: Mebibytes,
    /// Line that ran at the peak. Scalene: `max_footprint_fname`, `max_footprint_lineno`.
    pub peak_at: Option<(String, LineNo)>,
    /// Part of the peak that Python's own allocator holds.
    pub python_fraction: Option<Fraction>,
    /// Time since start and footprint, in order; at most 100 points. Scalene: `samples`.
    pub timeline: Vec<(Seconds, Mebibytes)>,
    /// Where memory was allocated, by call path, largest first; freed or not. Scalene 2.3+:
    /// `memory_stacks`.
    pub allocation_paths: Vec<AllocationPath>,
    /// Memory records read, allocations and frees together. Scalene: `alloc_samples`.
    pub records: Option<u64>,
    /// Net growth over allocated volume in percent; negative when more was freed.
    /// Scalene: `growth_rate`.
    pub growth_rate_percent: Option<f64>,
}

impl Footprint {
    /// Bytes that it occupies beside its own size.
    fn bytes(&self) -> usize {
        self.timeline.capacity() * size_of::<(Seconds, Mebibytes)>()
            + self.allocation_paths.capacity() * size_of::<AllocationPath>()
            + self.allocation_paths.iter().map(|path| frames_bytes(&path.frames)).sum::<usize>()
            + self.peak_at.as_ref().map_or(0, |(file, _)| file.capacity())
    }

    /// The highest footprint, unless not a single change was large enough to be sampled:
    /// then it is unknown, though small.
    pub fn known_peak(&self) -> Option<Mebibytes> {
        (self.peak > Mebibytes::ZERO || self.records.is_none_or(|records| records > 0))
            .then_some(self.peak)
    }

    /// Time-weighted mean: each sample holds until the next one, and the last until the end; `None`
    /// without samples.
    ///
    /// Formula: Σ mᵢ·(tᵢ₊₁ − tᵢ) / (tₙ₊₁ − t₀) over Scalene's `samples`, with tₙ₊₁ the elapsed time. It takes
    /// a sample when the footprint changes, so that it is the same in between. Before the first one it is
    /// nothing (t₀ = 0), unless Scalene has thrown samples away, which it does from the 100th on: then
    /// t₀ = t₁.
    pub fn average(&self, elapsed: Option<Seconds>) -> Option<Mebibytes> {
        let (first, last) = (self.timeline.first()?.0.get(), self.timeline.last()?.0.get());
        let start = if self.timeline.len() < KEPT_SAMPLES { 0.0 } else { first };
        let end = elapsed.map_or(last, |elapsed| elapsed.get().max(last));
        let ends = self.timeline.iter().skip(1).map(|(start, _)| start.get());
        let area: f64 = { self.timeline.iter().zip(ends.chain(std::iter::once(end))) }
            .map(|((start, value), end)| value.get() * (end - start.get()).max(0.0))
            .sum();
        (end > start).then(|| Mebibytes::from_mib(area / (end - start))).flatten()
    }
}

/// Samples of the footprint that Scalene keeps.
const KEPT_SAMPLES: usize = 100;

/// An accusation by the profiler's leak detector; often wrong, see `docs/scalene.md`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeakReport {
    /// Accused line.
    pub line: LineNo,
    /// The detector's likelihood, 0 to 1.
    pub likelihood: Fraction,
}

/// One frame of a call path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frame {
    /// File as the profiler names it.
    pub file: String,
    /// Function name.
    pub function: String,
    /// Line inside the function.
    pub line: LineNo,
}

/// A call path with the volume allocated at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllocationPath {
    /// Outermost first.
    pub frames: Vec<Frame>,
    /// Volume allocated, freed or not.
    pub allocated: Mebibytes,
}

/// A call path with the time sampled at its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CallPath {
    /// Outermost first.
    pub frames: Vec<Frame>,
    /// Share of all sampled time of this profile's call paths.
    pub share: Percent,
    /// Samples that ended here.
    pub samples: u64,
}

/// One profiled run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Its name in the store.
    pub id: ProfileId,
    /// What ran.
    pub program: Program,
    /// How it ran.
    pub run: RunInfo,
    /// What was measured.
    pub measured: Measured,
    /// What is reported of it.
    pub reporting: Reporting,
    /// Wall time of the program with profiling on; absent when the document lacks it.
    /// Scalene: `elapsed_time_sec`.
    pub elapsed: Option<Seconds>,
    /// Profiled files by path.
    pub files: Vec<FileProfile>,
    /// Memory over time; absent when memory was not profiled.
    pub footprint: Option<Footprint>,
    /// Call paths, heaviest first; empty unless stacks were collected.
    pub call_paths: Vec<CallPath>,
    /// Calls that were sampled from outside, beside the profiler; absent where that was not possible.
    pub calls: Option<Calls>,
    /// What lines hold, from a second run in which all allocations were recorded; absent until asked for.
    pub proof: Option<AllocationProof>,
    /// Calls that were counted in a run of its own; absent unless asked for.
    pub call_counts: Option<CallCounts>,
    /// What stays whichever hot line is changed; absent where it was not measured.
    pub floor: Option<Floor>,
    /// What one call takes, where a function was profiled.
    #[serde(default)]
    pub per_call: Option<PerCall>,
    /// Who says which lines take the time.
    pub timed_by: Witness,
    /// The runs behind it, where it is the mean of several.
    #[serde(default)]
    pub repeats: Option<Repeats>,
    /// Named parts of the program; absent where nobody named any.
    #[serde(default)]
    pub blocks: Option<Blocks>,
    /// Scalene's document as it was written; absent where there is none, for the mean of several runs, and where
    /// it is larger than [`RawDocument::MOST_BYTES`] or no UTF-8.
    #[serde(default)]
    pub raw: Option<RawDocument>,
    /// The part of the run that it covers; absent where that is all of it.
    #[serde(default)]
    pub covered: Option<Covered>,
    /// What became of each test, where tests were run.
    #[serde(default)]
    pub tests: Option<TestRun>,
}

/// The program's own calls, from the first frame of the user's code on, and how they were sampled.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Calls {
    /// The calls; libraries appear where the user's code calls them.
    pub tree: CallTree,
    /// How they were sampled.
    pub sampling: Sampling,
}

impl Profile {
    /// A path as it is shown: below the project root, else as it is.
    pub fn display_path<'a>(&self, path: &'a str) -> Cow<'a, str> {
        match Path::new(path).strip_prefix(&self.run.project_root) {
            Ok(below) if !below.as_os_str().is_empty() => below.to_string_lossy(),
            _ => Cow::Borrowed(path),
        }
    }

    /// The program as a profiling call takes it.
    pub fn script_argument(&self) -> String {
        self.program.argument()
    }

    /// Who measured.
    pub fn engine(&self) -> Engine {
        self.run.environment.as_ref().map_or(Engine::Scalene, |found| found.engine)
    }

    /// Seconds of a share of sampled time: share × elapsed, or share × CPU time of the
    /// process where only CPU time was sampled. Unknown where only some files were sampled.
    pub fn seconds(&self, share: Percent) -> Option<Seconds> {
        if self.measured.part_of_time {
            return None;
        }
        let whole = if self.measured.virtual_time { self.run.process_cpu } else { self.elapsed };
        Some(share.of(whole?))
    }

    /// Every measured line with its file.
    pub fn lines(&self) -> impl Iterator<Item = (&FileProfile, &Line)> {
        self.files.iter().flat_map(|file| file.lines.iter().map(move |line| (file, line)))
    }

    /// Sum of a share over all lines.
    pub fn sum(&self, share: impl Fn(&Line) -> Percent) -> Percent {
        self.lines().map(|(_, line)| share(line)).sum()
    }

    /// Samples behind the CPU figures, or `None` when the profiler does not say.
    ///
    /// Scalene lists samples of the main thread only: where a tenth of the time or more
    /// lies on lines without any listed sample (worker threads), the number is unknown. A sample
    /// that is listed on several lines counts once.
    pub fn cpu_samples(&self) -> Option<u64> {
        let totals = self.totals();
        (totals.unlisted.get() < 0.1 * totals.total().get()).then_some(totals.samples)
    }

    /// Sums over all lines; free but for the first call.
    pub fn totals(&self) -> Totals {
        self.files.iter().map(FileProfile::totals).sum()
    }

    /// Bytes that this profile occupies, near enough to bound a store.
    ///
    /// What later questions add to it counts from the start: the functions of each file.
    pub fn approximate_bytes(&self) -> usize {
        let files = self.files.iter().map(FileProfile::bytes).sum::<usize>();
        let paths = self.call_paths.capacity() * size_of::<CallPath>()
            + self.call_paths.iter().map(|path| frames_bytes(&path.frames)).sum::<usize>();
        let footprint = self.footprint.as_ref().map_or(0, Footprint::bytes);
        let words: usize = self.program.args.iter().map(String::capacity).sum();
        let calls = self.calls.as_ref().map_or(0, |calls| calls.tree.bytes());
        let counts = self.call_counts.as_ref().map_or(0, CallCounts::bytes);
        let floor = self.floor.as_ref().map_or(0, Floor::bytes);
        let proof = self.proof.as_ref().map_or(0, AllocationProof::bytes);
        let repeats = self.repeats.as_ref().map_or(0, Repeats::bytes);
        let blocks = self.blocks.as_ref().map_or(0, Blocks::bytes);
        let raw = self.raw.as_ref().map_or(0, RawDocument::occupied);
        let per_call = self.per_call.as_ref().map_or(0, PerCall::bytes);
        let covered = self.covered.as_ref().map_or(0, Covered::bytes);
        let tests = self.tests.as_ref().map_or(0, TestRun::bytes);
        let parts =
            per_call + files + paths + footprint + words + calls + counts + floor + proof + repeats;
        size_of::<Self>() + parts + raw + blocks + covered + tests + self.run.approximate_bytes()
    }
}

/// Bytes that frames occupy.
fn frames_bytes(frames: &Vec<Frame>) -> usize {
    let texts = frames.iter().map(|frame| frame.file.capacity() + frame.function.capacity());
    frames.capacity() * size_of::<Frame>() + texts.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_average_weighs_by_time() {
        let at = |t: f64, m: f64| (Seconds::from_secs(t).unwrap(), Mebibytes::from_mib(m).unwrap());
        let footprint = |timeline| Footprint {
            peak: Mebibytes::ZERO,
            peak_at: None,
            python_fraction: None,
            timeline,
            allocation_paths: Vec::new(),
            records: None,
            growth_rate_percent: None,
        };
        let mean = |timeline, end: f64| footprint(timeline).average(Seconds::from_secs(end));
        let filled = vec![at(1.0, 10.0), at(9.0, 100.0)];
        assert_eq!(mean(filled.clone(), 10.0), Mebibytes::from_mib(18.0));
        assert_eq!(footprint(filled).average(None), Mebibytes::from_mib(80.0 / 9.0));
        assert_eq!(mean(vec![at(1.0, 10.0)], 4.0), Mebibytes::from_mib(7.5));
        assert_eq!(mean(Vec::new(), 4.0), None);
        let many = (0..100_u8).map(|n| at(5.0 + f64::from(n) / 100.0, 40.0)).collect();
        assert_eq!(mean(many, 10.0), Mebibytes::from_mib(40.0));
    }
}
