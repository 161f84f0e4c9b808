//! Raw document to model: units checked, text unescaped, lines tied to functions.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::json::{Num, RawFile, RawLine, RawProfile, RawStack};
use crate::profile::{
    CallPath, FileProfile, Footprint, Fraction, Frame, LeakReport, Line, LineCpu, LineGpu,
    LineMemory, LineNo, Mebibytes, MebibytesPerSec, Memo, Percent, Seconds, Source, innermost,
    outline,
};

/// Lines above this are not believed: no source file is that long.
const MAX_LINE: f64 = 2_000_000.0;
/// A file that lists few lines may still be this long (old versions list only some) …
const SPARSE_LINES: usize = 100_000;
/// … or this many times longer than what it lists. Bounds the text made from a hostile document.
const SPARSE_FACTOR: usize = 20;

/// What a document holds, before it is tied to the run that made it.
#[derive(Debug, Clone, PartialEq)]
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
    /// What could not be read.
    pub warnings: Vec<String>,
}

/// Collects what is wrong with numbers: one line per field, not one per occurrence.
#[derive(Default)]
struct Doubts {
    by_field: BTreeMap<&'static str, (String, usize)>,
}

impl Doubts {
    fn note(&mut self, field: &'static str, at: &str) {
        let entry = self.by_field.entry(field).or_insert_with(|| (at.to_owned(), 0));
        entry.1 += 1;
    }

    /// A number that a unit accepts; what is there but is none is noted.
    fn read<T>(
        &mut self,
        num: Num,
        field: &'static str,
        at: &str,
        unit: fn(f64) -> Option<T>,
    ) -> Option<T> {
        let value = match num {
            Num::Absent => return None,
            Num::Value(value) => unit(value),
            Num::Bad => None,
        };
        if value.is_none() {
            self.note(field, at);
        }
        value
    }

    fn into_warnings(self) -> impl Iterator<Item = String> {
        self.by_field.into_iter().map(|(field, (at, count))| {
            let more =
                if count > 1 { format!(" and {} more places", count - 1) } else { String::new() };
            format!("`{field}` holds no usable number at {at}{more}; counted as nothing")
        })
    }
}

pub(super) fn convert(raw: RawProfile<'_>, mut warnings: Vec<String>) -> Parsed {
    let mut doubts = Doubts::default();
    let memory = raw.memory.unwrap_or(raw.max_footprint_fname.is_some());
    let gpu = raw.gpu_device.as_deref().filter(|name| raw.gpu != Some(false) && !name.is_empty());
    let gpu = gpu.map(str::to_owned);
    let footprint = memory.then(|| footprint(&raw, &mut doubts));
    let elapsed =
        doubts.read(raw.elapsed_time_sec, "elapsed_time_sec", "the top level", Seconds::from_secs);
    let elapsed = elapsed.or_else(|| {
        let elapsed = elapsed_from_samples(&raw)?;
        warnings.push(
            "the profile has no elapsed time; taken from its first and last sample".to_owned(),
        );
        Some(elapsed)
    });
    let call_paths = call_paths(&raw.stacks, &mut doubts);
    let files = raw
        .files
        .unwrap_or_default()
        .into_iter()
        .map(|(path, file)| convert_file(&path, &file, memory, gpu.is_some(), &mut doubts))
        .collect();
    warnings.extend(doubts.into_warnings());
    Parsed {
        program: raw.program.map(Cow::into_owned),
        args: raw.args.map(|args| args.into_iter().skip(1).map(Cow::into_owned).collect()),
        elapsed,
        memory,
        gpu,
        files,
        footprint,
        call_paths,
        warnings,
    }
}

fn any(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

fn line_no(value: f64) -> Option<LineNo> {
    let whole = (1.0..=MAX_LINE).contains(&value) && value.fract() == 0.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked just above"
    )]
    whole.then_some(value as u32).and_then(LineNo::new)
}

fn count(value: f64) -> Option<u64> {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates"
    )]
    (value.is_finite() && value >= 0.0).then_some(value as u64)
}

