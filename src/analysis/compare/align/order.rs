//! Lines of one function that are the same, in order.
//!
//! Patience first: lines that are unique on both sides hold the rest in place, of those that cross
//! the heavier stay. What has no unique line goes to Myers' algorithm with the heuristics of
//! GNU diff, which bound its work (crate `imara-diff`).

use std::collections::HashMap;
use std::ops::Range;

use imara_diff::{Algorithm, Diff, Token};

use super::LineStatus;
use super::bounds::DEEPEST;
use super::functions::Pair;
use super::increasing::heaviest;
use super::links::Links;
use super::version::{Interner, Unit, Version, number};

/// How much more a line weighs that has the indentation that it had, against one that a block was put
/// around or that was taken out of one.
const DEEP_AS_BEFORE: u64 = 4;

/// Links the lines of two functions that are the same text in the same order.
pub(super) fn link(
    pair: Pair,
    versions: (&Version<'_>, &Version<'_>),
    interner: &Interner<'_>,
    links: &mut Links,
) {
    let units = (versions.0.unit(pair.before), versions.1.unit(pair.after));
    let Some((one, two)) = units.0.zip(units.1) else { return };
    if one.lines.is_empty() || two.lines.is_empty() {
        return;
    }
    let texts = |unit: &Unit<'_>, version: &Version<'_>| -> Vec<u32> {
        unit.lines.iter().map(|line| version.number(unit.file, *line)).collect()
    };
    let (before, after) = (texts(one, versions.0), texts(two, versions.1));
    let indents = |unit: &Unit<'_>, version: &Version<'_>| -> Vec<i64> {
        let indent =
            |line: &u32| version.text(unit.file, *line).map_or(0, |text| text.indent.into());
        unit.lines.iter().map(indent).collect()
    };
    let (from, to) = (indents(one, versions.0), indents(two, versions.1));
    let shift = |first: usize, second: usize| Some(to.get(second)? - from.get(first)?);
    let whole = shift(0, 0);
    // Of lines that cross, those stay that say more, and that are as deep in the function as before.
    let weigh = |first: usize, second: usize| {
        let letters = before.get(first).map_or(0, |text| interner.letters(*text));
        (1 + letters) * if shift(first, second) == whole { DEEP_AS_BEFORE } else { 1 }
    };
    for (first, second) in matched(&before, &after, &weigh) {
        if let Some((first, second)) = one.lines.get(first).zip(two.lines.get(second)) {
            let at = ((one.file, *first), (two.file, *second));
            links.link(at, LineStatus::Same, versions);
        }
    }
}

/// Indices of equal texts, increasing on both sides.
fn matched(
    before: &[u32],
    after: &[u32],
    weigh: &impl Fn(usize, usize) -> u64,
) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut work = vec![(0..before.len(), 0..after.len(), 0)];
    while let Some((one, two, level)) = work.pop() {
        let (one, two) = without_ends(before, after, one, two, &mut found);
        if one.is_empty() || two.is_empty() {
            continue;
        }
        let anchors =
            if level < DEEPEST { anchors(before, after, &one, &two, weigh) } else { Vec::new() };
        if anchors.is_empty() {
            diffed(before, after, one, two, &mut found);
            continue;
        }
        let (mut first, mut second) = (one.start, two.start);
        for (anchor, other) in anchors {
            work.push((first..anchor, second..other, level + 1));
            found.push((anchor, other));
            (first, second) = (anchor + 1, other + 1);
        }
        work.push((first..one.end, second..two.end, level + 1));
    }
    found.sort_unstable();
    found
}

/// Takes equal texts off both ends.
fn without_ends(
    before: &[u32],
    after: &[u32],
    mut one: Range<usize>,
    mut two: Range<usize>,
    found: &mut Vec<(usize, usize)>,
) -> (Range<usize>, Range<usize>) {
    let equal = |first: usize, second: usize| {
        before.get(first).zip(after.get(second)).is_some_and(|(first, second)| first == second)
    };
    while !one.is_empty() && !two.is_empty() && equal(one.start, two.start) {
        found.push((one.start, two.start));
        (one.start, two.start) = (one.start + 1, two.start + 1);
    }
    while !one.is_empty() && !two.is_empty() && equal(one.end - 1, two.end - 1) {
        found.push((one.end - 1, two.end - 1));
        (one.end, two.end) = (one.end - 1, two.end - 1);
    }
    (one, two)
}

/// Texts that occur once on each side, as far as they are in the same order.
fn anchors(
    before: &[u32],
    after: &[u32],
    one: &Range<usize>,
    two: &Range<usize>,
    weigh: &impl Fn(usize, usize) -> u64,
) -> Vec<(usize, usize)> {
    let (once, other) = (once(before, one), once(after, two));
    let unique: Vec<(usize, usize)> = numbered(before, one)
        .filter(|(index, text)| once.get(text) == Some(&Some(*index)))
        .filter_map(|(index, text)| Some((index, other.get(&text).copied().flatten()?)))
        .collect();
    let items: Vec<_> =
        unique.iter().map(|(index, other)| (number(*other), weigh(*index, *other))).collect();
    let kept = heaviest(&items);
    let kept = unique.into_iter().zip(kept).filter(|(_, kept)| *kept);
    kept.map(|(pair, _)| pair).collect()
}

/// By text, where it is; nothing for one that is there more than once.
fn once(texts: &[u32], range: &Range<usize>) -> HashMap<u32, Option<usize>> {
    let mut places = HashMap::with_capacity(range.len());
    for (index, text) in numbered(texts, range) {
        places.entry(text).and_modify(|place| *place = None).or_insert(Some(index));
    }
    places
}

fn numbered<'a>(
    texts: &'a [u32],
    range: &Range<usize>,
) -> impl Iterator<Item = (usize, u32)> + use<'a> {
    let part = texts.get(range.clone()).unwrap_or_default();
    (range.start..).zip(part.iter().copied())
}

fn diffed(
    before: &[u32],
    after: &[u32],
    one: Range<usize>,
    two: Range<usize>,
    found: &mut Vec<(usize, usize)>,
) {
    let tokens = |texts, range| -> Vec<Token> {
        numbered(texts, range).map(|(_, text)| Token(text)).collect()
    };
    let (first, second) = (tokens(before, &one), tokens(after, &two));
    let mut diff = Diff::default();
    diff.compute_with(Algorithm::Myers, &first, &second, 0);
    let kept_before = one.zip(0..).filter(|(_, index)| !diff.is_removed(*index));
    let kept_after = two.zip(0..).filter(|(_, index)| !diff.is_added(*index));
    found.extend(kept_before.zip(kept_after).map(|((one, _), (two, _))| (one, two)));
}
