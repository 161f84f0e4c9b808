//! Memory that a program keeps more and more of, and the lines that may be the cause.
//!
//! Scalene's own leak score is wrong in both directions (`docs/scalene.md`), so it is one signal
//! of several: the shape of the footprint, the volume a line allocated against the growth, when
//! it allocated, and what the code does with its objects. None of them is proof: a program that
//! builds a large result looks the same from outside. `proof` judges what a second run recorded.

mod growth;
mod proof;
mod retention;
mod syntax;

use std::collections::BTreeMap;

pub use growth::{Growth, growth};
pub use proof::{Clearing, Course, ProofFindings, ProvenCleared, ProvenLeak, proven, undecided};
pub use retention::{Container, Retention};

use self::retention::Code;
use super::thresholds::{
    LEAK_CHURN, LEAK_FIRST_BY, LEAK_GROWTH_MIB, LEAK_LAST_FROM, LEAK_MAIN_PART, LEAK_MOMENTS,
    LEAK_SMALL_PART,
};
use crate::profile::{
    AllocationPath, FileProfile, Fraction, Line, LineMemory, LineNo, Mebibytes, MebibytesPerSec,
    Profile,
};

/// How sure a suspicion is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LeakConfidence {
    /// A line that may be involved.
    Low,
    /// The line accounts for the growth; whether it keeps it is not certain.
    Medium,
    /// The line accounts for the growth and stores into something that only grows.
    High,
}

/// A line that may be why memory grows.
#[derive(Debug, Clone, PartialEq)]
pub struct Leak<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// The line.
    pub line: LineNo,
    /// How sure.
    pub confidence: LeakConfidence,
    /// What it keeps at most: the smaller of what it allocated and the program's growth.
    pub retained: Mebibytes,
    /// That over the time in which the program grew.
    pub velocity: Option<MebibytesPerSec>,
    /// Volume it allocated; absent for a line named because of the code alone.
    pub allocated: Option<Mebibytes>,
    /// What the code does with its objects.
    pub retention: Retention,
    /// Score of Scalene's own detector for this line.
    pub likelihood: Option<Fraction>,
    /// The call path that allocated most at this line. Scalene 2.3+.
    pub path: Option<&'a AllocationPath>,
}

/// A line that numbers alone would accuse and the code clears.
#[derive(Debug, Clone, PartialEq)]
pub struct Cleared<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// The line.
    pub line: LineNo,
    /// Volume that Scalene charged to it.
    pub allocated: Mebibytes,
    /// Score of Scalene's own detector for this line.
    pub likelihood: Option<Fraction>,
    /// The code keeps nothing of what it allocates; else it is cleared because nothing grew.
    pub dropped: bool,
}

/// What a profile says about leaks.
#[derive(Debug, Clone, PartialEq)]
pub struct LeakFindings<'a> {
    /// The footprint's growth; absent when it was hardly sampled.
    pub growth: Option<Growth>,
    /// Suspects, surest first.
    pub leaks: Vec<Leak<'a>>,
    /// Lines that Scalene charged or accused, and that keep nothing according to the code.
    pub cleared: Vec<Cleared<'a>>,
}

/// Looks for leaks; `None` when memory was not profiled.
pub fn leaks(profile: &Profile) -> Option<LeakFindings<'_>> {
    let footprint = profile.footprint.as_ref()?;
    let growth = growth(footprint, profile.elapsed);
    let mut findings = LeakFindings { growth, leaks: Vec::new(), cleared: Vec::new() };
    let mut codes = Codes::default();
    if let Some(growth) = growth.filter(|growth| growth.steady) {
        suspects(profile, growth, &mut codes, &mut findings);
        let explained = findings.leaks.iter().any(|leak| leak.confidence > LeakConfidence::Low);
        if !explained {
            eliminate(profile, growth, &mut codes, &mut findings);
        }
    }
    accused_only(profile, &mut codes, &mut findings);
    findings.leaks.sort_by(|a, b| {
        b.confidence.cmp(&a.confidence).then(b.retained.get().total_cmp(&a.retained.get()))
    });
    Some(findings)
}

/// Sources that were read, by place of their file in the profile.
#[derive(Default)]
struct Codes<'a>(BTreeMap<*const FileProfile, Option<Code<'a>>>);

impl<'a> Codes<'a> {
    fn of(&mut self, file: &'a FileProfile) -> Option<&Code<'a>> {
        let code = self.0.entry(std::ptr::from_ref(file));
        code.or_insert_with(|| Code::new(file.source.text())).as_ref()
    }

    fn retention(&mut self, file: &'a FileProfile, line: LineNo) -> Retention {
        self.of(file).map_or(Retention::Unclear, |code| code.retention(line))
    }
}

/// Lines whose allocations account for the growth.
fn suspects<'a>(
    profile: &'a Profile,
    growth: Growth,
    codes: &mut Codes<'a>,
    findings: &mut LeakFindings<'a>,
) {
    for (file, line) in profile.lines() {
        let Some(memory) = line.memory.as_ref() else { continue };
        let held = held(memory);
        let part = held.get() / growth.retained().get();
        if part < LEAK_SMALL_PART.value || !spans(memory, &growth) || is_single(memory) {
            continue;
        }
        if codes.of(file).is_some_and(|code| !code.can_repeat(line.number)) {
            continue;
        }
        let retention = codes.retention(file, line.number);
        let likelihood = likelihood(file, line.number);
        if retention == Retention::Dropped {
            let (line, allocated) = (line.number, memory.allocated);
            findings.cleared.push(Cleared { file, line, allocated, likelihood, dropped: true });
            continue;
        }
        let retained = if held < growth.retained() { held } else { growth.retained() };
        findings.leaks.push(Leak {
            file,
            line: line.number,
            confidence: judge(part, &retention),
            retained,
            velocity: growth::velocity(retained, growth.span),
            allocated: Some(memory.allocated),
            retention,
            likelihood,
            path: path(profile, file, line.number),
        });
    }
}

