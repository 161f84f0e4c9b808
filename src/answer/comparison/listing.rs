//! Every line of one file, in stretches.

use schemars::JsonSchema;
use serde::Serialize;

use super::ComparisonAnswer;
use super::change::{LineDelta, elsewhere};
use crate::analysis::compare::{Comparison, FilePair, LineChange, LineStatus, Place};
use crate::answer::budget;

/// Stretches listed at most.
const MOST_STRETCHES: usize = 250;

/// Lines one after the other of which the same is to be said.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ComparedLines {
    /// `same`, `edited`, `moved`, `new` or `removed`.
    pub status: String,
    /// Same text with another indentation.
    pub reindented: bool,
    /// First line in the baseline; absent where the lines are new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_before: Option<u32>,
    /// Last line in the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_before: Option<u32>,
    /// First line in the candidate; absent where the lines are removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_after: Option<u32>,
    /// Last line in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_after: Option<u32>,
    /// File of the lines in the baseline, where it is another than that of this list in the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_before: Option<String>,
    /// File of the lines in the candidate, on the same terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_after: Option<String>,
    /// The line itself, where it has time or memory, or was edited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<LineDelta>,
}

/// A file, line by line, in the order of the candidate.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ComparedFile {
    /// File in the candidate; in the baseline for one that is gone.
    pub file: String,
    /// Its name in the baseline, where it is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_before: Option<String>,
    /// Its lines; lines that are gone stand after the line that they followed.
    pub stretches: Vec<ComparedLines>,
    /// Stretches left out at the end.
    pub omitted: usize,
}

/// Adds the lines of a file to an answer, as many as its text can hold.
pub(super) fn fill(answer: &mut ComparisonAnswer, comparison: &Comparison<'_>, pair: FilePair) {
    let alignment = &comparison.alignment;
    let after = pair.after.and_then(|index| alignment.after.get(index));
    let before = pair.before.and_then(|index| alignment.before.get(index));
    let file = after.or(before).map(|named| named.name.clone()).unwrap_or_default();
    let all = stretches(&comparison.lines_of_file(pair), &file, comparison);
    let compared = |rows: usize| ComparedFile {
        file: file.clone(),
        file_before: before.map(|named| named.name.clone()).filter(|name| *name != file),
        stretches: all.iter().take(rows).cloned().collect(),
        omitted: all.len().saturating_sub(rows),
    };
    let empty = answer.clone();
    // The hard cap would cut the calls at the end of the text.
    *answer = budget::fit(MOST_STRETCHES.min(all.len()), budget::HARD_CAP - 512, |rows| {
        ComparisonAnswer { lines: Some(compared(rows)), ..empty.clone() }
    });
}

fn stretches(
    lines: &[LineChange<'_>],
    file: &str,
    comparison: &Comparison<'_>,
) -> Vec<ComparedLines> {
    let alignment = &comparison.alignment;
    let mut stretches: Vec<ComparedLines> = Vec::new();
    let mut last: Option<(&LineChange<'_>, bool)> = None;
    for line in lines {
        let told = line.is_measured() || line.status == LineStatus::Edited;
        let goes_on = last.is_some_and(|(last, last_told)| {
            !told
                && !last_told
                && last.status == line.status
                && last.reindented == line.reindented
                && follows(last.before, line.before)
                && follows(last.after, line.after)
        });
        let number = |place: Option<Place>| place.map(|place| place.line.get());
        let (before, after) = (number(line.before), number(line.after));
        match stretches.last_mut().filter(|_| goes_on) {
            Some(stretch) => (stretch.last_before, stretch.last_after) = (before, after),
            None => stretches.push(ComparedLines {
                status: line.status.name().to_owned(),
                reindented: line.reindented,
                first_before: before,
                last_before: before,
                first_after: after,
                last_after: after,
                file_before: elsewhere(&alignment.before, line.before, file),
                file_after: elsewhere(&alignment.after, line.after, file),
                line: told.then(|| LineDelta::new(line, file, comparison)),
            }),
        }
        last = Some((line, told));
    }
    stretches
}

fn follows(last: Option<Place>, next: Option<Place>) -> bool {
    match (last, next) {
        (None, None) => true,
        (Some(last), Some(next)) => {
            last.file == next.file && last.line.get() + 1 == next.line.get()
        }
        _ => false,
    }
}
