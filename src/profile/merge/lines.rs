//! Lines of one file in several runs.

use std::collections::BTreeMap;

use super::{Merging, Weights, mean};
use crate::profile::file::{FileProfile, Line, LineCpu, LineGpu, LineMemory, NativeFunction};
use crate::profile::ids::LineNo;
use crate::profile::model::LeakReport;
use crate::profile::units::{Fraction, Mebibytes, MebibytesPerSec, Percent};

/// A file of some of the runs, each with its place; `runs` is how many there are in all.
pub(super) fn merged_file(
    all: &[(usize, &FileProfile)],
    runs: usize,
    merging: &Merging,
) -> Option<FileProfile> {
    let (_, first) = all.first()?;
    // A run that could not read it has no text.
    let named = all.iter().find(|(_, file)| file.source.line_count() > 0);
    let source = named.map_or_else(|| first.source.clone(), |(_, file)| file.source.clone());
    let mut found: BTreeMap<LineNo, Vec<(usize, &Line)>> = BTreeMap::new();
    for (run, file) in all {
        for line in &file.lines {
            found.entry(line.number).or_default().push((*run, line));
        }
    }
    let lines = found
        .into_iter()
        .filter_map(|(number, lines)| merged_line(number, &lines, runs, merging))
        .collect();
    let share = merging.weights.mean(all.iter().map(|(run, file)| (*run, file.cpu_share)));
    let mut file = FileProfile::new(first.path.clone(), source, lines, share);
    file.samples = all.iter().fold(0, |sum: u64, (_, file)| sum.saturating_add(file.samples));
    file.exact = all.iter().all(|(_, file)| file.exact);
    file.leaks = leaks(all);
    Some(file)
}

/// Every line that was accused in any run, with the highest likelihood.
fn leaks(all: &[(usize, &FileProfile)]) -> Vec<LeakReport> {
    let mut found: BTreeMap<LineNo, Fraction> = BTreeMap::new();
    for leak in all.iter().flat_map(|(_, file)| &file.leaks) {
        let known = found.entry(leak.line).or_insert(leak.likelihood);
        *known = known.max(leak.likelihood);
    }
    found.into_iter().map(|(line, likelihood)| LeakReport { line, likelihood }).collect()
}

fn merged_line(
    number: LineNo,
    lines: &[(usize, &Line)],
    runs: usize,
    merging: &Merging,
) -> Option<Line> {
    let weights = &merging.weights;
    let cpus: Vec<_> = lines.iter().map(|(run, line)| (*run, line.cpu)).collect();
    let scalene: Vec<_> =
        lines.iter().filter_map(|(run, line)| Some((*run, **line.scalene.as_ref()?))).collect();
    let gpus: Vec<_> = lines.iter().filter_map(|(run, line)| Some((*run, line.gpu?))).collect();
    let memories: Vec<_> =
        lines.iter().filter_map(|(run, line)| Some((*run, line.memory.as_ref()?))).collect();
    let awaiting: Vec<_> =
        lines.iter().filter_map(|(run, line)| Some((*run, line.awaiting?))).collect();
    let (_, first) = lines.first()?;
    Some(Line {
        number,
        cpu: merged_cpu(&cpus, weights),
        scalene: (!scalene.is_empty()).then(|| Box::new(merged_cpu(&scalene, weights))),
        native_functions: native_functions(lines, weights),
        memory: (!memories.is_empty()).then(|| merged_memory(&memories, runs, merging.footprint)),
        gpu: (!gpus.is_empty()).then(|| merged_gpu(&gpus, weights)),
        awaiting: (!awaiting.is_empty()).then(|| weights.mean(awaiting.into_iter())),
        region: lines.iter().find_map(|(_, line)| line.region).or(first.region),
        spread: lines.iter().find_map(|(_, line)| line.spread),
    })
}

fn merged_cpu(cpus: &[(usize, LineCpu)], weights: &Weights) -> LineCpu {
    let share =
        |of: fn(&LineCpu) -> Percent| weights.mean(cpus.iter().map(|(run, cpu)| (*run, of(cpu))));
    let cores: Vec<f64> =
        cpus.iter().filter_map(|(_, cpu)| cpu.core_utilization).map(Fraction::get).collect();
    LineCpu {
        python: share(|cpu| cpu.python),
        native: share(|cpu| cpu.native),
        system: share(|cpu| cpu.system),
        samples: cpus.iter().fold(0, |sum: u32, (_, cpu)| sum.saturating_add(cpu.samples)),
        core_utilization: if cores.is_empty() {
            None
        } else {
            Fraction::from_fraction(mean(&cores))
        },
    }
}

