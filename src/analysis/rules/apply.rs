//! From rules to findings: look, measure, rank, drop what another finding says better.

use std::sync::Arc;

use super::super::code::{Code, Tree};
use super::super::thresholds::{ALLOCATED_MIB, EXPLAINED_PART, PLACE_SHARE, WHOLE_LINES};
use super::figures::{Figures, Quantity, Ranges, number};
use super::place::{Seen, Site};
use super::reached;
use super::{Kind, Knows, Look, Rule, Severity, rules};
use crate::analysis::stats;
use crate::profile::{FileProfile, FunctionSpan, Line, LineNo, Percent, Profile, Totals};

/// A rule that fired.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding<'a> {
    /// The rule.
    pub rule: &'static Rule,
    /// From the share; see `docs/analysis.md`.
    pub severity: Severity,
    /// The file; `None` where it is about the whole run.
    pub file: Option<&'a FileProfile>,
    /// First and last line of the place that should change.
    pub lines: Option<(LineNo, LineNo)>,
    /// Stretches of lines whose time counts for it, first and last line of each.
    pub counted: Vec<(LineNo, LineNo)>,
    /// Qualified name of the function, `<module>` outside.
    pub function: &'a str,
    /// Share of all sampled time that the change would remove or shrink; none of what is about memory
    /// alone.
    pub share: Option<Percent>,
    /// Share of the allocated volume, of what is about memory alone.
    pub volume: Option<Percent>,
    /// What is there.
    pub issue: String,
    /// Figures with units and line numbers.
    pub evidence: Vec<String>,
    /// What to change.
    pub advice: String,
    /// How many times faster the run could be at most (Amdahl); `None` where the share is so
    /// near to the whole that the number would mean nothing.
    pub ceiling: Option<f64>,
}

impl<'a> Finding<'a> {
    /// The measured lines whose time counts for it.
    pub fn counted_lines(&self) -> impl Iterator<Item = (&'a FileProfile, &'a Line)> {
        let stretches = self
            .file
            .into_iter()
            .flat_map(|file| self.counted.iter().map(move |stretch| (file, *stretch)));
        stretches.flat_map(|(file, (first, last))| {
            let start = file.lines.partition_point(|line| line.number < first);
            let lines = file.lines.iter().skip(start).take_while(move |line| line.number <= last);
            lines.map(move |line| (file, line))
        })
    }

    /// 95 % interval of its share; absent when the number of samples is not known.
    pub fn interval(&self, profile: &Profile) -> Option<(Percent, Percent)> {
        let share = self.share?;
        // A sample that was spread over several lines counts once.
        let once = |line: &Line| line.spread.is_none_or(|(first, _)| first == line.number);
        let own = self.counted_lines().filter(|(_, line)| once(line));
        let own = own.map(|(_, line)| u64::from(line.cpu.samples)).sum();
        let behind = stats::behind(share, own, profile.cpu_samples()?)?;
        stats::wilson(share, stats::effective(behind, profile.timed_by))
    }

    /// The ceiling as a sentence.
    pub fn ceiling_text(&self) -> Option<String> {
        let ceiling = self.ceiling?;
        Some(match self.rule.kind {
            Kind::Parallelism => {
                format!(
                    "spreading this work over all cores makes the run at most {} x faster",
                    number(ceiling)
                )
            }
            _ => format!(
                "removing these lines' time entirely makes the run at most {} x faster",
                number(ceiling)
            ),
        })
    }
}

/// What a rule that looks at the whole run says.
pub(in crate::analysis) struct Verdict<'a> {
    pub(super) file: Option<&'a FileProfile>,
    pub(super) site: Site,
    pub(super) share: Option<Percent>,
    /// What severity is judged by, in percent.
    pub(super) weight: f64,
    pub(super) ceiling: Option<f64>,
}

/// A finding with what is needed to compare it with others.
struct Candidate<'a> {
    finding: Finding<'a>,
    counted: Ranges,
    weight: f64,
}

/// Sites of one file in which the numbers are high enough for some rule.
struct FileFacts(Vec<Fact>);

struct Fact {
    rule: &'static Rule,
    site: Site,
    /// Of the lines that are counted for it.
    figures: Figures,
}

/// All findings of a profile: by severity, then by share.
pub fn findings(profile: &Profile) -> Vec<Finding<'_>> {
    let totals = profile.totals();
    let mut candidates = Vec::new();
    for file in &profile.files {
        let facts = facts(file);
        for fact in &facts.0 {
            candidates.extend(judge(profile, file, fact, &totals));
        }
    }
    ranked(candidates)
}

fn facts(file: &FileProfile) -> Arc<FileFacts> {
    file.memo.get_or_make(|| FileFacts(look(file)))
}

/// Whether anything on a line is worth reading its surroundings.
fn is_warm(line: &crate::profile::Line) -> bool {
    let memory = line.memory.as_ref();
    let allocated = memory.map_or(0.0, |memory| memory.allocated.get() + memory.peak.get());
    let copied = memory.map_or(0.0, |memory| memory.copy_rate.get());
    line.cpu.total().get() > 0.0 || allocated > 0.0 || copied > 0.0
}

