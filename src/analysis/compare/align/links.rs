//! Which line is linked to which.

use std::collections::{HashMap, HashSet};

use super::version::{Interner, Unit, Version, number};
use super::words::{letters, same_but_for};
use super::{Fate, LineStatus, Named, Place};
use crate::profile::LineNo;

/// A line of the other version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Link {
    file: u32,
    line: u32,
    status: LineStatus,
    reindented: bool,
}

/// What is known of the lines of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Lines {
    /// So many, each the same as that of this number in this file of the other version.
    Identical {
        file: u32,
        count: u32,
    },
    Linked(Vec<Option<Link>>),
}

impl Lines {
    /// Whether it has this line.
    fn has(&self, line: u32) -> bool {
        match self {
            Self::Identical { count, .. } => line < *count,
            Self::Linked(links) => (line as usize) < links.len(),
        }
    }

    fn get(&self, line: u32) -> Option<Link> {
        match self {
            Self::Identical { file, .. } => self.has(line).then_some(Link {
                file: *file,
                line,
                status: LineStatus::Same,
                reindented: false,
            }),
            Self::Linked(links) => *links.get(line as usize)?,
        }
    }

    /// Whether it has this line, and nothing is linked to it.
    fn is_free(&self, line: u32) -> bool {
        self.has(line) && self.get(line).is_none()
    }

    fn slot(&mut self, line: u32) -> Option<&mut Option<Link>> {
        match self {
            Self::Identical { .. } => None,
            Self::Linked(links) => links.get_mut(line as usize),
        }
    }
}

/// A line of one version by indices.
pub(super) type At = (usize, u32);

/// Links between the lines of two versions: a line has one at most, and it goes both ways.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Links {
    before: Vec<Lines>,
    after: Vec<Lines>,
}

/// Files with the same name and the same text, by index in one version and in the other.
#[derive(Debug, Default)]
pub(super) struct Identical {
    before: HashMap<usize, (usize, usize)>,
    after: HashMap<usize, (usize, usize)>,
}

impl Identical {
    pub(super) fn find(before: &[Named<'_>], after: &[Named<'_>]) -> Self {
        let mut found = Self::default();
        let names: HashMap<&str, usize> =
            after.iter().enumerate().map(|(index, file)| (file.name.as_str(), index)).collect();
        for (one, file) in before.iter().enumerate() {
            let Some(two) = names.get(file.name.as_str()).copied() else { continue };
            let same = |other: &Named<'_>| other.file.source.text() == file.file.source.text();
            if after.get(two).is_some_and(same) {
                let count = file.file.source.line_count();
                found.before.insert(one, (two, count));
                found.after.insert(two, (one, count));
            }
        }
        found
    }

    pub(super) fn before(&self, file: usize) -> Option<usize> {
        self.before.get(&file).map(|(other, _)| *other)
    }

    pub(super) fn after(&self, file: usize) -> Option<usize> {
        self.after.get(&file).map(|(other, _)| *other)
    }

    /// Letters and digits of these files.
    pub(super) fn letters(&self, before: &[Named<'_>]) -> u64 {
        let files = before.iter().enumerate().filter(|(index, _)| self.before.contains_key(index));
        files
            .flat_map(|(_, file)| file.file.source.text().lines())
            .map(|line| u64::from(letters(line.trim())))
            .sum()
    }
}

impl Links {
    pub(super) fn new(old: &Version<'_>, new: &Version<'_>, identical: &Identical) -> Self {
        let lines = |version: &Version<'_>, same: &HashMap<usize, (usize, usize)>| {
            let of = |(file, lines): (usize, &Vec<_>)| match same.get(&file) {
                Some((other, count)) => {
                    Lines::Identical { file: number(*other), count: number(*count) }
                }
                None => Lines::Linked(vec![None; lines.len()]),
            };
            version.lines.iter().enumerate().map(of).collect()
        };
        Self { before: lines(old, &identical.before), after: lines(new, &identical.after) }
    }

    pub(super) fn flipped(self) -> Self {
        Self { before: self.after, after: self.before }
    }

    /// Links two lines, unless one of them has a link already.
    pub(super) fn link(
        &mut self,
        (one, two): (At, At),
        status: LineStatus,
        (old, new): (&Version<'_>, &Version<'_>),
    ) -> bool {
        let free =
            |lines: &[Lines], at: At| lines.get(at.0).is_some_and(|lines| lines.is_free(at.1));
        if !free(&self.before, one) || !free(&self.after, two) {
            return false;
        }
        let indent = |version: &Version<'_>, at: At| version.text(at.0, at.1).map(|t| t.indent);
        let reindented = status != LineStatus::Edited && indent(old, one) != indent(new, two);
        let set = |lines: &mut [Lines], at: At, other: At| {
            let link = Link { file: number(other.0), line: other.1, status, reindented };
            let slot = lines.get_mut(at.0).and_then(|lines| lines.slot(at.1));
            if let Some(slot) = slot {
                *slot = Some(link);
            }
        };
        set(&mut self.before, one, two);
        set(&mut self.after, two, one);
        true
    }

    /// Whether a line of the baseline has no link yet.
    pub(super) fn is_free_before(&self, at: At) -> bool {
        self.before.get(at.0).is_some_and(|lines| lines.is_free(at.1))
    }

    /// Whether a line of the candidate has no link yet.
    pub(super) fn is_free_after(&self, at: At) -> bool {
        self.after.get(at.0).is_some_and(|lines| lines.is_free(at.1))
    }

