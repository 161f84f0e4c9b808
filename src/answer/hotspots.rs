//! Ranked lines, by time and by memory.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::{self, NextCall};
use super::text::{amount, amount_or_dash, source, table};
use super::{Answer, budget, doubts};
use crate::analysis::{self, CpuBasis, MemoryMetric};
use crate::profile::{Footprint, Mebibytes, MebibytesPerSec, Percent, Profile, Seconds};

/// A line and its time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CpuHotspot {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Source text.
    pub content: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Seconds in the interpreter: share of sampled time × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_time_sec: Option<f64>,
    /// Seconds in native code, on the same basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub c_time_sec: Option<f64>,
    /// Seconds waiting, in the kernel or descheduled, on the same basis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub system_time_sec: Option<f64>,
    /// Share of all sampled time in percent: Python and native, and system if it was asked for.
    pub percent_of_total: f64,
}

/// Lines ranked by time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CpuHotspotsAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// Highest first.
    pub hotspots: Vec<CpuHotspot>,
    /// Lines listed.
    pub shown: usize,
    /// Lines with time.
    pub total: usize,
    /// Share of the ranked time, in percent, that the listed lines hold.
    pub coverage_percent: f64,
    /// CPU samples behind the shares, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl CpuHotspotsAnswer {
    /// Ranks the lines of a profile.
    pub fn new(profile: &Profile, limit: usize, basis: CpuBasis) -> Self {
        budget::fit(limit, cap(limit), |limit| Self::with_rows(profile, limit, basis))
    }

    fn with_rows(profile: &Profile, limit: usize, basis: CpuBasis) -> Self {
        let spots = analysis::cpu_hotspots(profile, basis);
        let whole: Percent = spots.iter().map(|spot| spot.share).sum();
        let covered: Percent = spots.iter().take(limit).map(|spot| spot.share).sum();
        let seconds = |share| profile.seconds(share).map(Seconds::rounded);
        let hotspots: Vec<_> = spots
            .iter()
            .take(limit)
            .map(|spot| CpuHotspot {
                file: profile.display_path(&spot.file.path).into_owned(),
                line: spot.line.number.get(),
                content: source(spot.file.text(spot.line.number)),
                function_name: spot.file.function_name(spot.line).to_owned(),
                python_time_sec: seconds(spot.line.cpu.python),
                c_time_sec: seconds(spot.line.cpu.native),
                system_time_sec: seconds(spot.line.cpu.system),
                percent_of_total: spot.share.rounded(),
            })
            .collect();
        let mut warnings = doubts::of_times(profile);
        if spots.is_empty() {
            warnings.push("no line of the profiled code used CPU time".to_owned());
        }
        let system = profile.sum(|line| line.cpu.system).get();
        if basis == CpuBasis::OnCpu && system > whole.get() {
            warnings.push(format!(
                "{} % of the sampled time is waiting or system time: include_system=true ranks it too",
                amount(system)
            ));
        }
        Self {
            profile_id: profile.id.to_string(),
            shown: hotspots.len(),
            next: next_of(profile, hotspots.first().map(|spot| (spot.file.as_str(), spot.line))),
            hotspots,
            total: spots.len(),
            coverage_percent: Percent::of_whole(covered.get(), whole.get())
                .unwrap_or_default()
                .rounded(),
            cpu_samples: profile.cpu_samples(),
            warnings,
        }
    }
}

/// Lines listed when nothing else is asked for.
const DEFAULT_LIMIT: usize = 10;

fn cap(limit: usize) -> usize {
    if limit <= DEFAULT_LIMIT { budget::DEFAULT_CAP } else { budget::HARD_CAP }
}

fn next_of(profile: &Profile, first: Option<(&str, u32)>) -> Vec<NextCall> {
    let call = |(file, line): (&str, u32)| {
        NextCall::new(
            "get_file_details",
            [
                ("profile_id", json!(profile.id.as_str())),
                ("file_path", json!(file)),
                ("start_line", json!(line.saturating_sub(5).max(1))),
                ("end_line", json!(line.saturating_add(5))),
            ],
        )
    };
    first.map(call).into_iter().collect()
}

/// What a ranked list is for a reader: coverage, table, cautions, next call.
struct Listing<'a> {
    headline: String,
    header: &'a [&'a str],
    rows: Vec<Vec<String>>,
    warnings: &'a [String],
    next: &'a [NextCall],
}

impl Listing<'_> {
    fn text(self) -> String {
        let mut text = self.headline;
        if !self.rows.is_empty() {
            text.push_str(&table(self.header, &self.rows));
        }
        for warning in self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(self.next));
        budget::cap(text)
    }
}