fn look(file: &FileProfile) -> Vec<Fact> {
    let all = Figures::of(file, &[(1, u32::MAX)]);
    if !is_hot(&all) {
        return Vec::new();
    }
    let warm: Vec<u32> =
        file.lines.iter().filter(|line| is_warm(line)).map(|line| line.number.get()).collect();
    #[expect(clippy::cast_precision_loss, reason = "a number of lines")]
    let whole = file.source.line_count() as f64 <= WHOLE_LINES.value;
    let wanted = |first: u32, last: u32| {
        let start = warm.partition_point(|line| *line < first);
        whole || warm.get(start).is_some_and(|line| *line <= last)
    };
    let seen = Seen::new(Code::new(Tree::parse(file.source.text(), wanted)), file);
    let mut found = Vec::new();
    for rule in rules() {
        let look = match rule.look {
            Look::Code(look) | Look::File(_, look) => look,
        };
        let mut sites = look(&seen);
        // One statement may show a pattern several times.
        sites.dedup_by(|a, b| a.lines == b.lines);
        let facts = sites.into_iter().map(|site| {
            let figures = Figures::of(file, &site.counted);
            Fact { rule, site, figures }
        });
        found.extend(facts.filter(|fact| is_hot(&fact.figures)));
    }
    found
}

fn is_hot(figures: &Figures) -> bool {
    figures.total() >= PLACE_SHARE.value
        || figures.allocated >= ALLOCATED_MIB.value
        || figures.copy_rate > 0.0
}

fn judge<'a>(
    profile: &'a Profile,
    file: &'a FileProfile,
    fact: &Fact,
    totals: &Totals,
) -> Option<Candidate<'a>> {
    let Fact { rule, site, figures } = fact;
    let rule = *rule;
    let own = reached::figures(profile, file, site);
    let figures = if site.through { &own } else { figures };
    let volume = totals.allocated.get();
    let reached =
        |limit: &super::Limit| figures.quantity(limit.of, profile, volume) >= limit.least.value;
    if !rule.limits.iter().all(reached) {
        return None;
    }
    if let Look::File(check, _) = rule.look {
        return check(profile, file, site).map(|verdict| from_verdict(profile, rule, verdict));
    }
    let weight = if rule.kind == Kind::Memory {
        memory_weight(profile, rule, figures, totals)
    } else {
        figures.total()
    };
    let share = figures.share().filter(|share| *share > Percent::ZERO);
    let verdict = Verdict {
        file: Some(file),
        ceiling: share.and_then(|share| match rule.kind {
            Kind::Parallelism => spread(profile, share),
            _ if site.stays => None,
            Kind::Memory if !is_about_copies(rule) => None,
            // What a program imports it mostly needs.
            Kind::Startup => None,
            // Most of the counted time stays, or it is not about time.
            Kind::Cpu if rule.at_most != Severity::Critical => None,
            _ => ceiling(share),
        }),
        share,
        weight,
        site: site.clone(),
    };
    Some(from_verdict(profile, rule, verdict))
}

/// Copies cost time as well as memory.
fn is_about_copies(rule: &Rule) -> bool {
    rule.limits.iter().any(|limit| limit.of == Quantity::Copied)
}

/// Part of the peak footprint or of the volume that a memory finding is about, in percent.
fn memory_weight(profile: &Profile, rule: &Rule, figures: &Figures, totals: &Totals) -> f64 {
    if is_about_copies(rule) {
        let rate = totals.copy_rate.get();
        // A copy costs time as well; the larger of the two says what it is worth, the copies
        // alone never more than medium.
        let copies = if rate > 0.0 { 100.0 * figures.copy_rate / rate } else { 0.0 };
        return figures.total().max(copies.min(super::HIGH_SHARE.value - 1.0));
    }
    figures.quantity(Quantity::AllocatedPart, profile, totals.allocated.get())
}

/// The largest share with a ceiling.
const NEAR_WHOLE: f64 = 99.0;

/// Amdahl: what remains when the share is gone.
pub fn ceiling(share: Percent) -> Option<f64> {
    (share.get() < NEAR_WHOLE).then(|| 1.0 / (1.0 - share.get() / 100.0))
}

/// Amdahl for work that all cores share.
pub(super) fn spread(profile: &Profile, share: Percent) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "a number of cores")]
    let cores = profile.run.environment.as_ref()?.cores? as f64;
    let part = (share.get() / 100.0).min(1.0);
    Some(1.0 / (1.0 - part + part / cores))
}

