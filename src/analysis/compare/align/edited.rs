//! What a line was replaced by, inside a stretch that was replaced.

use std::collections::HashMap;

use super::LineStatus;
use super::bounds::{HUNK, MOST_LIKENESSES};
use super::functions::Pair;
use super::links::{At, Links};
use super::version::{Interner, Unit, Version};
use super::words::Bag;
use crate::analysis::thresholds::{EDITED_ALONE_PART, EDITED_PART};

/// Links lines without a partner that lie between the same neighbours and are alike.
pub(super) fn link(
    pairs: &[Pair],
    versions: (&Version<'_>, &Version<'_>),
    interner: &Interner<'_>,
    links: &mut Links,
) {
    let mut bags = Bags { interner, made: HashMap::new(), left: MOST_LIKENESSES };
    for pair in pairs {
        let units = (versions.0.unit(pair.before), versions.1.unit(pair.after));
        let Some((one, two)) = units.0.zip(units.1) else { continue };
        if one.lines.is_empty() || two.lines.is_empty() {
            continue;
        }
        for (before, after) in stretches(one, two, links) {
            for (first, second) in successors(&before, &after, versions, &mut bags) {
                links.link((first, second), LineStatus::Edited, versions);
            }
        }
    }
}

type Stretch = (Vec<At>, Vec<At>);

/// Lines without a partner between two lines of the functions that are linked to each other, where
/// there are some on both sides.
fn stretches(one: &Unit<'_>, two: &Unit<'_>, links: &Links) -> Vec<Stretch> {
    let places: HashMap<u32, usize> =
        two.lines.iter().enumerate().map(|(index, line)| (*line, index)).collect();
    let mut stretches = Vec::new();
    let (mut before, mut next) = (Vec::new(), 0);
    let until = |from: usize, to: usize| -> Vec<At> {
        let lines = two.lines.get(from..to).unwrap_or_default();
        let at = lines.iter().map(|line| (two.file, *line));
        at.filter(|at| links.is_free_after(*at)).collect()
    };
    for line in &one.lines {
        let at = (one.file, *line);
        match links.partner_of(at) {
            None => before.push(at),
            // A line that moved divides nothing.
            Some(((_, other), LineStatus::Same)) => {
                let Some(place) = places.get(&other).copied() else { continue };
                stretches.push((std::mem::take(&mut before), until(next, place)));
                next = place + 1;
            }
            Some(_) => {}
        }
    }
    stretches.push((before, until(next, two.lines.len())));
    stretches.retain(|(before, after)| !before.is_empty() && !after.is_empty());
    stretches
}

/// Pairs of lines, in order on both sides, whose likenesses add up to the most.
fn successors(
    before: &[At],
    after: &[At],
    versions: (&Version<'_>, &Version<'_>),
    bags: &mut Bags<'_>,
) -> Vec<(At, At)> {
    let parts = before.len().max(after.len()).div_ceil(HUNK);
    let least = if before.len() == 1 && after.len() == 1 { EDITED_ALONE_PART } else { EDITED_PART };
    let part = |lines: &[At], index: usize| -> Vec<At> {
        let (from, to) = (index * lines.len() / parts, (index + 1) * lines.len() / parts);
        lines.get(from..to).unwrap_or_default().to_vec()
    };
    (0..parts)
        .flat_map(|index| {
            best(&part(before, index), &part(after, index), least.value, versions, bags)
        })
        .collect()
}

fn best(
    before: &[At],
    after: &[At],
    least: f64,
    (old, new): (&Version<'_>, &Version<'_>),
    bags: &mut Bags<'_>,
) -> Vec<(At, At)> {
    let Some(left) = bags.left.checked_sub(before.len() * after.len()) else { return Vec::new() };
    bags.left = left;
    for at in before {
        bags.make(old.number(at.0, at.1));
    }
    for at in after {
        bags.make(new.number(at.0, at.1));
    }
    let width = after.len() + 1;
    // Best sum for the first lines of either side, row by row; what was paired is found on the way back.
    let mut sums = vec![0.0_f64; width * (before.len() + 1)];
    let mut likenesses = vec![0.0_f64; width * (before.len() + 1)];
    let get = |table: &[f64], row: usize, column: usize| {
        table.get(row * width + column).copied().unwrap_or(0.0)
    };
    for (row, one) in before.iter().enumerate() {
        for (column, two) in after.iter().enumerate() {
            let like = bags.likeness(old.number(one.0, one.1), new.number(two.0, two.1));
            let like = if like >= least { like } else { 0.0 };
            let paired = if like > 0.0 { get(&sums, row, column) + like } else { 0.0 };
            let best = get(&sums, row, column + 1).max(get(&sums, row + 1, column)).max(paired);
            let cell = (row + 1) * width + column + 1;
            sums.get_mut(cell).into_iter().for_each(|sum| *sum = best);
            likenesses.get_mut(cell).into_iter().for_each(|slot| *slot = like);
        }
    }
    let (mut row, mut column) = (before.len(), after.len());
    let mut pairs = Vec::new();
    while row > 0 && column > 0 {
        let (here, like) = (get(&sums, row, column), get(&likenesses, row, column));
        if like > 0.0 && here <= get(&sums, row - 1, column - 1) + like {
            pairs.extend(before.get(row - 1).copied().zip(after.get(column - 1).copied()));
            (row, column) = (row - 1, column - 1);
        } else if here <= get(&sums, row - 1, column) {
            row -= 1;
        } else {
            column -= 1;
        }
    }
    pairs
}

/// Words of texts, made once, and how many more pairs may be looked at.
struct Bags<'a> {
    interner: &'a Interner<'a>,
    made: HashMap<u32, Bag>,
    left: usize,
}

impl Bags<'_> {
    fn make(&mut self, text: u32) {
        self.made.entry(text).or_insert_with(|| Bag::of_line(self.interner.text(text)));
    }

    fn likeness(&self, one: u32, two: u32) -> f64 {
        let bags = self.made.get(&one).zip(self.made.get(&two));
        bags.map_or(0.0, |(one, two)| one.likeness(two))
    }
}
