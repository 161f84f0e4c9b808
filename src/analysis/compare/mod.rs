//! Two profiles side by side: what got slower, what got faster, what the samples cannot tell.
//!
//! Functions are matched by file and qualified name, their lines by a diff of the stored
//! sources. A change of time counts when it exceeds the tolerance *and* the sampling error of both
//! profiles. How much the program varies from run to run is in neither: each is one run.

mod body;

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use similar::{Algorithm, DiffOp, capture_diff_slices};

use self::body::{Body, bodies, silent};
use super::stats::effective;
use super::thresholds::{CHANGED_MIB, CHANGED_PART, INTERVAL_Z, SAMPLE_WEIGHT};
use crate::profile::{FileProfile, Line, LineNo, Percent, Profile, Seconds};

/// Lines of functions longer than this are not compared.
const MOST_DIFFED_LINES: usize = 5_000;

/// What a comparison says about a part of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Slower, or more memory, beyond tolerance and sampling error.
    Regression,
    /// Faster, or less memory, beyond tolerance and sampling error.
    Improvement,
    /// Within the tolerance.
    Unchanged,
    /// Beyond the tolerance, and within what the samples can tell.
    Noise,
}

/// A figure in both profiles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Delta {
    /// In the baseline; nothing where the part is new.
    pub before: Option<f64>,
    /// In the candidate; nothing where the part is gone.
    pub after: Option<f64>,
    /// Standard error of the difference, when the samples are known.
    pub error: Option<f64>,
}

impl Delta {
    /// After minus before; a part that is not there counts as nothing.
    pub fn change(&self) -> f64 {
        self.after.unwrap_or(0.0) - self.before.unwrap_or(0.0)
    }

    /// Change in percent of the baseline; `None` where that is nothing.
    pub fn percent(&self) -> Option<f64> {
        let before = self.before.filter(|before| *before > 0.0)?;
        Some(100.0 * self.change() / before)
    }

    fn judge(&self, tolerance: f64, smallest: f64) -> Verdict {
        let (change, before) = (self.change(), self.before.unwrap_or(0.0));
        let larger = before.max(self.after.unwrap_or(0.0));
        if change.abs() <= tolerance * before || change.abs() < smallest || larger == 0.0 {
            Verdict::Unchanged
        } else if self.error.is_some_and(|error| change.abs() <= INTERVAL_Z.value * error) {
            Verdict::Noise
        } else if change > 0.0 {
            Verdict::Regression
        } else {
            Verdict::Improvement
        }
    }
}

/// A line in both profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChange<'a> {
    /// Its number in the baseline.
    pub before: Option<LineNo>,
    /// Its number in the candidate.
    pub after: Option<LineNo>,
    /// Its text, in the candidate if it is there.
    pub text: &'a str,
    /// Seconds of all kinds.
    pub time: Delta,
    /// Judged like a function.
    pub verdict: Verdict,
}

/// A function, or the module-level code of a file, in both profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct FunctionChange<'a> {
    /// File, as the candidate shows it (the baseline for a function that is gone).
    pub file: Arc<str>,
    /// Qualified name or `<module>`.
    pub name: &'a str,
    /// First and last line in the baseline.
    pub before: Option<(LineNo, LineNo)>,
    /// First and last line in the candidate.
    pub after: Option<(LineNo, LineNo)>,
    /// Seconds of all kinds of its own lines.
    pub time: Delta,
    /// Volume allocated by its own lines in MiB, when both profiles measured memory.
    pub memory: Option<Delta>,
    /// About its time.
    pub time_verdict: Verdict,
    /// About its memory.
    pub memory_verdict: Verdict,
    old: Option<Body<'a>>,
    new: Option<Body<'a>>,
    scales: Scales,
}

