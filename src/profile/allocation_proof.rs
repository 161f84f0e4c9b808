//! What lines hold, to the byte: a second run of the program in which every allocation and every
//! free was recorded, where the profile itself only samples them.

use serde::{Deserialize, Serialize};

use super::ids::LineNo;
use super::model::Frame;
use super::units::{Mebibytes, Seconds};

/// What recorded the allocations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AllocationTracker {
    /// `memray` or `tracemalloc`.
    pub name: String,
    /// Version of memray; of Python for tracemalloc, which is a part of it.
    pub version: String,
    /// Why it is not memray, when it is not.
    pub fallback: Option<String>,
}

/// A call path and what it keeps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RetainedPath {
    /// Outermost first, from the first frame of the user's code to its last.
    pub frames: Vec<Frame>,
    /// Allocated through it and not freed, as for its line.
    pub retained: Mebibytes,
}

/// A line of the user's code and what it allocated, itself or in libraries that it called.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProvenPlace {
    /// File, as the profile names it.
    pub file: String,
    /// Line.
    pub line: LineNo,
    /// Not freed when the program was over, or shortly before: see [`AllocationProof::closing`].
    pub retained: Mebibytes,
    /// Allocations behind that; a pool of small objects is one.
    pub objects: u64,
    /// Part of `retained` that is pools of small objects. A pool is charged to the line that needed
    /// a new one; the objects in it may be others'. Always 0 for tracemalloc, which sees objects.
    pub pooled: Mebibytes,
    /// Alive when the whole program held most.
    pub at_peak: Mebibytes,
    /// Alive at each of [`AllocationProof::points`].
    pub alive: Vec<Mebibytes>,
    /// Where from, largest first; a few.
    pub paths: Vec<RetainedPath>,
}

/// The evidence of one tracked run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AllocationProof {
    /// What recorded it.
    pub tracker: AllocationTracker,
    /// Wall time of the tracked program.
    pub elapsed: Option<Seconds>,
    /// It was stopped before its end, after this time: nothing is known of what came later.
    pub stopped_after: Option<Seconds>,
    /// Set where the program freed much at its very end, as when its main function returns and takes
    /// what it built along: what lines keep is as of this time then, and this much was alive.
    pub closing: Option<(Seconds, Mebibytes)>,
    /// Times since start at which what is alive was added up; the last is the end, or the closing.
    pub points: Vec<Seconds>,
    /// All that was not freed when the program was over, whatever was before.
    pub retained: Mebibytes,
    /// Most that was alive at once.
    pub peak: Mebibytes,
    /// The point nearest to that moment.
    pub peak_at: Option<Seconds>,
    /// Lines of the user's code, most retained first.
    pub places: Vec<ProvenPlace>,
    /// What to know before believing it.
    pub notes: Vec<String>,
}

impl AllocationProof {
    /// What is known of a line.
    pub fn place(&self, file: &str, line: LineNo) -> Option<&ProvenPlace> {
        self.places.iter().find(|place| place.line == line && place.file == file)
    }

    /// Bytes that it occupies, near enough.
    pub(super) fn bytes(&self) -> usize {
        let place = |place: &ProvenPlace| {
            let frames = place.paths.iter().flat_map(|path| &path.frames);
            size_of::<ProvenPlace>()
                + place.alive.capacity() * size_of::<Mebibytes>()
                + frames
                    .map(|f| size_of::<Frame>() + f.file.len() + f.function.len())
                    .sum::<usize>()
        };
        size_of::<Self>() + self.places.iter().map(place).sum::<usize>()
    }
}
