//! A profile in short: the conclusion, the places, what to change, what is no problem.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::bottlenecks::{self, Bottleneck};
use super::floor::FloorInfo;
use super::leaking::Leaking;
use super::next::{self, NextCall};
use super::text::{amount, count, source};
use super::threads::ThreadsInfo;
use super::{Answer, budget, doubts, listing};
use crate::analysis::{self, CpuBasis, Finding, Kind, MemoryMetric};
use crate::profile::{Percent, Profile, Seconds};

/// What to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Focus {
    /// Time on the CPU.
    Cpu,
    /// Allocated, kept and copied memory.
    Memory,
    /// GPU time.
    Gpu,
    /// Everything.
    #[default]
    Overall,
}

impl Focus {
    fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Gpu => "gpu",
            Self::Overall => "overall",
        }
    }

    fn is_of_time(self) -> bool {
        matches!(self, Self::Cpu | Self::Overall)
    }

    fn covers(self, kind: Kind) -> bool {
        match self {
            Self::Overall => true,
            Self::Memory => kind == Kind::Memory,
            Self::Cpu => matches!(kind, Kind::Cpu | Kind::Parallelism | Kind::Startup),
            Self::Gpu => false,
        }
    }
}

/// Rows and bottlenecks of an answer, largest first.
const SIZES: [(usize, usize); 6] =
    [(MOST_ROWS, 5), (MOST_ROWS, 4), (MOST_ROWS, 3), (4, 2), (3, 1), (2, 1)];
const MOST_ROWS: usize = 5;

/// What answers of every size are made from.
struct Found {
    hotspots: Vec<AnalysisHotspot>,
    supported: Option<bool>,
    threads: Option<ThreadsInfo>,
    fine: Vec<String>,
    warnings: Vec<String>,
    leaking: Option<Leaking>,
}

/// A place that stands out.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AnalysisHotspot {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1; of a stretch the first.
    pub line: u32,
    /// Last line of a stretch that Scalene could not tell apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub end_line: Option<u32>,
    /// Source text.
    pub content: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Its share in percent: of the sampled time (`cpu`, `time`), of the allocated volume
    /// (`memory`), of the run's time with the GPU at work (`gpu`).
    pub metric: f64,
    /// `cpu`, `time` (waiting included), `memory` or `gpu`.
    pub kind: String,
    /// The same in seconds or MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub amount: Option<f64>,
    /// 95 % interval of the share (Wilson); absent for memory and GPU, or without known samples.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_percent: Option<[f64; 2]>,
}

/// A profile in short.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AnalysisAnswer {
    /// The profile it is about.
    pub profile_id: String,
    /// What was looked at: `cpu`, `memory`, `gpu` or `overall`.
    pub focus_area: String,
    /// The conclusion in one sentence.
    pub summary: String,
    /// `critical` (a bottleneck holds half of the run), `warning` (a twentieth or more) or `info`.
    pub severity: String,
    /// What to change, most valuable first.
    pub bottlenecks: Vec<Bottleneck>,
    /// The changes in one line each.
    pub recommendations: Vec<String>,
    /// Places that stand out, largest first.
    pub hotspots: Vec<AnalysisHotspot>,
    /// Bottlenecks left out, when there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub omitted: Option<usize>,
    /// Threads and processes; absent for a program of one thread, or without stacks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<ThreadsInfo>,
    /// What was looked at and is no problem, with its figure.
    pub not_a_problem: Vec<String>,
    /// CPU samples behind the shares, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// Whether the samples support the order of the first two places; absent when their number is
    /// not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ranking_supported: Option<bool>,
    /// Start and imports, which stay whichever hot line is changed, and garbage collection; absent
    /// where it was not measured, and where memory or the GPU is looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub floor: Option<FloorInfo>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl AnalysisAnswer {
    /// Analyses a profile.
    pub fn new(profile: &Profile, focus: Focus) -> Self {
        let findings = analysis::findings(profile);
        let findings: Vec<_> =
            findings.iter().filter(|finding| focus.covers(finding.rule.kind)).collect();
        let leaking = match focus {
            Focus::Memory | Focus::Overall => Leaking::of(profile),
            Focus::Cpu | Focus::Gpu => None,
        };
        // Found once, however often the text is too long.
        let (hotspots, supported) = hotspots(profile, focus, MOST_ROWS);
        let found = Found {
            hotspots,
            supported,
            threads: ThreadsInfo::of(profile)
                .filter(|_| matches!(focus, Focus::Cpu | Focus::Overall)),
            fine: not_a_problem(profile, focus, leaking.as_ref()),
            warnings: warnings(profile, focus, leaking.as_ref()),
            leaking,
        };
        budget::first_that_fits(&SIZES, budget::DEFAULT_CAP, |size| {
            Self::of_size(profile, focus, &findings, &found, size)
        })
    }

    fn of_size(
        profile: &Profile,
        focus: Focus,
        findings: &[&Finding<'_>],
        found: &Found,
        (rows, most): (usize, usize),
    ) -> Self {
        let bottlenecks: Vec<_> =
            findings.iter().take(most).map(|finding| Bottleneck::new(profile, finding)).collect();
        let hotspots: Vec<_> = found.hotspots.iter().take(rows).cloned().collect();
        let leaking = found.leaking.as_ref().map_or(&[][..], |found| &found.lines);
        let mut recommendations: Vec<String> = bottlenecks
            .iter()
            .map(|found| format!("{}: {}", found.location, found.recommendation))
            .collect();
        recommendations.extend(leaking.iter().take(most).cloned());
        let mut severity = bottlenecks::overall(findings);
        if severity == "info" && !leaking.is_empty() {
            severity = "warning";
        }
        let mut next = bottlenecks::next_calls(profile, findings.first().copied());
        if !leaking.is_empty() {
            let id = ("profile_id", json!(profile.id.as_str()));
            next.insert(0, NextCall::new("get_memory_leaks", [id]));
        }
        Self {
            profile_id: profile.id.to_string(),
            focus_area: focus.name().to_owned(),
            summary: conclusion(profile, focus, &bottlenecks, &hotspots, found.leaking.as_ref()),
            severity: severity.to_owned(),
            omitted: Some(findings.len() - bottlenecks.len()).filter(|omitted| *omitted > 0),
            bottlenecks,
            recommendations,
            hotspots,
            threads: found.threads.clone(),
            not_a_problem: found.fine.clone(),
            cpu_samples: profile.cpu_samples(),
            ranking_supported: found.supported,
            floor: FloorInfo::of(profile).filter(|_| focus.is_of_time()),
            warnings: found.warnings.clone(),
            next,
        }
    }
}

