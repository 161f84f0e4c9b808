//! Source lines of a document to the model, each as soon as it is read.
//!
//! A document lists every source line with some thirty numbers, almost all of them zero. Keeping
//! the raw lines until the document ends would cost more than everything that is kept of them.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, SeqAccess, Visitor};

use super::doubts::{Doubts, count, line_no, mib, mib_per_sec, part, seconds, share, shared};
use super::json::{Ends, Num, RawLine};
use super::spread::{self, Sketch};
use crate::profile::{
    Activity, Fraction, Line, LineCpu, LineGpu, LineMemory, LineNo, Mebibytes, Percent,
};

/// Moments that are collected before they are counted: 8 MiB.
const MOST_MOMENTS: usize = 1 << 20;
/// A file that lists few lines may still be this long (old versions list only some) …
const SPARSE_LINES: usize = 100_000;
/// … or this many times longer than what it lists. Bounds the text made from a hostile document.
const SPARSE_FACTOR: usize = 20;

/// The lines of one file: whether memory and GPU were measured at all is known only at the end of
/// the document, so that lines have them as if they were.
#[derive(Debug, Default)]
pub(super) struct Lines {
    /// Measured lines, in order.
    pub(super) measured: Vec<Line>,
    /// The source, line by line.
    pub(super) source: String,
    /// Latest moment of a CPU sample.
    pub(super) latest: Option<f64>,
    /// Different moments of CPU samples. One sample may be listed on several lines: of a loop that
    /// it was spread over, or where its native part was charged elsewhere.
    pub(super) samples: u64,
    /// What could not be read; places are relative to the file.
    pub(super) doubts: Doubts,
}

impl<'de> Deserialize<'de> for Lines {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct LinesVisitor;

        impl<'de> Visitor<'de> for LinesVisitor {
            type Value = Lines;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of lines")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Lines, A::Error> {
                let mut reading = Reading::default();
                while let Some(mut line) = seq.next_element::<RawLine<'_>>()? {
                    reading.moments.append(&mut line.cpu_samples_list.bits);
                    if reading.moments.len() > MOST_MOMENTS {
                        reading.count_moments();
                    }
                    reading.take(&line);
                }
                Ok(reading.finish())
            }
        }

        deserializer.deserialize_seq(LinesVisitor)
    }
}

/// Place of a line in its file.
#[derive(Clone, Copy)]
struct At(usize);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lines[{}]", self.0)
    }
}

/// Where the text of a line is.
struct Text {
    number: LineNo,
    at: At,
    range: Range<usize>,
}

/// Lines as they come, in whatever order.
#[derive(Default)]
struct Reading {
    lines: Lines,
    texts: Vec<Text>,
    /// Of the samples of each line that lists some.
    sketches: Vec<(LineNo, Sketch)>,
    /// Moments of all lines, not yet counted.
    moments: Vec<u64>,
    listed: usize,
}

impl Reading {
    fn take(&mut self, raw: &RawLine<'_>) {
        let at = At(self.listed);
        self.listed += 1;
        let lines = &mut self.lines;
        if let Some(moment) = raw.cpu_samples_list.latest {
            lines.latest = Some(lines.latest.map_or(moment, |latest| latest.max(moment)));
        }
        let Some(number) = lines.doubts.read(raw.lineno, "lineno", &at, line_no) else { return };
        let start = lines.source.len();
        push_line(&mut lines.source, raw.line.as_deref().unwrap_or_default());
        self.texts.push(Text { number, at, range: start..lines.source.len() });
        if raw.cpu_samples_list.count > 0 {
            self.sketches.push((number, raw.cpu_samples_list.sketch));
        }
        lines.measured.extend(convert_line(number, raw, at, &mut lines.doubts));
    }

    /// Counts the moments that were collected. Once for nearly every file; in a huge one a sample
    /// that is listed far apart may count twice.
    fn count_moments(&mut self) {
        self.moments.sort_unstable();
        self.moments.dedup();
        self.lines.samples = self.lines.samples.saturating_add(self.moments.len() as u64);
        self.moments.clear();
    }

    fn finish(mut self) -> Lines {
        self.count_moments();
        let in_order = (1..).zip(&self.texts).all(|(number, text)| text.number.get() == number);
        if !in_order {
            self.put_in_order();
        }
        // Of two lines with one number the first has the figures.
        self.sketches.sort_by_key(|(number, _)| *number);
        self.sketches.dedup_by_key(|(number, _)| *number);
        let mut lines = self.lines;
        spread::mark(&mut lines.measured, &self.sketches);
        lines.measured.shrink_to_fit();
        lines.source.shrink_to_fit();
        lines
    }

    /// Sorts, drops what is listed twice or cannot be, and fills gaps with empty lines. Of two lines
    /// with one number the first has the figures and the last the text.
    fn put_in_order(&mut self) {
        let longest = SPARSE_LINES.max(self.listed.saturating_mul(SPARSE_FACTOR));
        let believed = |number: LineNo| number.get() as usize <= longest;
        for text in self.texts.iter().filter(|text| !believed(text.number)) {
            self.lines.doubts.note("lineno", &text.at);
        }
        let measured = &mut self.lines.measured;
        measured.retain(|line| believed(line.number));
        measured.sort_by_key(|line| line.number);
        measured.dedup_by_key(|line| line.number);
        let texts: BTreeMap<LineNo, Range<usize>> =
            self.texts.drain(..).map(|text| (text.number, text.range)).collect();
        let mut source = String::new();
        let mut next = 1;
        for (number, range) in texts.into_iter().filter(|(number, _)| believed(*number)) {
            while next < number.get() {
                source.push('\n');
                next += 1;
            }
            source.push_str(self.lines.source.get(range).unwrap_or("\n"));
            next += 1;
        }
        self.lines.source = source;
    }
}