/// What a line can hold at most: all that it allocated, or its own footprint growth where that
/// covers the whole run.
fn held(memory: &LineMemory) -> Mebibytes {
    let whole_run = memory.sampled_visits == 0 && memory.peak < memory.allocated;
    if whole_run { memory.peak } else { memory.allocated }
}

/// Whether a line allocated from the beginning of the growth to its end.
fn spans(memory: &LineMemory, growth: &Growth) -> bool {
    memory.activity.is_some_and(|activity| {
        f64::from(activity.moments) >= LEAK_MOMENTS.value
            && activity.first.0.get() <= growth.moment(LEAK_FIRST_BY.value)
            && activity.last.0.get() >= growth.moment(LEAK_LAST_FROM.value)
    })
}

/// Whether all was allocated by one execution of the line.
fn is_single(memory: &LineMemory) -> bool {
    memory.sampled_visits == 1
}

fn judge(part: f64, retention: &Retention) -> LeakConfidence {
    let main = part >= LEAK_MAIN_PART.value;
    let churns = part > LEAK_CHURN.value;
    match retention {
        // What is looked up again may be a working set.
        Retention::Kept(kept)
            if main && !churns && kept.outlives_call && !kept.shrinks && !kept.looked_up =>
        {
            LeakConfidence::High
        }
        Retention::Kept(_) if main => LeakConfidence::Medium,
        _ if main && !churns => LeakConfidence::Medium,
        _ => LeakConfidence::Low,
    }
}

/// The growth is charged to no line that can keep it: lines that store into containers which only
/// grow are left. Of a few each is likely enough to be named, of many none is.
fn eliminate<'a>(
    profile: &'a Profile,
    growth: Growth,
    codes: &mut Codes<'a>,
    findings: &mut LeakFindings<'a>,
) {
    let mut keepers = Vec::new();
    for file in &profile.files {
        let Some(code) = codes.of(file) else { continue };
        keepers.extend(code.keepers().into_iter().map(|(line, kept)| (file, line, kept)));
    }
    keepers.retain(|(file, line, _)| {
        !findings.leaks.iter().any(|leak| std::ptr::eq(leak.file, *file) && leak.line == *line)
    });
    // Only where the lines that Scalene charged are known to keep nothing does the search narrow.
    let cleared: Mebibytes = findings.cleared.iter().map(|line| line.allocated).sum();
    let narrowed = cleared.get() >= LEAK_MAIN_PART.value * growth.retained().get();
    let confidence = if narrowed && keepers.len() <= FEW_KEEPERS {
        LeakConfidence::Medium
    } else {
        LeakConfidence::Low
    };
    for (file, line, kept) in keepers.into_iter().take(MOST_KEEPERS) {
        findings.leaks.push(Leak {
            file,
            line,
            confidence,
            retained: growth.retained(),
            velocity: growth.velocity(),
            allocated: None,
            retention: Retention::Kept(kept),
            likelihood: likelihood(file, line),
            path: None,
        });
    }
}

/// So few candidates are worth looking at each.
const FEW_KEEPERS: usize = 3;
/// Lines listed because of the code alone.
const MOST_KEEPERS: usize = 10;

/// Lines that only Scalene's detector accuses: without growth that stays, a weak sign.
fn accused_only<'a>(profile: &'a Profile, codes: &mut Codes<'a>, findings: &mut LeakFindings<'a>) {
    for file in &profile.files {
        for report in &file.leaks {
            let known =
                |other: &FileProfile, line| std::ptr::eq(other, file) && line == report.line;
            let listed = findings.leaks.iter().any(|leak| known(leak.file, leak.line))
                || findings.cleared.iter().any(|cleared| known(cleared.file, cleared.line));
            let memory = file.line(report.line).and_then(|line: &Line| line.memory.as_ref());
            let Some(memory) = memory.filter(|_| !listed) else { continue };
            let likelihood = Some(report.likelihood);
            let retention = codes.retention(file, report.line);
            let grown = findings.growth.map_or(Mebibytes::ZERO, |growth| growth.retained());
            let dropped = retention == Retention::Dropped;
            if dropped || grown.get() < LEAK_GROWTH_MIB.value {
                let (line, allocated) = (report.line, memory.allocated);
                findings.cleared.push(Cleared { file, line, allocated, likelihood, dropped });
                continue;
            }
            let held = held(memory);
            let retained = if held < grown { held } else { grown };
            findings.leaks.push(Leak {
                file,
                line: report.line,
                confidence: LeakConfidence::Low,
                retained,
                velocity: findings.growth.and_then(|g| growth::velocity(retained, g.span)),
                allocated: Some(memory.allocated),
                retention,
                likelihood,
                path: path(profile, file, report.line),
            });
        }
    }
}

fn likelihood(file: &FileProfile, line: LineNo) -> Option<Fraction> {
    file.leaks.iter().find(|report| report.line == line).map(|report| report.likelihood)
}

/// The call path of a line's allocations, if it has callers.
fn path<'a>(profile: &'a Profile, file: &FileProfile, line: LineNo) -> Option<&'a AllocationPath> {
    let paths = profile.footprint.iter().flat_map(|footprint| &footprint.allocation_paths);
    let mut ending_here = paths.filter(|path| {
        path.frames.len() > 1
            && path.frames.last().is_some_and(|leaf| leaf.line == line && leaf.file == file.path)
    });
    ending_here.next()
}
