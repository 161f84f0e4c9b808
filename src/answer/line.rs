//! One line of source with its figures.

use schemars::JsonSchema;
use serde::Serialize;

use super::listing;
use super::native::{self, NativeRow};
use super::text::{amount_or_dash, one_line_indented, source};
use crate::analysis::{CpuBasis, Hotspot, copy_rate};
use crate::profile::{
    FileProfile, Line, LineCpu, LineNo, LineTime, MebibytesPerSec, Profile, Seconds,
};

/// A line and what was measured on it. Figures that nobody measured are absent.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LineMetrics {
    /// Line number, from 1.
    pub line_number: u32,
    /// Last line of a stretch that Scalene could not tell apart; the times are of all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// First and last line of the stretch over whose lines Scalene spread the time evenly: the
    /// stretch was measured, this line's part of it was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spread_over: Option<[u32; 2]>,
    /// Source text.
    pub content: String,
    /// Function it belongs to; `<module>` outside functions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function_name: Option<String>,
    /// What its time is mostly: `Python`, `native`, `waiting` (`kernel` with `use_virtual_time`) or `mixed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mostly: Option<String>,
    /// Share of all sampled time in percent (Python, native and system).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_total: Option<f64>,
    /// 95 % interval of that share (Wilson); absent when the number of samples is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_percent: Option<[f64; 2]>,
    /// Whether Scalene's own account agrees, where the time is from stacks: `yes`, `function` or `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// Scalene's own share of the line in percent, where it does not agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalene_percent: Option<f64>,
    /// Seconds in all: share of sampled time × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_time_sec: Option<f64>,
    /// 95 % interval of these seconds over the runs of `repeat` (Student); absent for a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_interval_sec: Option<[f64; 2]>,
    /// Seconds in the interpreter, on the same basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_time_sec: Option<f64>,
    /// Seconds in native code, on the same basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_time_sec: Option<f64>,
    /// Seconds waiting, in the kernel or descheduled, on the same basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_time_sec: Option<f64>,
    /// Machine code that its time went to, where it is mostly native.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub native_functions: Vec<NativeRow>,
    /// Highest footprint growth while the line ran, MiB: per visit or over the whole run, see `peak_basis`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_mb: Option<f64>,
    /// Volume allocated, freed or not, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_mb: Option<f64>,
    /// Number of allocations. Scalene does not count them: always absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations: Option<u64>,
    /// Copy volume, MiB per second of the run; absent below 100 MiB in all, which may be noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_mb_per_sec: Option<f64>,
    /// Seconds of GPU work while the line ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gpu_time_sec: Option<f64>,
}

impl LineMetrics {
    /// A place as it is ranked: a line, or a stretch with the time of all its lines.
    pub(super) fn of_place(profile: &Profile, spot: &Hotspot<'_>) -> Self {
        let end_line = (spot.end != spot.line.number).then_some(spot.end.get());
        let content = listing::content(spot.file, spot.lines());
        let interval_percent = listing::interval(spot);
        let line = Line { cpu: spot.cpu, ..spot.line.clone() };
        let spread_over = None;
        let time_interval_sec = listing::seconds_over_runs(profile, spot, CpuBasis::WithSystem);
        let (agreement, scalene_percent) = listing::opinion(profile, spot, CpuBasis::WithSystem);
        Self {
            end_line,
            spread_over,
            content,
            interval_percent,
            agreement,
            scalene_percent,
            time_interval_sec,
            ..Self::new(profile, spot.file, &line)
        }
    }

