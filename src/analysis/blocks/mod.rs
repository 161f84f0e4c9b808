//! Blocks: what the stacks, the lines and the program's own marks say of named parts of a program.
//!
//! A block that is asked for by lines is on a stack when one of its lines is; of several on one stack each is
//! inside those of the callers before it, and counts once, where it is outermost. What a marker
//! recorded is taken as it is; stacks add the samples.

mod marked;
mod spots;

use std::collections::HashMap;

use self::marked::of_markers;
use self::spots::{MOST_SPOTS, Spots, in_order};
use crate::profile::{
    Block, BlockKind, BlockPlace, BlockRange, Blocks, FileProfile, LineNo, Marked, Mebibytes,
    Percent, Profile, Seconds, Source,
};

/// Brings the text of a file that the profile does not list.
type Sources<'a> = &'a mut dyn FnMut(&str) -> Option<Source>;

/// All blocks of a run: those that were asked for, and those that the program marked.
pub fn blocks(
    profile: &Profile,
    ranges: &[BlockRange],
    marked: &Marked,
    source: Sources<'_>,
) -> Option<Blocks> {
    if ranges.is_empty() && marked.blocks.is_empty() {
        return None;
    }
    let mut blocks = Blocks::default();
    asked_for(profile, ranges, &mut blocks);
    of_markers(profile, marked, source, &mut blocks);
    of_lines(profile, &mut blocks);
    Some(blocks)
}

/// Indices of the heaviest blocks, at most `most`, as a tree: each after that around it, heaviest first on each level.
pub fn block_order(blocks: &Blocks, most: usize) -> Vec<u32> {
    let weight = |index: usize| {
        let block = blocks.all.get(index);
        block.and_then(|block| block.total.or(block.lines)).map_or(0.0, Seconds::get)
    };
    let parents: Vec<Option<usize>> =
        blocks.all.iter().map(|block| block.parent.map(|parent| parent as usize)).collect();
    let all = in_order(&parents, &weight);
    let mut heaviest = all.clone();
    heaviest.sort_by(|a, b| weight(*b).total_cmp(&weight(*a)));
    let mut chosen: Vec<usize> = Vec::new();
    for index in heaviest {
        let mut way = vec![index];
        while let Some(around) = way.last().and_then(|last| parents.get(*last).copied().flatten()) {
            way.push(around);
        }
        way.retain(|index| !chosen.contains(index));
        if chosen.len() + way.len() <= most {
            chosen.extend(way);
        }
    }
    all.into_iter().filter(|index| chosen.contains(index)).filter_map(number).collect()
}

fn bare(name: &str, kind: BlockKind, places: &[BlockPlace]) -> Block {
    Block {
        parent: None,
        name: name.to_owned(),
        kind,
        places: places.to_vec(),
        calls: None,
        open: 0,
        total: None,
        own: None,
        cpu: None,
        own_cpu: None,
        waiting: None,
        share: None,
        samples: None,
        allocated: None,
        lines: None,
    }
}

fn number(index: usize) -> Option<u32> {
    u32::try_from(index).ok()
}

