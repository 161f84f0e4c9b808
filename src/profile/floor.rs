//! What a run costs whichever of its lines is made quicker.

use serde::{Deserialize, Serialize};

use super::units::Seconds;

/// Time that no change of a hot line removes, as far as it was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Floor {
    /// From the start of the process until Python was ready, its `site` included.
    pub start: Option<Seconds>,
    /// From then until the program's first line: the profiler's own start, which a plain run does
    /// not have.
    pub profiler_start: Option<Seconds>,
    /// Imports that the program made.
    pub imports: Option<Imports>,
    /// Collections of Python's garbage collector.
    pub collections: Option<Collections>,
    /// One more run without any profiler, when it was asked for.
    pub plain: Option<PlainRun>,
}

/// What profiling costs: the program with and without, each one run, each from the start of its process to
/// its end.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PlainRun {
    /// Wall time without a profiler.
    pub plain: Seconds,
    /// Wall time under Scalene, with its start and the writing of the profile.
    pub profiled: Seconds,
}

/// Time in imports of modules that were not loaded yet.
///
/// Modules that the profiler had loaded before are not among them, though a plain run would load
/// them too.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Imports {
    /// All of it; within the run.
    pub total: Seconds,
    /// By module, largest first, 20 at most. A library has the time of all that it imports. Of the
    /// program's own modules each has what its code does itself; what it imports stands beside it.
    pub modules: Vec<(String, Seconds)>,
}

/// Work of Python's garbage collector; what reference counting frees is not in it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Collections {
    /// Time in collections, with the `__del__` methods that they ran; within the run.
    pub total: Seconds,
    /// Their number, by generation.
    pub by_generation: Vec<u64>,
}

impl Floor {
    /// Bytes that it occupies beside its own size.
    pub(super) fn bytes(&self) -> usize {
        let modules = self.imports.iter().flat_map(|imports| &imports.modules);
        modules.map(|(name, _)| name.capacity() + size_of::<(String, Seconds)>()).sum()
    }
}