/// Latest listed sample minus the start: a lower bound for the elapsed time.
fn elapsed_from_samples(raw: &RawProfile<'_>) -> Option<Seconds> {
    let Num::Value(start) = raw.start_time_perf else { return None };
    let moments = raw.files.iter().flat_map(BTreeMap::values).flat_map(|file| &file.lines);
    let last = moments
        .flat_map(|line| &line.cpu_samples_list)
        .filter_map(|num| if let Num::Value(at) = num { Some(*at) } else { None })
        .fold(f64::NEG_INFINITY, f64::max);
    Seconds::from_secs(last - start)
}

fn footprint(raw: &RawProfile<'_>, doubts: &mut Doubts) -> Footprint {
    let top = "the top level";
    let mut timeline: Vec<(Seconds, Mebibytes)> = raw
        .samples
        .iter()
        .enumerate()
        .filter_map(|(index, pair)| {
            let at = format!("samples[{index}]");
            let [nanos, mib] = pair.as_slice() else {
                doubts.note("samples", &at);
                return None;
            };
            let seconds = doubts.read(*nanos, "samples", &at, |ns| Seconds::from_secs(ns / 1e9))?;
            // Growth since the start may dip below zero by a rounding of the sampler.
            let mib = doubts.read(*mib, "samples", &at, |mib| Mebibytes::from_mib(mib.max(0.0)))?;
            Some((seconds, mib))
        })
        .collect();
    timeline.sort_by(|a, b| a.0.get().total_cmp(&b.0.get()));
    let peak = doubts.read(raw.max_footprint_mb, "max_footprint_mb", top, Mebibytes::from_mib);
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
            top,
            Fraction::from_fraction,
        ),
        timeline,
        records: doubts.read(raw.alloc_samples, "alloc_samples", top, count),
        growth_rate_percent: doubts.read(raw.growth_rate, "growth_rate", top, any),
    }
}