    /// Where a line of the baseline went.
    pub(super) fn partner_of(&self, at: At) -> Option<(At, LineStatus)> {
        let link = self.before.get(at.0)?.get(at.1)?;
        Some(((link.file as usize, link.line), link.status))
    }

    /// The lines of a function that moved are not where they were.
    pub(super) fn mark_moved(&mut self, at: At) {
        let Some((other, LineStatus::Same)) = self.partner_of(at) else { return };
        let mark = |lines: &mut [Lines], at: At| {
            let slot = lines.get_mut(at.0).and_then(|lines| lines.slot(at.1));
            if let Some(Some(link)) = slot {
                link.status = LineStatus::Moved;
            }
        };
        mark(&mut self.before, at);
        mark(&mut self.after, other);
    }

    /// A line without a partner goes with its neighbour, if the line beside the neighbour's partner has the
    /// same text: blank lines, and lines that say too little to have moved by themselves.
    pub(super) fn neighbours(&mut self, old: &Version<'_>, new: &Version<'_>) {
        for (file, lines) in old.lines.iter().enumerate() {
            let count = number(lines.len());
            for line in (0..count).skip(1) {
                self.follow((file, line - 1), (file, line), 1, (old, new));
            }
            for line in (0..count.saturating_sub(1)).rev() {
                self.follow((file, line + 1), (file, line), -1, (old, new));
            }
        }
    }

    fn follow(&mut self, neighbour: At, at: At, step: i64, versions: (&Version<'_>, &Version<'_>)) {
        if !self.is_free_before(at) {
            return;
        }
        let Some(((file, line), status)) = self.partner_of(neighbour) else { return };
        let Ok(line) = u32::try_from(i64::from(line) + step) else { return };
        let same = versions.0.number(at.0, at.1) == versions.1.number(file, line);
        if same && self.is_free_after((file, line)) {
            let status = if status == LineStatus::Moved { status } else { LineStatus::Same };
            self.link((at, (file, line)), status, versions);
        }
    }

    /// Whether two functions differ in more than their names and their indentation as a whole, and
    /// the part of their letters that is linked, of the side of which less is. Asked before lines of
    /// functions that moved count as moved.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub(super) fn shared(
        &self,
        one: &Unit<'_>,
        two: &Unit<'_>,
        (old, new): (&Version<'_>, &Version<'_>),
        interner: &Interner<'_>,
    ) -> (bool, f64) {
        if one.lines.is_empty() && two.lines.is_empty() {
            return (false, 1.0);
        }
        let (mut edited, mut linked) = (false, [0_u64; 2]);
        let mut shifts = HashSet::new();
        for line in &one.lines {
            let at = (one.file, *line);
            let Some((other, status)) = self.partner_of(at) else {
                edited = true;
                continue;
            };
            let texts = (old.number(at.0, at.1), new.number(other.0, other.1));
            let text = |number| interner.text(number);
            edited |= match status {
                LineStatus::Same => false,
                LineStatus::Edited => {
                    let (first, second) = (text(texts.0), text(texts.1));
                    !same_but_for(first, one.last_name(), second, two.last_name())
                }
                _ => true,
            };
            let indent = |version: &Version<'_>, at: At| version.text(at.0, at.1).map(|t| t.indent);
            shifts.insert(
                i64::from(indent(new, other).unwrap_or(0))
                    - i64::from(indent(old, at).unwrap_or(0)),
            );
            linked = [linked[0] + interner.letters(texts.0), linked[1] + interner.letters(texts.1)];
        }
        edited |= two.lines.iter().any(|line| self.is_free_after((two.file, *line)));
        let part = |linked: u64, unit: &Unit<'_>| linked as f64 / unit.weight.max(1) as f64;
        let [first, second] = linked;
        (edited || shifts.len() > 1, part(first, one).min(part(second, two)).min(1.0))
    }

    pub(super) fn of_before(&self, place: Place) -> Option<Fate> {
        fate(&self.before, place, LineStatus::Removed)
    }

    pub(super) fn of_after(&self, place: Place) -> Option<Fate> {
        fate(&self.after, place, LineStatus::New)
    }

    /// Part of the letters and digits of all text that is linked, of the version of which more is;
    /// `identical` are those of the files that needed no alignment.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    pub(super) fn common(
        &self,
        (old, new): (&Version<'_>, &Version<'_>),
        interner: &Interner<'_>,
        identical: u64,
    ) -> Option<f64> {
        let part = |version: &Version<'_>, lines: &[Lines]| {
            let (mut all, mut linked) = (identical, identical);
            for (file, texts) in version.lines.iter().enumerate() {
                for (line, text) in (0_u32..).zip(texts) {
                    let letters = interner.letters(text.number);
                    let link = lines.get(file).and_then(|lines| lines.get(line));
                    all += letters;
                    linked += link.map_or(0, |_| letters);
                }
            }
            (all > 0).then(|| linked as f64 / all as f64)
        };
        let (one, two) = (part(old, &self.before), part(new, &self.after));
        one.into_iter().chain(two).reduce(f64::max)
    }
}

fn fate(lines: &[Lines], place: Place, without: LineStatus) -> Option<Fate> {
    let file = lines.get(place.file)?;
    let line = place.line.get() - 1;
    let link = file.get(line);
    if !file.has(line) {
        return None;
    }
    let other = |link: Link| {
        Some(Place { file: link.file as usize, line: LineNo::new(link.line.checked_add(1)?)? })
    };
    Some(match link {
        Some(link) => Fate { status: link.status, other: other(link), reindented: link.reindented },
        None => Fate { status: without, other: None, reindented: false },
    })
}
