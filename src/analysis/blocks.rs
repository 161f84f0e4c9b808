//! Blocks: what the stacks, the lines and the program's own marks say of named parts of a program.
//!
//! A block that is asked for by lines is on a stack when one of its lines is; of several on one stack each is
//! inside those of the callers before it, and counts once, where it is outermost. What a marker
//! recorded is taken as it is; stacks add the samples.

use std::collections::HashMap;

use super::code::Tree;
use crate::profile::{
    Block, BlockKind, BlockPlace, BlockRange, Blocks, CallTree, FileProfile, LineNo, Marked,
    MarkedBlock, MarkedPlace, Mebibytes, Percent, Profile, Seconds, Source, outline,
};

/// Places in the tree of blocks that are kept.
const MOST_SPOTS: usize = 1_000;

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

/// First and last line, and which block they are of.
type Stretch = (u32, u32, usize);

/// Sums of what the stacks say.
#[derive(Debug, Clone, Copy, Default)]
struct Sums {
    running: f64,
    waiting: f64,
    wall: f64,
    samples: u64,
}

impl Sums {
    fn add(&mut self, other: Self) {
        self.running += other.running;
        self.waiting += other.waiting;
        self.wall += other.wall;
        self.samples += other.samples;
    }
}

/// A block at its place in the tree, from stacks.
#[derive(Debug, Clone, Copy)]
struct Spot {
    parent: Option<usize>,
    /// Index into what was looked for.
    block: usize,
    own: Sums,
}

/// All stacks of a run, by the blocks on them.
#[derive(Debug, Default)]
struct Spots {
    all: Vec<Spot>,
    known: HashMap<(Option<usize>, usize), usize>,
    /// Wall seconds of the whole run.
    wall: f64,
    full: bool,
}

impl Spots {
    /// `wanted`: for each block its places.
    fn of(tree: &CallTree, wanted: &[&[BlockPlace]]) -> Self {
        let mut by_file: HashMap<&str, Vec<Stretch>> = HashMap::new();
        for (block, places) in wanted.iter().enumerate() {
            for place in *places {
                let Some(last) = place.last else { continue };
                let range = (place.first.get(), last.get(), block);
                by_file.entry(&place.file).or_default().push(range);
            }
        }
        // Outer ones first.
        for ranges in by_file.values_mut() {
            ranges.sort_by(|a, b| a.0.cmp(&b.0).then(b.1.cmp(&a.1)).then(a.2.cmp(&b.2)));
        }
        let of_function: Vec<Option<&Vec<Stretch>>> =
            tree.functions.iter().map(|function| by_file.get(function.file.as_str())).collect();
        let mut spots = Self::default();
        let mut at: Vec<Option<usize>> = Vec::with_capacity(tree.nodes.len());
        for node in &tree.nodes {
            let mut spot =
                node.parent.and_then(|parent| at.get(parent as usize).copied().flatten());
            let ranges = of_function.get(node.site.function as usize).copied().flatten();
            for (first, last, block) in ranges.into_iter().flatten() {
                if (first..=last).contains(&&node.site.line) {
                    spot = spots.enter(spot, *block);
                }
            }
            at.push(spot);
            let sums = Sums {
                running: node.running,
                waiting: node.waiting,
                wall: node.wall_running + node.wall_waiting,
                samples: node.samples.into(),
            };
            spots.wall += sums.wall;
            if let Some(spot) = spot.and_then(|spot| spots.all.get_mut(spot)) {
                spot.own.add(sums);
            }
        }
        spots
    }

    fn enter(&mut self, from: Option<usize>, block: usize) -> Option<usize> {
        if self.path(from).any(|around| around.block == block) {
            return from;
        }
        if let Some(known) = self.known.get(&(from, block)) {
            return Some(*known);
        }
        if self.all.len() >= MOST_SPOTS {
            self.full = true;
            return from;
        }
        self.all.push(Spot { parent: from, block, own: Sums::default() });
        self.known.insert((from, block), self.all.len() - 1);
        Some(self.all.len() - 1)
    }

    /// A spot and those around it, innermost first.
    fn path(&self, from: Option<usize>) -> impl Iterator<Item = &Spot> {
        let mut next = from;
        std::iter::from_fn(move || {
            let spot = self.all.get(next?)?;
            next = spot.parent;
            Some(spot)
        })
    }

    /// Sums with those of all spots inside.
    fn totals(&self) -> Vec<Sums> {
        let mut totals: Vec<Sums> = self.all.iter().map(|spot| spot.own).collect();
        for (index, spot) in self.all.iter().enumerate().rev() {
            let Some(own) = totals.get(index).copied() else { continue };
            if let Some(around) = spot.parent.and_then(|parent| totals.get_mut(parent)) {
                around.add(own);
            }
        }
        totals
    }

    /// Spots as a tree, heaviest first on each level.
    fn in_order(&self, totals: &[Sums]) -> Vec<usize> {
        let weight =
            |index: usize| totals.get(index).map_or(0.0, |sums| sums.running + sums.waiting);
        let parents: Vec<Option<usize>> = self.all.iter().map(|spot| spot.parent).collect();
        in_order(&parents, &weight)
    }
}

/// Indices as a tree, each after its parent, heaviest first on each level.
fn in_order(parents: &[Option<usize>], weight: &dyn Fn(usize) -> f64) -> Vec<usize> {
    let mut children: HashMap<Option<usize>, Vec<usize>> = HashMap::new();
    for (index, parent) in parents.iter().enumerate() {
        children.entry(*parent).or_default().push(index);
    }
    for list in children.values_mut() {
        list.sort_by(|a, b| weight(*a).total_cmp(&weight(*b)).then(b.cmp(a)));
    }
    let mut open = children.get(&None).cloned().unwrap_or_default();
    let mut listed = Vec::with_capacity(parents.len());
    while let Some(index) = open.pop() {
        listed.push(index);
        open.extend(children.get(&Some(index)).into_iter().flatten());
    }
    listed
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

/// Adds the blocks that the program marked.
fn of_markers(profile: &Profile, marked: &Marked, source: Sources<'_>, blocks: &mut Blocks) {
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

fn last_line(source: &str, place: &MarkedPlace) -> Option<LineNo> {
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
#[path = "blocks_tests.rs"]
mod tests;
