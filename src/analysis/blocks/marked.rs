//! Blocks that the program marked: what the marker recorded, and the stacks with their lines.

use std::collections::HashMap;

use super::super::code::Tree;
use super::spots::{Spots, in_order};
use super::{Sources, bare, number};
use crate::profile::{
    Block, BlockKind, BlockPlace, Blocks, CallTree, LineNo, Marked, MarkedBlock, MarkedPlace,
    Percent, Profile, Seconds, Source, outline,
};

/// Adds the blocks that the program marked.
pub(super) fn of_markers(
    profile: &Profile,
    marked: &Marked,
    source: Sources<'_>,
    blocks: &mut Blocks,
) {
    if marked.blocks.is_empty() {
        return;
    }
    blocks.notes.extend(marked.notes.iter().cloned());
    let mut extents = Extents::new(profile, source);
    let places: Vec<Vec<BlockPlace>> = marked
        .blocks
        .iter()
        .map(|block| block.places.iter().map(|place| extents.of(place)).collect())
        .collect();
    let samples = profile.calls.as_ref().map(|calls| samples(&calls.tree, marked, &places));
    let cpu = cpu_totals(&marked.blocks);
    let elapsed = profile.elapsed.map(Seconds::get).filter(|elapsed| *elapsed > 0.0);
    let parents: Vec<Option<usize>> =
        marked.blocks.iter().map(|block| block.parent.map(|parent| parent as usize)).collect();
    let weight = |index: usize| marked.blocks.get(index).map_or(0.0, |block| block.wall);
    let mut became: HashMap<usize, u32> = HashMap::new();
    for index in in_order(&parents, &weight) {
        let (Some(block), Some(places)) = (marked.blocks.get(index), places.get(index)) else {
            continue;
        };
        became.extend(number(blocks.all.len()).map(|place| (index, place)));
        let all_cpu = cpu.get(index).copied().flatten();
        blocks.all.push(Block {
            parent: block.parent.and_then(|parent| became.get(&(parent as usize)).copied()),
            calls: Some(block.calls),
            open: block.open,
            total: Seconds::from_secs(block.wall),
            own: Seconds::from_secs(block.own.min(block.wall)),
            cpu: all_cpu.and_then(Seconds::from_secs),
            own_cpu: block.own_cpu.and_then(Seconds::from_secs),
            waiting: all_cpu.and_then(|cpu| waiting(block.wall, cpu)),
            share: elapsed.and_then(|elapsed| Percent::of_whole(block.wall, elapsed)),
            samples: samples.as_ref().and_then(|samples| samples.get(index).copied()),
            ..bare(&block.name, BlockKind::Marker, places)
        });
    }
}

/// Part of the CPU time by which it may exceed the wall time: two clocks.
const CLOCKS: f64 = 0.02;

/// Seconds without CPU time; `None` where other threads worked for a block, so that nobody knows.
fn waiting(wall: f64, cpu: f64) -> Option<Seconds> {
    if cpu > (1.0 + CLOCKS) * wall + 0.001 {
        return None;
    }
    Seconds::from_secs((wall - cpu).max(0.0))
}

/// CPU seconds of each block with those inside it.
fn cpu_totals(blocks: &[MarkedBlock]) -> Vec<Option<f64>> {
    let mut totals: Vec<Option<f64>> = blocks.iter().map(|block| block.own_cpu).collect();
    for (index, block) in blocks.iter().enumerate().rev() {
        let own = totals.get(index).copied().flatten();
        if let Some(around) = block.parent.and_then(|parent| totals.get_mut(parent as usize)) {
            *around = around.zip(own).map(|(around, own)| around + own);
        }
    }
    totals
}