/// Appends one line of source and its line break.
///
/// Scalene writes `&`, `<` and `>` as six-character escapes inside the text itself. A line break
/// within a line must not shift the lines below: it becomes a space.
fn push_line(source: &mut String, line: &str) {
    let line = if line.contains("\\u00") {
        Cow::Owned(line.replace("\\u003c", "<").replace("\\u003e", ">").replace("\\u0026", "&"))
    } else {
        Cow::Borrowed(line)
    };
    let mut pieces = line.trim_end_matches(['\n', '\r']).split('\n');
    source.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        source.push(' ');
        source.push_str(piece);
    }
    source.push('\n');
}

impl Line {
    /// Drops what was not measured in this run; whether anything is left.
    pub(super) fn keep_measured(&mut self, memory: bool, gpu: bool) -> bool {
        self.memory.take_if(|_| !memory);
        self.gpu.take_if(|_| !gpu);
        let volume = |memory: &LineMemory| {
            let average = memory.average.unwrap_or_default();
            (memory.allocated + memory.peak + average).get() + memory.copy_rate.get()
        };
        self.cpu.total() > Percent::ZERO
            || self.cpu.samples > 0
            || self.awaiting.is_some_and(|share| share > Percent::ZERO)
            || self.memory.as_ref().is_some_and(|memory| volume(memory) > 0.0)
            || self.gpu.as_ref().is_some_and(worked)
    }
}

/// The measured part of a line; `None` when nothing was measured there.
fn convert_line(number: LineNo, raw: &RawLine<'_>, at: At, doubts: &mut Doubts) -> Option<Line> {
    let mut percent = |num, field| doubts.read(num, field, &at, share).unwrap_or_default();
    let cpu = LineCpu {
        python: percent(raw.n_cpu_percent_python, "n_cpu_percent_python"),
        native: percent(raw.n_cpu_percent_c, "n_cpu_percent_c"),
        system: percent(raw.n_sys_percent, "n_sys_percent"),
        samples: raw.cpu_samples_list.count,
        core_utilization: None,
    };
    let gpu_percent = percent(raw.n_gpu_percent, "n_gpu_percent");
    let awaiting = doubts
        .read(raw.n_async_await_percent, "n_async_await_percent", &at, shared)
        .unwrap_or_default();
    let mut volume = |num, field| doubts.read(num, field, &at, mib).unwrap_or_default();
    let allocated = volume(raw.n_malloc_mb, "n_malloc_mb");
    let peak = volume(raw.n_peak_mb, "n_peak_mb");
    let average = volume(raw.n_avg_mb, "n_avg_mb");
    let gpu = LineGpu {
        share: if cpu.samples > 0 { gpu_percent.part_of(cpu.total()) } else { gpu_percent },
        load: (cpu.samples > 0).then_some(gpu_percent),
        average_memory: volume(raw.n_gpu_avg_memory_mb, "n_gpu_avg_memory_mb"),
        peak_memory: volume(raw.n_gpu_peak_memory_mb, "n_gpu_peak_memory_mb"),
    };
    let copy_rate =
        doubts.read(raw.n_copy_mb_s, "n_copy_mb_s", &at, mib_per_sec).unwrap_or_default();
    let idle = cpu.total() == Percent::ZERO && cpu.samples == 0 && awaiting == Percent::ZERO;
    let has_memory = allocated.get() + peak.get() + average.get() + copy_rate.get() > 0.0;
    if idle && !has_memory && !worked(&gpu) {
        return None;
    }
    let core_utilization =
        doubts.read(raw.n_core_utilization, "n_core_utilization", &at, Fraction::from_fraction);
    let python_fraction = doubts.read(raw.n_python_fraction, "n_python_fraction", &at, part);
    let sampled_visits = doubts.read(raw.n_mallocs, "n_mallocs", &at, count).unwrap_or(0);
    let memory = LineMemory {
        allocated,
        peak,
        average: (sampled_visits > 0).then_some(average),
        sampled_visits,
        python_fraction: python_fraction.filter(|_| allocated > Mebibytes::ZERO),
        copy_rate,
        activity: activity(&raw.memory_samples, at, doubts),
    };
    Some(Line {
        number,
        cpu: LineCpu { core_utilization, ..cpu },
        scalene: None,
        native_functions: Vec::new(),
        memory: Some(memory),
        gpu: Some(gpu),
        awaiting: (raw.n_async_await_percent != Num::Absent).then_some(awaiting),
        region: region(raw),
        spread: None,
    })
}

/// Whether the GPU did or held anything while a line ran.
fn worked(gpu: &LineGpu) -> bool {
    gpu.share > Percent::ZERO || gpu.peak_memory > Mebibytes::ZERO
}

fn activity(raw: &Ends, at: At, doubts: &mut Doubts) -> Option<Activity> {
    let mut moment = |(nanos, size): (Num, Num)| {
        let at_time = doubts.read(nanos, "memory_samples", &at, |ns| seconds(ns / 1e9))?;
        let size = doubts.read(size, "memory_samples", &at, |size| mib(size.max(0.0)))?;
        Some((at_time, size))
    };
    if raw.count == 0 {
        return None;
    }
    Some(Activity { moments: raw.count, first: moment(raw.first)?, last: moment(raw.last)? })
}

fn region(raw: &RawLine<'_>) -> Option<(LineNo, LineNo)> {
    let (Num::Value(start), Num::Value(end)) = (raw.start_region_line, raw.end_region_line) else {
        return None;
    };
    Some((line_no(start)?, line_no(end)?)).filter(|(start, end)| start <= end)
}
