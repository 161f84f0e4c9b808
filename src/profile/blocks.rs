//! Named parts of a program: what was measured of each, nested as they nest.

use serde::{Deserialize, Serialize};

use super::ids::LineNo;
use super::units::{Mebibytes, Percent, Seconds};

/// Who says where a block is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum BlockKind {
    /// The program: it enters and leaves the block by itself.
    Marker,
    /// The call, by lines of a file.
    Lines,
    /// The call, by a function.
    Function,
}

/// A stretch of source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BlockPlace {
    /// Absolute path, or a placeholder such as `<snippet>`.
    pub file: String,
    /// First line; of a marker the line of its `with`, or of its decorator.
    pub first: LineNo,
    /// Last line; absent where the source does not tell.
    pub last: Option<LineNo>,
}

/// A block that a call asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockRange {
    /// Its name.
    pub name: String,
    /// By lines or by a function.
    pub kind: BlockKind,
    /// Where it is.
    pub places: Vec<BlockPlace>,
}

/// A place in a program's source that entered a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkedPlace {
    /// As [`BlockPlace::file`].
    pub file: String,
    /// Line of the `with` or of the decorator.
    pub line: LineNo,
    /// Qualified name of the function that is decorated.
    pub function: Option<String>,
}

/// What a program recorded of a block of its own; seconds and entries add up over threads and processes.
#[derive(Debug, Clone, PartialEq)]
pub struct MarkedBlock {
    /// Index of the block around it, which stands before it.
    pub parent: Option<u32>,
    /// Its name.
    pub name: String,
    /// Times it was entered.
    pub calls: u64,
    /// Of these, not left by the end.
    pub open: u64,
    /// Seconds from entering to leaving.
    pub wall: f64,
    /// Part of that in which the thread had no block inside it open.
    pub own: f64,
    /// CPU seconds of threads while it was their innermost block; absent where the system does not tell.
    pub own_cpu: Option<f64>,
    /// Where it was entered, a few at most.
    pub places: Vec<MarkedPlace>,
}

/// All that a program recorded of its own blocks.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Marked {
    /// Blocks, each after that around it.
    pub blocks: Vec<MarkedBlock>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

/// A block at its place in the tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// Index into [`Blocks::all`] of the block around it.
    pub parent: Option<u32>,
    /// Its name.
    pub name: String,
    /// Who says where it is.
    pub kind: BlockKind,
    /// Where it is in the source.
    pub places: Vec<BlockPlace>,
    /// Times it was entered; absent where nobody counted.
    pub calls: Option<u64>,
    /// Of these, not left by the end of the run.
    pub open: u64,
    /// Seconds in it and in all that it calls, over all threads. Markers: from entering to leaving. Else from stacks:
    /// running and waiting of all with one of its lines on them.
    pub total: Option<Seconds>,
    /// Part of it in none of the blocks inside it.
    pub own: Option<Seconds>,
    /// CPU seconds of `total`. Markers: CPU clock of the thread; else reads in which the thread ran or was ready to.
    pub cpu: Option<Seconds>,
    /// CPU seconds of `own`.
    pub own_cpu: Option<Seconds>,
    /// `total` less `cpu`.
    pub waiting: Option<Seconds>,
    /// Markers: `total` over the wall time of the run. Else the part of the sampled wall time that belongs to it.
    pub share: Option<Percent>,
    /// Reads of stacks with one of its lines on them.
    pub samples: Option<u64>,
    /// Volume allocated by its own lines, freed or not; absent where nothing was sampled, or where the block is at
    /// several places of the tree.
    pub allocated: Option<Mebibytes>,
    /// Time of its own lines, as listings of files show it; absent where the block is at several places of the tree.
    pub lines: Option<Seconds>,
}

/// All blocks of a run.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Blocks {
    /// Each after that around it.
    pub all: Vec<Block>,
    /// What the reader should know.
    pub notes: Vec<String>,
}

impl Blocks {
    /// The blocks around a block and itself, outermost first.
    pub fn path(&self, index: u32) -> Vec<&Block> {
        let mut path = Vec::new();
        let mut next = Some(index);
        while let Some(block) = next.and_then(|index| self.all.get(index as usize)) {
            // What stands before comes from no damaged file.
            next = block.parent.filter(|parent| Some(*parent) < next);
            path.push(block);
        }
        path.reverse();
        path
    }

    /// Whether every block stands after that around it. Blocks from a file may have been tampered with.
    pub fn is_sound(&self) -> bool {
        let before = |(number, block): (usize, &Block)| {
            block.parent.is_none_or(|parent| (parent as usize) < number)
        };
        self.all.iter().enumerate().all(before)
    }

    /// Whether the program marked any itself.
    pub fn has_marks(&self) -> bool {
        self.all.iter().any(|block| block.kind == BlockKind::Marker)
    }

    /// How deep a block is nested, 0 for one that none holds.
    pub fn depth(&self, index: u32) -> usize {
        self.path(index).len().saturating_sub(1)
    }

    /// Bytes that they occupy beside their own size.
    pub(super) fn bytes(&self) -> usize {
        let of_place = |place: &BlockPlace| size_of::<BlockPlace>() + place.file.capacity();
        let of_block = |block: &Block| {
            let places: usize = block.places.iter().map(of_place).sum();
            size_of::<Block>() + block.name.capacity() + places
        };
        self.all.iter().map(of_block).sum::<usize>()
            + self.notes.iter().map(String::capacity).sum::<usize>()
    }
}