impl Answer for CpuHotspotsAnswer {
    fn text(&self) -> String {
        let samples =
            self.cpu_samples.map_or_else(|| "unknown number of".to_owned(), |n| n.to_string());
        let row = |spot: &CpuHotspot| {
            let mut cells = vec![format!("{} %", amount(spot.percent_of_total))];
            cells.extend(
                [spot.python_time_sec, spot.c_time_sec, spot.system_time_sec].map(amount_or_dash),
            );
            cells.push(format!(
                "{}:{} {}  {}",
                spot.file, spot.line, spot.function_name, spot.content
            ));
            cells
        };
        Listing {
            headline: format!(
                "{}  lines by CPU time: {} of {} shown, {} % of the ranked time, {samples} samples\n",
                self.profile_id,
                self.shown,
                self.total,
                amount(self.coverage_percent)
            ),
            header: &["share", "Python s", "native s", "system s", "line"],
            rows: self.hotspots.iter().map(row).collect(),
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}

/// A line and its memory.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemoryHotspot {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Source text.
    pub content: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Highest footprint growth between visits of the line, MiB; from Scalene 2.3 on per visit.
    pub peak_mb: f64,
    /// Mean of that growth over visits, MiB.
    pub average_mb: f64,
    /// Volume allocated, freed or not, MiB.
    pub allocated_mb: f64,
    /// Number of allocations. Scalene does not count them: always absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allocations: Option<u64>,
    /// Copy volume, MiB per second of the run; absent below 100 MiB in all, which may be noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub copy_mb_per_sec: Option<f64>,
    /// The ranked metric as a share: of the volume allocated by all lines for `allocation`, of
    /// the highest footprint for `peak` and `average`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_total: Option<f64>,
}

/// Lines ranked by memory.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemoryHotspotsAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// What they are ranked by: `peak`, `average` or `allocation`.
    pub metric: String,
    /// Highest first.
    pub hotspots: Vec<MemoryHotspot>,
    /// Lines listed.
    pub shown: usize,
    /// Lines with memory.
    pub total: usize,
    /// Share of the metric's sum over all lines, in percent, that the listed lines hold.
    pub coverage_percent: f64,
    /// Highest footprint, MiB: growth since the start, not resident size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_mb: Option<f64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl MemoryHotspotsAnswer {
    /// Ranks the lines of a profile.
    pub fn new(profile: &Profile, limit: usize, metric: MemoryMetric) -> Self {
        budget::fit(limit, cap(limit), |limit| Self::with_rows(profile, limit, metric))
    }

    fn with_rows(profile: &Profile, limit: usize, metric: MemoryMetric) -> Self {
        let spots = analysis::memory_hotspots(profile, metric);
        let sum =
            |count| spots.iter().take(count).map(|spot| metric.of(spot.memory).get()).sum::<f64>();
        let hotspots: Vec<_> = spots
            .iter()
            .take(limit)
            .map(|spot| MemoryHotspot {
                file: profile.display_path(&spot.file.path).into_owned(),
                line: spot.line.number.get(),
                content: source(spot.file.text(spot.line.number)),
                function_name: spot.file.function_name(spot.line).to_owned(),
                peak_mb: spot.memory.peak.rounded(),
                average_mb: spot.memory.average.rounded(),
                allocated_mb: spot.memory.allocated.rounded(),
                allocations: None,
                copy_mb_per_sec: analysis::copy_rate(profile, spot.memory)
                    .map(MebibytesPerSec::rounded),
                percent_of_total: spot.share.map(Percent::rounded),
            })
            .collect();
        let coverage = Percent::of_whole(sum(limit), sum(usize::MAX)).unwrap_or_default();
        Self {
            profile_id: profile.id.to_string(),
            metric: match metric {
                MemoryMetric::Peak => "peak",
                MemoryMetric::Average => "average",
                MemoryMetric::Allocation => "allocation",
            }
            .to_owned(),
            shown: hotspots.len(),
            next: next_of(profile, hotspots.first().map(|spot| (spot.file.as_str(), spot.line))),
            warnings: memory_warnings(profile, metric, spots.is_empty()),
            hotspots,
            total: spots.len(),
            coverage_percent: coverage.rounded(),
            max_footprint_mb: profile
                .footprint
                .as_ref()
                .and_then(Footprint::known_peak)
                .map(Mebibytes::rounded),
        }
    }
}

fn memory_warnings(profile: &Profile, metric: MemoryMetric, empty: bool) -> Vec<String> {
    let mut warnings = Vec::new();
    if profile.footprint.is_none() {
        warnings.push("memory was not profiled: profile again with memory=true".to_owned());
    } else if empty {
        warnings
            .push("no allocation of the profiled code was large enough to be sampled".to_owned());
    } else if metric != MemoryMetric::Allocation && profile.measured.peaks_per_visit {
        warnings.push(
            "this Scalene measures a line's peak anew at each visit: a line that retains a little at a \
             time looks small here; metric=allocation shows its whole volume"
                .to_owned(),
        );
    }
    warnings
}

impl Answer for MemoryHotspotsAnswer {
    fn text(&self) -> String {
        let row = |spot: &MemoryHotspot| {
            let mut cells = vec![
                spot.percent_of_total.map_or_else(|| "-".into(), |p| format!("{} %", amount(p))),
            ];
            let figures = [spot.allocated_mb, spot.peak_mb, spot.average_mb];
            cells.extend(figures.map(amount));
            cells.push(amount_or_dash(spot.copy_mb_per_sec));
            cells.push(format!(
                "{}:{} {}  {}",
                spot.file, spot.line, spot.function_name, spot.content
            ));
            cells
        };
        let footprint = self
            .max_footprint_mb
            .map_or_else(String::new, |mib| format!(", highest footprint +{} MiB", amount(mib)));
        Listing {
            headline: format!(
                "{}  lines by memory ({}): {} of {} shown, {} % of it{footprint}\n",
                self.profile_id,
                self.metric,
                self.shown,
                self.total,
                amount(self.coverage_percent)
            ),
            header: &["share", "MiB allocated", "peak", "mean", "copied MiB/s", "line"],
            rows: self.hotspots.iter().map(row).collect(),
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}
