//! Blocks of lines, and whole functions, that are somewhere else.

use std::collections::{BinaryHeap, HashMap, HashSet};

use super::bounds::MOST_PLACES;
use super::functions::Pair;
use super::increasing::heaviest;
use super::links::{At, Links};
use super::version::{Interner, Version, number};
use super::{FunctionPair, LineStatus};
use crate::analysis::thresholds::{MOVED_LETTERS, MOVED_NEAR_LETTERS};

/// Functions of a file that are in another order: the lightest of those that cross have moved. Their
/// lines have moved with them.
pub(super) fn order_of_functions(
    pairs: &[Pair],
    versions: (&Version<'_>, &Version<'_>),
    functions: &mut [FunctionPair<'_>],
    links: &mut Links,
) {
    // By file of the baseline: its pairs in order, each with its place in the candidate.
    let mut of_file: HashMap<usize, Vec<(usize, u32, u64)>> = HashMap::new();
    for pair in pairs.iter().filter(|pair| !pair.elsewhere) {
        let Some(unit) = versions.0.unit(pair.before) else { continue };
        // A file that is identical has no lines here, and its functions are in order.
        if !unit.is_module() && !unit.lines.is_empty() {
            let items = of_file.entry(unit.file).or_default();
            items.push((pair.before, number(pair.after), unit.weight));
        }
    }
    let mut moved: Vec<usize> =
        pairs.iter().filter(|pair| pair.elsewhere).map(|pair| pair.before).collect();
    for items in of_file.values() {
        let places: Vec<_> = items.iter().map(|(_, place, weight)| (*place, *weight)).collect();
        let kept = items.iter().zip(heaviest(&places));
        moved.extend(kept.filter(|(_, kept)| !kept).map(|((before, _, _), _)| *before));
    }
    for before in moved {
        // The functions of the baseline come first, in the order of its units.
        if let Some(function) = functions.get_mut(before) {
            function.moved = true;
        }
        let Some(unit) = versions.0.unit(before) else { continue };
        for line in &unit.lines {
            links.mark_moved((unit.file, *line));
        }
    }
}

/// Lines of a version that are not blank, in the order of the files.
struct Row {
    lines: Vec<(At, u32)>,
}

impl Row {
    fn of(version: &Version<'_>) -> Self {
        let files = version.lines.iter().enumerate();
        let lines = files.flat_map(|(file, texts)| {
            let lines = (0_u32..).zip(texts).filter(|(_, text)| !text.blank);
            lines.map(move |(line, text)| ((file, line), text.number))
        });
        Self { lines: lines.collect() }
    }

    fn at(&self, index: usize) -> Option<At> {
        self.lines.get(index).map(|(at, _)| *at)
    }
}

/// Lines one after the other that are the same on both sides, by index into the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Run {
    /// Letters and digits; the heaviest run is dealt with first, of two the one that stays in its
    /// function, then the one that comes first.
    letters: u64,
    near: bool,
    before: std::cmp::Reverse<usize>,
    after: std::cmp::Reverse<usize>,
    length: usize,
}

/// Links blocks of lines without a partner that are the same elsewhere, the heaviest first.
pub(super) fn blocks(
    pairs: &[Pair],
    versions: (&Version<'_>, &Version<'_>),
    interner: &Interner<'_>,
    links: &mut Links,
) {
    if versions.0.lines.iter().all(Vec::is_empty) || versions.1.lines.iter().all(Vec::is_empty) {
        return;
    }
    let partner: HashMap<u32, u32> =
        pairs.iter().map(|pair| (number(pair.before), number(pair.after))).collect();
    let search =
        Search { one: Row::of(versions.0), two: Row::of(versions.1), partner, versions, interner };
    let mut runs: BinaryHeap<Run> = search.runs(links).into_iter().collect();
    while let Some(run) = runs.pop() {
        let free = |index: usize| search.is_free(run.before.0 + index, run.after.0 + index, links);
        if (0..run.length).all(free) {
            for index in 0..run.length {
                let at =
                    search.one.at(run.before.0 + index).zip(search.two.at(run.after.0 + index));
                at.map(|at| links.link(at, LineStatus::Moved, versions));
            }
            continue;
        }
        // A part of it is taken by a heavier one.
        let mut start = 0;
        for index in 0..=run.length {
            if index == run.length || !free(index) {
                runs.extend(search.run(run.before.0 + start, run.after.0 + start, index - start));
                start = index + 1;
            }
        }
    }
}

