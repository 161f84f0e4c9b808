//! Lines that may leak memory, with what speaks for and against each.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::leak_proof::{self, ProofInfo};
use super::listing;
use super::next::{self, NextCall};
use super::text::{amount, amount_or_dash, count, source};
use super::{Answer, budget, doubts};
use crate::analysis::leaks::{
    Cleared, Container, Growth, Leak, LeakConfidence, LeakFindings, ProofFindings, Retention,
    leaks, proven, undecided,
};
use crate::profile::{Mebibytes, MebibytesPerSec, Percent, Profile, Seconds, place};

/// Rows of one answer.
const MOST_ROWS: usize = 20;

/// A line that may leak.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct MemoryLeak {
    /// File, relative to the project root.
    pub file: String,
    /// Line number, from 1.
    pub line: u32,
    /// Source text.
    pub content: String,
    /// Function it belongs to.
    pub function_name: String,
    /// Retained growth per second, MiB/s: `total_leaked_mb` over the time in which the footprint
    /// was sampled. (Not Scalene's field of that name, which is an average size.)
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity_mb_per_sec: Option<f64>,
    /// What it keeps, MiB, where a second run recorded it; else what it keeps at most: the smaller of
    /// what it allocated and the program's growth.
    pub total_leaked_mb: f64,
    /// Allocations that it keeps; absent unless a second run recorded them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retained_objects: Option<u64>,
    /// `high`, `medium` or `low`.
    pub confidence: String,
    /// What to change, and on what condition.
    pub recommendation: String,
    /// What speaks for it and against it.
    pub evidence: Vec<String>,
    /// Score of Scalene's own detector for this line, 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalene_likelihood: Option<f64>,
}

/// A line that figures alone would accuse.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ClearedLine {
    /// `file:line`.
    pub location: String,
    /// Source text.
    pub content: String,
    /// Why it is not accused.
    pub reason: String,
}

/// What the whole program keeps.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct GrowthInfo {
    /// Kept at the first sample and never given back, MiB.
    pub start_mb: f64,
    /// Kept at the end, MiB.
    pub end_mb: f64,
    /// Growth that stayed, MiB.
    pub retained_mb: f64,
    /// That over the time between first and last sample, MiB/s; absent unless it is steady.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub velocity_mb_per_sec: Option<f64>,
    /// Time between first and last sample, seconds.
    pub over_sec: f64,
    /// Whether the second and the last third of that time each added their part: the shape of a leak.
    pub steady: bool,
}

