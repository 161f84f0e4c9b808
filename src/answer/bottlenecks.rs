//! What slows a program down, and what to change.

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::{self, NextCall};
use super::text::{amount, count};
use super::{Answer, budget, doubts, listing};
use crate::analysis::{self, Finding, Kind, Severity};
use crate::profile::{FileProfile, LineNo, Percent, Profile, Seconds, round_for_display};

/// A place that costs time or memory, and what to change there.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Bottleneck {
    /// `critical` (half of the run or more), `high` (a fifth), `medium` (a twentieth) or `low`.
    pub severity: String,
    /// `file:line` or `file:first-last`; `whole run` where no line is to blame.
    pub location: String,
    /// Function it belongs to.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub function_name: String,
    /// What is there.
    pub issue: String,
    /// What it costs, and what removing it would give at most.
    pub impact: String,
    /// What to change on which line.
    pub recommendation: String,
    /// The rule that found it; `docs/analysis.md` explains each.
    pub rule: String,
    /// `cpu`, `memory`, `waiting`, `parallelism` or `startup`.
    pub kind: String,
    /// Share of all sampled time, in percent, that the change would remove or shrink; absent where it
    /// is about memory alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_total: Option<f64>,
    /// 95 % interval of that share (Wilson); absent when the number of samples is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_percent: Option<[f64; 2]>,
    /// Of a finding about memory: share of the allocated volume, in percent; its severity is that of this
    /// share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub percent_of_volume: Option<f64>,
    /// The share of the time in seconds: share × elapsed time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_sec: Option<f64>,
    /// Times faster that the profiled run becomes at most: Amdahl's 1 / (1 - share), at the upper end
    /// of the interval. Absent where that end is 99 % or more, or most of the time would stay.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_speedup: Option<f64>,
    /// Figures and lines behind it.
    pub evidence: Vec<String>,
}

/// Places ranked by what they cost.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct BottlenecksAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// Most severe first.
    pub bottlenecks: Vec<Bottleneck>,
    /// Bottlenecks listed.
    pub shown: usize,
    /// Bottlenecks found.
    pub total: usize,
    /// Share of all sampled time, in percent, on the lines that count for those listed; absent without any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// CPU samples behind the shares, when known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_samples: Option<u64>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl BottlenecksAnswer {
    /// Bottlenecks listed when nothing else is asked for.
    pub const DEFAULT_LIMIT: usize = 5;

    /// Ranks the bottlenecks of a profile.
    pub fn new(profile: &Profile, limit: usize) -> Self {
        let findings = analysis::findings(profile);
        let cap = if limit <= Self::DEFAULT_LIMIT { budget::DEFAULT_CAP } else { budget::HARD_CAP };
        budget::fit(limit, cap, |limit| Self::with_rows(profile, &findings, limit))
    }

    fn with_rows(profile: &Profile, findings: &[Finding<'_>], limit: usize) -> Self {
        let listed: Vec<_> = findings.iter().take(limit).collect();
        let bottlenecks: Vec<_> =
            listed.iter().map(|finding| Bottleneck::new(profile, finding)).collect();
        let mut warnings = doubts::of_times(profile);
        if findings.is_empty() {
            warnings.push(
                "no place is hot enough, or shows a pattern that a rule knows: get_cpu_hotspots lists the largest places, \
                 get_file_details all lines"
                    .to_owned(),
            );
        }
        Self {
            profile_id: profile.id.to_string(),
            shown: bottlenecks.len(),
            bottlenecks,
            total: findings.len(),
            coverage_percent: coverage(&listed).map(Percent::rounded),
            cpu_samples: profile.cpu_samples(),
            warnings,
            next: next_calls(profile, listed.first().copied()),
        }
    }
}

