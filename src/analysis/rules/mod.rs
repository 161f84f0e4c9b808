//! What slows a program down, as a table of rules.
//!
//! A rule fires where two things meet: the source shows its pattern, and the numbers say that the
//! place is hot. Rules are data ([`rules`]); [`findings`] applies them. What a rule compares with
//! is in [`crate::analysis::thresholds`]; `docs/analysis.md` is made from both tables.

mod apply;
mod awaiting;
mod calls;
mod copies;
mod figures;
mod frames;
mod general;
mod inputs;
mod invariants;
mod lists;
mod memory;
mod numpy;
mod objects;
mod place;
mod reached;
mod searches;
mod strings;
mod table;
mod whole_run;

pub use apply::{Finding, ceiling, findings};
pub use figures::Quantity;
pub use table::rules;

use super::thresholds::{CRITICAL_SHARE, HIGH_SHARE, MEDIUM_SHARE, Threshold};
use crate::profile::{FileProfile, Profile};
use apply::Verdict;
use place::{Seen, Site};

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Time on a CPU.
    Cpu,
    /// Memory that is allocated, kept or copied.
    Memory,
    /// Time in which the program waits.
    Waiting,
    /// Work that could run at the same time.
    Parallelism,
    /// Time before the program's own work begins.
    Startup,
}

impl Kind {
    /// The kind in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Waiting => "waiting",
            Self::Parallelism => "parallelism",
            Self::Startup => "startup",
        }
    }
}

/// How much a finding is worth, from its share of the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Half of the run or more.
    Critical,
    /// A fifth or more.
    High,
    /// A twentieth or more.
    Medium,
    /// Less.
    Low,
}

impl Severity {
    /// The severity of a share in percent.
    pub fn of(share: f64) -> Self {
        match share {
            share if share >= CRITICAL_SHARE.value => Self::Critical,
            share if share >= HIGH_SHARE.value => Self::High,
            share if share >= MEDIUM_SHARE.value => Self::Medium,
            _ => Self::Low,
        }
    }

    /// The severity in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
        }
    }
}

/// A number that must be reached for a rule to fire.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// What is measured of the place.
    pub of: Quantity,
    /// The least it must be.
    pub least: Threshold,
}

/// How much a rule knows of the cause; of two findings on one place the one that knows more stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::analysis) enum Knows {
    /// Only that the place is hot.
    Place,
    /// The kind of time.
    KindOfTime,
    /// A pattern whose cost depends on what surrounds it.
    Hint,
    /// A pattern with a known cost.
    Pattern,
    /// The pattern and why it is avoidable here.
    Cause,
}

/// Where a rule looks.
#[derive(Clone, Copy)]
pub(in crate::analysis) enum Look {
    /// At the source of a hot file; what it finds is kept with the file.
    Code(fn(&Seen<'_>) -> Vec<Site>),
    /// At the source as well, with a last word that knows the whole run.
    File(
        for<'a> fn(&'a Profile, &'a FileProfile, &Site) -> Option<Verdict<'a>>,
        fn(&Seen<'_>) -> Vec<Site>,
    ),
}

/// One entry of the table.
pub struct Rule {
    /// Name in kebab case, stable.
    pub id: &'static str,
    /// The problem in a few words.
    pub title: &'static str,
    /// What it is about.
    pub kind: Kind,
    /// Which code and which numbers make it fire.
    pub detects: &'static str,
    /// Whose time counts as its share.
    pub counts: &'static str,
    /// What to do, in general; a finding says it with the names of the source.
    pub advice: &'static str,
    /// What the place must reach; more limits may be inside the predicate.
    pub limits: &'static [Limit],
    /// Constants the rule reads, those of `limits` included.
    pub thresholds: &'static [&'static Threshold],
    /// Why the pattern costs time.
    pub source: &'static str,
    /// The highest severity it may claim.
    pub at_most: Severity,
    pub(in crate::analysis) knows: Knows,
    pub(in crate::analysis) look: Look,
}

impl std::fmt::Debug for Rule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rule({})", self.id)
    }
}

impl PartialEq for Rule {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id
    }
}
