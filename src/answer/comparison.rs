//! Two profiles side by side.

mod change;
mod circumstances;
mod explanation;
mod listing;
mod per_call;
mod suggested;
mod text;

use schemars::JsonSchema;
use serde::Serialize;

use self::change::Unchanged;
pub use self::change::{Change, LineDelta};
use self::circumstances::{CircumstancesInfo, Reason, ShareRow};
use self::explanation::ExplanationInfo;
use self::listing::ComparedFile;
use self::per_call::PerCallChange;

use super::blocks::{BlockDelta, deltas};
use super::budget;
use super::next::NextCall;
use crate::analysis::compare::{
    Comparison, Fate, FilePair, FunctionChange, LineStatus, Named, Place, Verdict, compare_with,
};
use crate::analysis::thresholds::OTHER_PROGRAM_PART;
use crate::profile::{FileProfile, LineNo, Profile, round_for_display};

/// Rows under each heading.
const MOST_ROWS: usize = 10;

/// The comparison as a whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ComparisonSummary {
    /// Seconds and MiB of the two can be compared; `reasons` say why not.
    pub comparable: bool,
    /// The sources are the same line by line: a change is the machine's noise unless `verify_speedup` shows it.
    pub same_sources: bool,
    /// Something got worse beyond tolerance and error: wall time, peak memory, a function.
    /// Absent where the two cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_regressions: Option<bool>,
    /// Something got better; absent on the same terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_improvements: Option<bool>,
    /// `faster`, `slower`, `unchanged` (within the tolerance), `noise` (beyond it, and the runs cannot
    /// tell), `unknown` or `not comparable`: wall time of the runs.
    pub elapsed_verdict: String,
    /// Wall time of the baseline in seconds, with profiling on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_before_sec: Option<f64>,
    /// Wall time of the candidate in seconds, with profiling on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_after_sec: Option<f64>,
    /// After minus before, seconds; absent where the two cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_change_sec: Option<f64>,
    /// The same in percent of the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_change_pct: Option<f64>,
    /// Highest footprint of the baseline in MiB, when both profiled memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_before_mb: Option<f64>,
    /// Highest footprint of the candidate in MiB, when both profiled memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_after_mb: Option<f64>,
    /// Functions that got worse.
    pub regressions: usize,
    /// Functions that got better.
    pub improvements: usize,
    /// Functions that did not change beyond the tolerance.
    pub unchanged: usize,
    /// Functions that did, and not beyond what samples and runs can tell.
    pub noise: usize,
    /// Relative change that is let pass.
    pub tolerance: f64,
}

/// A function that has another name or place in the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Renaming {
    /// Qualified name in the baseline.
    pub name_before: String,
    /// Qualified name in the candidate.
    pub name_after: String,
    /// `file:first-last` in the baseline.
    pub location_before: String,
    /// `file:first-last` in the candidate.
    pub location_after: String,
    /// `renamed`, `moved`, with `edited` or `rewritten` where its text differs too.
    pub state: String,
}

/// How many lines are what: of the files with samples, and of those that they import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
pub struct TextChanges {
    /// Same text, same place in the same function.
    pub same: usize,
    /// Of these, with another indentation.
    pub reindented: usize,
    /// Replaced by a similar line.
    pub edited: usize,
    /// Same text, in another order, function or file.
    pub moved: usize,
    /// Only in the candidate.
    pub new: usize,
    /// Only in the baseline.
    pub removed: usize,
}

/// A file in both profiles.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FileDelta {
    /// File, relative to the project root.
    pub file: String,
    /// Its name in the baseline, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_before: Option<String>,
    /// Seconds in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_before_sec: Option<f64>,
    /// Seconds in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub time_after_sec: Option<f64>,
    /// After minus before.
    pub time_change_sec: f64,
}

