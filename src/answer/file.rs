//! One file, line by line.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::line::LineMetrics;
use super::next::{self, NextCall};
use super::text::{amount, amount_or_dash, count};
use super::{Answer, budget, doubts};
use crate::analysis;
use crate::profile::{FileProfile, LineNo, Mebibytes, Percent, Profile, Seconds};

/// Lines shown when no range is asked for.
const DEFAULT_LINES: usize = 40;
/// Lines shown of a range without an end.
const OPEN_LINES: usize = 60;
/// Largest text when no range is asked for, in bytes.
const DEFAULT_CAP: usize = 6 * 1024;

/// Which lines to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileQuery {
    /// First line; with neither bound the lines that matter are chosen.
    pub start: Option<u32>,
    /// Last line.
    pub end: Option<u32>,
    /// Most lines of one answer; by default 40 that matter, or 150 of a range.
    pub limit: Option<usize>,
}

impl FileQuery {
    /// Most lines of one answer.
    pub const MOST_LINES: usize = 150;
}

/// Figures of a whole file.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FileMetricsSummary {
    /// Share of all sampled time, in percent; absent when CPU was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_total: Option<f64>,
    /// Seconds in the interpreter: sum over its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_time_sec: Option<f64>,
    /// Seconds in native code: sum over its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_time_sec: Option<f64>,
    /// Seconds waiting, in the kernel or descheduled: sum over its lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_time_sec: Option<f64>,
    /// Volume allocated by its lines, MiB; absent when memory was off or none of it was sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_mb: Option<f64>,
    /// Lines with samples.
    pub sampled_lines: usize,
    /// Lines of the file.
    pub source_lines: usize,
}

/// One file, line by line.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FileAnswer {
    /// The profile it is from.
    pub profile_id: String,
    /// File, relative to the project root.
    pub file: String,
    /// Figures of the whole file.
    pub summary: FileMetricsSummary,
    /// Lines in order; one without figures had no sample.
    pub lines: Vec<LineMetrics>,
    /// Lines shown.
    pub shown: usize,
    /// Lines of the file.
    pub total: usize,
    /// Share of the file's time, in percent, that the lines shown hold; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// Lines with less than the profile's thresholds are left out (`reduced_profile`), unless a range
    /// was asked for.
    pub reduced: bool,
    /// CPU samples behind the shares of the whole profile, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl FileAnswer {
    /// Chooses the lines of a file.
    pub fn new(profile: &Profile, file: &FileProfile, query: FileQuery) -> Self {
        let (rows, cap) = match (query.start, query.end) {
            (None, None) => (DEFAULT_LINES, DEFAULT_CAP),
            // An open end is not meant to bring everything at once.
            (Some(_), Some(_)) => (FileQuery::MOST_LINES, budget::HARD_CAP),
            _ => (OPEN_LINES, budget::HARD_CAP),
        };
        let rows = query.limit.unwrap_or(rows).min(FileQuery::MOST_LINES);
        let cap = if rows > DEFAULT_LINES { budget::HARD_CAP } else { cap };
        match (query.start, query.end) {
            (None, None) => {
                let heaviest = analysis::heaviest_lines(profile, file, rows);
                budget::fit(rows, cap, |rows| {
                    let wanted = analysis::with_context(profile, file, &heaviest, rows);
                    Self::with_rows(
                        profile,
                        file,
                        query,
                        &wanted.into_iter().collect::<Vec<_>>(),
                        rows,
                    )
                })
            }
            (start, end) => {
                let last = u32::try_from(file.source.line_count()).unwrap_or(u32::MAX);
                let range = start.unwrap_or(1).max(1)..=end.unwrap_or(last).min(last);
                let wanted: Vec<_> = range.filter_map(LineNo::new).take(rows + 1).collect();
                budget::fit(rows, cap, |rows| Self::with_rows(profile, file, query, &wanted, rows))
            }
        }
    }

    /// The answer with the first `rows` of the wanted lines.
    fn with_rows(
        profile: &Profile,
        file: &FileProfile,
        query: FileQuery,
        wanted: &[LineNo],
        rows: usize,
    ) -> Self {
        let total = file.source.line_count();
        let last = u32::try_from(total).unwrap_or(u32::MAX);
        let rest = match (query.start, query.end) {
            // What matters was chosen from the whole file: the rest begins at its beginning.
            (None, None) => LineNo::new(1).filter(|_| wanted.len().min(rows) < total),
            _ => wanted.get(rows).copied(),
        };
        let lines: Vec<_> = wanted
            .iter()
            .take(rows)
            .map(|number| match file.line(*number) {
                Some(line) => {
                    let content = file.text(*number).trim_end().to_owned();
                    let content = super::text::one_line_indented(&content);
                    // The listing shows where functions begin; it need not say it on each line.
                    let (function_name, mostly) = (None, None);
                    LineMetrics {
                        content,
                        function_name,
                        mostly,
                        ..LineMetrics::new(profile, file, line)
                    }
                }
                None => LineMetrics::bare(file, *number),
            })
            .collect();
        let whole = file.total_share();
        let shown_share: Percent = wanted
            .iter()
            .take(rows)
            .filter_map(|number| file.line(*number))
            .map(|line| line.cpu.total())
            .sum();
        let name = profile.display_path(&file.path).into_owned();
        let next = rest.map(|line| {
            NextCall::new(
                "get_file_details",
                [
                    ("profile_id", json!(profile.id.as_str())),
                    ("file_path", json!(name)),
                    ("start_line", json!(line.get())),
                    ("end_line", json!(query.end.unwrap_or(last))),
                ],
            )
        });
        Self {
            profile_id: profile.id.to_string(),
            file: name,
            summary: summary(profile, file),
            shown: lines.len(),
            lines,
            total,
            coverage_percent: Percent::of_whole(shown_share.get(), whole.get())
                .map(Percent::rounded),
            reduced: profile.reporting.reduced && query.start.is_none() && query.end.is_none(),
            cpu_samples: profile.cpu_samples().filter(|_| profile.measured.cpu),
            warnings: if profile.measured.cpu { doubts::of_times(profile) } else { Vec::new() },
            next: next.into_iter().collect(),
        }
    }
}

