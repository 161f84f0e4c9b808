//! Lines in two profiles.

use std::collections::HashSet;

use super::align::{Alignment, Fate, Function, LineStatus, Named, Place};
use super::delta::{Delta, Verdict};
use super::function::measured;
use super::scale::{Scale, Scales};
use crate::profile::{FileProfile, Line, LineNo};

/// A line in both profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct LineChange<'a> {
    /// What became of its text.
    pub status: LineStatus,
    /// The same text with other white space before it.
    pub reindented: bool,
    /// Where it is in the baseline.
    pub before: Option<Place>,
    /// Where it is in the candidate.
    pub after: Option<Place>,
    /// Its text, in the candidate if it is there.
    pub text: &'a str,
    /// Its text in the baseline, where it was edited.
    pub old_text: Option<&'a str>,
    /// Seconds of all kinds.
    pub time: Delta,
    /// Volume allocated in MiB, when both profiles measured memory.
    pub memory: Option<Delta>,
    /// About its time.
    pub verdict: Verdict,
}

impl LineChange<'_> {
    /// Whether it took time or memory in either profile.
    pub fn is_measured(&self) -> bool {
        let some = |delta: &Delta| delta.before.unwrap_or(0.0) + delta.after.unwrap_or(0.0) > 0.0;
        some(&self.time) || self.memory.as_ref().is_some_and(some)
    }
}

/// What makes lines of places.
pub(super) struct Lines<'c, 'a> {
    pub(super) alignment: &'c Alignment<'a>,
    pub(super) scales: &'c Scales<'a>,
}

impl<'a> Lines<'_, 'a> {
    /// A line that is in the candidate.
    fn of_after(&self, place: Place) -> Option<LineChange<'a>> {
        let fate = self.alignment.of_after(place)?;
        self.line(fate.other, Some(place), fate)
    }

    /// A line that is in the baseline.
    fn of_before(&self, place: Place) -> Option<LineChange<'a>> {
        let fate = self.alignment.of_before(place)?;
        self.line(Some(place), fate.other, fate)
    }

    fn line(
        &self,
        before: Option<Place>,
        after: Option<Place>,
        fate: Fate,
    ) -> Option<LineChange<'a>> {
        let file = |files: &[Named<'a>], place: Option<Place>| {
            place.and_then(|place| Some((files.get(place.file)?.file, place.line)))
        };
        let (one, two) = (file(&self.alignment.before, before), file(&self.alignment.after, after));
        // A line that is there without samples took nothing measurable; one that is not there has no time.
        let part = |scale: Scale<'a>, at: Option<(&'a FileProfile, LineNo)>| {
            at.map(|(file, line)| scale.part(file, &file.line(line).into_iter()))
        };
        let parts = (part(self.scales.before, one), part(self.scales.after, two));
        let same = matches!(fate.status, LineStatus::Same | LineStatus::Moved);
        let (time, verdict) = self.scales.time(parts.0, parts.1, same);
        let (memory, _) = self.scales.memory(parts.0, parts.1, same);
        let text = |(file, line): (&'a FileProfile, LineNo)| file.text(line);
        Some(LineChange {
            status: fate.status,
            reindented: fate.reindented,
            before,
            after,
            text: text(two.or(one)?),
            old_text: one.filter(|_| fate.status == LineStatus::Edited).map(text),
            time,
            memory,
            verdict,
        })
    }

    /// The measured lines of a function, largest change first: those it has, and those it had. A line
    /// that went to another function is in both.
    pub(super) fn of_function(
        &self,
        (before, after): (Option<&Function<'a>>, Option<&Function<'a>>),
    ) -> Vec<LineChange<'a>> {
        let places = |function: Option<&Function<'a>>, files| -> Vec<Place> {
            let lines = function.into_iter().flat_map(|f| measured(f, files).map(move |l| (f, l)));
            lines.map(|(f, line)| Place { file: f.file, line: line.number }).collect()
        };
        self.ranked(&places(before, &self.alignment.before), &places(after, &self.alignment.after))
    }

    /// All measured lines, largest change first.
    pub(super) fn all(&self) -> Vec<LineChange<'a>> {
        let places = |files: &[Named<'a>]| -> Vec<Place> {
            let lines = |(file, named): (usize, &Named<'a>)| {
                let place = move |line: &Line| Place { file, line: line.number };
                named.file.lines.iter().map(place).collect::<Vec<_>>()
            };
            files.iter().enumerate().flat_map(lines).collect()
        };
        self.ranked(&places(&self.alignment.before), &places(&self.alignment.after))
    }

    fn ranked(&self, before: &[Place], after: &[Place]) -> Vec<LineChange<'a>> {
        let mut lines: Vec<_> = after.iter().filter_map(|place| self.of_after(*place)).collect();
        let told: HashSet<Place> = lines.iter().filter_map(|line| line.before).collect();
        let rest = before.iter().filter(|place| !told.contains(place));
        lines.extend(rest.filter_map(|place| self.of_before(*place)));
        lines.retain(LineChange::is_measured);
        lines.sort_by(|a, b| b.time.change().abs().total_cmp(&a.time.change().abs()));
        lines
    }

    /// Every line of two files that belong together, in the order of the candidate; lines that are gone
    /// stand after the line that they followed.
    pub(super) fn of_files(
        &self,
        before: Option<usize>,
        after: Option<usize>,
    ) -> Vec<LineChange<'a>> {
        let places = |files: &[Named<'a>], file: Option<usize>| -> Vec<Place> {
            let named = file.and_then(|file| Some((file, files.get(file)?)));
            let Some((file, named)) = named else { return Vec::new() };
            let count = named.file.source.line_count();
            let numbers = (1..).map_while(LineNo::new).take(count);
            numbers.map(|line| Place { file, line }).collect()
        };
        let mut gone = places(&self.alignment.before, before).into_iter().peekable();
        let mut lines = Vec::new();
        let removed = |place: &Place| {
            let fate = self.alignment.of_before(*place);
            fate.is_some_and(|fate| fate.other.is_none_or(|other| Some(other.file) != after))
        };
        for place in places(&self.alignment.after, after) {
            let line = self.of_after(place);
            let here = line.as_ref().filter(|line| line.status != LineStatus::Moved);
            let until = here.and_then(|line| line.before).filter(|old| Some(old.file) == before);
            if let Some(until) = until {
                while let Some(old) = gone.next_if(|old| old.line < until.line) {
                    lines.extend(removed(&old).then(|| self.of_before(old)).flatten());
                }
            }
            lines.extend(line);
        }
        lines.extend(gone.filter(removed).filter_map(|place| self.of_before(place)));
        lines
    }
}