/// The largest places, and whether the samples support the order of the first two.
fn hotspots(profile: &Profile, focus: Focus, rows: usize) -> (Vec<AnalysisHotspot>, Option<bool>) {
    let by_time = |basis, kind: &str| {
        let spots = analysis::cpu_ranking(profile, basis, rows).spots;
        let few = matches!(analysis::confidence(profile), analysis::Confidence::TooFew(_));
        let supported =
            spots.first().and_then(analysis::Hotspot::told_apart).map(|apart| apart && !few);
        let above = |share: Percent| share.get() >= profile.reporting.cpu_percent_threshold;
        let row = |spot: &analysis::Hotspot<'_>| AnalysisHotspot {
            file: profile.display_path(&spot.file.path).into_owned(),
            line: spot.line.number.get(),
            end_line: (spot.end != spot.line.number).then_some(spot.end.get()),
            content: listing::content(spot.file, spot.lines()),
            function_name: spot.file.function_name(spot.line).to_owned(),
            metric: spot.share.rounded(),
            kind: kind.to_owned(),
            amount: profile.seconds(spot.share).map(Seconds::rounded),
            interval_percent: listing::interval(spot),
        };
        let rows = spots.iter().take(rows).filter(|spot| above(spot.share)).map(row).collect();
        (rows, supported)
    };
    let plain = |file: &crate::profile::FileProfile, line: &crate::profile::Line, kind: &str| {
        AnalysisHotspot {
            file: profile.display_path(&file.path).into_owned(),
            line: line.number.get(),
            end_line: None,
            content: source(file.text(line.number)),
            function_name: file.function_name(line).to_owned(),
            metric: 0.0,
            kind: kind.to_owned(),
            amount: None,
            interval_percent: None,
        }
    };
    let spots = match focus {
        Focus::Cpu => return by_time(CpuBasis::OnCpu, "cpu"),
        Focus::Overall => return by_time(CpuBasis::WithSystem, "time"),
        Focus::Memory => analysis::memory_ranking(profile, MemoryMetric::Allocation, rows)
            .spots
            .iter()
            .take(rows)
            .map(|spot| AnalysisHotspot {
                metric: spot.share.map_or(0.0, Percent::rounded),
                amount: Some(spot.value.rounded()),
                ..plain(spot.file, spot.line, "memory")
            })
            .collect(),
        Focus::Gpu => analysis::gpu_hotspots(profile)
            .iter()
            .take(rows)
            .map(|spot| AnalysisHotspot {
                metric: spot.gpu.share.rounded(),
                amount: profile.elapsed.map(|elapsed| spot.gpu.share.of(elapsed).rounded()),
                ..plain(spot.file, spot.line, "gpu")
            })
            .collect(),
    };
    (spots, None)
}