impl<'a> FunctionChange<'a> {
    /// Whether the text of its own lines differs.
    pub fn edited(&self) -> bool {
        let text = |body: &Option<Body<'a>>| {
            body.iter().flat_map(Body::own_text).map(|(_, text)| text).collect::<Vec<_>>()
        };
        text(&self.old) != text(&self.new)
    }

    /// Its lines with time, largest change first: matched where the diff of the texts says that
    /// they are equal. None for a function of more than 5,000 lines.
    pub fn lines(&self) -> Vec<LineChange<'a>> {
        line_changes(self.old.as_ref(), self.new.as_ref(), &self.scales)
    }

    /// By time; by memory where the time tells nothing.
    pub fn verdict(&self) -> Verdict {
        match (self.time_verdict, self.memory_verdict) {
            (
                Verdict::Unchanged | Verdict::Noise,
                memory @ (Verdict::Regression | Verdict::Improvement),
            ) => memory,
            (time, _) => time,
        }
    }
}

/// A file in both profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct FileChange {
    /// As the candidate shows it.
    pub file: String,
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
    /// Wall time in seconds, with profiling on.
    pub elapsed: Delta,
    /// About the wall time; sampling error is not in it.
    pub elapsed_verdict: Verdict,
    /// Highest footprint in MiB, when both profiles measured memory.
    pub peak: Option<Delta>,
    /// About the highest footprint.
    pub peak_verdict: Verdict,
    /// Every function with time or memory in either, largest change of time first.
    pub functions: Vec<FunctionChange<'a>>,
    /// Every file with time in either, largest change first.
    pub files: Vec<FileChange>,
}

impl Comparison<'_> {
    /// Whether anything got worse: wall time, peak memory, or a function.
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
}

/// Compares a candidate with a baseline; `tolerance` is a part, 0.05 for 5 %.
pub fn compare<'a>(
    baseline: &'a Profile,
    candidate: &'a Profile,
    tolerance: f64,
) -> Comparison<'a> {
    let smallest =
        CHANGED_PART.value * baseline.elapsed.or(candidate.elapsed).map_or(0.0, Seconds::get);
    let scales =
        Scales { before: Scale::of(baseline), after: Scale::of(candidate), tolerance, smallest };
    let elapsed = Delta {
        before: baseline.elapsed.map(Seconds::get),
        after: candidate.elapsed.map(Seconds::get),
        error: None,
    };
    let known = elapsed.before.is_some() && elapsed.after.is_some();
    let peak = peak(baseline).zip(peak(candidate)).map(|(before, after)| Delta {
        before: Some(before),
        after: Some(after),
        error: None,
    });
    let matched = matched_files(baseline, candidate);
    let mut functions = Vec::new();
    let mut files = Vec::new();
    for (name, before, after) in &matched {
        files.push(file_change(name, *before, *after, &scales));
        functions.extend(function_changes(&Arc::from(name.as_str()), *before, *after, &scales));
    }
    // The bits of numbers that are not negative are in the order of the numbers; moving each change
    // once instead of sorting in place takes a tenth of the time.
    functions.sort_by_cached_key(|change| Reverse(change.time.change().abs().to_bits()));
    files.sort_by(|a, b| b.time.change().abs().total_cmp(&a.time.change().abs()));
    Comparison {
        tolerance,
        elapsed_verdict: if known { elapsed.judge(tolerance, 0.0) } else { Verdict::Unchanged },
        elapsed,
        peak_verdict: peak
            .map_or(Verdict::Unchanged, |peak| peak.judge(tolerance, CHANGED_MIB.value)),
        peak,
        functions,
        files,
    }
}

/// The highest footprint; one that was never sampled is below the sampling window, and counts as
/// nothing here.
fn peak(profile: &Profile) -> Option<f64> {
    profile.footprint.as_ref().map(|footprint| footprint.peak.get())
}

/// From shares to seconds and their error.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Scale {
    seconds: f64,
    effective_samples: Option<f64>,
    memory: bool,
}

/// Samples of equal weight; where Scalene does not say how many it took, those that were due.
fn samples(profile: &Profile) -> Option<f64> {
    let known = profile.cpu_samples().map(|samples| effective(samples, profile.timed_by));
    let due = || {
        let interval = profile.measured.sampling_interval.map_or(DEFAULT_INTERVAL, Seconds::get);
        Some(SAMPLE_WEIGHT.value * profile.elapsed?.get() / interval)
    };
    known.or_else(due)
}

