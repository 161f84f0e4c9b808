//! Raw document to model: units checked, text unescaped, lines tied to functions.

use std::borrow::Cow;
use std::fmt;

use super::doubts::{Doubts, ROUNDING, TOP, any, count, line_no, mib, part, seconds, share};
use super::json::{Num, RawFrame, RawProfile, RawStack};
use crate::profile::{
    AllocationPath, CallPath, FileProfile, Footprint, Frame, LineNo, Mebibytes, Percent, Seconds,
};

/// What a document holds, before it is tied to the run that made it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Parsed {
    /// Absolute path of the script, when the document says.
    pub program: Option<String>,
    /// Arguments without the script; absent after a signal.
    pub args: Option<Vec<String>>,
    /// Wall time with profiling on.
    pub elapsed: Option<Seconds>,
    /// Whether allocations were sampled.
    pub memory: bool,
    /// Kind of accelerator that was sampled.
    pub gpu: Option<String>,
    /// Profiled files, by path.
    pub files: Vec<FileProfile>,
    /// Memory over time.
    pub footprint: Option<Footprint>,
    /// Call paths, heaviest first.
    pub call_paths: Vec<CallPath>,
    /// Memory peaks of lines start anew with each visit: Scalene noticed the line being left.
    pub peaks_per_visit: bool,
    /// When the run started, seconds since 1970, when the document says.
    pub started_at: Option<f64>,
    /// What could not be read.
    pub warnings: Vec<String>,
}

/// Place of an entry in a list of the top level.
struct At(&'static str, usize);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.0, self.1)
    }
}

/// Allocation call paths kept, largest first.
const ALLOCATION_PATHS: usize = 50;

pub(super) fn convert(mut raw: RawProfile<'_>, mut warnings: Vec<String>) -> Parsed {
    let files = raw.files.take().unwrap_or_default();
    let (latest, mut doubts) = (files.latest, files.doubts);
    let memory = raw.memory.unwrap_or(raw.max_footprint_fname.is_some());
    let gpu = raw.gpu_device.as_deref().filter(|name| raw.gpu != Some(false) && !name.is_empty());
    let gpu = gpu.map(str::to_owned);
    let footprint = memory.then(|| footprint(&raw, &mut doubts));
    let elapsed = doubts.read(raw.elapsed_time_sec, "elapsed_time_sec", &TOP, seconds);
    let elapsed = elapsed.or_else(|| {
        let elapsed = elapsed_from_samples(raw.start_time_perf, latest?)?;
        warnings.push(
            "the profile has no elapsed time; taken from its first and last sample".to_owned(),
        );
        Some(elapsed)
    });
    let call_paths = call_paths(&raw.stacks, &mut doubts);
    let started_at = doubts.read(raw.start_time_absolute, "start_time_absolute", &TOP, any);
    let mut files = files.list;
    for file in &mut files {
        file.lines.retain_mut(|line| line.keep_measured(memory, gpu.is_some()));
    }
    warnings.extend(doubts.into_warnings());
    warnings.extend(as_parts_of_a_whole(&mut files));
    let memories =
        files.iter().flat_map(|file| &file.lines).filter_map(|line| line.memory.as_ref());
    let peaks_per_visit = { memories }.any(|memory| memory.sampled_visits > 0);
    Parsed {
        program: raw.program.map(Cow::into_owned),
        args: raw.args.map(|args| args.into_iter().skip(1).map(Cow::into_owned).collect()),
        elapsed,
        memory,
        gpu,
        files,
        footprint,
        call_paths,
        peaks_per_visit,
        started_at,
        warnings,
    }
}

/// Scales the shares of all lines where they add up to more than the whole, and says so. Each is a
/// part of all sampled time: more than all of it would make every sum and every second wrong.
fn as_parts_of_a_whole(files: &mut [FileProfile]) -> Option<String> {
    let sum: f64 =
        files.iter().flat_map(|file| &file.lines).map(|line| line.cpu.total().get()).sum();
    if sum <= 100.0 + ROUNDING {
        return None;
    }
    let scaled = |share: Percent| Percent::from_percent(share.get() / sum * 100.0);
    for file in files {
        let mut whole = Percent::ZERO;
        for line in &mut file.lines {
            let cpu = &mut line.cpu;
            for share in [&mut cpu.python, &mut cpu.native, &mut cpu.system] {
                *share = scaled(*share).unwrap_or_default();
            }
            whole = whole + cpu.total();
            // The GPU's share is a part of the line's own.
            if let Some(gpu) = &mut line.gpu
                && let Some(load) = gpu.load
            {
                gpu.share = load.part_of(cpu.total());
            }
        }
        file.cpu_share = whole;
    }
    Some(format!(
        "the shares of all lines add up to {sum:.1} % of the sampled time; scaled to 100 %"
    ))
}

