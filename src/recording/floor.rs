//! The floor of a run, from what the launcher measured.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::profile::{Collections, Floor, Imports, Seconds};
use crate::scalene::LaunchState;

/// Absent where the program did not come to its end, or never began.
pub(super) fn floor(state: &LaunchState, spawned: SystemTime) -> Option<Floor> {
    let measured = state.floor.as_ref()?;
    let spawned = spawned.duration_since(UNIX_EPOCH).ok()?.as_secs_f64();
    // A clock that was set back gives no amount.
    let between = |from: f64, to: f64| Seconds::from_secs(to - from);
    let launched = measured.launched_at;
    let imports = measured.imports_sec.and_then(Seconds::from_secs).map(|total| Imports {
        total,
        modules: { measured.imports.iter() }
            .filter_map(|(name, seconds)| Some((name.clone(), Seconds::from_secs(*seconds)?)))
            .collect(),
    });
    let total = measured.gc_sec.and_then(Seconds::from_secs);
    let collections = total
        .zip(measured.gc_collections.clone())
        .map(|(total, by_generation)| Collections { total, by_generation });
    Some(Floor {
        start: launched.and_then(|launched| between(spawned, launched)),
        profiler_start: launched
            .zip(state.program_started_at)
            .and_then(|(launched, started)| between(launched, started)),
        imports,
        collections,
        plain: None,
    })
}
