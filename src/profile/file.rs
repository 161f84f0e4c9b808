//! One profiled file: its source and what was measured on its lines.

use serde::{Deserialize, Serialize};

use super::derived::Derived;
use super::ids::LineNo;
use super::memo::Memo;
use super::model::LeakReport;
use super::outline::{FunctionSpan, Outline};
use super::totals::{FunctionTotals, Totals};
use super::units::{Fraction, Mebibytes, MebibytesPerSec, Percent, Seconds};

/// Source text with quick access by line.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Source {
    text: String,
    /// Byte offset at which each line begins.
    starts: Vec<usize>,
}

impl From<String> for Source {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.text
    }
}

impl Source {
    /// Indexes a text by line.
    pub fn new(text: String) -> Self {
        let starts = text
            .split_inclusive('\n')
            .scan(0, |next, line| {
                let start = *next;
                *next += line.len();
                Some(start)
            })
            .collect();
        Self { text, starts }
    }

    /// The whole text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Number of lines.
    pub fn line_count(&self) -> usize {
        self.starts.len()
    }

    /// Bytes that the text and its index occupy.
    pub(super) fn bytes(&self) -> usize {
        self.text.capacity() + self.starts.capacity() * size_of::<usize>()
    }

    /// One line without its line break; `None` outside the file.
    pub fn line(&self, number: LineNo) -> Option<&str> {
        let index = usize::try_from(number.get()).ok()?.checked_sub(1)?;
        let start = *self.starts.get(index)?;
        let end = self.starts.get(index + 1).copied().unwrap_or(self.text.len());
        Some(self.text.get(start..end)?.trim_end_matches(['\n', '\r']))
    }
}

/// CPU time of a line, as shares of the run's sampled time.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LineCpu {
    /// Time in the interpreter. Scalene: `n_cpu_percent_python`; stacks: see `docs/accuracy.md`.
    pub python: Percent,
    /// Time in native code: extensions, and builtins that work long. Scalene: `n_cpu_percent_c`.
    pub native: Percent,
    /// Time not on a CPU for the program. Scalene: waiting, sleeping, kernel, descheduled,
    /// `n_sys_percent`; stacks: waiting and sleeping.
    pub system: Percent,
    /// Samples that Scalene kept for this line (main thread only, at most 500 in 2.x; length of
    /// `cpu_samples_list`), or the effective number of stacks.
    pub samples: u32,
    /// User CPU time over wall time over cores, 0 to about 1.
    /// Scalene: `n_core_utilization`.
    pub core_utilization: Option<Fraction>,
}

impl LineCpu {
    /// Python and native time.
    pub fn on_cpu(&self) -> Percent {
        self.python + self.native
    }

    /// The time of two lines that share their samples.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            python: self.python + other.python,
            native: self.native + other.native,
            system: self.system + other.system,
            samples: self.samples.max(other.samples),
            core_utilization: self.core_utilization,
        }
    }

    /// Python, native and system time.
    pub fn total(&self) -> Percent {
        self.python + self.native + self.system
    }
}

/// Memory of a line, from sampled allocations.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LineMemory {
    /// Volume allocated, including what was freed again. Scalene: `n_malloc_mb`.
    pub allocated: Mebibytes,
    /// Highest footprint growth seen while the line ran. It starts anew each time Scalene notices
    /// that the line was left ([`LineMemory::sampled_visits`]); where it never does (1.5.55 to 2.2,
    /// mostly), it covers the whole run. Scalene: `n_peak_mb`.
    pub peak: Mebibytes,
    /// Mean of that growth over visits; absent where no visit was counted. Scalene: `n_avg_mb`
    /// over `n_mallocs`.
    pub average: Option<Mebibytes>,
    /// Times execution left the line after an allocation was sampled there. Not a number
    /// of allocations. Scalene: `n_mallocs`.
    pub sampled_visits: u64,
    /// Part of the volume that came from Python's own allocator. Scalene: `n_python_fraction`.
    pub python_fraction: Option<Fraction>,
    /// Bytes copied per second of the whole run. Scalene: `n_copy_mb_s`.
    pub copy_rate: MebibytesPerSec,
    /// When this line allocated or freed, as far as it was sampled.
    pub activity: Option<Activity>,
}

