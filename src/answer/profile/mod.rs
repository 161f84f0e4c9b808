//! The answer to a profiling call: its fields here, how they are filled in `build`, how
//! they read in `text`.

mod build;
mod text;

use schemars::JsonSchema;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::environment::EnvironmentInfo;
use super::line::LineMetrics;
use super::next::NextCall;
use super::output::OutputInfo;
use super::per_call::PerCallInfo;
use super::test_run::TestsInfo;
use super::window::{DriveInfo, WindowInfo};

pub(super) use build::command;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum StatusInfo {
    /// The profile covers the whole run.
    Complete,
    /// The profile covers the run up to where it was stopped.
    Partial,
    /// The program is still running, or waits for its turn.
    Running,
}

/// How the program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutcomeInfo {
    /// Its exit code, when it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_code: Option<i32>,
    /// The signal that ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signal: Option<String>,
    /// The same in words.
    pub description: String,
}

/// Overall figures.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct SummaryMetrics {
    /// Wall time of the program in seconds, with profiling on; of tests and of a part of a run the time in the project's
    /// code and in what it called.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_time_sec: Option<f64>,
    /// Runs whose mean the figures are (`repeat`): seconds and volumes are means per run, peaks the highest, samples
    /// the sum. Absent for a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// 95 % interval of the mean wall time over the runs (Student).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_interval_sec: Option<[f64; 2]>,
    /// Highest footprint in MiB: growth since the start, not resident size. Absent when memory was off, or no
    /// change was large enough to be sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_mb: Option<f64>,
    /// Time-weighted mean footprint in MiB. Absent when memory was off or hardly sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_memory_mb: Option<f64>,
    /// Lines with samples.
    pub num_lines: usize,
    /// Functions with samples, `<module>` of each file included.
    pub num_functions: usize,
    /// Smallest share of time, in percent, of a line listed by time.
    pub cpu_percent_threshold: f64,
    /// CPU samples behind the shares. Absent when Scalene does not tell (worker threads).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// Resident size of the process over time, as the system counts it: seconds and MiB, a few points. Only of
    /// `profile_process`, and of runs by `engine` sampler.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub resident_timeline: Vec<[f64; 2]>,
    /// Wall seconds of one more run without any profiler, from the start of the process to its end (`plain_run`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plain_elapsed_sec: Option<f64>,
}

/// Lines by rank, as an object keyed `file:line`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Ranked<T>(pub Vec<(String, T)>);

impl<T: Serialize> Serialize for Ranked<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}

impl<T: JsonSchema> JsonSchema for Ranked<T> {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Ranked_{}", T::schema_name()).into()
    }
    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let line = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "object", "additionalProperties": line })
    }
}

/// Time by line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CpuMetrics {
    /// What seconds are computed from.
    pub basis: String,
    /// Seconds in the interpreter: sum over all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_python_time_sec: Option<f64>,
    /// Seconds in native code: sum over all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_c_time_sec: Option<f64>,
    /// Seconds waiting, in the kernel or descheduled: sum over all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_system_time_sec: Option<f64>,
    /// The heaviest lines, keyed `file:line`, highest first; a loop without calls, whose time
    /// Scalene 2.2 and later spreads over its lines, is one entry `file:first-last`.
    pub lines: Ranked<LineMetrics>,
    /// Entries listed.
    pub shown: usize,
    /// Lines with time.
    pub total: usize,
    /// Share of sampled time, in percent, that the listed lines hold; absent without any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
}

/// Memory of a line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LineMemoryMetrics {
    /// Line number, from 1.
    pub line_number: u32,
    /// Source text.
    pub content: String,
    /// Volume allocated, freed or not, MiB.
    pub allocated_mb: f64,
    /// Highest footprint growth while the line ran, MiB: per visit or over the whole run, see `peak_basis`.
    pub peak_mb: f64,
    /// Mean of that growth over visits, MiB; absent where Scalene counted no visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_mb: Option<f64>,
    /// Share of the volume, in percent, that Python's own allocator handed out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_percent: Option<f64>,
    /// Copy volume, MiB per second of the run; absent below 100 MiB in all, which may be noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_mb_per_sec: Option<f64>,
}

