//! Blocks of several runs.

use std::collections::BTreeSet;

use crate::profile::blocks::{Block, BlockKind, Blocks};
use crate::profile::model::Profile;
use crate::profile::units::{Mebibytes, Percent, Seconds};

type Key = (Option<u32>, String, BlockKind);

/// Means over the runs, of those that have the block at that place; samples are sums.
pub(super) fn merged_blocks(runs: &[Profile]) -> Option<Blocks> {
    let all: Vec<&Blocks> = runs.iter().filter_map(|run| run.blocks.as_ref()).collect();
    let mut keys: Vec<Key> = Vec::new();
    let mut found: Vec<Vec<&Block>> = Vec::new();
    for blocks in &all {
        let mut became: Vec<Option<u32>> = Vec::new();
        for block in &blocks.all {
            let parent = block.parent.map(|parent| became.get(parent as usize).copied().flatten());
            let key = (parent.flatten(), block.name.clone(), block.kind);
            let place = keys.iter().position(|known| *known == key).unwrap_or_else(|| {
                keys.push(key);
                found.push(Vec::new());
                keys.len() - 1
            });
            found.get_mut(place).into_iter().for_each(|same| same.push(block));
            became.push(u32::try_from(place).ok());
        }
    }
    let merged = keys.iter().zip(&found);
    let merged = merged.filter_map(|((parent, ..), same)| one(*parent, same, all.len()));
    let notes: BTreeSet<&String> = all.iter().flat_map(|blocks| &blocks.notes).collect();
    let notes = notes.into_iter().cloned().collect();
    let all: Vec<Block> = merged.collect();
    (!all.is_empty()).then_some(Blocks { all, notes })
}

/// A block that a run does not have took no time there.
#[expect(clippy::cast_precision_loss, reason = "numbers of runs and calls")]
fn one(parent: Option<u32>, same: &[&Block], runs: usize) -> Option<Block> {
    let first = same.first()?;
    let mean = |of: &dyn Fn(&Block) -> Option<f64>| {
        let known: Option<Vec<f64>> = same.iter().map(|block| of(block)).collect();
        known.map(|values| values.iter().sum::<f64>() / runs as f64)
    };
    let seconds = |of: fn(&Block) -> Option<Seconds>| {
        mean(&|block| of(block).map(Seconds::get)).and_then(Seconds::from_secs)
    };
    let calls = mean(&|block| block.calls.map(|calls| calls as f64));
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a mean of counts is one"
    )]
    let calls = calls.map(|calls| calls.round() as u64);
    Some(Block {
        parent,
        calls,
        open: same.iter().map(|block| block.open).max().unwrap_or_default(),
        total: seconds(|block| block.total),
        own: seconds(|block| block.own),
        cpu: seconds(|block| block.cpu),
        own_cpu: seconds(|block| block.own_cpu),
        waiting: seconds(|block| block.waiting),
        lines: seconds(|block| block.lines),
        share: mean(&|block| block.share.map(Percent::get)).and_then(Percent::from_percent),
        samples: same.iter().map(|block| block.samples).sum(),
        allocated: mean(&|block| block.allocated.map(Mebibytes::get)).and_then(Mebibytes::from_mib),
        ..(*first).clone()
    })
}