fn call_paths(stacks: &[(Vec<Cow<'_, str>>, RawStack)], doubts: &mut Doubts) -> Vec<CallPath> {
    let mut paths: Vec<CallPath> = stacks
        .iter()
        .enumerate()
        .filter_map(|(index, (frames, weight))| {
            let at = format!("stacks[{index}]");
            let part = |num, doubts: &mut Doubts| {
                doubts.read(num, "stacks", &at, |part| Percent::from_percent(100.0 * part))
            };
            let python = part(weight.python_time, doubts)?;
            let native = part(weight.c_time, doubts)?;
            Some(CallPath {
                frames: frames.iter().filter_map(|text| frame(text)).collect(),
                share: python + native,
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

fn convert_file(
    path: &str,
    raw: &RawFile<'_>,
    memory: bool,
    gpu: bool,
    doubts: &mut Doubts,
) -> FileProfile {
    let mut texts: BTreeMap<LineNo, Cow<'_, str>> = BTreeMap::new();
    let mut lines: Vec<Line> = Vec::new();
    let longest = SPARSE_LINES.max(raw.lines.len().saturating_mul(SPARSE_FACTOR));
    for (index, raw_line) in raw.lines.iter().enumerate() {
        let at = format!("files[{path:?}].lines[{index}]");
        let Some(number) = doubts.read(raw_line.lineno, "lineno", &at, line_no) else { continue };
        if number.get() as usize > longest {
            doubts.note("lineno", &at);
            continue;
        }
        texts.insert(number, unescape(raw_line.line.as_deref().unwrap_or_default()));
        if let Some(line) = convert_line(number, raw_line, memory, gpu, &at, doubts) {
            lines.push(line);
        }
    }
    lines.sort_by_key(|line| line.number);
    lines.dedup_by_key(|line| line.number);
    let source = assemble(&texts);
    let functions = outline(source.text());
    for line in &mut lines {
        line.function = innermost(&functions, line.number);
    }
    let leaks = raw.leaks.iter().filter_map(|(line, leak)| {
        let at = format!("files[{path:?}].leaks[{line:?}]");
        Some(LeakReport {
            line: LineNo::new(line.parse().ok()?)?,
            likelihood: doubts.read(leak.likelihood, "likelihood", &at, Fraction::from_fraction)?,
        })
    });
    let leaks = leaks.collect();
    let at = format!("files[{path:?}]");
    let cpu_share =
        doubts.read(raw.percent_cpu_time, "percent_cpu_time", &at, Percent::from_percent);
    let cpu_share = cpu_share.unwrap_or_else(|| lines.iter().map(|line| line.cpu.total()).sum());
    FileProfile {
        path: path.to_owned(),
        source,
        lines,
        functions,
        cpu_share,
        leaks,
        memo: Memo::default(),
    }
}

/// The measured part of a line; `None` when nothing was measured there.
fn convert_line(
    number: LineNo,
    raw: &RawLine<'_>,
    memory: bool,
    gpu: bool,
    at: &str,
    doubts: &mut Doubts,
) -> Option<Line> {
    let mut percent =
        |num, field| doubts.read(num, field, at, Percent::from_percent).unwrap_or_default();
    let cpu = LineCpu {
        python: percent(raw.n_cpu_percent_python, "n_cpu_percent_python"),
        native: percent(raw.n_cpu_percent_c, "n_cpu_percent_c"),
        system: percent(raw.n_sys_percent, "n_sys_percent"),
        samples: u32::try_from(raw.cpu_samples_list.len()).unwrap_or(u32::MAX),
        core_utilization: None,
    };
    let awaiting = percent(raw.n_async_await_percent, "n_async_await_percent");
    let gpu_share = percent(raw.n_gpu_percent, "n_gpu_percent");
    let mut mib = |num, field| doubts.read(num, field, at, Mebibytes::from_mib).unwrap_or_default();
    let allocated = mib(raw.n_malloc_mb, "n_malloc_mb");
    let peak = mib(raw.n_peak_mb, "n_peak_mb");
    let average = mib(raw.n_avg_mb, "n_avg_mb");
    let line_gpu = LineGpu {
        share: gpu_share,
        average_memory: mib(raw.n_gpu_avg_memory_mb, "n_gpu_avg_memory_mb"),
        peak_memory: mib(raw.n_gpu_peak_memory_mb, "n_gpu_peak_memory_mb"),
    };
    let copy_rate = doubts
        .read(raw.n_copy_mb_s, "n_copy_mb_s", at, MebibytesPerSec::from_mib_per_sec)
        .unwrap_or_default();
    let has_memory = allocated.get() + peak.get() + average.get() + copy_rate.get() > 0.0;
    let has_gpu = gpu && (line_gpu != LineGpu::default());
    let idle = cpu.total() == Percent::ZERO && cpu.samples == 0 && awaiting == Percent::ZERO;
    if idle && !(memory && has_memory) && !has_gpu {
        return None;
    }
    let fraction =
        |num, field, doubts: &mut Doubts| doubts.read(num, field, at, Fraction::from_fraction);
    let core_utilization = fraction(raw.n_core_utilization, "n_core_utilization", doubts);
    let python_fraction = fraction(raw.n_python_fraction, "n_python_fraction", doubts);
    let sampled_visits = doubts.read(raw.n_mallocs, "n_mallocs", at, count).unwrap_or(0);
    Some(Line {
        number,
        cpu: LineCpu { core_utilization, ..cpu },
        memory: memory.then(|| LineMemory {
            allocated,
            peak,
            average,
            sampled_visits,
            python_fraction: python_fraction.filter(|_| allocated > Mebibytes::ZERO),
            copy_rate,
        }),
        gpu: gpu.then_some(line_gpu),
        awaiting: (raw.n_async_await_percent != Num::Absent).then_some(awaiting),
        region: region(raw),
        function: None,
    })
}

fn region(raw: &RawLine<'_>) -> Option<(LineNo, LineNo)> {
    let (Num::Value(start), Num::Value(end)) = (raw.start_region_line, raw.end_region_line) else {
        return None;
    };
    Some((line_no(start)?, line_no(end)?)).filter(|(start, end)| start <= end)
}

/// Scalene writes `&`, `<` and `>` as six-character escapes inside the text itself.
fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains("\\u00") {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&"))
}

/// Puts the lines in order, with empty ones where the document has none.
fn assemble(texts: &BTreeMap<LineNo, Cow<'_, str>>) -> Source {
    let mut text = String::new();
    let mut next = 1;
    for (number, line) in texts {
        while next < number.get() {
            text.push('\n');
            next += 1;
        }
        // A form feed or a lone carriage return must not shift the lines below.
        text.push_str(line.trim_end_matches(['\n', '\r']).replace('\n', " ").as_str());
        text.push('\n');
        next += 1;
    }
    Source::new(text)
}

#[cfg(test)]
#[path = "convert_tests.rs"]
mod tests;