/// Scalene's mean time between two samples, in seconds, unless told otherwise.
const DEFAULT_INTERVAL: f64 = 0.01;

impl Scale {
    fn of(profile: &Profile) -> Self {
        let whole = Percent::from_percent(100.0).and_then(|all| profile.seconds(all));
        Self {
            seconds: whole.map_or(0.0, Seconds::get),
            effective_samples: samples(profile).filter(|n| *n > 0.0),
            memory: profile.footprint.is_some(),
        }
    }

    fn seconds(&self, share: Percent) -> f64 {
        self.seconds * share.get() / 100.0
    }

    /// Squared standard error of a share's seconds, from the binomial variance. A share of nothing is
    /// given that of one sample, a share of everything that of all but one.
    fn variance(&self, share: Percent) -> Option<f64> {
        let n = self.effective_samples?;
        let edge = 1.0 / (n + 2.0);
        let p = (share.get() / 100.0).clamp(edge, 1.0 - edge);
        Some(self.seconds * self.seconds * p * (1.0 - p) / n)
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Scales {
    before: Scale,
    after: Scale,
    tolerance: f64,
    smallest: f64,
}

impl Scales {
    fn time(&self, before: Option<Percent>, after: Option<Percent>) -> (Delta, Verdict) {
        let zero = Percent::ZERO;
        let error = self
            .before
            .variance(before.unwrap_or(zero))
            .zip(self.after.variance(after.unwrap_or(zero)))
            .map(|(before, after)| (before + after).sqrt());
        let delta = Delta {
            before: before.map(|share| self.before.seconds(share)),
            after: after.map(|share| self.after.seconds(share)),
            error,
        };
        (delta, delta.judge(self.tolerance, self.smallest))
    }
}

type Matched<'a> = (String, Option<&'a FileProfile>, Option<&'a FileProfile>);

/// Files of both profiles: by the path that answers show, then by a file name that is unique among
/// the rest (a profile from another machine has other folders).
fn matched_files<'a>(baseline: &'a Profile, candidate: &'a Profile) -> Vec<Matched<'a>> {
    let mut before: BTreeMap<String, &FileProfile> = baseline
        .files
        .iter()
        .map(|file| (baseline.display_path(&file.path).into_owned(), file))
        .collect();
    let mut matched = Vec::new();
    let mut unmatched = Vec::new();
    for file in &candidate.files {
        let name = candidate.display_path(&file.path).into_owned();
        match before.remove(&name) {
            Some(old) => matched.push((name, Some(old), Some(file))),
            None => unmatched.push((name, file)),
        }
    }
    for (name, file) in unmatched {
        let mut same =
            before.iter().filter(|(_, old)| base_name(&old.path) == base_name(&file.path));
        let only = same.next().map(|(key, _)| key.clone()).filter(|_| same.next().is_none());
        let old = only.and_then(|key| before.remove(&key));
        matched.push((name, old, Some(file)));
    }
    matched.extend(before.into_iter().map(|(name, old)| (name, Some(old), None)));
    matched
}

fn base_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

fn file_change(
    name: &str,
    before: Option<&FileProfile>,
    after: Option<&FileProfile>,
    scales: &Scales,
) -> FileChange {
    let share = |file: &FileProfile| file.total_share();
    let (time, verdict) = scales.time(before.map(share), after.map(share));
    FileChange { file: name.to_owned(), time, verdict }
}

fn function_changes<'a>(
    file: &Arc<str>,
    before: Option<&'a FileProfile>,
    after: Option<&'a FileProfile>,
    scales: &Scales,
) -> Vec<FunctionChange<'a>> {
    let mut old: Vec<_> =
        before.into_iter().flat_map(bodies).map(|(name, body)| (name, Some(body))).collect();
    let places: HashMap<&str, usize> =
        old.iter().enumerate().map(|(place, (name, _))| (*name, place)).collect();
    let mut pairs: Vec<(&str, Option<Body<'a>>, Option<Body<'a>>)> = Vec::new();
    for (name, body) in after.into_iter().flat_map(bodies) {
        let known = places.get(name).and_then(|place| old.get_mut(*place));
        pairs.push((name, known.and_then(|(_, body)| body.take()), Some(body)));
    }
    pairs.extend(old.into_iter().filter_map(|(name, body)| Some((name, Some(body?), None))));
    pairs
        .into_iter()
        .map(|(name, old, new)| {
            // A function without samples may still be there: then it is not new, and not gone.
            let old = old.or_else(|| silent(before, name));
            let new = new.or_else(|| silent(after, name));
            function_change(file, name, old, new, scales)
        })
        .collect()
}