fn conclusion(
    profile: &Profile,
    focus: Focus,
    bottlenecks: &[Bottleneck],
    hotspots: &[AnalysisHotspot],
    leaking: Option<&Leaking>,
) -> String {
    let elapsed = profile.elapsed.map_or_else(String::new, |elapsed| format!("{elapsed} s: "));
    let leaking = leaking.map_or_else(String::new, Leaking::conclusion);
    let said = match (bottlenecks.first(), hotspots.first()) {
        (Some(first), _) if first.kind == "memory" => {
            format!("{}: {}", first.location, first.issue)
        }
        (Some(first), _) => {
            let share = first.percent_of_total.map_or_else(String::new, |percent| {
                format!(" holds {} % of the run", amount(percent))
            });
            format!("{}{share} ({})", first.location, first.rule)
        }
        (None, Some(spot)) => format!(
            "no known pattern; the largest place is {} with {} %",
            listing::place(&spot.file, spot.line, spot.end_line),
            amount(spot.metric)
        ),
        (None, None) => match focus {
            Focus::Memory if profile.footprint.is_none() => "memory was not profiled".to_owned(),
            Focus::Memory => "no allocation was large enough to be sampled".to_owned(),
            Focus::Gpu if profile.measured.gpu.is_none() => "no GPU was profiled".to_owned(),
            Focus::Gpu => "the GPU was idle".to_owned(),
            Focus::Cpu | Focus::Overall if profile.totals().total() > Percent::ZERO => {
                "no place reaches cpu_percent_threshold".to_owned()
            }
            Focus::Cpu | Focus::Overall => "no profiled line has time".to_owned(),
        },
    };
    format!("{elapsed}{said}{leaking}")
}

/// What was measured and is small: said, so that nobody looks there.
fn not_a_problem(profile: &Profile, focus: Focus, leaking: Option<&Leaking>) -> Vec<String> {
    let mut fine = Vec::new();
    let totals = analysis::summary(profile);
    let all = totals.python + totals.native + totals.system;
    if matches!(focus, Focus::Overall | Focus::Cpu) && all > Percent::ZERO {
        if totals.system.get() < analysis::thresholds::WAITING_SHARE.value {
            fine.push(format!("waiting ({} % of the time)", amount(totals.system.get())));
        }
        let importing = profile.totals().importing;
        if importing.get() < analysis::thresholds::IMPORT_SHARE.value {
            fine.push(format!(
                "import statements of the profiled files ({} %)",
                amount(importing.get())
            ));
        }
    }
    fine.extend(leaking.and_then(|found| found.fine.clone()));
    fine
}

/// How the run ended, growth that nobody is named for, and doubts about the figures.
fn warnings(profile: &Profile, focus: Focus, leaking: Option<&Leaking>) -> Vec<String> {
    let mut warnings = profile.run.errors.clone();
    warnings.extend(leaking.and_then(|found| found.warning.clone()));
    warnings.extend(doubts_of(profile, focus));
    if matches!(focus, Focus::Cpu | Focus::Overall) {
        let ranking = analysis::cpu_ranking(profile, CpuBasis::WithSystem, 1);
        warnings.extend(doubts::below_threshold(profile, &ranking));
    }
    warnings
}

fn doubts_of(profile: &Profile, focus: Focus) -> Vec<String> {
    match focus {
        Focus::Cpu => doubts::of_times(profile),
        Focus::Memory => doubts::of_memory(profile),
        Focus::Gpu => Vec::new(),
        Focus::Overall => {
            let mut warnings = doubts::of_times(profile);
            warnings.extend(doubts::of_memory(profile));
            warnings
        }
    }
}

impl AnalysisHotspot {
    fn text(&self) -> String {
        let unit = if self.kind == "memory" { "MiB" } else { "s" };
        let figure =
            self.amount.map_or_else(String::new, |value| format!("{} {unit}  ", amount(value)));
        format!(
            "{:>16}  {figure}{} {}  {}\n",
            listing::share(self.metric, self.interval_percent, false),
            listing::place(&self.file, self.line, self.end_line),
            self.function_name,
            self.content
        )
    }
}

impl Answer for AnalysisAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}  [{}, {}] {}\n",
            self.profile_id, self.severity, self.focus_area, self.summary
        );
        for (index, bottleneck) in self.bottlenecks.iter().enumerate() {
            text.push_str(&bottleneck.text(index + 1));
        }
        if let Some(omitted) = self.omitted {
            text.push_str(&format!("({omitted} more: get_bottlenecks)\n"));
        }
        for advice in self.recommendations.iter().skip(self.bottlenecks.len()) {
            text.push_str(&format!("Also: {advice}\n"));
        }
        if let Some(first) = self.hotspots.first() {
            text.push_str(&format!("Largest places ({})\n", first.kind));
            self.hotspots.iter().for_each(|spot| text.push_str(&spot.text()));
        }
        text.extend(self.threads.as_ref().map(ThreadsInfo::text));
        if !self.not_a_problem.is_empty() {
            text.push_str(&format!("Checked and no problem: {}\n", self.not_a_problem.join("; ")));
        }
        let samples = self
            .cpu_samples
            .map_or_else(|| "the number of samples is unknown".to_owned(), |n| count(n, "sample"));
        let sure = match self.ranking_supported {
            Some(true) => ", enough to tell the first place from the second",
            Some(false) => ", not enough to tell the first place from the second",
            None => "",
        };
        text.push_str(&format!("Basis: {samples}{sure}\n"));
        if let Some(floor) = &self.floor {
            text.push_str(&floor.text());
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}