    /// A measured line.
    pub(super) fn new(profile: &Profile, file: &FileProfile, line: &Line) -> Self {
        let seconds = |share| profile.seconds(share).map(Seconds::rounded);
        let cpu = profile.measured.cpu.then_some(&line.cpu);
        let copied = line.memory.as_ref().and_then(|memory| copy_rate(profile, memory));
        let memory = line.memory.as_ref().filter(|memory| memory.is_sampled());
        Self {
            line_number: line.number.get(),
            spread_over: { line.spread.filter(|_| profile.measured.cpu) }
                .map(|(first, last)| [first.get(), last.get()]),
            end_line: None,
            interval_percent: None,
            agreement: None,
            scalene_percent: None,
            content: source(file.text(line.number)),
            function_name: Some(file.function_name(line).to_owned()),
            mostly: cpu.and_then(|cpu| kind(profile, cpu)).map(str::to_owned),
            percent_of_total: cpu.map(|cpu| cpu.total().rounded()),
            total_time_sec: cpu.and_then(|cpu| seconds(cpu.total())),
            time_interval_sec: { profile.repeats.as_ref().filter(|_| cpu.is_some()) }
                .and_then(|repeats| repeats.line(&file.path, LineTime::All, line.number))
                .map(|interval| listing::bounds(&interval)),
            python_time_sec: cpu.and_then(|cpu| seconds(cpu.python)),
            c_time_sec: cpu.and_then(|cpu| seconds(cpu.native)),
            system_time_sec: cpu.and_then(|cpu| seconds(cpu.system)),
            native_functions: if cpu.is_some() { native::of(line, 1) } else { Vec::new() },
            peak_memory_mb: memory.map(|memory| memory.peak.rounded()),
            allocated_mb: memory.map(|memory| memory.allocated.rounded()),
            allocations: None,
            copy_mb_per_sec: copied.map(MebibytesPerSec::rounded),
            gpu_time_sec: line.gpu.and_then(|gpu| Some(gpu.share.of(profile.elapsed?).rounded())),
        }
    }

    /// A line without samples.
    pub(super) fn bare(file: &FileProfile, number: LineNo) -> Self {
        Self {
            line_number: number.get(),
            spread_over: None,
            end_line: None,
            interval_percent: None,
            agreement: None,
            scalene_percent: None,
            content: one_line_indented(file.text(number)),
            function_name: None,
            mostly: None,
            percent_of_total: None,
            total_time_sec: None,
            time_interval_sec: None,
            python_time_sec: None,
            c_time_sec: None,
            system_time_sec: None,
            native_functions: Vec::new(),
            peak_memory_mb: None,
            allocated_mb: None,
            allocations: None,
            copy_mb_per_sec: None,
            gpu_time_sec: None,
        }
    }

    /// Memory and GPU in words, for a table of times; empty when there is nothing to say.
    pub(super) fn aside(&self) -> String {
        let part = |value: Option<f64>, before: &str, after: &str| {
            value.map(|value| format!("{before}{}{after}", super::amount(value)))
        };
        let native = native::text(&self.native_functions);
        let other = listing::other_share(self.scalene_percent, self.agreement.as_deref());
        let other = format!("{native}{other}");
        let parts: Vec<_> = [
            part(self.allocated_mb, "", " MiB allocated"),
            part(self.peak_memory_mb, "peak ", " MiB"),
            part(self.copy_mb_per_sec, "copies ", " MiB/s"),
            part(self.gpu_time_sec, "GPU ", " s"),
        ]
        .into_iter()
        .flatten()
        .collect();
        if parts.is_empty() { other } else { format!("{other}  [{}]", parts.join(", ")) }
    }

    /// The time columns of a table row.
    pub(super) fn time_cells(&self) -> Vec<String> {
        let share = self.percent_of_total.map_or_else(
            || "-".into(),
            |percent| listing::share(percent, self.interval_percent, false),
        );
        let mut cells = vec![share];
        let within = listing::within(self.time_interval_sec);
        cells.push(format!("{}{within}", amount_or_dash(self.total_time_sec)));
        cells.extend(
            [self.python_time_sec, self.c_time_sec, self.system_time_sec].map(amount_or_dash),
        );
        cells.push(self.mostly.clone().unwrap_or_default());
        cells
    }
}

/// What a line spends its time on; nothing for a line without time.
///
/// Of the whole three quarters must be on a CPU to be called Python or native. Scalene 2.2 and later
/// show a quarter to a half of pure Python loops as native, so only a clear majority of that counts.
pub(super) fn kind(profile: &Profile, time: &LineCpu) -> Option<&'static str> {
    let (cpu, total) = (time.on_cpu().get(), time.total().get());
    if total == 0.0 {
        return None;
    }
    Some(if time.system.get() > 0.5 * total {
        // Of CPU time what is neither is spent in the kernel.
        if profile.measured.virtual_time { "kernel" } else { "waiting" }
    } else if cpu < 0.75 * total {
        "mixed"
    } else if time.native.get() > 0.8 * cpu {
        "native"
    } else if time.native.get() <= 0.5 * cpu {
        "Python"
    } else {
        "mixed"
    })
}
