//! Lines ranked by memory.

use schemars::JsonSchema;
use serde::Serialize;

use super::exact_peak::ExactPeak;
use super::listing::{self, Listing};
use super::next::NextCall;
use super::text::{amount, amount_or_dash, source};
use super::{Answer, budget};
use crate::analysis::{self, MemoryHotspot as Spot, MemoryMetric, MemoryRanking};
use crate::profile::{Footprint, Mebibytes, MebibytesPerSec, Percent, Profile, place};

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
    /// Highest footprint growth while the line ran, MiB: per visit or over the whole run, see `peak_basis`.
    pub peak_mb: f64,
    /// Mean of that growth over visits, MiB; absent where Scalene counted no visit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub average_mb: Option<f64>,
    /// Volume allocated, freed or not, MiB.
    pub allocated_mb: f64,
    /// Part of that volume, in percent, that Python's own allocator handed out; the rest is native.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_percent: Option<f64>,
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
    /// Lines not listed because they allocated less than the profile's `malloc_threshold`.
    pub below_threshold: usize,
    /// Share of the metric's sum over all lines, in percent, that the listed lines hold; absent
    /// without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// Highest footprint, MiB: growth since the start, not resident size.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_mb: Option<f64>,
    /// What `peak_mb` and `average_mb` are in this profile: it depends on the version of Scalene.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_basis: Option<String>,
    /// What a second run with all allocations recorded says; absent unless asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exact: Option<ExactPeak>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl MemoryHotspotsAnswer {
    /// Ranks the lines of a profile, with what a second run recorded of its peak beside it; `note` says
    /// what became of that run.
    pub fn exact(
        profile: &Profile,
        limit: usize,
        metric: MemoryMetric,
        note: Option<String>,
    ) -> Self {
        let ranking = analysis::memory_ranking(profile, metric, limit);
        let gone = note.filter(|_| profile.proof.is_none());
        budget::fit(limit, listing::cap(limit), |rows| {
            let mut answer = Self::with_rows(profile, &ranking, rows, metric);
            answer.exact = ExactPeak::new(profile, rows);
            answer.warnings.extend(gone.clone());
            answer
        })
    }

    /// Ranks the lines of a profile.
    pub fn new(profile: &Profile, limit: usize, metric: MemoryMetric) -> Self {
        let ranking = analysis::memory_ranking(profile, metric, limit);
        budget::fit(limit, listing::cap(limit), |limit| {
            Self::with_rows(profile, &ranking, limit, metric)
        })
    }

    fn with_rows(
        profile: &Profile,
        ranking: &MemoryRanking<'_>,
        limit: usize,
        metric: MemoryMetric,
    ) -> Self {
        let listed = || ranking.spots.iter().take(limit);
        let covered: f64 = listed().map(|spot| spot.value.get()).sum();
        let row = |spot: &Spot<'_>| MemoryHotspot {
            file: profile.display_path(&spot.file.path).into_owned(),
            line: spot.line.number.get(),
            content: source(spot.file.text(spot.line.number)),
            function_name: spot.file.function_name(spot.line).to_owned(),
            peak_mb: spot.memory.peak.rounded(),
            average_mb: spot.memory.average.map(Mebibytes::rounded),
            allocated_mb: spot.memory.allocated.rounded(),
            python_percent: spot.memory.python_fraction.map(|part| (part.get() * 100.0).round()),
            allocations: None,
            copy_mb_per_sec: analysis::copy_rate(profile, spot.memory)
                .map(MebibytesPerSec::rounded),
            percent_of_total: spot.share.map(Percent::rounded),
        };
        let hotspots: Vec<_> = listed().map(row).collect();
        let first = hotspots.first().map(|spot| (spot.file.as_str(), spot.line, spot.line));
        Self {
            profile_id: profile.id.to_string(),
            metric: match metric {
                MemoryMetric::Peak => "peak",
                MemoryMetric::Average => "average",
                MemoryMetric::Allocation => "allocation",
            }
            .to_owned(),
            shown: hotspots.len(),
            next: listing::details_of(profile, first),
            warnings: memory_warnings(
                profile,
                metric,
                ranking.above_threshold,
                ranking.below_threshold,
            ),
            hotspots,
            total: ranking.above_threshold + ranking.below_threshold,
            below_threshold: ranking.below_threshold,
            coverage_percent: Percent::of_whole(covered, ranking.whole).map(Percent::rounded),
            max_footprint_mb: profile
                .footprint
                .as_ref()
                .and_then(Footprint::known_peak)
                .map(Mebibytes::rounded),
            peak_basis: profile.footprint.as_ref().map(|_| peak_basis(profile).to_owned()),
            exact: None,
        }
    }
}

/// What a line's peak and mean are in this profile.
pub(super) fn peak_basis(profile: &Profile) -> &'static str {
    if profile.measured.peaks_per_visit {
        "per visit of the line: what it retains from visit to visit is not in it"
    } else {
        "over the whole run"
    }
}

fn memory_warnings(
    profile: &Profile,
    metric: MemoryMetric,
    listable: usize,
    below: usize,
) -> Vec<String> {
    let mut warnings = Vec::new();
    if profile.footprint.is_none() {
        warnings.push("memory was not profiled: profile again with memory=true".to_owned());
    } else if listable == 0 && below > 0 {
        warnings.push(format!(
            "all {below} lines allocated less than malloc_threshold: profile again with a smaller one"
        ));
    } else if listable == 0 {
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
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let row = |spot: &MemoryHotspot| {
            let mut cells = vec![
                spot.percent_of_total.map_or_else(|| "-".into(), |p| format!("{} %", amount(p))),
            ];
            cells.extend([spot.allocated_mb, spot.peak_mb].map(amount));
            let rest = [spot.average_mb, spot.python_percent, spot.copy_mb_per_sec];
            cells.extend(rest.map(amount_or_dash));
            cells.push(format!(
                "{} {}  {}",
                place(&spot.file, spot.line, None),
                spot.function_name,
                spot.content
            ));
            cells
        };
        let footprint = self
            .max_footprint_mb
            .map_or_else(String::new, |mib| format!(", highest footprint +{} MiB", amount(mib)));
        let below = match self.below_threshold {
            0 => String::new(),
            below => format!(", {below} below the threshold"),
        };
        let basis = self
            .peak_basis
            .as_ref()
            .map_or_else(String::new, |basis| format!("; peak and mean are {basis}"));
        let exact = self.exact.as_ref().map_or_else(String::new, ExactPeak::text);
        Listing {
            headline: format!(
                "{exact}{}  lines by memory ({}): {} of {} shown{below}, {} % of the sum over all lines{footprint}{basis}\n",
                self.profile_id,
                self.metric,
                self.shown,
                self.total,
                amount_or_dash(self.coverage_percent)
            ),
            header: &[
                if self.metric == "allocation" { "of volume" } else { "of footprint" },
                "MiB allocated", "peak", "mean", "Python %", "copied MiB/s", "line"],
            rows: self.hotspots.iter().map(row).collect(),
            legend: String::new(),
            warnings: &self.warnings,
            next: &self.next,
        }
        .text()
    }
}