/// Share of all sampled time on lines that count for any of the findings, each line once.
fn coverage(findings: &[&Finding<'_>]) -> Option<Percent> {
    let mut seen: BTreeSet<(*const FileProfile, LineNo)> = BTreeSet::new();
    let mut sum = Percent::ZERO;
    let about_time = findings.iter().filter(|finding| finding.share.is_some());
    for (file, line) in about_time.flat_map(|finding| finding.counted_lines()) {
        if seen.insert((std::ptr::from_ref(file), line.number)) {
            sum = sum + line.cpu.total();
        }
    }
    findings.iter().any(|finding| finding.share.is_some()).then_some(sum)
}

/// Amdahl's law at the upper end of the share's interval: "at most" must hold for all of it.
fn max_speedup(profile: &Profile, finding: &Finding<'_>) -> Option<f64> {
    let at_share = finding.ceiling?;
    // Of a part of the run nobody knows what it is of the whole.
    if profile.measured.part_of_time {
        return None;
    }
    if finding.rule.kind == Kind::Parallelism {
        return Some(at_share);
    }
    match finding.interval(profile) {
        Some((_, high)) => analysis::ceiling(high),
        None => Some(at_share),
    }
}

impl Bottleneck {
    pub(super) fn new(profile: &Profile, finding: &Finding<'_>) -> Self {
        let place = finding.file.zip(finding.lines);
        let interval = finding.interval(profile);
        let seconds = finding.share.and_then(|share| profile.seconds(share));
        let mut bottleneck = Self {
            severity: finding.severity.name().to_owned(),
            location: place.map_or_else(
                || "whole run".to_owned(),
                |(file, lines)| listing::location(profile, file, lines),
            ),
            function_name: finding.function.to_owned(),
            issue: finding.issue.clone(),
            impact: String::new(),
            recommendation: finding.advice.clone(),
            rule: finding.rule.id.to_owned(),
            kind: finding.rule.kind.name().to_owned(),
            percent_of_total: finding.share.map(Percent::rounded),
            interval_percent: interval.map(|(low, high)| [low, high].map(|b| b.get().round())),
            percent_of_volume: finding.volume.map(Percent::rounded),
            time_sec: seconds.map(Seconds::rounded),
            max_speedup: max_speedup(profile, finding).map(round_for_display),
            evidence: finding.evidence.clone(),
        };
        bottleneck.impact = bottleneck.cost(finding);
        bottleneck
    }

    fn cost(&self, finding: &Finding<'_>) -> String {
        let share = self.percent_of_total.map(|percent| {
            let seconds = self.time_sec.map_or_else(String::new, |s| format!(", {} s", amount(s)));
            format!("{} of the run{seconds}", listing::share(percent, self.interval_percent, false))
        });
        let ceiling = self.max_speedup.and_then(|times| match finding.rule.kind {
            Kind::Parallelism => finding.ceiling_text(),
            _ => Some(format!(
                "without any of that time this run, as profiled, would be at most {} x faster",
                amount(times)
            )),
        });
        let volume = self
            .percent_of_volume
            .map(|percent| format!("{} % of the allocated volume", amount(percent)));
        let parts: Vec<String> = share.into_iter().chain(volume).chain(ceiling).collect();
        if parts.is_empty() { "no share of the time is known".to_owned() } else { parts.join("; ") }
    }

    /// As one entry of a numbered list.
    pub(super) fn text(&self, number: usize) -> String {
        let function = if self.function_name.is_empty() {
            String::new()
        } else {
            format!(" {}", self.function_name)
        };
        let mut text = format!(
            "{number} [{}] {}{function}: {}  ({}, {})\n  Costs: {}\n",
            self.severity, self.location, self.issue, self.rule, self.kind, self.impact
        );
        for evidence in &self.evidence {
            text.push_str(&format!("  Evidence: {evidence}\n"));
        }
        text.push_str(&format!("  Change: {}\n", self.recommendation));
        text
    }
}

/// Where to look, and how to see whether a change helped.
pub(super) fn next_calls(profile: &Profile, first: Option<&Finding<'_>>) -> Vec<NextCall> {
    let place = first.and_then(|finding| finding.file.zip(finding.lines));
    let mut calls = match place {
        Some((file, (start, end))) => {
            let file = profile.display_path(&file.path);
            listing::details_of(profile, Some((&file, start.get(), end.get())))
        }
        None => Vec::new(),
    };
    // After the change: is it faster, and does it do the same work?
    if first.is_some() && next::can_be_verified(profile) {
        let id = json!(profile.id.as_str());
        calls.push(NextCall::new("verify_speedup", [("baseline_profile_id", id)]));
    }
    calls
}

/// The severity of the worst of several findings, in the words of an analysis.
pub(super) fn overall(findings: &[&Finding<'_>]) -> &'static str {
    match findings.iter().map(|finding| finding.severity).min() {
        Some(Severity::Critical) => "critical",
        Some(Severity::High | Severity::Medium) => "warning",
        _ => "info",
    }
}

impl Answer for BottlenecksAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let samples = self
            .cpu_samples
            .map_or_else(|| "unknown number of samples".to_owned(), |n| count(n, "sample"));
        let coverage = self.coverage_percent.map_or_else(String::new, |share| {
            format!(", {} % of the time on their lines", amount(share))
        });
        let mut text = format!(
            "{}  bottlenecks: {} of {} shown{coverage}, {samples}\n",
            self.profile_id, self.shown, self.total
        );
        for (index, bottleneck) in self.bottlenecks.iter().enumerate() {
            text.push_str(&bottleneck.text(index + 1));
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}