fn summary(profile: &Profile, file: &FileProfile) -> FileMetricsSummary {
    let totals = file.totals();
    let cpu = profile.measured.cpu;
    let seconds = |share| profile.seconds(share).filter(|_| cpu).map(Seconds::rounded);
    FileMetricsSummary {
        percent_of_total: cpu.then(|| file.total_share().rounded()),
        python_time_sec: seconds(totals.python),
        c_time_sec: seconds(totals.native),
        system_time_sec: seconds(totals.system),
        allocated_mb: file.allocated().map(Mebibytes::rounded),
        sampled_lines: file.lines.len(),
        source_lines: file.source.line_count(),
    }
}

impl Answer for FileAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let summary = &self.summary;
        let mut text = format!(
            "{}  {}: {} % of the sampled time (Python {} s, native {} s, system {} s), {}{}\n\
             {} of {} lines shown ({} with samples), {} % of the file's time; … marks lines left out{}\n",
            self.profile_id,
            self.file,
            amount_or_dash(summary.percent_of_total),
            amount_or_dash(summary.python_time_sec),
            amount_or_dash(summary.c_time_sec),
            amount_or_dash(summary.system_time_sec),
            self.cpu_samples.map_or_else(
                || "number of samples unknown".to_owned(),
                |samples| count(samples, "sample")
            ),
            summary
                .allocated_mb
                .map_or_else(String::new, |mib| format!(", {} MiB allocated", amount(mib))),
            self.shown,
            self.total,
            summary.sampled_lines,
            amount_or_dash(self.coverage_percent),
            if self.reduced {
                " (reduced_profile: only lines above the thresholds)"
            } else {
                ", start_line/end_line show them"
            },
        );
        text.push_str(
            " share  total s  Python s  native s  system s   MiB  peak  copied/s  line\n",
        );
        let mut previous = 0;
        for line in &self.lines {
            if line.line_number != previous + 1 {
                text.push_str("  …\n");
            }
            previous = line.line_number;
            text.push_str(&row(line));
        }
        if (previous as usize) < self.total {
            text.push_str("  …\n");
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}

fn row(line: &LineMetrics) -> String {
    let cell = |value: Option<f64>| value.map(amount).unwrap_or_default();
    let share = line.percent_of_total.map(|p| format!("{} %", amount(p))).unwrap_or_default();
    let gpu = line.gpu_time_sec.map(|s| format!("  [GPU {} s]", amount(s))).unwrap_or_default();
    let spread = line
        .spread_over
        .map(|[first, last]| format!("  [even share of {first}-{last}]"))
        .unwrap_or_default();
    let row = format!(
        "{share:>6}  {:>7}  {:>8}  {:>8}  {:>8}  {:>4}  {:>4}  {:>8}  {:>4} {}{gpu}{spread}",
        cell(line.total_time_sec),
        cell(line.python_time_sec),
        cell(line.c_time_sec),
        cell(line.system_time_sec),
        cell(line.allocated_mb),
        cell(line.peak_memory_mb),
        cell(line.copy_mb_per_sec),
        line.line_number,
        line.content,
    );
    format!("{}\n", row.trim_end())
}
