//! Figures by function.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::{self, NextCall};
use super::text::{amount, amount_or_dash, count, table};
use super::{Answer, budget, doubts};
use crate::analysis;
use crate::profile::{FunctionSpan, Mebibytes, Percent, Profile, Seconds, place};

/// A function and the sums of its own lines.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FunctionMetrics {
    /// Qualified name; `<module>` for module-level code.
    pub function_name: String,
    /// File, relative to the project root.
    pub file: String,
    /// Line of `def` or `class`; 1 for module-level code.
    pub start_line: u32,
    /// Python and native seconds of its own lines: share of sampled time × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_time_sec: Option<f64>,
    /// Seconds of its own lines waiting, in the kernel or descheduled, on the same basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_time_sec: Option<f64>,
    /// Largest peak of one of its lines, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_peak_mb: Option<f64>,
    /// Largest average of one of its lines, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_average_mb: Option<f64>,
    /// Volume allocated by its own lines, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocated_mb: Option<f64>,
    /// Number of calls, counted in one more run of the program (`count_calls`), in all threads; not
    /// in forked or spawned processes. Generators count once, when they first run. Absent where
    /// nobody counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub num_calls: Option<u64>,
    /// Different arguments in these calls; of the ten functions with most time, as far as arguments
    /// are numbers, text, bytes, `None` or tuples of these.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinct_arguments: Option<u64>,
    /// True where there were more than that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_distinct_arguments: Option<bool>,
    /// Python and native time as a share, in percent, of that of the whole run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_total_cpu: Option<f64>,
}

/// Functions ranked by CPU time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FunctionsAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// Highest first.
    pub functions: Vec<FunctionMetrics>,
    /// Functions listed.
    pub shown: usize,
    /// Functions with samples.
    pub total: usize,
    /// Share of the run's Python and native time, in percent, that the listed ones hold.
    pub coverage_percent: f64,
    /// CPU samples behind the shares, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl FunctionsAnswer {
    /// Functions listed when nothing else is asked for.
    pub const DEFAULT_LIMIT: usize = 20;

    /// Ranks the functions of a profile.
    pub fn new(profile: &Profile, limit: usize) -> Self {
        let cap = if limit <= Self::DEFAULT_LIMIT { budget::DEFAULT_CAP } else { budget::HARD_CAP };
        let all = analysis::functions(profile);
        budget::fit(limit, cap, |limit| Self::with_rows(profile, &all, limit))
    }

    fn with_rows(profile: &Profile, all: &[analysis::FunctionMetrics<'_>], limit: usize) -> Self {
        let covered: Percent = all.iter().take(limit).map(|function| function.on_cpu).sum();
        let whole: Percent = all.iter().map(|function| function.on_cpu).sum();
        let seconds = |share| profile.seconds(share).map(Seconds::rounded);
        let counted = profile.call_counts.as_ref();
        let count = |function: &analysis::FunctionMetrics<'_>| {
            let counted = counted.filter(|_| function.name != FunctionSpan::MODULE);
            counted.and_then(|counts| counts.of(&function.file.path, function.start))
        };
        let distinct = |function| count(function).and_then(|count| count.distinct);
        let functions: Vec<_> = all
            .iter()
            .take(limit)
            .map(|function| FunctionMetrics {
                function_name: function.name.to_owned(),
                file: profile.display_path(&function.file.path).into_owned(),
                start_line: function.start.get(),
                cpu_time_sec: seconds(function.on_cpu),
                system_time_sec: seconds(function.system),
                memory_peak_mb: function.peak.map(Mebibytes::rounded),
                memory_average_mb: function.average.map(Mebibytes::rounded),
                allocated_mb: function.allocated.map(Mebibytes::rounded),
                num_calls: count(function).map(|count| count.calls),
                distinct_arguments: distinct(function).map(|distinct| distinct.known),
                more_distinct_arguments: distinct(function).and_then(|d| d.more.then_some(true)),
                percent_of_total_cpu: function.of_cpu.map(Percent::rounded),
            })
            .collect();
        let next = functions.first().map(|function| {
            NextCall::new(
                "get_file_details",
                [("profile_id", json!(profile.id.as_str())), ("file_path", json!(function.file))],
            )
        });
        Self {
            profile_id: profile.id.to_string(),
            shown: functions.len(),
            functions,
            total: all.len(),
            coverage_percent: Percent::of_whole(covered.get(), whole.get())
                .unwrap_or_default()
                .rounded(),
            cpu_samples: profile.cpu_samples(),
            warnings: doubts::of_times(profile),
            next: next.into_iter().collect(),
        }
    }
}

impl FunctionMetrics {
    /// Calls and distinct arguments.
    fn calls_text(&self) -> [String; 2] {
        let number = |value: Option<u64>| value.map_or_else(|| "-".into(), |n| n.to_string());
        let more = if self.more_distinct_arguments == Some(true) { "at least " } else { "" };
        [number(self.num_calls), format!("{more}{}", number(self.distinct_arguments))]
    }
}

impl Answer for FunctionsAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let counted = self.functions.iter().any(|function| function.num_calls.is_some());
        let calls = if counted { "calls counted in one more run" } else { "calls are not counted" };
        let mut text = format!(
            "{}  functions by CPU time of their own lines: {} of {} shown, {} % of it ({calls}), {}\n",
            self.profile_id,
            self.shown,
            self.total,
            amount(self.coverage_percent),
            self.cpu_samples.map_or_else(
                || "number of samples unknown".to_owned(),
                |samples| count(samples, "sample")
            )
        );
        let row = |function: &FunctionMetrics| {
            let share = function.percent_of_total_cpu;
            let mut cells = vec![share.map_or_else(|| "-".into(), |p| format!("{} %", amount(p)))];
            let figures = [
                function.cpu_time_sec,
                function.system_time_sec,
                function.allocated_mb,
                function.memory_peak_mb,
                function.memory_average_mb,
            ];
            cells.extend(figures.map(amount_or_dash));
            if counted {
                cells.extend(function.calls_text());
            }
            let at = place(&function.file, function.start_line, None);
            cells.push(format!("{} {at}", function.function_name));
            cells
        };
        let rows: Vec<_> = self.functions.iter().map(row).collect();
        if !rows.is_empty() {
            let mut header = vec!["of CPU", "CPU s", "system s", "MiB allocated", "peak", "mean"];
            header.extend(counted.then_some(["calls", "distinct args"]).into_iter().flatten());
            header.push("function");
            text.push_str(&table(&header, &rows));
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}