fn from_verdict<'a>(
    profile: &'a Profile,
    rule: &'static Rule,
    verdict: Verdict<'a>,
) -> Candidate<'a> {
    let Verdict { file, site, share, weight, ceiling } = verdict;
    let memory_alone = rule.kind == Kind::Memory && !is_about_copies(rule);
    let lines = file.and(LineNo::new(site.lines.0).zip(LineNo::new(site.lines.1)));
    let function = match (file, lines) {
        (Some(file), Some((first, _))) => function_at(file, first),
        _ => FunctionSpan::MODULE,
    };
    let mut evidence = file.map_or_else(Vec::new, |file| {
        Figures::of(file, &site.counted).evidence(profile, &site.counted, !memory_alone)
    });
    evidence.extend(file.zip(site.called).and_then(|(file, line)| counted(profile, file, line)));
    evidence.extend(file.and_then(|file| reached::note(profile, file, &site)));
    evidence.extend(site.notes);
    let counted =
        site.counted.iter().filter_map(|(first, last)| LineNo::new(*first).zip(LineNo::new(*last)));
    let finding = Finding {
        rule,
        severity: Severity::of(weight).max(rule.at_most),
        file,
        lines,
        counted: counted.collect(),
        function,
        share: share.filter(|_| !memory_alone),
        volume: Percent::from_percent(weight).filter(|_| memory_alone),
        issue: site.issue,
        evidence,
        advice: site.advice,
        ceiling,
    };
    Candidate { finding, counted: site.counted, weight }
}

/// Calls of a function, where they were counted.
fn counted(profile: &Profile, file: &FileProfile, line: u32) -> Option<String> {
    let count = profile.call_counts.as_ref()?.of(&file.path, LineNo::new(line)?)?;
    let distinct = count.distinct.map_or_else(String::new, |distinct| match distinct.known {
        1 => ", always with the same arguments".to_owned(),
        known if distinct.more => format!(" with more than {known} different arguments"),
        known => format!(" with {known} different arguments"),
    });
    Some(format!(
        "the function on line {line} was called {} times{distinct} (counted)",
        count.calls
    ))
}

/// Name of the function that a line is in, measured or not.
fn function_at(file: &FileProfile, line: LineNo) -> &str {
    file.function_index(line)
        .and_then(|index| file.functions().get(index))
        .map_or(FunctionSpan::MODULE, |function| function.name.as_str())
}

fn ranked(mut candidates: Vec<Candidate<'_>>) -> Vec<Finding<'_>> {
    // Who knows most comes first; on a tie the narrower place, then the heavier.
    candidates.sort_by(|a, b| {
        let width = |c: &Candidate<'_>| c.finding.lines.map_or(0, |(f, l)| l.get() - f.get());
        b.finding
            .rule
            .knows
            .cmp(&a.finding.rule.knows)
            .then(b.weight.total_cmp(&a.weight))
            .then(width(a).cmp(&width(b)))
    });
    let mut kept: Vec<Candidate<'_>> = Vec::new();
    for candidate in candidates {
        if !kept.iter().any(|better| says_the_same(better, &candidate)) {
            kept.push(candidate);
        }
    }
    // One line's native time inside a hot loop that is named anyway.
    let loops: Vec<_> = kept
        .iter()
        .filter(|one| one.finding.rule.knows == Knows::Place)
        .map(|one| (one.finding.file, one.finding.lines))
        .collect();
    kept.retain(|one| {
        one.finding.rule.id != super::general::NATIVE.id
            || !loops.iter().any(|place| holds(*place, &one.finding))
    });
    kept.sort_by(|a, b| {
        a.finding.severity.cmp(&b.finding.severity).then(b.weight.total_cmp(&a.weight))
    });
    kept.into_iter().map(|candidate| candidate.finding).collect()
}

type Place<'a> = (Option<&'a FileProfile>, Option<(LineNo, LineNo)>);

/// Whether a finding lies inside a place.
fn holds(place: Place<'_>, finding: &Finding<'_>) -> bool {
    let (Some(file), Some(lines)) = place else { return false };
    finding.file.is_some_and(|other| std::ptr::eq(file, other))
        && finding.lines.is_some_and(|own| lines.0 <= own.0 && own.1 <= lines.1)
}

/// Whether the first makes the second superfluous.
fn says_the_same(better: &Candidate<'_>, other: &Candidate<'_>) -> bool {
    let (a, b) = (&better.finding, &other.finding);
    let same_file = match (a.file, b.file) {
        (Some(a), Some(b)) => std::ptr::eq(a, b),
        (None, None) => return std::ptr::eq(a.rule, b.rule),
        _ => false,
    };
    let (Some(own), Some(lines)) = (a.lines, b.lines) else { return false };
    if !same_file {
        return false;
    }
    let places_meet = own.0 <= lines.1 && lines.0 <= own.1;
    if std::ptr::eq(a.rule, b.rule) {
        return places_meet;
    }
    if a.rule.knows > b.rule.knows {
        // A pattern that explains a small part of a hot place does not explain the place.
        let explains = 100.0 * better.weight >= EXPLAINED_PART.value * other.weight;
        return match b.rule.knows {
            Knows::Place | Knows::KindOfTime => {
                explains && (places_meet || meet(&better.counted, &other.counted))
            }
            Knows::Hint | Knows::Pattern | Knows::Cause => explains && places_meet,
        };
    }
    own == lines
}

fn meet(a: &Ranges, b: &Ranges) -> bool {
    a.iter().any(|x| b.iter().any(|y| x.0 <= y.1 && y.0 <= x.1))
}