/// Lines that may leak.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LeaksAnswer {
    /// The profile they are from.
    pub profile_id: String,
    /// The finding in one sentence.
    pub verdict: String,
    /// Whether the program was run again to be sure, and if not, why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confirmation: Option<String>,
    /// The second run, with all allocations recorded; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proof: Option<ProofInfo>,
    /// The least confidence that was asked for.
    pub confidence: String,
    /// Surest first; absent when memory was not profiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub leaks: Option<Vec<MemoryLeak>>,
    /// Lines listed.
    pub shown: usize,
    /// Lines of any confidence.
    pub total: usize,
    /// Share of the program's growth, in percent, that the volume of the listed lines accounts for;
    /// absent without growth or volume.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage_percent: Option<f64>,
    /// What the whole program keeps; absent when its footprint was hardly sampled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub growth: Option<GrowthInfo>,
    /// Lines that figures alone would accuse, and why they are not.
    pub cleared: Vec<ClearedLine>,
    /// What to know before believing the figures.
    pub warnings: Vec<String>,
    /// What one profile cannot tell, and what would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub how_to_tell: Option<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl LeaksAnswer {
    /// Looks for leaks of at least this confidence, in what a second run recorded if there was one.
    pub fn new(profile: &Profile, least: LeakConfidence) -> Self {
        let found = leaks(profile).filter(|_| profile.measured.leak_detector);
        let proof = proven(profile);
        budget::fit(MOST_ROWS, budget::DEFAULT_CAP, |rows| {
            let sampled = Self::with_rows(profile, found.as_ref(), least, rows);
            match &proof {
                Some(proof) => sampled.proven(profile, proof, least, rows),
                None => sampled,
            }
        })
    }

    /// Says what became of a second run.
    #[must_use]
    pub fn confirmed(self, confirmation: Option<String>) -> Self {
        Self { confirmation, ..self }
    }

    /// The same with what a second run recorded in the place of suspicions.
    fn proven(
        self,
        profile: &Profile,
        found: &ProofFindings<'_>,
        least: LeakConfidence,
        rows: usize,
    ) -> Self {
        let listed = || found.leaks.iter().filter(|leak| leak.confidence >= least).take(rows);
        let leaks: Vec<_> = listed().map(|leak| leak_proof::row(profile, found, leak)).collect();
        let kept: Mebibytes =
            listed().filter(|leak| leak.place.is_some()).map(|leak| leak.retained).sum();
        let proof = found.proof;
        let whole = proof.closing.map_or(proof.retained, |(_, held)| held).get();
        let coverage = Percent::of_whole(kept.get(), whole).filter(|_| kept > Mebibytes::ZERO);
        let first = leaks.first().map(|leak| (leak.file.as_str(), leak.line, leak.line));
        let cleared = found.cleared.iter().take(rows);
        Self {
            verdict: leak_proof::verdict(found, least, leaks.len()),
            proof: Some(ProofInfo::new(profile, found.proof)),
            shown: leaks.len(),
            total: found.leaks.len(),
            coverage_percent: coverage.map(Percent::rounded),
            cleared: cleared.map(|line| leak_proof::cleared(profile, found, line)).collect(),
            how_to_tell: leaks.iter().any(|leak| leak.confidence != name(LeakConfidence::High)).then(|| {
                "what rises with the work may be a result that is meant to: the code of the line says who holds it"
                    .to_owned()
            }),
            next: listing::details_of(profile, first),
            leaks: Some(leaks),
            ..self
        }
    }

    fn with_rows(
        profile: &Profile,
        found: Option<&LeakFindings<'_>>,
        least: LeakConfidence,
        rows: usize,
    ) -> Self {
        let all = found.map_or(&[][..], |found| &found.leaks);
        let listed = || all.iter().filter(|leak| leak.confidence >= least).take(rows);
        let growth = found.and_then(|found| found.growth);
        let retained = growth.map(|growth| growth.retained());
        let volume: Mebibytes =
            listed().filter(|leak| leak.allocated.is_some()).map(|leak| leak.retained).sum();
        let coverage = retained
            .filter(|_| volume > Mebibytes::ZERO)
            .and_then(|whole| Percent::of_whole(volume.get().min(whole.get()), whole.get()));
        let cleared = found.map_or(&[][..], |found| &found.cleared);
        let leaks: Vec<_> = listed().map(|leak| MemoryLeak::new(profile, leak, growth)).collect();
        let first = leaks.first().map(|leak| (leak.file.as_str(), leak.line, leak.line));
        let suspicious = !all.is_empty() || growth.is_some_and(|growth| growth.steady);
        let mut next = listing::details_of(profile, first);
        if leaks.is_empty() && !all.is_empty() {
            next.push(NextCall::new(
                "get_memory_leaks",
                [("profile_id", json!(profile.id.as_str())), ("confidence", json!("low"))],
            ));
        }
        // A profile from a file cannot be run again.
        if found.is_some_and(undecided) && profile.run.environment.is_some() {
            next.push(NextCall::new(
                "get_memory_leaks",
                [("profile_id", json!(profile.id.as_str())), ("confirm", json!(true))],
            ));
        }
        // Without arguments nothing says how the work could be doubled.
        let larger = suspicious && !profile.program.args.is_empty();
        next.extend(next::run_again(profile).filter(|_| larger));
        Self {
            profile_id: profile.id.to_string(),
            verdict: verdict(profile, found, least, leaks.len()),
            confirmation: None,
            proof: None,
            confidence: name(least).to_owned(),
            shown: leaks.len(),
            leaks: found.map(|_| leaks),
            total: all.len(),
            coverage_percent: coverage.map(Percent::rounded),
            growth: growth.map(GrowthInfo::new),
            cleared: cleared.iter().take(rows).map(|line| ClearedLine::new(profile, line)).collect(),
            warnings: doubts::beyond_resident(profile).filter(|_| suspicious).into_iter().collect(),
            how_to_tell: suspicious.then(|| {
                "one profile cannot tell a leak from a result that is meant to grow: confirm=true records what each \
                 line keeps in another run; or profile again with about twice the work (larger `args` or input): a \
                 leak's growth doubles with it, a bounded cache's or a start-up's does not"
                    .to_owned()
            }),
            next,
        }
    }
}