/// The stretch of the run in which a line allocated, with the footprint of the whole program at
/// both ends. Scalene: first and last of `memory_samples`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Activity {
    /// Sampled moments; Scalene keeps at most 100.
    pub moments: u32,
    /// First of them: time since start, footprint.
    pub first: (Seconds, Mebibytes),
    /// Last of them.
    pub last: (Seconds, Mebibytes),
}

impl LineMemory {
    /// Whether an allocation was sampled here. Nothing sampled is less than a sampling window, not
    /// nothing allocated.
    pub fn is_sampled(&self) -> bool {
        self.allocated.get() + self.peak.get() > 0.0
    }
}

/// GPU load while a line ran.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct LineGpu {
    /// Share of the run's time in which the GPU worked while this line ran: the line's own share
    /// times [`LineGpu::load`], or the share that the profiler of torch reports for a line that no
    /// sample hit (Scalene 2.2+).
    pub share: Percent,
    /// Mean load of the GPU while the line ran, 0 to 100; absent for lines that no sample hit.
    /// Scalene: `n_gpu_percent`, which is a load and no share of the run.
    pub load: Option<Percent>,
    /// Mean GPU memory in use. Scalene: `n_gpu_avg_memory_mb`.
    pub average_memory: Mebibytes,
    /// Highest GPU memory in use. Scalene: `n_gpu_peak_memory_mb`.
    pub peak_memory: Mebibytes,
}

/// A function of machine code that ran while a line did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NativeFunction {
    /// Its symbol, or `<native code>` where the file has none for it.
    pub name: String,
    /// File of the library or program, without its folders.
    pub library: String,
    /// Its part of the line's time, 0 to 100 %; from stacks.
    pub part: Percent,
}

/// A line on which something was measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Where.
    pub number: LineNo,
    /// CPU time; zeros are measured zeros. From stacks where [`FileProfile::exact`], else Scalene's.
    pub cpu: LineCpu,
    /// Scalene's own figures, where [`Line::cpu`] has those of the stacks.
    pub scalene: Option<Box<LineCpu>>,
    /// What its native time went to, most first, where stacks could tell.
    pub native_functions: Vec<NativeFunction>,
    /// Memory; absent when memory was not profiled.
    pub memory: Option<LineMemory>,
    /// GPU; absent when no GPU was profiled.
    pub gpu: Option<LineGpu>,
    /// Share of time spent suspended in `await`. Scalene 2.2+: `n_async_await_percent`.
    pub awaiting: Option<Percent>,
    /// Enclosing loop or function, first and last line. Scalene: `start_region_line`, …
    pub region: Option<(LineNo, LineNo)>,
    /// First and last line of a stretch whose time Scalene spread evenly: from 2.2 on it cannot
    /// tell the lines of a loop without calls apart and gives each the same share. The stretch as
    /// a whole was measured, its lines were not.
    pub spread: Option<(LineNo, LineNo)>,
}

impl Line {
    /// A line of which only the time is known.
    pub fn timed(number: LineNo, cpu: LineCpu) -> Self {
        Self {
            number,
            cpu,
            scalene: None,
            native_functions: Vec::new(),
            memory: None,
            gpu: None,
            awaiting: None,
            region: None,
            spread: None,
        }
    }
}

/// A profiled file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FileProfile {
    /// Absolute path, or a placeholder such as `<snippet>`.
    pub path: String,
    /// Its text as the profiler read it at the end of the run.
    pub source: Source,
    /// Lines on which something was measured, in order. Sums over them are kept once asked for:
    /// they do not change after that.
    pub lines: Vec<Line>,
    /// Share of all sampled time. Scalene: `percent_cpu_time`.
    pub cpu_share: Percent,
    /// What the profiler's own leak detector accuses.
    pub leaks: Vec<LeakReport>,
    /// CPU samples behind the shares of its lines: different entries of all `cpu_samples_list`, or the
    /// effective number of stacks.
    pub samples: u64,
    /// Its times are from stacks read from outside, which are exact about lines.
    pub exact: bool,
    /// Functions of the source, found when first asked for.
    #[serde(skip)]
    outline: Derived<Outline>,
    /// Sums over the lines, found when first asked for.
    #[serde(skip)]
    totals: Derived<Totals>,
    #[serde(skip)]
    function_totals: Derived<Vec<FunctionTotals>>,
    /// Kept by whoever analyses the file; no part of the measurement.
    #[serde(skip)]
    pub memo: Memo,
}

