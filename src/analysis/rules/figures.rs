//! Sums over the lines of a place.

use super::super::thresholds::COPY_NOISE_MIB;
use crate::profile::{FileProfile, Percent, Profile, round_for_display};

/// Line numbers, first and last, ascending and apart.
pub(super) type Ranges = Vec<(u32, u32)>;

/// What a limit is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quantity {
    /// Share of all sampled time.
    Share,
    /// Time on a CPU, in percent of the place's time.
    ComputingPart,
    /// Native time, in percent of the place's time.
    NativePart,
    /// Waiting time, in percent of the place's time.
    WaitingPart,
    /// Volume allocated in MiB.
    Allocated,
    /// Volume allocated, in percent of what all lines allocated.
    AllocatedPart,
    /// Volume copied in MiB.
    Copied,
}

/// The numbers of a place.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Figures {
    pub(super) python: f64,
    pub(super) native: f64,
    pub(super) system: f64,
    pub(super) allocated: f64,
    pub(super) copy_rate: f64,
    /// Of one line at most.
    pub(super) most_copied: f64,
    /// The line with most time, and its share.
    pub(super) hottest: (u32, f64),
}

impl Figures {
    pub(super) fn of(file: &FileProfile, ranges: &[(u32, u32)]) -> Self {
        let mut sum = Self::default();
        for (first, last) in ranges {
            let start = file.lines.partition_point(|line| line.number.get() < *first);
            let inside =
                file.lines.iter().skip(start).take_while(|line| line.number.get() <= *last);
            for line in inside {
                sum.python += line.cpu.python.get();
                sum.native += line.cpu.native.get();
                sum.system += line.cpu.system.get();
                if let Some(memory) = &line.memory {
                    sum.allocated += memory.allocated.get();
                    sum.copy_rate += memory.copy_rate.get();
                    sum.most_copied = sum.most_copied.max(memory.copy_rate.get());
                }
                let total = line.cpu.total().get();
                if total > sum.hottest.1 {
                    sum.hottest = (line.number.get(), total);
                }
            }
        }
        sum
    }

    /// A part of the time; memory as it is.
    pub(super) fn times(self, part: f64) -> Self {
        let (python, native, system) = (self.python * part, self.native * part, self.system * part);
        Self { python, native, system, ..self }
    }

    pub(super) fn total(&self) -> f64 {
        self.python + self.native + self.system
    }

    pub(super) fn share(&self) -> Option<Percent> {
        Percent::from_percent(self.total())
    }

    /// MiB copied in the whole run, where one line is above the noise.
    pub(super) fn copied(&self, profile: &Profile) -> Option<f64> {
        let elapsed = profile.elapsed?.get();
        (self.most_copied * elapsed >= COPY_NOISE_MIB.value).then_some(self.copy_rate * elapsed)
    }

    pub(super) fn quantity(&self, of: Quantity, profile: &Profile, volume: f64) -> f64 {
        let part = |of: f64, whole: f64| if whole > 0.0 { 100.0 * of / whole } else { 0.0 };
        match of {
            Quantity::Share => self.total(),
            Quantity::ComputingPart => part(self.python + self.native, self.total()),
            Quantity::NativePart => part(self.native, self.total()),
            Quantity::WaitingPart => part(self.system, self.total()),
            Quantity::Allocated => self.allocated,
            Quantity::AllocatedPart => part(self.allocated, volume),
            Quantity::Copied => self.copied(profile).unwrap_or(0.0),
        }
    }

    /// The numbers as evidence.
    pub(super) fn evidence(
        &self,
        profile: &Profile,
        ranges: &[(u32, u32)],
        about_time: bool,
    ) -> Vec<String> {
        let mut evidence = Vec::new();
        let lines = lines_text(ranges);
        if about_time && self.total() > 0.0 {
            let seconds = self.share().and_then(|share| profile.seconds(share));
            let seconds =
                seconds.map_or(String::new(), |s| format!(" (about {} s)", number(s.get())));
            evidence.push(format!(
                "{lines}: {} % of sampled time{seconds}: Python {}, native {}, waiting {}",
                number(self.total()),
                number(self.python),
                number(self.native),
                number(self.system)
            ));
            let several = ranges.iter().map(|(first, last)| last - first + 1).sum::<u32>() > 1;
            // Below, the time is spread, by the program or by Scalene.
            let stands_out = (0.55..0.95).contains(&(self.hottest.1 / self.total()));
            if several && stands_out {
                let (line, share) = self.hottest;
                evidence.push(format!("most on one line: {} % on line {line}", number(share)));
            }
        }
        if self.allocated >= 1.0 {
            evidence.push(format!("{lines}: {} MiB allocated", number(self.allocated)));
        }
        if let Some(copied) = self.copied(profile) {
            evidence.push(format!(
                "{lines}: {} MiB copied ({} MiB/s)",
                number(copied),
                number(self.copy_rate)
            ));
        }
        evidence
    }
}

/// Lines that a sentence lists.
const LISTED: usize = 8;

/// Three significant digits.
pub(super) fn number(value: f64) -> String {
    format!("{}", round_for_display(value))
}

/// `3, 5, 9`, of many the first ones.
pub(super) fn numbers(lines: &[u32]) -> String {
    let parts: Vec<_> = lines.iter().take(LISTED).map(ToString::to_string).collect();
    let more = match lines.len().saturating_sub(LISTED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", parts.join(", "))
}

/// `line 3` or `lines 3-5, 9`.
pub(super) fn lines_text(ranges: &[(u32, u32)]) -> String {
    let one = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let parts: Vec<_> = ranges.iter().take(4).map(one).collect();
    let more = if ranges.len() > 4 { ", …" } else { "" };
    match ranges {
        [(first, last)] if first == last => format!("line {first}"),
        _ => format!("lines {}{more}", parts.join(", ")),
    }
}