/// Two profiles side by side.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ComparisonAnswer {
    /// The baseline.
    pub profile_id1: String,
    /// The candidate.
    pub profile_id2: String,
    /// The comparison as a whole.
    pub summary: ComparisonSummary,
    /// Why the two cannot be compared; empty where they can.
    pub reasons: Vec<Reason>,
    /// What else differs between the two runs.
    pub environment: CircumstancesInfo,
    /// The change of the total in parts that add up to it; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<ExplanationInfo>,
    /// A call of the function in both, where the calls of a function were profiled.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per_call: Option<PerCallChange>,
    /// Functions that got worse, largest change first.
    pub regressions: Vec<Change>,
    /// Functions that got better, largest change first.
    pub improvements: Vec<Change>,
    /// Functions that did not change, or not beyond what the samples can tell.
    pub unchanged: Vec<Unchanged>,
    /// Shares of each run's own time, where seconds cannot be compared.
    pub shares: Vec<ShareRow>,
    /// Functions with samples that have another name or place.
    pub renamed: Vec<Renaming>,
    /// What became of the lines.
    pub text_changes: TextChanges,
    /// Files with time in either profile, largest change first; left out where it is one file.
    pub files: Vec<FileDelta>,
    /// Blocks of either profile by their names, largest change first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub blocks: Vec<BlockDelta>,
    /// Every line of the file that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<ComparedFile>,
    /// Rows left out of the lists above.
    pub omitted: usize,
    /// Further doubts.
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

/// Two profiles, and what is to be known for their comparison.
#[derive(Debug, Clone)]
pub struct Comparing<'a> {
    /// The baseline.
    pub baseline: &'a Profile,
    /// The candidate.
    pub candidate: &'a Profile,
    /// The relative change that is let pass, 0.05 for 5 %.
    pub tolerance: f64,
    /// Sources that the runs imported and no sample fell into: of the baseline, of the candidate.
    pub unsampled: [Vec<FileProfile>; 2],
}

impl Comparing<'_> {
    /// The comparison.
    pub fn answer(&self) -> ComparisonAnswer {
        let comparison = self.compare();
        let found = Found::new(self, &comparison);
        budget::fit(MOST_ROWS, budget::DEFAULT_CAP, |rows| found.answer(rows))
    }

    /// The same, with every line of one file; nothing where neither version has it.
    pub fn answer_about(&self, file: &str) -> Option<ComparisonAnswer> {
        const ROWS: usize = 3;
        let comparison = self.compare();
        let pair = named_file(&comparison, file)?;
        let mut answer = Found::new(self, &comparison).answer(ROWS);
        listing::fill(&mut answer, &comparison, pair);
        Some(answer)
    }

    fn compare(&self) -> Comparison<'_> {
        let [before, after] = &self.unsampled;
        compare_with(self.baseline, self.candidate, self.tolerance, [before, after])
    }
}

impl ComparisonAnswer {
    /// Compares a candidate with a baseline; `tolerance` is a part, 0.05 for 5 %.
    pub fn new(baseline: &Profile, candidate: &Profile, tolerance: f64) -> Self {
        let unsampled = [Vec::new(), Vec::new()];
        Comparing { baseline, candidate, tolerance, unsampled }.answer()
    }
}

/// What an answer of any length is made from. A profile has ten thousand functions and more: they are looked at
/// once.
struct Found<'c, 'a> {
    of: &'c Comparing<'a>,
    comparison: &'c Comparison<'a>,
    regressions: Vec<&'c FunctionChange<'a>>,
    improvements: Vec<&'c FunctionChange<'a>>,
    unchanged: Vec<&'c FunctionChange<'a>>,
    /// Renamed or moved, most time first.
    renamed: Vec<&'c FunctionChange<'a>>,
    /// By share, where seconds cannot be compared.
    shares: Vec<&'c FunctionChange<'a>>,
    text_changes: TextChanges,
    blocks: Vec<BlockDelta>,
}