impl FileProfile {
    /// A file from its parts; `lines` in order of their numbers.
    pub fn new(path: String, source: Source, lines: Vec<Line>, cpu_share: Percent) -> Self {
        Self {
            path,
            source,
            lines,
            cpu_share,
            leaks: Vec::new(),
            samples: 0,
            exact: false,
            outline: Derived::default(),
            totals: Derived::default(),
            function_totals: Derived::default(),
            memo: Memo::default(),
        }
    }

    /// Sums over the lines.
    ///
    /// The first call looks at each line; later ones are free.
    pub fn totals(&self) -> &Totals {
        self.totals
            .get(|| Totals { samples: self.samples, ..Totals::of(&self.lines, &self.source) })
    }

    /// Number of functions with measured lines, module-level code included.
    ///
    /// The first call reads the source; later ones are free.
    pub fn sampled_functions(&self) -> usize {
        self.function_totals().iter().filter(|totals| totals.lines > 0).count()
    }

    /// Sums over the own lines of each function: of module-level code first, then in the order of
    /// [`FileProfile::functions`].
    ///
    /// The first call reads the source; later ones are free.
    pub fn function_totals(&self) -> &[FunctionTotals] {
        self.function_totals.get(|| {
            let mut all = vec![FunctionTotals::default(); self.functions().len() + 1];
            for line in &self.lines {
                let slot = self.function_index(line.number).map_or(0, |index| index + 1);
                all.get_mut(slot).into_iter().for_each(|totals| totals.add(line));
            }
            all
        })
    }

    /// Bytes that it occupies once its functions are known.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.path.capacity()
            + self.source.bytes()
            + self.lines.capacity() * size_of::<Line>()
            + self.lines.iter().filter(|line| line.scalene.is_some()).count() * size_of::<LineCpu>()
            + self.leaks.capacity() * size_of::<LeakReport>()
            + self.source.line_count() * Outline::BYTES_PER_LINE
    }

    fn outline(&self) -> &Outline {
        self.outline.get(|| Outline::new(self.source.text(), self.source.line_count()))
    }

    /// Functions and methods of the source, in order of their first line.
    ///
    /// The first call reads the source; later ones are free.
    pub fn functions(&self) -> &[FunctionSpan] {
        &self.outline().functions
    }

    /// Index into [`FileProfile::functions`] of the innermost function that holds a line; `None`
    /// for module-level code.
    pub fn function_index(&self, line: LineNo) -> Option<usize> {
        self.outline().owner(line)
    }

    /// What was measured on one line.
    pub fn line(&self, number: LineNo) -> Option<&Line> {
        let index = self.lines.binary_search_by_key(&number, |line| line.number).ok()?;
        self.lines.get(index)
    }

    /// Volume allocated by all lines; `None` when nothing was sampled.
    pub fn allocated(&self) -> Option<Mebibytes> {
        let volume = self.totals().allocated;
        (volume > Mebibytes::ZERO).then_some(volume)
    }

    /// Name of the function a line belongs to; `<module>` outside functions.
    pub fn function_name(&self, line: &Line) -> &str {
        self.function_index(line.number)
            .and_then(|index| self.functions().get(index))
            .map_or(FunctionSpan::MODULE, |function| function.name.as_str())
    }

    /// Source text of a line; empty when the source is not known.
    pub fn text(&self, number: LineNo) -> &str {
        self.source.line(number).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_found_by_number() {
        let source = Source::new("a\nb\r\n\nlast".to_owned());
        let line = |n| LineNo::new(n).and_then(|n| source.line(n));
        assert_eq!(source.line_count(), 4);
        assert_eq!(
            [line(1), line(2), line(3), line(4), line(5)],
            [Some("a"), Some("b"), Some(""), Some("last"), None]
        );
    }
}
