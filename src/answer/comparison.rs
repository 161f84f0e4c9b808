//! Two profiles side by side.

mod change;
mod circumstances;
mod explanation;
mod listing;
mod suggested;
mod text;

use schemars::JsonSchema;
use serde::Serialize;

use self::change::Unchanged;
pub use self::change::{Change, LineDelta};
use self::circumstances::{CircumstancesInfo, Reason, ShareRow};
use self::explanation::ExplanationInfo;
use self::listing::ComparedFile;

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
    /// Something got worse beyond tolerance and sampling error: wall time, peak memory, a function.
    /// Absent where the two cannot be compared.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_regressions: Option<bool>,
    /// Something got better; absent on the same terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub has_improvements: Option<bool>,
    /// `faster`, `slower`, `unchanged` (within the tolerance), `unknown` or `not comparable`: wall
    /// time of the runs.
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
    /// Functions that did not change, or not beyond what the samples can tell.
    pub unchanged: usize,
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
        let text = text_changes(&comparison);
        budget::fit(MOST_ROWS, budget::DEFAULT_CAP, |rows| {
            ComparisonAnswer::with_rows(self.baseline, self.candidate, &comparison, text, rows)
        })
    }

    /// The same, with every line of one file; nothing where neither version has it.
    pub fn answer_about(&self, file: &str) -> Option<ComparisonAnswer> {
        const ROWS: usize = 3;
        let comparison = self.compare();
        let pair = named_file(&comparison, file)?;
        let text = text_changes(&comparison);
        let mut answer =
            ComparisonAnswer::with_rows(self.baseline, self.candidate, &comparison, text, ROWS);
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

    fn with_rows(
        baseline: &Profile,
        candidate: &Profile,
        comparison: &Comparison<'_>,
        text_changes: TextChanges,
        rows: usize,
    ) -> Self {
        let of = |verdict| comparison.functions.iter().filter(move |f| f.verdict() == verdict);
        let same = || {
            let same = |f: &&FunctionChange<'_>| {
                matches!(f.verdict(), Verdict::Unchanged | Verdict::Noise)
            };
            comparison.functions.iter().filter(same)
        };
        let counts =
            [of(Verdict::Regression).count(), of(Verdict::Improvement).count(), same().count()];
        let changes = |verdict| {
            let functions: Vec<_> = of(verdict).take(rows).collect();
            let lines = comparison.lines_of(functions.iter().copied());
            let both = functions.iter().zip(&lines);
            both.map(|(function, lines)| Change::new(function, lines, comparison, rows)).collect()
        };
        let regressions: Vec<Change> = changes(Verdict::Regression);
        let improvements: Vec<Change> = changes(Verdict::Improvement);
        let several =
            comparison.files.len() > 1 || comparison.files.iter().any(|f| f.old_file.is_some());
        let all_files: &[_] = if several { &comparison.files } else { &[] };
        let files: Vec<_> = all_files.iter().take(rows).map(FileDelta::new).collect();
        let (renamed, renamings) = renamed(comparison, rows);
        let (shares, all_shares) = circumstances::shares(comparison, rows);
        let omitted = counts.iter().map(|count| count.saturating_sub(rows)).sum::<usize>()
            + (all_files.len() - files.len())
            + (renamings - renamed.len())
            + (all_shares - shares.len());
        Self {
            profile_id1: baseline.id.to_string(),
            profile_id2: candidate.id.to_string(),
            summary: summary(comparison, counts),
            reasons: comparison.obstacles.iter().map(Reason::new).collect(),
            environment: CircumstancesInfo::new(comparison, baseline, candidate),
            explanation: ExplanationInfo::new(comparison),
            next: suggested::calls(baseline, candidate, comparison, &regressions),
            regressions,
            improvements,
            unchanged: same().take(rows).map(Unchanged::new).collect(),
            shares,
            renamed,
            text_changes,
            files,
            lines: None,
            omitted,
            warnings: circumstances::warnings(comparison, baseline, candidate, counts),
        }
    }
}

fn summary(comparison: &Comparison<'_>, counts: [usize; 3]) -> ComparisonSummary {
    let (elapsed, peak) = (comparison.elapsed, comparison.peak);
    let known = elapsed.before.is_some() && elapsed.after.is_some();
    let comparable = comparison.is_comparable();
    let [regressions, improvements, unchanged] = counts;
    ComparisonSummary {
        comparable,
        has_regressions: comparable.then(|| comparison.has_regressions()),
        has_improvements: comparable.then(|| comparison.has_improvements()),
        elapsed_verdict: match comparison.elapsed_verdict {
            _ if !comparable => "not comparable",
            Verdict::Regression => "slower",
            Verdict::Improvement => "faster",
            Verdict::Unchanged | Verdict::Noise => "unchanged",
            Verdict::Unknown => "unknown",
        }
        .to_owned(),
        elapsed_before_sec: elapsed.before.map(round_for_display),
        elapsed_after_sec: elapsed.after.map(round_for_display),
        elapsed_change_sec: (known && comparable).then(|| round_for_display(elapsed.change())),
        elapsed_change_pct: elapsed
            .percent()
            .filter(|_| known && comparable)
            .map(round_for_display),
        max_footprint_before_mb: peak.and_then(|peak| sampled(peak.before)),
        max_footprint_after_mb: peak.and_then(|peak| sampled(peak.after)),
        regressions,
        improvements,
        unchanged,
        tolerance: comparison.tolerance,
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
        Some((first, last)) if first != last => format!("{file}:{first}-{last}"),
        Some((line, _)) => format!("{file}:{line}"),
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

/// Some functions that were renamed or moved, and how many there are; those with most time first.
fn renamed(comparison: &Comparison<'_>, rows: usize) -> (Vec<Renaming>, usize) {
    let both = |f: &&FunctionChange<'_>| f.before.is_some() && f.after.is_some();
    let mut found: Vec<_> = comparison
        .functions
        .iter()
        .filter(both)
        .filter(|f| f.old_name.is_some() || f.moved)
        .collect();
    let seconds =
        |f: &FunctionChange<'_>| f.time.before.unwrap_or(0.0).max(f.time.after.unwrap_or(0.0));
    found.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
    let shown = found.iter().take(rows).map(|function| Renaming {
        name_before: function.old_name.unwrap_or(function.name).to_owned(),
        name_after: function.name.to_owned(),
        location_before: place_before(function),
        location_after: place(&function.file, function.after),
        state: state(function),
    });
    (shown.collect(), found.len())
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