/// Latest listed sample minus the start: a lower bound for the elapsed time.
fn elapsed_from_samples(start: Num, latest: f64) -> Option<Seconds> {
    let Num::Value(start) = start else { return None };
    seconds(latest - start)
}

fn footprint(raw: &RawProfile<'_>, doubts: &mut Doubts) -> Footprint {
    let mut timeline: Vec<(Seconds, Mebibytes)> = raw
        .samples
        .iter()
        .enumerate()
        .filter_map(|(index, pair)| {
            let at = At("samples", index);
            let [nanos, size] = pair.as_slice() else {
                doubts.note("samples", &at);
                return None;
            };
            let seconds = doubts.read(*nanos, "samples", &at, |ns| seconds(ns / 1e9))?;
            // Growth since the start may dip below zero by a rounding of the sampler.
            let mib = doubts.read(*size, "samples", &at, |size| mib(size.max(0.0)))?;
            Some((seconds, mib))
        })
        .collect();
    timeline.sort_by(|a, b| a.0.get().total_cmp(&b.0.get()));
    let peak = doubts.read(raw.max_footprint_mb, "max_footprint_mb", &TOP, mib);
    let paths = raw.memory_stacks.iter().flatten().enumerate();
    let mut allocation_paths: Vec<AllocationPath> = paths
        .filter_map(|(index, (frames, size))| {
            let at = At("memory_stacks", index);
            let allocated = doubts.read(*size, "memory_stacks", &at, mib)?;
            let frames: Vec<_> = frames.iter().filter_map(allocation_frame).collect();
            (!frames.is_empty()).then_some(AllocationPath { frames, allocated })
        })
        .collect();
    allocation_paths.sort_by(|a, b| b.allocated.get().total_cmp(&a.allocated.get()));
    allocation_paths.truncate(ALLOCATION_PATHS);
    let sampled_peak = timeline.iter().map(|(_, mib)| *mib).fold(Mebibytes::ZERO, Mebibytes::max);
    let peak_line = match raw.max_footprint_lineno {
        Num::Value(value) => line_no(value),
        _ => None,
    };
    Footprint {
        peak: peak.unwrap_or(sampled_peak),
        peak_at: raw.max_footprint_fname.as_ref().map(ToString::to_string).zip(peak_line),
        python_fraction: doubts.read(
            raw.max_footprint_python_fraction,
            "max_footprint_python_fraction",
            &TOP,
            part,
        ),
        timeline,
        allocation_paths,
        records: doubts.read(raw.alloc_samples, "alloc_samples", &TOP, count),
        growth_rate_percent: doubts.read(raw.growth_rate, "growth_rate", &TOP, any),
    }
}

fn call_paths(stacks: &[(Vec<Cow<'_, str>>, RawStack)], doubts: &mut Doubts) -> Vec<CallPath> {
    let mut paths: Vec<CallPath> = stacks
        .iter()
        .enumerate()
        .filter_map(|(index, (frames, weight))| {
            let at = At("stacks", index);
            let time = |num, doubts: &mut Doubts| {
                doubts.read(num, "stacks", &at, |part| share(100.0 * part))
            };
            let python = time(weight.python_time, doubts)?;
            let native = time(weight.c_time, doubts)?;
            let both = Num::Value((python + native).get());
            Some(CallPath {
                frames: frames.iter().filter_map(|text| frame(text)).collect(),
                share: doubts.read(both, "stacks", &at, share)?,
                samples: doubts.read(weight.count, "stacks", &at, count).unwrap_or(0),
            })
        })
        .filter(|path| !path.frames.is_empty())
        .collect();
    paths.sort_by(|a, b| b.share.get().total_cmp(&a.share.get()));
    paths
}

/// `/a/b c.py Shape.area:23;` — the function has no space, the path may.
fn frame(text: &str) -> Option<Frame> {
    let (place, line) = text.trim_end_matches(';').rsplit_once(':')?;
    let (file, function) = place.rsplit_once(' ')?;
    let line = LineNo::new(line.parse().ok()?)?;
    Some(Frame { file: file.to_owned(), function: function.to_owned(), line })
}

fn allocation_frame(raw: &RawFrame<'_>) -> Option<Frame> {
    let Num::Value(line) = raw.line else { return None };
    Some(Frame {
        file: raw.filename_or_module.as_deref()?.to_owned(),
        function: raw.display_name.as_deref().unwrap_or("?").to_owned(),
        line: line_no(line)?,
    })
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