/// Adds the blocks that the call named.
fn asked_for(profile: &Profile, ranges: &[BlockRange], blocks: &mut Blocks) {
    if ranges.is_empty() {
        return;
    }
    overlaps(ranges, &mut blocks.notes);
    let Some(calls) = &profile.calls else {
        blocks.notes.push(
            "no stacks were read beside Scalene: of blocks by lines only the time of their own lines is known"
                .to_owned(),
        );
        blocks.all.extend(ranges.iter().map(|one| bare(&one.name, one.kind, &one.places)));
        return;
    };
    let wanted: Vec<&[BlockPlace]> = ranges.iter().map(|range| range.places.as_slice()).collect();
    let spots = Spots::of(&calls.tree, &wanted);
    let totals = spots.totals();
    let mut became: HashMap<usize, u32> = HashMap::new();
    for index in spots.in_order(&totals) {
        let Some((spot, total)) = spots.all.get(index).zip(totals.get(index)) else { continue };
        let Some(range) = ranges.get(spot.block) else { continue };
        became.extend(number(blocks.all.len()).map(|place| (index, place)));
        let own = spot.own;
        blocks.all.push(Block {
            parent: spot.parent.and_then(|parent| became.get(&parent).copied()),
            total: Seconds::from_secs(total.running + total.waiting),
            own: Seconds::from_secs(own.running + own.waiting),
            cpu: Seconds::from_secs(total.running),
            own_cpu: Seconds::from_secs(own.running),
            waiting: Seconds::from_secs(total.waiting),
            share: Percent::of_whole(total.wall, spots.wall),
            samples: Some(total.samples),
            ..bare(&range.name, range.kind, &range.places)
        });
    }
    for (index, range) in ranges.iter().enumerate() {
        if !spots.all.iter().any(|spot| spot.block == index) {
            blocks.notes.push(format!(
                "no sample fell into `{}`: it did not run, or for a few milliseconds",
                range.name
            ));
            let zero = Some(Seconds::ZERO);
            blocks.all.push(Block {
                total: zero,
                own: zero,
                cpu: zero,
                own_cpu: zero,
                waiting: zero,
                share: Some(Percent::ZERO),
                samples: Some(0),
                ..bare(&range.name, range.kind, &range.places)
            });
        }
    }
    if spots.full {
        blocks.notes.push(format!(
            "more than {MOST_SPOTS} places of blocks inside each other: further ones count for those around them"
        ));
    }
}

/// Notes blocks that share lines, neither of them inside the other.
fn overlaps(ranges: &[BlockRange], notes: &mut Vec<String>) {
    let all: Vec<(&BlockRange, &BlockPlace)> = ranges
        .iter()
        .flat_map(|range| range.places.iter().map(move |place| (range, place)))
        .collect();
    for (one, place) in &all {
        for (other, second) in &all {
            let (Some(end), Some(later)) = (place.last, second.last) else { continue };
            let crossed = place.first < second.first && second.first <= end && end < later;
            if place.file == second.file && one.name != other.name && crossed {
                notes.push(format!(
                    "`{}` and `{}` overlap: lines {} to {end} count for `{}` inside `{}`, so that each is told twice",
                    one.name, other.name, second.first, other.name, one.name
                ));
            }
        }
    }
}

/// Adds what is known of the lines of each block.
fn of_lines(profile: &Profile, blocks: &mut Blocks) {
    let names: Vec<(BlockKind, String)> =
        blocks.all.iter().map(|block| (block.kind, block.name.clone())).collect();
    for block in &mut blocks.all {
        let same = |(kind, name): &&(BlockKind, String)| *kind == block.kind && *name == block.name;
        if names.iter().filter(same).count() > 1 || block.places.iter().any(|it| it.last.is_none())
        {
            continue;
        }
        let (lines, allocated) = sums_of_lines(profile, &block.places);
        block.lines = lines;
        block.allocated = allocated;
    }
}

fn sums_of_lines(profile: &Profile, places: &[BlockPlace]) -> (Option<Seconds>, Option<Mebibytes>) {
    let inside = |file: &FileProfile, line: LineNo| {
        let holds = |place: &BlockPlace| {
            place.file == file.path
                && place.first <= line
                && place.last.is_some_and(|last| line <= last)
        };
        places.iter().any(holds)
    };
    let lines = || profile.lines().filter(|(file, line)| inside(file, line.number));
    let share: Percent = lines().map(|(_, line)| line.cpu.total()).sum();
    let allocated: Mebibytes =
        lines().filter_map(|(_, line)| line.memory.as_ref()).map(|memory| memory.allocated).sum();
    let seconds = profile.seconds(share).filter(|_| profile.measured.cpu);
    (seconds, Some(allocated).filter(|mib| *mib > Mebibytes::ZERO))
}

#[cfg(test)]
mod tests;
