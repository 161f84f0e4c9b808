//! How far Scalene and the stacks that were read beside it agree.

use super::hotspots::CpuBasis;
use super::stats;
use super::thresholds::{AGREEING_POINTS, CONTRADICTED_SHARE};
use crate::profile::{Engine, FileProfile, Line, LineNo, Percent, Profile, Witness};

/// What the other witness says of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// About the same.
    Agrees,
    /// About the same of the whole function, not of the line.
    OnTheFunction,
    /// Something else.
    Differs,
}

impl Agreement {
    /// The mark in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Agrees => "yes",
            Self::OnTheFunction => "function",
            Self::Differs => "no",
        }
    }
}

/// Scalene's own share of a line whose time is from stacks, and whether it agrees.
pub fn second_opinion(
    profile: &Profile,
    file: &FileProfile,
    line: &Line,
    basis: CpuBasis,
) -> Option<(Percent, Agreement)> {
    let Witness::Stacks { scalene_samples, .. } = profile.timed_by else { return None };
    // Scalene saw nothing at all, or was not there: that is no opinion.
    if scalene_samples == Some(0) || profile.engine() == Engine::Sampler {
        return None;
    }
    let scalene = |line: &Line| line.scalene.as_ref().map_or(Percent::ZERO, |cpu| basis.share(cpu));
    // What Scalene says is a share of the time that it saw.
    let (own, other) = (basis.share(&line.cpu), scalene(line));
    let close = |one: Percent, other: Percent| {
        let apart = || {
            let stacks = stats::effective(profile.cpu_samples()?, profile.timed_by);
            let (low, high) = stats::wilson(one, stacks)?;
            let theirs = stats::effective(scalene_samples.unwrap_or(0), Witness::Scalene);
            let (their_low, their_high) = stats::wilson(other, theirs)?;
            Some(high < their_low || their_high < low)
        };
        (one.get() - other.get()).abs() <= AGREEING_POINTS.value || apart() == Some(false)
    };
    if close(own, other) {
        return Some((other, Agreement::Agrees));
    }
    let function = file.function_index(line.number);
    let lines = file.lines.iter().filter(|line| file.function_index(line.number) == function);
    let (ours, theirs) = lines.fold((Percent::ZERO, Percent::ZERO), |(ours, theirs), line| {
        (ours + basis.share(&line.cpu), theirs + scalene(line))
    });
    let mark = if close(ours, theirs) { Agreement::OnTheFunction } else { Agreement::Differs };
    Some((other, mark))
}

/// A line that Scalene charges with much time, where the stacks hardly ever were.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contradiction<'a> {
    /// Its file.
    pub file: &'a FileProfile,
    /// Its number.
    pub line: LineNo,
    /// What Scalene gives it of all sampled time.
    pub scalene: Percent,
    /// What the stacks give it.
    pub stacks: Percent,
}

/// The line about which Scalene is most wrong; `None` where it agrees, at least on the function.
pub fn contradiction(profile: &Profile) -> Option<Contradiction<'_>> {
    let Witness::Stacks { .. } = profile.timed_by else { return None };
    let most = profile.lines().filter_map(|(file, line)| {
        let scalene = line.scalene.as_ref()?.total();
        let stacks = line.cpu.total();
        let excess = scalene.get() - stacks.get();
        (scalene.get() >= CONTRADICTED_SHARE.value && excess > AGREEING_POINTS.value)
            .then_some((excess, file, line, scalene, stacks))
    });
    let (_, file, line, scalene, stacks) = most.max_by(|a, b| a.0.total_cmp(&b.0))?;
    let (_, mark) = second_opinion(profile, file, line, CpuBasis::WithSystem)?;
    (mark == Agreement::Differs).then_some(Contradiction {
        file,
        line: line.number,
        scalene,
        stacks,
    })
}
