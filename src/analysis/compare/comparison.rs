//! The comparison as a whole.

use super::align::{Alignment, FilePair, Named, align};
use super::delta::{Delta, Verdict};
use super::environment::{Circumstances, Obstacle, circumstances, obstacles};
use super::explain::{Explanation, explain};
use super::function::{FunctionChange, changes};
use super::line::{LineChange, Lines};
use super::scale::{Scale, Scales};
use crate::analysis::thresholds::CHANGED_MIB;
use crate::profile::{FileProfile, Profile, ProgramKind};

/// A file in both profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// As the candidate shows it.
    pub file: String,
    /// As the baseline shows it, where that is another name.
    pub old_file: Option<String>,
    /// Seconds of all kinds of its lines.
    pub time: Delta,
    /// About its time.
    pub verdict: Verdict,
}

/// Two profiles side by side.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison<'a> {
    /// The relative change that is let pass.
    pub tolerance: f64,
    /// What keeps seconds and MiB of the two from being compared; empty where nothing does. Else no
    /// verdict is given, and shares of time are what is left.
    pub obstacles: Vec<Obstacle>,
    /// What else is the same or differs.
    pub circumstances: Circumstances,
    /// Wall time in seconds, with profiling on.
    pub elapsed: Delta,
    /// About the wall time. Where functions that changed make up less than half of its change, it has to exceed what
    /// two single runs of one text may differ by, or the error between the runs of both.
    pub elapsed_verdict: Verdict,
    /// Highest footprint in MiB, when both profiles measured memory.
    pub peak: Option<Delta>,
    /// About the highest footprint.
    pub peak_verdict: Verdict,
    /// Every function with time or memory in either, largest change of time first.
    pub functions: Vec<FunctionChange<'a>>,
    /// Every file with time in either, largest change first.
    pub files: Vec<FileChange>,
    /// The change of the total in parts; nothing where it is not known.
    pub explanation: Option<Explanation>,
    /// Which line is which.
    pub alignment: Alignment<'a>,
    scales: Scales<'a>,
}

impl<'a> Comparison<'a> {
    /// Whether seconds and MiB of the two can be compared.
    pub fn is_comparable(&self) -> bool {
        self.obstacles.is_empty()
    }

    /// Whether anything got worse: wall time, peak memory, or a function. Profiles that cannot be
    /// compared have no regressions; ask [`Comparison::is_comparable`].
    pub fn has_regressions(&self) -> bool {
        self.any(Verdict::Regression)
    }

    /// Whether anything got better.
    pub fn has_improvements(&self) -> bool {
        self.any(Verdict::Improvement)
    }

    fn any(&self, verdict: Verdict) -> bool {
        self.elapsed_verdict == verdict
            || self.peak_verdict == verdict
            || self.functions.iter().any(|function| function.verdict() == verdict)
    }

    /// Every line with time or memory in either profile, once, largest change of time first.
    pub fn lines(&self) -> Vec<LineChange<'a>> {
        self.line_maker().all()
    }

    /// The lines of some of its functions that have time or memory, largest change first.
    pub fn lines_of<'f>(
        &self,
        functions: impl Iterator<Item = &'f FunctionChange<'a>>,
    ) -> Vec<Vec<LineChange<'a>>>
    where
        'a: 'f,
    {
        functions
            .map(|function| {
                let pair = self.alignment.functions.get(function.index);
                let sides = pair.map(|pair| (pair.before.as_ref(), pair.after.as_ref()));
                let sides = sides.unwrap_or_default();
                self.line_maker().of_function(sides)
            })
            .collect()
    }

    /// Every line of a file, with time or without, in the order of the candidate.
    pub fn lines_of_file(&self, pair: FilePair) -> Vec<LineChange<'a>> {
        self.line_maker().of_files(pair.before, pair.after)
    }

    fn line_maker(&self) -> Lines<'_, 'a> {
        Lines { alignment: &self.alignment, scales: &self.scales }
    }
}

/// Compares a candidate with a baseline; `tolerance` is a part, 0.05 for 5 %.
pub fn compare<'a>(
    baseline: &'a Profile,
    candidate: &'a Profile,
    tolerance: f64,
) -> Comparison<'a> {
    compare_with(baseline, candidate, tolerance, [&[], &[]])
}

