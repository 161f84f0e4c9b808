//! What the single runs say behind a profile that is the mean of several.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::file::LineCpu;
use super::ids::LineNo;
use super::model::Profile;
use super::units::Seconds;
use crate::statistics::Interval;

/// One of the runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RepeatedRun {
    /// Wall time of the program with profiling on.
    pub elapsed: Option<Seconds>,
    /// Samples behind its times, when their number is known.
    pub samples: Option<u64>,
}

/// Which of a line's time is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineTime {
    /// Python and native.
    OnCpu,
    /// Waiting, sleeping and the kernel too.
    All,
}

/// Seconds of one line in each run, in their order; 0 in a run that has no sample of it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
struct RunSeconds {
    on_cpu: Vec<f64>,
    all: Vec<f64>,
}

impl RunSeconds {
    fn of(&self, time: LineTime) -> &[f64] {
        match time {
            LineTime::OnCpu => &self.on_cpu,
            LineTime::All => &self.all,
        }
    }
}

/// The runs behind a profile that is their mean.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Repeats {
    /// In the order in which they ran; two at least.
    pub runs: Vec<RepeatedRun>,
    /// By file, as the profile names it, and line. Empty where seconds are not known.
    files: BTreeMap<String, BTreeMap<LineNo, RunSeconds>>,
}

impl Repeats {
    /// What these runs measured.
    pub(super) fn of(runs: &[Profile]) -> Self {
        let mut repeats = Self::default();
        for (number, run) in runs.iter().enumerate() {
            repeats.runs.push(RepeatedRun { elapsed: run.elapsed, samples: run.cpu_samples() });
            for (file, line) in run.lines() {
                let seconds = |share| run.seconds(share).map(Seconds::get);
                let cpu: &LineCpu = &line.cpu;
                let known = seconds(cpu.on_cpu()).zip(seconds(cpu.total()));
                let Some((on_cpu, all)) = known else { continue };
                let lines = repeats.files.entry(file.path.clone()).or_default();
                let slot = lines.entry(line.number).or_insert_with(|| RunSeconds {
                    on_cpu: vec![0.0; runs.len()],
                    all: vec![0.0; runs.len()],
                });
                slot.on_cpu.get_mut(number).into_iter().for_each(|value| *value = on_cpu);
                slot.all.get_mut(number).into_iter().for_each(|value| *value = all);
            }
        }
        repeats
    }

    /// Mean of the wall time of the runs, with its 95 % interval.
    pub fn elapsed(&self) -> Option<Interval> {
        let known: Option<Vec<f64>> =
            self.runs.iter().map(|run| run.elapsed.map(Seconds::get)).collect();
        Interval::of(&known?)
    }

    /// Mean of the seconds of all lines of a file that are `wanted` (one, a stretch, a function), with its 95 %
    /// interval; `None` where no run has time there.
    pub fn seconds(
        &self,
        file: &str,
        time: LineTime,
        wanted: impl Fn(LineNo) -> bool,
    ) -> Option<Interval> {
        let mut sums = vec![0.0; self.runs.len()];
        let mut found = false;
        for (_, line) in self.files.get(file)?.iter().filter(|(number, _)| wanted(**number)) {
            found = true;
            sums.iter_mut().zip(line.of(time)).for_each(|(sum, seconds)| *sum += seconds);
        }
        if found { Interval::of(&sums) } else { None }
    }

    /// The same for one line.
    pub fn line(&self, file: &str, time: LineTime, number: LineNo) -> Option<Interval> {
        Interval::of(self.files.get(file)?.get(&number)?.of(time))
    }

    /// Bytes that it occupies, about.
    pub(super) fn bytes(&self) -> usize {
        let line = 2 * size_of::<(LineNo, RunSeconds)>() + 16 * self.runs.len();
        let files = self.files.iter();
        self.runs.capacity() * size_of::<RepeatedRun>()
            + files.map(|(name, lines)| 64 + name.capacity() + lines.len() * line).sum::<usize>()
    }
}
