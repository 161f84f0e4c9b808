//! Sums over the lines of a file or a profile.

use std::iter::Sum;

use super::file::{Line, Source};
use super::units::{Mebibytes, MebibytesPerSec, Percent};

/// Sums over lines. Answers ask for them again and again, and lines are many.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Share of sampled time in the interpreter.
    pub python: Percent,
    /// Share of sampled time in native code.
    pub native: Percent,
    /// Share of sampled time waiting, in the kernel or descheduled.
    pub system: Percent,
    /// Volume allocated.
    pub allocated: Mebibytes,
    /// MiB copied per second of the run.
    pub copy_rate: MebibytesPerSec,
    /// Share of sampled time on import statements.
    pub importing: Percent,
    /// Samples behind the shares; one that is listed on several lines counts once.
    pub samples: u64,
    /// Most samples listed on one line.
    pub most_samples: u32,
    /// Share of sampled time on lines that list no sample (worker threads).
    pub unlisted: Percent,
}

impl Totals {
    pub(super) fn of(lines: &[Line], source: &Source) -> Self {
        let mut totals = Self::default();
        for line in lines {
            if source.line(line.number).is_some_and(is_import) {
                totals.importing = totals.importing + line.cpu.total();
            }
            totals.python = totals.python + line.cpu.python;
            totals.native = totals.native + line.cpu.native;
            totals.system = totals.system + line.cpu.system;
            totals.most_samples = totals.most_samples.max(line.cpu.samples);
            if let Some(memory) = &line.memory {
                totals.allocated = totals.allocated + memory.allocated;
                totals.copy_rate = totals.copy_rate + memory.copy_rate;
            }
            if line.cpu.samples == 0 {
                totals.unlisted = totals.unlisted + line.cpu.total();
            }
        }
        totals
    }

    /// Python and native time.
    pub fn on_cpu(&self) -> Percent {
        self.python + self.native
    }

    /// Python, native and system time.
    pub fn total(&self) -> Percent {
        self.python + self.native + self.system
    }
}

fn is_import(text: &str) -> bool {
    let text = text.trim_start();
    text.starts_with("import ") || (text.starts_with("from ") && text.contains(" import"))
}

impl<'a> Sum<&'a Totals> for Totals {
    fn sum<I: Iterator<Item = &'a Totals>>(iter: I) -> Self {
        iter.fold(Self::default(), |one, other| Self {
            python: one.python + other.python,
            native: one.native + other.native,
            system: one.system + other.system,
            allocated: one.allocated + other.allocated,
            copy_rate: one.copy_rate + other.copy_rate,
            importing: one.importing + other.importing,
            samples: one.samples.saturating_add(other.samples),
            most_samples: one.most_samples.max(other.most_samples),
            unlisted: one.unlisted + other.unlisted,
        })
    }
}

/// What the own lines of one function add up to.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct FunctionTotals {
    /// Lines on which something was measured.
    pub lines: usize,
    /// Share of sampled time, Python and native.
    pub on_cpu: Percent,
    /// Share of sampled time waiting, in the kernel or descheduled.
    pub system: Percent,
    /// Whether memory was sampled on any of its lines.
    pub memory: bool,
    /// Largest peak of a line.
    pub peak: Mebibytes,
    /// Largest average of a line.
    pub average: Option<Mebibytes>,
    /// Volume allocated.
    pub allocated: Mebibytes,
}

impl FunctionTotals {
    pub(super) fn add(&mut self, line: &Line) {
        self.lines += 1;
        self.on_cpu = self.on_cpu + line.cpu.on_cpu();
        self.system = self.system + line.cpu.system;
        let Some(memory) = line.memory.as_ref().filter(|memory| memory.is_sampled()) else {
            return;
        };
        self.memory = true;
        self.peak = self.peak.max(memory.peak);
        self.average = self.average.into_iter().chain(memory.average).reduce(Mebibytes::max);
        self.allocated = self.allocated + memory.allocated;
    }

    /// Share of sampled time of all kinds.
    pub fn total(&self) -> Percent {
        self.on_cpu + self.system
    }
}
