//! A whole source file with what was measured in its margin.

use super::doubts;
use super::line::LineMetrics;
use super::text::{amount, amount_or_dash, count, one_line};
use crate::profile::{FileProfile, Line, LineNo, Profile};

/// Characters shown of a line; generated ones may be as long as a file.
const LINE_CHARS: usize = 500;

/// A column of the margin: its title, and what it says of a line; `None` where nothing was measured.
type Column = (&'static str, fn(&LineMetrics) -> Option<f64>);

const TIME: [Column; 4] = [
    ("share %", |line| line.percent_of_total),
    ("Python s", |line| line.python_time_sec),
    ("native s", |line| line.c_time_sec),
    ("waiting s", |line| line.system_time_sec),
];
const MEMORY: [Column; 3] = [
    ("alloc MiB", |line| line.allocated_mb),
    ("peak MiB", |line| line.peak_memory_mb),
    ("copy MiB/s", |line| line.copy_mb_per_sec),
];
const GPU: [Column; 1] = [("GPU s", |line| line.gpu_time_sec)];

/// Every line of a file, time and memory in the margin. A line without figures had no sample.
pub fn annotated_source(profile: &Profile, file: &FileProfile) -> String {
    let columns = columns(profile, file);
    let mut text = head(profile, file);
    let titles: String = columns.iter().map(|(title, _)| format!("{title:>8}  ")).collect();
    text.push_str(&format!("{titles}|\n"));
    let last = u32::try_from(file.source.line_count()).unwrap_or(u32::MAX);
    let width = last.max(1).to_string().len();
    for number in (1..=last).filter_map(LineNo::new) {
        let row = row(profile, file, &columns, number, width);
        text.push_str(row.trim_end());
        text.push('\n');
    }
    // Where the source is not known there are figures all the same.
    for line in file.lines.iter().filter(|line| line.number.get() > last) {
        text.push_str(row(profile, file, &columns, line.number, width).trim_end());
        text.push('\n');
    }
    text
}

/// Time where it was asked for; memory and GPU where a line of the file has any.
fn columns(profile: &Profile, file: &FileProfile) -> Vec<Column> {
    let mut columns = if profile.measured.cpu { TIME.to_vec() } else { Vec::new() };
    let measured = |line| LineMetrics::new(profile, file, line);
    let lines: Vec<_> = file.lines.iter().map(measured).collect();
    let known = |(_, figure): &Column| lines.iter().any(|line| figure(line).is_some());
    columns.extend(MEMORY.into_iter().chain(GPU).filter(known));
    columns
}

fn head(profile: &Profile, file: &FileProfile) -> String {
    let cpu = profile.measured.cpu;
    let share = cpu.then(|| file.total_share().rounded());
    let samples = profile.cpu_samples().filter(|_| cpu);
    let samples = samples.map_or_else(String::new, |samples| {
        format!(", {} behind all shares", count(samples, "sample"))
    });
    let mut text = format!(
        "{}  profile {}: {} % of the sampled time; {} of {} with samples{samples}\n",
        profile.display_path(&file.path),
        profile.id,
        amount_or_dash(share),
        file.lines.len(),
        count(file.source.line_count() as u64, "line"),
    );
    if profile.measured.memory {
        text.push_str(match file.allocated() {
            Some(_) => "alloc: volume allocated, freed or not; peak: growth of the footprint while the line ran\n",
            None => "No allocation was sampled in it.\n",
        });
    }
    if file.source.line_count() == 0 {
        text.push_str("The source is not known; lines with samples are listed by number.\n");
    }
    if cpu {
        for doubt in doubts::of_times(profile) {
            text.push_str(&format!("Caution: {doubt}\n"));
        }
    }
    text
}

fn row(
    profile: &Profile,
    file: &FileProfile,
    columns: &[Column],
    number: LineNo,
    width: usize,
) -> String {
    let metrics = file.line(number).map(|line: &Line| LineMetrics::new(profile, file, line));
    let cells: String = columns
        .iter()
        .map(|(title, figure)| {
            let figure = metrics.as_ref().and_then(figure);
            format!(
                "{:>width$}  ",
                figure.map(amount).unwrap_or_default(),
                width = title.len().max(8)
            )
        })
        .collect();
    let spread = metrics.and_then(|metrics| metrics.spread_over);
    let spread = spread
        .map_or_else(String::new, |[first, last]| format!("  # even share of {first}-{last}"));
    let source = file.text(number).trim_end().replace('\t', "    ");
    let code = source.trim_start_matches(' ');
    let indent = " ".repeat((source.len() - code.len()).min(LINE_CHARS));
    format!("{cells}| {:>width$}  {indent}{}{spread}", number.get(), one_line(code, LINE_CHARS))
}