/// Volumes are means over all runs, also those without a sample here; the peak is the highest.
fn merged_memory(memories: &[(usize, &LineMemory)], runs: usize, footprint: usize) -> LineMemory {
    let sum =
        |of: fn(&LineMemory) -> f64| memories.iter().map(|(_, memory)| of(memory)).sum::<f64>();
    #[expect(clippy::cast_precision_loss, reason = "a number of runs")]
    let per_run = |sum: f64| sum / runs as f64;
    let averages: Vec<f64> =
        memories.iter().filter_map(|(_, memory)| memory.average).map(Mebibytes::get).collect();
    let allocated = sum(|memory| memory.allocated.get());
    let python = memories
        .iter()
        .filter_map(|(_, memory)| Some(memory.python_fraction?.get() * memory.allocated.get()));
    let visits = memories.iter().map(|(_, memory)| memory.sampled_visits).sum::<u64>();
    let has_fraction = memories.iter().any(|(_, memory)| memory.python_fraction.is_some());
    LineMemory {
        allocated: Mebibytes::from_mib(per_run(allocated)).unwrap_or(Mebibytes::ZERO),
        peak: memories.iter().map(|(_, memory)| memory.peak).fold(Mebibytes::ZERO, Mebibytes::max),
        average: if averages.is_empty() { None } else { Mebibytes::from_mib(mean(&averages)) },
        sampled_visits: visits.div_ceil(u64::try_from(runs.max(1)).unwrap_or(u64::MAX)),
        python_fraction: { has_fraction && allocated > 0.0 }
            .then(|| Fraction::from_fraction((python.sum::<f64>() / allocated).min(1.0)))
            .flatten(),
        copy_rate: MebibytesPerSec::from_mib_per_sec(per_run(sum(|memory| memory.copy_rate.get())))
            .unwrap_or(MebibytesPerSec::ZERO),
        activity: memories
            .iter()
            .find(|(run, _)| *run == footprint)
            .and_then(|(_, memory)| memory.activity),
    }
}

fn merged_gpu(gpus: &[(usize, LineGpu)], weights: &Weights) -> LineGpu {
    let loads: Vec<f64> = gpus.iter().filter_map(|(_, gpu)| gpu.load).map(Percent::get).collect();
    let used: Vec<f64> = gpus.iter().map(|(_, gpu)| gpu.average_memory.get()).collect();
    LineGpu {
        share: weights.mean(gpus.iter().map(|(run, gpu)| (*run, gpu.share))),
        load: if loads.is_empty() { None } else { Percent::from_percent(mean(&loads)) },
        average_memory: Mebibytes::from_mib(mean(&used)).unwrap_or(Mebibytes::ZERO),
        peak_memory: gpus
            .iter()
            .map(|(_, gpu)| gpu.peak_memory)
            .fold(Mebibytes::ZERO, Mebibytes::max),
    }
}

/// Parts of the line's time over all runs, most first.
fn native_functions(lines: &[(usize, &Line)], weights: &Weights) -> Vec<NativeFunction> {
    let time = |run: usize, line: &Line| weights.get(run) * line.cpu.total().get();
    let whole: f64 = lines.iter().map(|(run, line)| time(*run, line)).sum();
    let mut sums: BTreeMap<(&str, &str), f64> = BTreeMap::new();
    for (run, line) in lines {
        for function in &line.native_functions {
            *sums.entry((&function.name, &function.library)).or_default() +=
                time(*run, line) * function.part.get();
        }
    }
    let mut found: Vec<_> = sums
        .into_iter()
        .filter_map(|((name, library), sum)| {
            let part = Percent::from_percent(sum / whole)?;
            Some(NativeFunction { name: name.to_owned(), library: library.to_owned(), part })
        })
        .collect();
    found.sort_by(|a, b| b.part.get().total_cmp(&a.part.get()));
    found
}