fn function_change<'a>(
    file: &Arc<str>,
    name: &'a str,
    old: Option<Body<'a>>,
    new: Option<Body<'a>>,
    scales: &Scales,
) -> FunctionChange<'a> {
    let both = (old.as_ref(), new.as_ref());
    let share = |body: &Body<'_>| body.share;
    let (time, time_verdict) = scales.time(both.0.map(share), both.1.map(share));
    let memory = (scales.before.memory && scales.after.memory).then(|| Delta {
        before: both.0.map(|body| body.allocated.get()),
        after: both.1.map(|body| body.allocated.get()),
        error: None,
    });
    FunctionChange {
        file: Arc::clone(file),
        name,
        before: both.0.map(Body::range),
        after: both.1.map(Body::range),
        time,
        time_verdict,
        memory_verdict: memory
            .map_or(Verdict::Unchanged, |memory| memory.judge(scales.tolerance, CHANGED_MIB.value)),
        memory,
        old,
        new,
        scales: *scales,
    }
}

fn line_changes<'a>(
    old: Option<&Body<'a>>,
    new: Option<&Body<'a>>,
    scales: &Scales,
) -> Vec<LineChange<'a>> {
    let (old_text, new_text) =
        (old.map(Body::own_text).unwrap_or_default(), new.map(Body::own_text).unwrap_or_default());
    if old_text.len().max(new_text.len()) > MOST_DIFFED_LINES {
        return Vec::new();
    }
    let texts =
        |lines: &[(LineNo, &'a str)]| lines.iter().map(|(_, text)| *text).collect::<Vec<_>>();
    let operations = capture_diff_slices(Algorithm::Patience, &texts(&old_text), &texts(&new_text));
    let mut forward: HashMap<LineNo, LineNo> = HashMap::new();
    for operation in &operations {
        let DiffOp::Equal { old_index, new_index, len } = *operation else { continue };
        let pairs = old_text.iter().skip(old_index).zip(new_text.iter().skip(new_index)).take(len);
        forward.extend(pairs.map(|((old, _), (new, _))| (*old, *new)));
    }
    let mut rest: BTreeMap<LineNo, &Line> =
        new.into_iter().flat_map(Body::lines).map(|line| (line.number, line)).collect();
    let mut changes = Vec::new();
    for line in old.into_iter().flat_map(Body::lines) {
        let place = forward.get(&line.number).copied();
        let after = place.and_then(|number| rest.remove(&number));
        changes.push((Some(line.number), place, Some(line), after));
    }
    let backward: HashMap<LineNo, LineNo> = forward.iter().map(|(old, new)| (*new, *old)).collect();
    changes
        .extend(rest.into_values().map(|line| {
            (backward.get(&line.number).copied(), Some(line.number), None, Some(line))
        }));
    let mut lines: Vec<_> = changes
        .into_iter()
        .map(|(before, after, old_line, new_line)| {
            // A line that is there without samples took nothing measurable; one that is not, nothing.
            let share = |line: Option<&Line>, place: Option<LineNo>| {
                line.map(|line| line.cpu.total()).or(place.map(|_| Percent::ZERO))
            };
            let (time, verdict) = scales.time(share(old_line, before), share(new_line, after));
            let text = match (after, new, before, old) {
                (Some(number), Some(body), _, _) | (None, _, Some(number), Some(body)) => {
                    body.file.text(number)
                }
                _ => "",
            };
            LineChange { before, after, text, time, verdict }
        })
        .filter(|line| line.time.before.unwrap_or(0.0) + line.time.after.unwrap_or(0.0) > 0.0)
        .collect();
    lines.sort_by(|a, b| b.time.change().abs().total_cmp(&a.time.change().abs()));
    lines
}
