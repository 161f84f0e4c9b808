//! Sums over the lines of a file or a profile.

use std::iter::Sum;

use super::file::Line;
use super::units::{Mebibytes, Percent};

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
    /// Samples behind the shares; one that is listed on several lines counts once.
    pub samples: u64,
    /// Most samples listed on one line.
    pub most_samples: u32,
    /// Share of sampled time on lines that list no sample (worker threads).
    pub unlisted: Percent,
}

impl Totals {
    pub(super) fn of(lines: &[Line]) -> Self {
        let mut totals = Self::default();
        for line in lines {
            totals.python = totals.python + line.cpu.python;
            totals.native = totals.native + line.cpu.native;
            totals.system = totals.system + line.cpu.system;
            totals.most_samples = totals.most_samples.max(line.cpu.samples);
            if let Some(memory) = &line.memory {
                totals.allocated = totals.allocated + memory.allocated;
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

impl<'a> Sum<&'a Totals> for Totals {
    fn sum<I: Iterator<Item = &'a Totals>>(iter: I) -> Self {
        iter.fold(Self::default(), |one, other| Self {
            python: one.python + other.python,
            native: one.native + other.native,
            system: one.system + other.system,
            allocated: one.allocated + other.allocated,
            samples: one.samples.saturating_add(other.samples),
            most_samples: one.most_samples.max(other.most_samples),
            unlisted: one.unlisted + other.unlisted,
        })
    }
}
