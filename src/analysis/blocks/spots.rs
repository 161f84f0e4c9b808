//! All stacks of a run, by the blocks on them.

use std::collections::HashMap;

use crate::profile::{BlockPlace, CallTree};

/// Places in the tree of blocks that are kept.
pub(super) const MOST_SPOTS: usize = 1_000;

/// First and last line, and which block they are of.
pub(super) type Stretch = (u32, u32, usize);

/// Sums of what the stacks say.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sums {
    pub(super) running: f64,
    pub(super) waiting: f64,
    pub(super) wall: f64,
    pub(super) samples: u64,
}

impl Sums {
    pub(super) fn add(&mut self, other: Self) {
        self.running += other.running;
        self.waiting += other.waiting;
        self.wall += other.wall;
        self.samples += other.samples;
    }
}

/// A block at its place in the tree, from stacks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spot {
    pub(super) parent: Option<usize>,
    /// Index into what was looked for.
    pub(super) block: usize,
    pub(super) own: Sums,
}

/// All stacks of a run, by the blocks on them.
#[derive(Debug, Default)]
pub(super) struct Spots {
    pub(super) all: Vec<Spot>,
    pub(super) known: HashMap<(Option<usize>, usize), usize>,
    /// Wall seconds of the whole run.
    pub(super) wall: f64,
    pub(super) full: bool,
}

impl Spots {
    /// `wanted`: for each block its places.
    pub(super) fn of(tree: &CallTree, wanted: &[&[BlockPlace]]) -> Self {
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

    pub(super) fn enter(&mut self, from: Option<usize>, block: usize) -> Option<usize> {
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
    pub(super) fn path(&self, from: Option<usize>) -> impl Iterator<Item = &Spot> {
        let mut next = from;
        std::iter::from_fn(move || {
            let spot = self.all.get(next?)?;
            next = spot.parent;
            Some(spot)
        })
    }

    /// Sums with those of all spots inside.
    pub(super) fn totals(&self) -> Vec<Sums> {
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
    pub(super) fn in_order(&self, totals: &[Sums]) -> Vec<usize> {
        let weight =
            |index: usize| totals.get(index).map_or(0.0, |sums| sums.running + sums.waiting);
        let parents: Vec<Option<usize>> = self.all.iter().map(|spot| spot.parent).collect();
        in_order(&parents, &weight)
    }
}

/// Indices as a tree, each after its parent, heaviest first on each level.
pub(super) fn in_order(parents: &[Option<usize>], weight: &dyn Fn(usize) -> f64) -> Vec<usize> {
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
