//! Blocks of two profiles, by their names and those around them.

use std::collections::HashMap;

use crate::profile::{Block, Blocks, Profile, Seconds};

/// A block in two profiles.
#[derive(Debug, Clone, PartialEq)]
pub struct BlockChange<'a> {
    /// Names of the blocks around it and its own, outermost first.
    pub path: Vec<&'a str>,
    /// It in the baseline.
    pub before: Option<&'a Block>,
    /// It in the candidate.
    pub after: Option<&'a Block>,
}

impl BlockChange<'_> {
    fn seconds(block: Option<&Block>) -> Option<f64> {
        block.and_then(|block| block.total).map(Seconds::get)
    }

    /// Total seconds after over before; nothing where one of them is not known, or the baseline took no time.
    pub fn ratio(&self) -> Option<f64> {
        let (before, after) = (Self::seconds(self.before)?, Self::seconds(self.after)?);
        (before > 0.0).then(|| after / before)
    }

    fn change(&self) -> f64 {
        let seconds = |block| Self::seconds(block).unwrap_or(0.0);
        (seconds(self.after) - seconds(self.before)).abs()
    }
}

/// Blocks of either profile, largest change of their total time first.
pub fn block_changes<'a>(before: &'a Profile, after: &'a Profile) -> Vec<BlockChange<'a>> {
    let mut known: HashMap<Vec<&str>, usize> = HashMap::new();
    let mut changes: Vec<BlockChange<'a>> = Vec::new();
    let paths = |blocks: &'a Blocks| {
        (0_u32..).zip(&blocks.all).map(|(index, block)| {
            let path = blocks.path(index).into_iter().map(|block| block.name.as_str());
            (path.collect::<Vec<_>>(), block)
        })
    };
    for (path, block) in before.blocks.iter().flat_map(paths) {
        known.insert(path.clone(), changes.len());
        changes.push(BlockChange { path, before: Some(block), after: None });
    }
    for (path, block) in after.blocks.iter().flat_map(paths) {
        match known.get(&path).and_then(|index| changes.get_mut(*index)) {
            Some(change) => change.after = Some(block),
            None => changes.push(BlockChange { path, before: None, after: Some(block) }),
        }
    }
    changes.sort_by(|a, b| b.change().total_cmp(&a.change()).then_with(|| a.path.cmp(&b.path)));
    changes
}