/// Memory by line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemoryMetrics {
    /// Highest footprint, MiB: growth since the start, not resident size. Absent when no change was large
    /// enough to be sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_mb: Option<f64>,
    /// Highest resident size of the process, MiB, as the operating system counts it: interpreter and Scalene
    /// included, memory that was never touched not. Absent when it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_resident_mb: Option<f64>,
    /// Line that ran at that moment, as `file:line`. It need not have allocated it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_at: Option<String>,
    /// Time-weighted mean footprint, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_mb: Option<f64>,
    /// Volume allocated by all lines, freed or not, MiB. Absent when nothing was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_mb: Option<f64>,
    /// Number of allocations. Scalene samples volume and counts none: always absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_allocations: Option<u64>,
    /// Number of deallocations. Always absent, for the same reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_deallocations: Option<u64>,
    /// Footprint over time: seconds since the start and MiB, a few points of Scalene's `samples`.
    pub footprint_timeline: Vec<[f64; 2]>,
    /// What a line's peak and mean are in this profile: it depends on the version of Scalene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_basis: Option<String>,
    /// Sampled allocation and deallocation records behind these figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_samples: Option<u64>,
    /// The lines with the largest allocated volume, keyed `file:line`, highest first.
    pub lines: Ranked<LineMemoryMetrics>,
    /// Lines listed.
    pub shown: usize,
    /// Lines with memory.
    pub total: usize,
    /// Share of the allocated volume, in percent, that the listed lines hold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
}

/// GPU load of a line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LineGpuMetrics {
    /// Line number, from 1.
    pub line_number: u32,
    /// Source text.
    pub content: String,
    /// Seconds of GPU work while the line ran: `gpu_percent` × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_time_sec: Option<f64>,
    /// Share of the run's time, in percent, in which the GPU worked while this line ran: the line's
    /// share of the run × the GPU's load.
    pub gpu_percent: f64,
    /// Mean load of the GPU while the line ran, percent (Scalene: `n_gpu_percent`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_load_percent: Option<f64>,
    /// Highest GPU memory in use, MiB.
    pub gpu_memory_mb: f64,
}

/// GPU by line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GpuMetrics {
    /// Kind of accelerator.
    pub device: String,
    /// Seconds of GPU work: sum over all lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_gpu_time_sec: Option<f64>,
    /// Highest GPU memory in use while any line ran, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_gpu_memory_mb: Option<f64>,
    /// The lines with most GPU time, keyed `file:line`, highest first.
    pub lines: Ranked<LineGpuMetrics>,
    /// Lines listed.
    pub shown: usize,
    /// Lines with GPU load.
    pub total: usize,
}

/// A line that matters, in one row.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct TopLine {
    /// `file:line`.
    pub location: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Source text.
    pub content: String,
    /// Share of all sampled time, in percent.
    pub percent_of_total: f64,
    /// Seconds: share of sampled time × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_sec: Option<f64>,
    /// `Python`, `native`, `waiting` or `mixed`; while the program runs `running` or `waiting`.
    pub kind: String,
}

/// A call path with the time sampled at its end.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallPathInfo {
    /// Share of the time of all call paths, in percent.
    pub percent: f64,
    /// Samples that ended here.
    pub samples: u64,
    /// Frames as `function file:line`, outermost first; long paths are cut at the front.
    pub frames: Vec<String>,
}

/// The answer to a profiling call.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProfileAnswer {
    /// Handle for every other tool. `latest` names the newest profile.
    pub profile_id: String,
    /// Whether the profile is there and covers the whole run.
    pub status: StatusInfo,
    /// The program and its arguments.
    pub program: String,
    /// How the program ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outcome: Option<OutcomeInfo>,
    /// Progress of a run that has not ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub progress: Option<super::running::ProgressInfo>,
    /// The part of the run that is profiled; absent where that is all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<WindowInfo>,
    /// The command that drove the program (`drive`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drive: Option<DriveInfo>,
    /// Tests and their cost (`profile_tests`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tests: Option<TestsInfo>,
    /// Overall figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<SummaryMetrics>,
    /// Times of a call, where a function was profiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_call: Option<PerCallInfo>,
    /// What matters first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub top_lines: Vec<TopLine>,
    /// Time by line; absent when CPU was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_profile: Option<CpuMetrics>,
    /// Memory by line; absent when memory was off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_profile: Option<MemoryMetrics>,
    /// GPU by line; absent when no GPU was profiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_profile: Option<GpuMetrics>,
    /// Heaviest call paths; absent unless `stacks` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub call_paths: Option<Vec<CallPathInfo>>,
    /// The heaviest blocks, where the call or the program names some.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<String>,
    /// What failed: the program's exception, a signal, the time limit.
    pub errors: Vec<String>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// What the program wrote to stdout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stdout: Option<OutputInfo>,
    /// What the program wrote to stderr.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stderr: Option<OutputInfo>,
    /// The file it was read from, when it was recorded elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loaded_from: Option<String>,
    /// Where it ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<EnvironmentInfo>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}
