//! Places ranked by time.

use schemars::JsonSchema;
use serde::Serialize;

use super::listing::{self, Listing};
use super::native::{self, NativeRow};
use super::next::NextCall;
use super::text::{amount, amount_or_dash, count};
use super::{Answer, budget, doubts};
use crate::analysis::{self, CpuBasis, CpuRanking, Hotspot};
use crate::profile::{Percent, Profile, Seconds};

/// A line and its time; or a stretch of lines that Scalene could not tell apart.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CpuHotspot {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1; of a stretch the first.
    pub line: u32,
    /// Last line of a stretch: a loop without calls, whose time Scalene 2.2 and later spreads
    /// evenly over its lines. The figures are of the whole stretch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
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
    /// 95 % interval of the seconds that are ranked, over the runs of `repeat` (Student); absent for a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_interval_sec: Option<[f64; 2]>,
    /// Share of all sampled time in percent: Python and native, and system if it was asked for.
    pub percent_of_total: f64,
    /// 95 % interval of that share (Wilson); absent when the number of samples is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_percent: Option<[f64; 2]>,
    /// Whether Scalene's own account agrees, where the time is from stacks read beside it: `yes`,
    /// `function` (on the whole function only) or `no`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreement: Option<String>,
    /// Scalene's own share of the line in percent, where it does not agree.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalene_percent: Option<f64>,
    /// Machine code that its time went to, where it is mostly native.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub native_functions: Vec<NativeRow>,
    /// The samples do not tell it from the place ranked next.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub tied_with_next: bool,
}

/// Places ranked by time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CpuHotspotsAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// Runs whose mean the figures are (`repeat`); absent for a single run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub runs: Option<usize>,
    /// Waiting and kernel time is ranked too.
    pub include_system: bool,
    /// Highest first.
    pub hotspots: Vec<CpuHotspot>,
    /// Places listed.
    pub shown: usize,
    /// Places with time.
    pub total: usize,
    /// Places not listed because they are below the profile's `cpu_percent_threshold`.
    pub below_threshold: usize,
    /// Share of the ranked time, in percent, that the listed places hold; absent without any time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// CPU samples behind the shares, when known; of stacks the effective number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl CpuHotspot {
    pub(super) fn new(profile: &Profile, spot: &Hotspot<'_>, basis: CpuBasis) -> Self {
        let (agreement, scalene_percent) = listing::opinion(profile, spot, basis);
        let seconds = |share| profile.seconds(share).map(Seconds::rounded);
        Self {
            file: profile.display_path(&spot.file.path).into_owned(),
            line: spot.line.number.get(),
            end_line: (spot.end != spot.line.number).then_some(spot.end.get()),
            content: listing::content(spot.file, spot.lines()),
            function_name: spot.file.function_name(spot.line).to_owned(),
            python_time_sec: seconds(spot.cpu.python),
            c_time_sec: seconds(spot.cpu.native),
            system_time_sec: seconds(spot.cpu.system),
            time_interval_sec: listing::seconds_over_runs(profile, spot, basis),
            percent_of_total: spot.share.rounded(),
            interval_percent: listing::interval(spot),
            agreement,
            scalene_percent,
            native_functions: native::of(spot.line, 3),
            tied_with_next: spot.told_apart() == Some(false),
        }
    }
}

impl CpuHotspotsAnswer {
    /// Ranks the places of a profile.
    pub fn new(profile: &Profile, limit: usize, basis: CpuBasis) -> Self {
        let ranking = analysis::cpu_ranking(profile, basis, limit);
        budget::fit(limit, listing::cap(limit), |limit| {
            Self::with_rows(profile, &ranking, limit, basis)
        })
    }

    fn with_rows(
        profile: &Profile,
        ranking: &CpuRanking<'_>,
        limit: usize,
        basis: CpuBasis,
    ) -> Self {
        let above = ranking.above_threshold;
        let listed = || ranking.spots.iter().take(limit.min(above));
        let whole = ranking.whole;
        let covered: Percent = listed().map(|spot| spot.share).sum();
        let hotspots: Vec<_> = listed().map(|spot| CpuHotspot::new(profile, spot, basis)).collect();
        let first = hotspots
            .first()
            .map(|spot| (spot.file.as_str(), spot.line, spot.end_line.unwrap_or(spot.line)));
        // Where nothing is listed, the largest place is still worth a look.
        let largest = ranking.spots.first().filter(|_| hotspots.is_empty()).map(|spot| {
            let (first, last) = spot.lines();
            (profile.display_path(&spot.file.path), first.get(), last.get())
        });
        let largest = largest.as_ref().map(|(file, line, end)| (&**file, *line, *end));
        Self {
            profile_id: profile.id.to_string(),
            runs: profile.repeats.as_ref().map(|repeats| repeats.runs.len()),
            include_system: basis == CpuBasis::WithSystem,
            shown: hotspots.len(),
            next: listing::details_of(profile, first.or(largest)),
            hotspots,
            total: ranking.total,
            below_threshold: ranking.total - above,
            coverage_percent: Percent::of_whole(covered.get(), whole.get()).map(Percent::rounded),
            cpu_samples: profile.cpu_samples(),
            warnings: warnings(profile, ranking, basis),
        }
    }
}

fn warnings(profile: &Profile, ranking: &CpuRanking<'_>, basis: CpuBasis) -> Vec<String> {
    let mut warnings = doubts::of_times(profile);
    if ranking.total == 0 {
        warnings.push("no line of the profiled code used CPU time".to_owned());
    }
    warnings.extend(doubts::below_threshold(profile, ranking));
    let system = profile.totals().system.get();
    if basis == CpuBasis::OnCpu && system > ranking.whole.get() {
        warnings.push(format!(
            "{} % of the sampled time is waiting or system time: include_system=true ranks it too",
            amount(system)
        ));
    }
    warnings
}

impl Answer for CpuHotspotsAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let samples = self
            .cpu_samples
            .map_or_else(|| "unknown number of samples".to_owned(), |n| count(n, "sample"));
        let row = |spot: &CpuHotspot| {
            let mut cells = vec![listing::share(
                spot.percent_of_total,
                spot.interval_percent,
                spot.tied_with_next,
            )];
            cells.extend(
                [spot.python_time_sec, spot.c_time_sec, spot.system_time_sec].map(amount_or_dash),
            );
            let native = native::text(&spot.native_functions);
            let place = listing::place(&spot.file, spot.line, spot.end_line);
            let other = listing::other_share(spot.scalene_percent, spot.agreement.as_deref());
            let over = listing::over_runs(spot.time_interval_sec, self.runs);
            cells.push(format!(
                "{place} {}  {}{native}{other}{over}",
                spot.function_name, spot.content
            ));
            cells
        };
        let mean = self.runs.map_or_else(String::new, |runs| format!(", mean of {runs} runs"));
        let below = match self.below_threshold {
            0 => String::new(),
            below => format!(", {below} below the threshold"),
        };
        Listing {
            headline: format!(
                "{}  places by time{}{mean}: {} of {} shown{below}, {} % of the ranked time, {samples}\n",
                self.profile_id,
                if self.include_system { ", waiting included" } else { " on the CPU" },
                self.shown,
                self.total,
                amount_or_dash(self.coverage_percent)
            ),
            header: &["share of run", "Python s", "native s", "system s", "line"],
            rows: self.hotspots.iter().map(row).collect(),
            legend: listing::legend(
                self.hotspots.iter().any(|spot| spot.interval_percent.is_some()),
                self.hotspots.iter().any(|spot| spot.tied_with_next),
            ),
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}