impl<'c, 'a> Found<'c, 'a> {
    fn new(of: &'c Comparing<'a>, comparison: &'c Comparison<'a>) -> Self {
        let mut found = Self {
            of,
            comparison,
            regressions: Vec::new(),
            improvements: Vec::new(),
            unchanged: Vec::new(),
            renamed: Vec::new(),
            shares: circumstances::by_share(comparison),
            text_changes: text_changes(comparison),
            blocks: deltas(of.baseline, of.candidate),
        };
        for function in &comparison.functions {
            match function.verdict() {
                Verdict::Regression => found.regressions.push(function),
                Verdict::Improvement => found.improvements.push(function),
                Verdict::Unchanged | Verdict::Noise => found.unchanged.push(function),
                Verdict::Unknown => {}
            }
            let both = function.before.is_some() && function.after.is_some();
            if both && (function.old_name.is_some() || function.moved) {
                found.renamed.push(function);
            }
        }
        let seconds = |function: &FunctionChange<'_>| {
            function.time.before.unwrap_or(0.0).max(function.time.after.unwrap_or(0.0))
        };
        found.renamed.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
        found
    }

    fn summary(&self) -> ComparisonSummary {
        let comparison = self.comparison;
        let (elapsed, peak) = (comparison.elapsed, comparison.peak);
        let known = elapsed.before.is_some() && elapsed.after.is_some();
        let comparable = comparison.is_comparable();
        let noise = self.unchanged.iter().filter(|f| f.verdict() == Verdict::Noise).count();
        ComparisonSummary {
            comparable,
            same_sources: self.text_changes.is_none(),
            has_regressions: comparable.then(|| comparison.has_regressions()),
            has_improvements: comparable.then(|| comparison.has_improvements()),
            elapsed_verdict: wall_word(comparison).to_owned(),
            elapsed_before_sec: elapsed.before.map(round_for_display),
            elapsed_after_sec: elapsed.after.map(round_for_display),
            elapsed_change_sec: (known && comparable).then(|| round_for_display(elapsed.change())),
            elapsed_change_pct: elapsed
                .percent()
                .filter(|_| known && comparable)
                .map(round_for_display),
            max_footprint_before_mb: peak.and_then(|peak| sampled(peak.before)),
            max_footprint_after_mb: peak.and_then(|peak| sampled(peak.after)),
            regressions: self.regressions.len(),
            improvements: self.improvements.len(),
            unchanged: self.unchanged.len() - noise,
            noise,
            tolerance: comparison.tolerance,
        }
    }

    /// The answer with so many rows under each heading.
    fn answer(&self, rows: usize) -> ComparisonAnswer {
        let (comparison, baseline, candidate) =
            (self.comparison, self.of.baseline, self.of.candidate);
        let changes = |functions: &[&FunctionChange<'a>]| -> Vec<Change> {
            let shown = || functions.iter().take(rows).copied();
            let lines = comparison.lines_of(shown());
            let both = shown().zip(&lines);
            both.map(|(function, lines)| Change::new(function, lines, comparison, rows)).collect()
        };
        let regressions = changes(&self.regressions);
        let renamed = comparison.files.iter().any(|file| file.old_file.is_some());
        let files: &[_] =
            if renamed || comparison.files.len() > 1 { &comparison.files } else { &[] };
        // Of sources that are the same there is nothing to verify but a wall time that changed.
        let wall = comparison.elapsed_verdict;
        let verify = !self.text_changes.is_none()
            || matches!(wall, Verdict::Regression | Verdict::Improvement);
        let counts = [self.regressions.len(), self.improvements.len(), self.unchanged.len()];
        let lists = [files.len(), self.renamed.len(), self.shares.len(), self.blocks.len()];
        let omitted = counts.iter().chain(&lists).map(|count| count.saturating_sub(rows)).sum();
        ComparisonAnswer {
            profile_id1: baseline.id.to_string(),
            profile_id2: candidate.id.to_string(),
            summary: self.summary(),
            reasons: comparison.obstacles.iter().map(Reason::new).collect(),
            environment: CircumstancesInfo::new(comparison, baseline, candidate),
            explanation: ExplanationInfo::new(comparison),
            per_call: PerCallChange::of(baseline, candidate),
            next: suggested::calls(baseline, candidate, comparison, &regressions, verify),
            regressions,
            improvements: changes(&self.improvements),
            unchanged: self.unchanged.iter().take(rows).map(|f| Unchanged::new(f)).collect(),
            shares: self.shares.iter().take(rows).map(|f| ShareRow::new(f)).collect(),
            renamed: self.renamed.iter().take(rows).map(|f| Renaming::new(f)).collect(),
            text_changes: self.text_changes,
            files: files.iter().take(rows).map(FileDelta::new).collect(),
            blocks: self.blocks.iter().take(rows).cloned().collect(),
            lines: None,
            omitted,
            warnings: circumstances::warnings(comparison, baseline, candidate, counts),
        }
    }
}

