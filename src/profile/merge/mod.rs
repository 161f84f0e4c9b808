//! One profile of several runs of the same program.
//!
//! Seconds and volumes are means per run, peaks the highest, numbers of samples sums. Shares are weighted by the
//! time of their run, so that share × mean time is the mean of the seconds. What cannot be
//! averaged (the footprint over time, the output, what was measured in one more run) is that of one run: see
//! [`merged`].

mod blocks;
mod calls;
mod lines;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use self::blocks::merged_blocks;
use self::calls::merged_calls;
use self::lines::merged_file;
use super::file::FileProfile;
use super::model::{CallPath, Footprint, Frame, Profile, Witness};
use super::repeats::Repeats;
use super::run::RunInfo;
use super::units::{Percent, Seconds};

/// Weight of each run, by its place; they add up to 1.
struct Weights(Vec<f64>);

impl Weights {
    /// By the time that shares are parts of; equal where it is not known.
    fn of(runs: &[Profile]) -> Self {
        let all = Percent::from_percent(100.0);
        let whole = |run: &Profile| {
            let seconds = all.and_then(|all| run.seconds(all)).or(run.elapsed);
            seconds.map(Seconds::get).filter(|seconds| *seconds > 0.0)
        };
        let known: Option<Vec<f64>> = runs.iter().map(whole).collect();
        let parts = known.unwrap_or_else(|| vec![1.0; runs.len()]);
        let sum: f64 = parts.iter().sum();
        Self(parts.iter().map(|part| part / sum.max(f64::MIN_POSITIVE)).collect())
    }

    fn get(&self, run: usize) -> f64 {
        self.0.get(run).copied().unwrap_or_default()
    }

    /// Mean of shares; a run that is not among them has none.
    fn mean(&self, shares: impl Iterator<Item = (usize, Percent)>) -> Percent {
        let sum = shares.map(|(run, share)| self.get(run) * share.get()).sum();
        Percent::from_percent(sum).unwrap_or(Percent::ZERO)
    }
}

/// What the parts of runs are merged by.
struct Merging {
    weights: Weights,
    /// The run whose footprint is kept: that with the highest peak.
    footprint: usize,
}

/// One profile of these runs of one program, which ended alike and were timed by the same witness; `None` of none, and
/// the run itself of one.
///
/// Of the run with the highest peak: footprint over time, and when lines allocated. Of the first: output, start,
/// environment, counted calls, and what stays whichever line is changed.
pub fn merged(mut runs: Vec<Profile>) -> Option<Profile> {
    if runs.len() < 2 {
        return runs.pop();
    }
    let merging = Merging { weights: Weights::of(&runs), footprint: highest(&runs) };
    let (files, changed) = files(&runs, &merging);
    let footprint = merged_footprint(&runs, &merging);
    let call_paths = call_paths(&runs, &merging.weights);
    let calls = merged_calls(&runs);
    let blocks = merged_blocks(&runs);
    let repeats = Repeats::of(&runs);
    let first = runs.first()?;
    let mut run = run_info(&first.run, &runs);
    run.warnings.extend(changed.into_iter().map(|file| {
        format!("the source of `{file}` changed between the runs: its lines may be mixed up")
    }));
    Some(Profile {
        elapsed: mean_seconds(runs.iter().map(|run| run.elapsed)),
        timed_by: witness(&runs, &merging.weights),
        files,
        footprint,
        call_paths,
        calls,
        blocks,
        run,
        repeats: Some(repeats),
        // No document says what the mean says.
        raw: None,
        ..first.clone()
    })
}

fn highest(runs: &[Profile]) -> usize {
    let peak = |run: &Profile| run.footprint.as_ref().map_or(-1.0, |it| it.peak.get());
    let peaks = runs.iter().map(peak).enumerate();
    peaks.rev().max_by(|(_, a), (_, b)| a.total_cmp(b)).map_or(0, |(run, _)| run)
}

/// Mean of what is known of every run.
fn mean_seconds(values: impl Iterator<Item = Option<Seconds>>) -> Option<Seconds> {
    let values: Vec<f64> = values.map(|value| value.map(Seconds::get)).collect::<Option<_>>()?;
    Seconds::from_secs(mean(&values))
}