impl MemoryLeak {
    fn new(profile: &Profile, leak: &Leak<'_>, growth: Option<Growth>) -> Self {
        let text = leak.file.line(leak.line);
        let function = text.map_or("<module>", |line| leak.file.function_name(line));
        let function = leak
            .file
            .function_index(leak.line)
            .and_then(|index| leak.file.functions().get(index))
            .map_or(function, |span| span.name.as_str());
        Self {
            file: profile.display_path(&leak.file.path).into_owned(),
            line: leak.line.get(),
            content: source(leak.file.text(leak.line)),
            function_name: function.to_owned(),
            velocity_mb_per_sec: leak.velocity.map(MebibytesPerSec::rounded),
            total_leaked_mb: leak.retained.rounded(),
            retained_objects: None,
            confidence: name(leak.confidence).to_owned(),
            recommendation: recommendation(&leak.retention),
            evidence: evidence(profile, leak, growth),
            scalene_likelihood: leak.likelihood.map(crate::profile::Fraction::rounded),
        }
    }
}

impl ClearedLine {
    fn new(profile: &Profile, line: &Cleared<'_>) -> Self {
        let accused = line.likelihood.map_or_else(
            || format!("Scalene charges {} MiB to it", line.allocated),
            |score| format!("Scalene's detector accuses it ({score}) with {} MiB", line.allocated),
        );
        Self {
            location: listing::location(profile, line.file, (line.line, line.line)),
            content: source(line.file.text(line.line)),
            reason: format!(
                "{accused}, but {}",
                if line.dropped {
                    "the code keeps nothing of what it allocates"
                } else {
                    "the footprint does not grow to stay"
                }
            ),
        }
    }
}

impl GrowthInfo {
    fn new(growth: Growth) -> Self {
        Self {
            start_mb: growth.start.rounded(),
            end_mb: growth.end.rounded(),
            retained_mb: growth.retained().rounded(),
            velocity_mb_per_sec: growth
                .velocity()
                .filter(|_| growth.steady)
                .map(MebibytesPerSec::rounded),
            over_sec: Seconds::rounded(growth.span),
            steady: growth.steady,
        }
    }
}

pub(super) fn name(confidence: LeakConfidence) -> &'static str {
    match confidence {
        LeakConfidence::Low => "low",
        LeakConfidence::Medium => "medium",
        LeakConfidence::High => "high",
    }
}

fn verdict(
    profile: &Profile,
    found: Option<&LeakFindings<'_>>,
    least: LeakConfidence,
    shown: usize,
) -> String {
    if !profile.measured.leak_detector {
        return "memory_leak_detector=false was asked for, so leaks were not looked for".to_owned();
    }
    let Some(found) = found else {
        return "memory was not profiled, so nothing is known of leaks: profile again with memory=true".to_owned();
    };
    let Some(growth) = found.growth else {
        return "no sign of a leak: the footprint changed too little to be sampled".to_owned();
    };
    let (retained, span) = (growth.retained(), growth.span);
    let rest = found.leaks.len() - shown;
    let rest = if rest > 0 {
        format!("; {rest} less sure: call with a lower confidence than {}", name(least))
    } else {
        String::new()
    };
    if growth.late {
        return format!(
            "not decided: {retained} MiB stayed, half of it or more from the last third of {span} s{rest}"
        );
    }
    if !growth.steady {
        return format!(
            "no sign of a leak: of the footprint {retained} MiB stayed in {span} s, and not steadily{rest}"
        );
    }
    let cause = match shown {
        0 => "no line is sure enough to be named",
        1 => "one line accounts for it or may keep it",
        _ => "these lines account for it or may keep it",
    };
    format!("memory grows steadily: {retained} MiB stayed in {span} s; {cause}{rest}")
}

fn evidence(profile: &Profile, leak: &Leak<'_>, growth: Option<Growth>) -> Vec<String> {
    let mut evidence = Vec::new();
    let grown = growth.map(|growth| growth.retained());
    match (leak.allocated, grown) {
        (Some(allocated), Some(grown)) => evidence.push(format!(
            "it allocated {allocated} MiB while the footprint grew by {grown} MiB to stay"
        )),
        (Some(allocated), None) => evidence.push(format!("it allocated {allocated} MiB")),
        (None, _) => evidence.push(
            "no allocation was sampled here; named because the lines that Scalene charges keep nothing and \
             this one stores into something that only grows"
                .to_owned(),
        ),
    }
    match &leak.retention {
        Retention::Kept(kept) => {
            evidence.push(life(kept));
        }
        Retention::Dropped => evidence.push("the code keeps none of it".to_owned()),
        Retention::Unclear => {
            evidence.push("who keeps the objects is not visible in this file".to_owned());
        }
    }
    if let Some(path) = leak.path {
        let frames: Vec<_> = path
            .frames
            .iter()
            .rev()
            .take(4)
            .rev()
            .map(|frame| {
                let at = place(&profile.display_path(&frame.file), frame.line.get(), None);
                format!("{} {at}", frame.function)
            })
            .collect();
        evidence.push(format!("{} MiB allocated through {}", path.allocated, frames.join(" > ")));
    }
    if let Some(score) = leak.likelihood {
        evidence.push(format!(
            "Scalene's own detector accuses it ({score}); it is often wrong, so this alone counts little"
        ));
    }
    evidence
}