fn wall_word(comparison: &Comparison<'_>) -> &'static str {
    match comparison.elapsed_verdict {
        _ if !comparison.is_comparable() => "not comparable",
        Verdict::Regression => "slower",
        Verdict::Improvement => "faster",
        Verdict::Unchanged => "unchanged",
        Verdict::Noise => "noise",
        Verdict::Unknown => "unknown",
    }
}

/// Memory of nothing was too small to be sampled: not known.
fn sampled(mib: Option<f64>) -> Option<f64> {
    mib.filter(|mib| *mib > 0.0).map(round_for_display)
}

impl FileDelta {
    fn new(file: &crate::analysis::compare::FileChange) -> Self {
        Self {
            file: file.file.clone(),
            file_before: file.old_file.clone(),
            time_before_sec: file.time.before.map(round_for_display),
            time_after_sec: file.time.after.map(round_for_display),
            time_change_sec: round_for_display(file.time.change()),
        }
    }
}

fn place(file: &str, lines: Option<(LineNo, LineNo)>) -> String {
    match lines {
        Some((first, last)) => crate::profile::place(file, first.get(), Some(last.get())),
        None => file.to_owned(),
    }
}

/// `renamed, moved, edited`: what holds of it.
fn state(function: &FunctionChange<'_>) -> String {
    let rewritten = function.common < OTHER_PROGRAM_PART.value;
    let words = [
        (function.old_name.is_some(), "renamed"),
        (function.moved, "moved"),
        (function.edited && !rewritten, "edited"),
        (function.edited && rewritten, "rewritten"),
    ];
    let words: Vec<_> = words.iter().filter(|(holds, _)| *holds).map(|(_, word)| *word).collect();
    match (function.before, function.after) {
        (None, _) => "new".to_owned(),
        (_, None) => "gone".to_owned(),
        _ if words.is_empty() => "same text".to_owned(),
        _ => words.join(", "),
    }
}

/// Where a function was in the baseline.
fn place_before(function: &FunctionChange<'_>) -> String {
    place(function.old_file.as_deref().unwrap_or(&function.file), function.before)
}

impl Renaming {
    fn new(function: &FunctionChange<'_>) -> Self {
        Self {
            name_before: function.old_name.unwrap_or(function.name).to_owned(),
            name_after: function.name.to_owned(),
            location_before: place_before(function),
            location_after: place(&function.file, function.after),
            state: state(function),
        }
    }
}

fn text_changes(comparison: &Comparison<'_>) -> TextChanges {
    let mut counts = TextChanges::default();
    let alignment = &comparison.alignment;
    for pair in &alignment.files {
        let named = |files: &[Named<'_>], index: Option<usize>| {
            index.and_then(|file| Some((file, files.get(file)?.file.source.line_count())))
        };
        if let Some((_, lines)) = named(&alignment.after, pair.after).filter(|_| pair.identical) {
            counts.same += lines;
            continue;
        }
        if let Some((file, lines)) = named(&alignment.after, pair.after) {
            for line in (1..).map_while(LineNo::new).take(lines) {
                counts.add_after(alignment.of_after(Place { file, line }));
            }
        }
        if let Some((file, lines)) = named(&alignment.before, pair.before) {
            let lines = (1..).map_while(LineNo::new).take(lines);
            let gone = lines.filter_map(|line| alignment.of_before(Place { file, line }));
            counts.removed += gone.filter(|fate| fate.other.is_none()).count();
        }
    }
    counts
}

impl TextChanges {
    /// Whether every line is where it was, as it was.
    fn is_none(self) -> bool {
        self.edited + self.moved + self.new + self.removed + self.reindented == 0
    }

    fn add_after(&mut self, fate: Option<Fate>) {
        let Some(fate) = fate else { return };
        match fate.status {
            LineStatus::Same => self.same += 1,
            LineStatus::Edited => self.edited += 1,
            LineStatus::Moved => self.moved += 1,
            LineStatus::New | LineStatus::Removed => self.new += 1,
        }
        self.reindented += usize::from(fate.status == LineStatus::Same && fate.reindented);
    }
}

/// The files that a name means: as the candidate or the baseline shows it, or the end of one path only.
fn named_file(comparison: &Comparison<'_>, wanted: &str) -> Option<FilePair> {
    let alignment = &comparison.alignment;
    let wanted = wanted.trim_start_matches("./").replace('\\', "/");
    let names = |pair: &FilePair| {
        let after = pair.after.and_then(|index| alignment.after.get(index));
        let before = pair.before.and_then(|index| alignment.before.get(index));
        let named = [after, before].into_iter().flatten();
        let names = named.flat_map(|named| [named.name.clone(), named.file.path.clone()]);
        names.map(|name| name.replace('\\', "/")).collect::<Vec<_>>()
    };
    let ending = format!("/{wanted}");
    let find = |fits: &dyn Fn(&str) -> bool| -> Vec<FilePair> {
        let pairs = alignment.files.iter();
        pairs.filter(|pair| names(pair).iter().any(|name| fits(name))).copied().collect()
    };
    if let Some(exact) = find(&|name| name == wanted).first() {
        return Some(*exact);
    }
    match find(&|name| name.ends_with(&ending)).as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}