#[expect(clippy::cast_precision_loss, reason = "a number of runs")]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

fn witness(runs: &[Profile], weights: &Weights) -> Witness {
    let mut samples = Some(0_u64);
    let mut shares = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        let Witness::Stacks { scalene_samples, undivided } = run.timed_by else {
            return Witness::Scalene;
        };
        samples = samples.zip(scalene_samples).map(|(sum, more)| sum.saturating_add(more));
        shares.push((number, undivided));
    }
    Witness::Stacks { scalene_samples: samples, undivided: weights.mean(shares.into_iter()) }
}

/// Files of all runs, in the order in which they come, and those whose text differs.
fn files(runs: &[Profile], merging: &Merging) -> (Vec<FileProfile>, Vec<String>) {
    let mut places: BTreeMap<&str, usize> = BTreeMap::new();
    let mut found: Vec<Vec<(usize, &FileProfile)>> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for file in &run.files {
            let place = *places.entry(&file.path).or_insert_with(|| {
                found.push(Vec::new());
                found.len() - 1
            });
            found.get_mut(place).into_iter().for_each(|all| all.push((number, file)));
        }
    }
    let changed = |all: &&Vec<(usize, &FileProfile)>| {
        let mut texts = all.iter().map(|(_, file)| file.source.text()).filter(|t| !t.is_empty());
        let first = texts.next();
        texts.any(|text| Some(text) != first)
    };
    let changed = found.iter().filter(changed).filter_map(|all| all.first());
    let changed = changed.map(|(_, file)| file.path.clone()).collect();
    let merged = found.iter().filter_map(|all| merged_file(all, runs.len(), merging)).collect();
    (merged, changed)
}

fn merged_footprint(runs: &[Profile], merging: &Merging) -> Option<Footprint> {
    let kept = runs.get(merging.footprint)?.footprint.clone()?;
    let records = runs.iter().map(|run| run.footprint.as_ref().and_then(|it| it.records));
    Some(Footprint { records: records.sum::<Option<u64>>().or(kept.records), ..kept })
}

/// Paths of all runs, heaviest first.
fn call_paths(runs: &[Profile], weights: &Weights) -> Vec<CallPath> {
    let mut paths: Vec<CallPath> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for path in &run.call_paths {
            let share = weights.mean(std::iter::once((number, path.share)));
            let same = |known: &&mut CallPath| -> bool {
                let frames: &[Frame] = &known.frames;
                frames == path.frames
            };
            if let Some(known) = paths.iter_mut().find(same) {
                known.share = known.share + share;
                known.samples = known.samples.saturating_add(path.samples);
            } else {
                paths.push(CallPath { share, ..path.clone() });
            }
        }
    }
    paths.sort_by(|a, b| b.share.get().total_cmp(&a.share.get()));
    paths
}

/// Facts of the first run, with figures of all; a warning that not every run has says whose it is.
fn run_info(first: &RunInfo, runs: &[Profile]) -> RunInfo {
    let mut warnings: Vec<(String, Vec<usize>)> = Vec::new();
    for (number, run) in runs.iter().enumerate() {
        for warning in &run.run.warnings {
            match warnings.iter_mut().find(|(known, _)| known == warning) {
                Some((_, of)) => of.push(number + 1),
                None => warnings.push((warning.clone(), vec![number + 1])),
            }
        }
    }
    let told = warnings.into_iter().map(|(text, mut of)| {
        of.dedup();
        if of.len() == runs.len() {
            return text;
        }
        let numbers: Vec<_> = of.iter().map(usize::to_string).collect();
        format!("run {} of {}: {text}", numbers.join(", "), runs.len())
    });
    RunInfo {
        warnings: told.collect(),
        process_cpu: mean_seconds(runs.iter().map(|run| run.run.process_cpu)),
        peak_resident_bytes: runs.iter().filter_map(|run| run.run.peak_resident_bytes).max(),
        ..first.clone()
    }
}