/// Reads of stacks with a line of each block on them: by the names on the stack, or by the innermost of them where
/// only one block has it.
fn samples(tree: &CallTree, marked: &Marked, places: &[Vec<BlockPlace>]) -> Vec<u64> {
    let mut names: Vec<&str> = marked.blocks.iter().map(|block| block.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let mut by_name: Vec<Vec<BlockPlace>> = vec![Vec::new(); names.len()];
    for (block, places) in marked.blocks.iter().zip(places) {
        let slot = names.binary_search(&block.name.as_str()).ok();
        if let Some(known) = slot.and_then(|slot| by_name.get_mut(slot)) {
            let new: Vec<_> =
                places.iter().filter(|place| !known.contains(place)).cloned().collect();
            known.extend(new);
        }
    }
    let wanted: Vec<&[BlockPlace]> = by_name.iter().map(Vec::as_slice).collect();
    let spots = Spots::of(tree, &wanted);
    let mut counts = vec![0_u64; marked.blocks.len()];
    for (index, spot) in spots.all.iter().enumerate() {
        let mut path: Vec<&str> =
            spots.path(Some(index)).filter_map(|spot| names.get(spot.block).copied()).collect();
        path.reverse();
        let mut next = row_of(&marked.blocks, &path);
        while let Some(row) = next {
            counts.get_mut(row).into_iter().for_each(|count| *count += spot.own.samples);
            next =
                marked.blocks.get(row).and_then(|block| block.parent).map(|parent| parent as usize);
        }
    }
    counts
}

fn row_of(blocks: &[MarkedBlock], path: &[&str]) -> Option<usize> {
    let exact = path.iter().try_fold(None, |around: Option<usize>, name| {
        let parent = around.and_then(number);
        let row = blocks.iter().position(|block| block.parent == parent && block.name == *name)?;
        Some(Some(row))
    });
    exact.flatten().or_else(|| {
        let innermost = path.last()?;
        let mut rows = (0..blocks.len())
            .filter(|row| blocks.get(*row).is_some_and(|block| block.name == *innermost));
        rows.next().filter(|_| rows.next().is_none())
    })
}

/// How far the source of blocks goes.
struct Extents<'p, 's> {
    profile: &'p Profile,
    source: Sources<'s>,
    texts: HashMap<String, Option<Source>>,
}

impl<'p, 's> Extents<'p, 's> {
    fn new(profile: &'p Profile, source: Sources<'s>) -> Self {
        Self { profile, source, texts: HashMap::new() }
    }

    fn of(&mut self, place: &MarkedPlace) -> BlockPlace {
        let listed = self.profile.files.iter().find(|file| file.path == place.file);
        let known = listed.map(|file| &file.source).filter(|source| source.line_count() > 0);
        let last = if let Some(source) = known {
            last_line(source.text(), place)
        } else {
            let read = self.texts.entry(place.file.clone());
            let text = read.or_insert_with(|| (self.source)(&place.file));
            text.as_ref().and_then(|source| last_line(source.text(), place))
        };
        BlockPlace { file: place.file.clone(), first: place.line, last }
    }
}

pub(super) fn last_line(source: &str, place: &MarkedPlace) -> Option<LineNo> {
    let line = place.line.get();
    if let Some(function) = &place.function {
        let last_part = |name: &str| name.rsplit('.').next().unwrap_or_default().to_owned();
        let same = |name: &str| last_part(name) == last_part(function);
        // The line is that of the decorator.
        let spans = outline(source);
        let span = spans.iter().find(|span| span.start >= place.line && same(&span.name));
        return span.map(|span| span.end);
    }
    let tree = Tree::parse(source, |first, last| (first..=last).contains(&line));
    let withs = tree.all().filter(|id| tree.kind(*id) == "with_statement");
    let mut begins = withs.filter(|id| {
        let (first, last) = tree.lines(*id);
        let body = tree.child(*id, "body").map(|body| tree.line(body));
        first <= line && line <= last && body.is_some_and(|body| line <= body)
    });
    begins.next_back().and_then(|id| LineNo::new(tree.lines(id).1))
}