/// The same, with sources that no sample fell into, so that a profile lacks them: of the baseline, and of
/// the candidate. What an edit put there, or made so fast that no sample saw it, is found in them.
pub fn compare_with<'a>(
    baseline: &'a Profile,
    candidate: &'a Profile,
    tolerance: f64,
    [before, after]: [&'a [FileProfile]; 2],
) -> Comparison<'a> {
    let alignment = align(named(baseline, before), named(candidate, after));
    let obstacles = obstacles(baseline, candidate, &alignment);
    let comparable = obstacles.is_empty();
    let scales = Scales::new(baseline, candidate, &alignment, tolerance, comparable);
    let functions = changes(&alignment, &scales);
    let elapsed = scales.elapsed();
    let peak = peak(baseline).zip(peak(candidate)).map(|(before, after)| Delta {
        before: Some(before),
        after: Some(after),
        error: None,
    });
    let judged = |delta: Option<&Delta>, smallest: f64, allowance: f64| {
        let delta = delta.filter(|_| comparable);
        delta.map_or(Verdict::Unknown, |delta| delta.judge(tolerance, smallest, allowance))
    };
    let known = Some(&elapsed).filter(|delta| delta.before.is_some() && delta.after.is_some());
    let allowance = scales.allowance;
    let of_wall = if is_explained(elapsed.change(), &functions) { 0.0 } else { allowance.time };
    let of_peak = if allowance.same_work { allowance.memory } else { 0.0 };
    Comparison {
        tolerance,
        circumstances: circumstances(baseline, candidate),
        elapsed_verdict: judged(known, 0.0, of_wall),
        elapsed,
        peak_verdict: judged(peak.as_ref(), CHANGED_MIB.value, of_peak),
        peak,
        files: file_changes(&alignment, &scales),
        explanation: comparable.then(|| explain(baseline, candidate, &functions)).flatten(),
        functions,
        obstacles,
        alignment,
        scales,
    }
}

/// Whether functions that changed in the direction of the whole make up half of its change.
fn is_explained(change: f64, functions: &[FunctionChange<'_>]) -> bool {
    let direction = if change > 0.0 { Verdict::Regression } else { Verdict::Improvement };
    let changed = functions.iter().filter(|function| function.time_verdict == direction);
    let of_functions: f64 = changed.map(|function| function.time.change().abs()).sum();
    of_functions > 0.0 && of_functions >= change.abs() / 2.0
}

/// The files of a profile as the alignment takes them.
fn named<'a>(profile: &'a Profile, unsampled: &'a [FileProfile]) -> Vec<Named<'a>> {
    let files = profile.files.iter().chain(unsampled);
    files
        .map(|file| {
            let name = profile.display_path(&file.path).into_owned();
            let main = is_main(profile, &file.path);
            Named { name, file, main }
        })
        .collect()
}

/// Whether a file is the program, which may have been named by the end of its path.
fn is_main(profile: &Profile, path: &str) -> bool {
    let program = profile.program.name.trim_start_matches("./").replace('\\', "/");
    let path = path.replace('\\', "/");
    let rest = path.strip_suffix(&program);
    profile.program.kind != ProgramKind::Module
        && rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('/'))
}

/// The highest footprint; one that was never sampled is below the sampling window, and counts as
/// nothing here.
fn peak(profile: &Profile) -> Option<f64> {
    profile.footprint.as_ref().map(|footprint| footprint.peak.get())
}

fn file_changes(alignment: &Alignment<'_>, scales: &Scales<'_>) -> Vec<FileChange> {
    let mut files: Vec<_> = alignment
        .files
        .iter()
        .filter_map(|pair| {
            let before = pair.before.and_then(|index| alignment.before.get(index));
            let after = pair.after.and_then(|index| alignment.after.get(index));
            let sampled = |named: &&Named<'_>| !named.file.lines.is_empty();
            before.filter(sampled).or(after.filter(sampled))?;
            let part = |scale: Scale<'_>, named: Option<&Named<'_>>| {
                named.map(|named| scale.part(named.file, &named.file.lines.iter()))
            };
            let (time, verdict) =
                scales.time(part(scales.before, before), part(scales.after, after), true);
            let file = after.or(before)?.name.clone();
            let old_file = before.filter(|old| old.name != file).map(|old| old.name.clone());
            Some(FileChange { file, old_file, time, verdict })
        })
        .collect();
    files.sort_by(|a, b| b.time.change().abs().total_cmp(&a.time.change().abs()));
    files
}