struct Search<'v, 'a> {
    one: Row,
    two: Row,
    /// By unit of the baseline, the unit that it became.
    partner: HashMap<u32, u32>,
    versions: (&'v Version<'a>, &'v Version<'a>),
    interner: &'v Interner<'a>,
}

impl Search<'_, '_> {
    fn is_free(&self, before: usize, after: usize, links: &Links) -> bool {
        let at = self.one.at(before).zip(self.two.at(after));
        at.is_some_and(|(one, two)| links.is_free_before(one) && links.is_free_after(two))
    }

    fn runs(&self, links: &Links) -> Vec<Run> {
        let places = |row: &Row, free: &dyn Fn(At) -> bool| -> HashMap<u32, Vec<usize>> {
            let mut places: HashMap<u32, Vec<usize>> = HashMap::new();
            for (index, (at, text)) in row.lines.iter().enumerate() {
                if free(*at) {
                    places.entry(*text).or_default().push(index);
                }
            }
            places
        };
        let before = places(&self.one, &|at| links.is_free_before(at));
        let after = places(&self.two, &|at| links.is_free_after(at));
        let mut seen: HashSet<(usize, usize)> = HashSet::new();
        let mut runs = Vec::new();
        for (text, ones) in &before {
            let Some(twos) = after.get(text) else { continue };
            if ones.len() * twos.len() > MOST_PLACES {
                continue;
            }
            for (first, second) in
                ones.iter().flat_map(|one| twos.iter().map(move |two| (*one, *two)))
            {
                if seen.contains(&(first, second)) {
                    continue;
                }
                let (back, forth) = self.reach(first, second, links);
                let (start, other, length) = (first - back, second - back, back + forth + 1);
                seen.extend((0..length).map(|index| (start + index, other + index)));
                runs.extend(self.run(start, other, length));
            }
        }
        runs
    }

    /// How many lines before and after two equal ones are equal as well, and free.
    fn reach(&self, first: usize, second: usize, links: &Links) -> (usize, usize) {
        let same = |one: usize, two: usize| {
            let lines = self.one.lines.get(one).zip(self.two.lines.get(two));
            let (here, there) = (self.one.at(first), self.two.at(second));
            lines.is_some_and(|((at, text), (to, other))| {
                text == other
                    && here.is_some_and(|here| here.0 == at.0)
                    && there.is_some_and(|there| there.0 == to.0)
            }) && self.is_free(one, two, links)
        };
        let back = (1..=first.min(second)).take_while(|n| same(first - n, second - n)).count();
        let forth = (1..self.one.lines.len()).take_while(|n| same(first + n, second + n)).count();
        (back, forth)
    }

    /// A run, if it says enough: a lone line may be there by chance.
    fn run(&self, before: usize, after: usize, length: usize) -> Option<Run> {
        let lines = self.one.lines.get(before..before + length)?;
        let letters = lines.iter().map(|(_, text)| self.interner.letters(*text)).sum();
        let unit = |version: &Version<'_>, at: Option<At>| {
            at.and_then(|at| version.text(at.0, at.1)).map(|text| text.unit)
        };
        let from = unit(self.versions.0, self.one.at(before))?;
        let to = unit(self.versions.1, self.two.at(after))?;
        let near = self.partner.get(&from) == Some(&to);
        let least = if near { MOVED_NEAR_LETTERS } else { MOVED_LETTERS };
        #[expect(clippy::cast_precision_loss, reason = "a number of letters")]
        let enough = length > 0 && letters as f64 >= least.value;
        enough.then_some(Run {
            letters,
            near,
            before: std::cmp::Reverse(before),
            after: std::cmp::Reverse(after),
            length,
        })
    }
}