/// What the code does with the container that it stores into.
pub(super) fn life(kept: &Container) -> String {
    let life =
        if kept.outlives_call { "outlives the call" } else { "lives as long as this code runs" };
    let shrinks = match (kept.outlives_call, kept.shrinks) {
        (false, _) => "",
        (true, true) => {
            "; elsewhere in the file objects are taken out of it, or its size is bounded"
        }
        (true, false) => "; nothing in the file takes objects out of it",
    };
    let asked = if kept.looked_up {
        "; things are looked up in it, so it may be a working set"
    } else {
        ""
    };
    format!("the code stores into `{}`, which {life}{shrinks}{asked}", kept.name)
}

pub(super) fn recommendation(retention: &Retention) -> String {
    match retention {
        Retention::Kept(kept) => format!(
            "if `{name}` is not meant to grow with the work, bound it (drop old entries, collections.deque with maxlen, \
             functools.lru_cache with maxsize) or remove entries when they are done with",
            name = kept.name
        ),
        _ => "find what still refers to the objects made here (a container, a cache, a callback, a reference cycle); \
              tracemalloc or gc.get_referrers on one of them shows it"
            .to_owned(),
    }
}

impl Answer for LeaksAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let mut text = format!("{}  {}\n", self.profile_id, self.verdict);
        if let Some(sentence) = &self.confirmation {
            text.push_str(&format!("Confirmation: {sentence}\n"));
        }
        if let Some(proof) = &self.proof {
            text.push_str(&proof.text());
        }
        if let Some(growth) = &self.growth {
            text.push_str(&format!(
                "Footprint kept: {} -> {} MiB (+{} MiB{}) over {} s, {}\n",
                amount(growth.start_mb),
                amount(growth.end_mb),
                amount(growth.retained_mb),
                growth
                    .velocity_mb_per_sec
                    .map_or_else(String::new, |rate| format!(", {} MiB/s", amount(rate))),
                amount(growth.over_sec),
                if growth.steady { "steady" } else { "not steady" }
            ));
        }
        let covered = self.coverage_percent.map_or_else(String::new, |share| {
            let whole =
                if self.proof.is_some() { "all that is kept" } else { "the growth by volume" };
            format!(", {} % of {whole}", amount(share))
        });
        text.push_str(&format!(
            "{} of {} suspects shown, confidence {} and above{covered}\n",
            self.shown, self.total, self.confidence
        ));
        for (index, leak) in self.leaks.iter().flatten().enumerate() {
            let score = leak
                .scalene_likelihood
                .map_or_else(String::new, |score| format!(", Scalene {}", amount(score)));
            let keeps = match leak.retained_objects {
                Some(number) => format!(
                    "keeps {} MiB in {}",
                    amount(leak.total_leaked_mb),
                    count(number, "allocation")
                ),
                None => format!("keeps up to {} MiB", amount(leak.total_leaked_mb)),
            };
            text.push_str(&format!(
                "{} [{}] {} {}  {}\n  {keeps}, {} MiB/s{score}\n",
                index + 1,
                leak.confidence,
                listing::place(&leak.file, leak.line, None),
                leak.function_name,
                leak.content,
                amount_or_dash(leak.velocity_mb_per_sec),
            ));
            for evidence in &leak.evidence {
                text.push_str(&format!("  Evidence: {evidence}\n"));
            }
            text.push_str(&format!("  Change: {}\n", leak.recommendation));
        }
        for line in &self.cleared {
            text.push_str(&format!(
                "Not accused: {}  {}: {}\n",
                line.location, line.content, line.reason
            ));
        }
        for warning in &self.warnings {
            text.push_str(&format!("Caution: {warning}\n"));
        }
        if let Some(sentence) = &self.how_to_tell {
            text.push_str(&format!("To be sure: {sentence}\n"));
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}
