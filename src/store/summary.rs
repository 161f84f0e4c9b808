//! A stored profile in brief: what a list of profiles needs.

use serde::{Deserialize, Serialize};

use crate::profile::{Footprint, Mebibytes, Profile, ProfileId, Program, Seconds, Status};

/// What is known of a stored profile without reading all of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Its name.
    pub id: ProfileId,
    /// Milliseconds since 1970 when it was stored.
    pub saved_at_ms: u64,
    /// What ran.
    pub program: Program,
    /// When it started, RFC 3339 in UTC, when known.
    pub started_at: Option<String>,
    /// Whole run or part of it.
    pub status: Status,
    /// Wall time with profiling on.
    pub elapsed: Option<Seconds>,
    /// Highest footprint, where it was measured.
    pub peak: Option<Mebibytes>,
}

impl Summary {
    pub(super) fn of(profile: &Profile, saved_at_ms: u64) -> Self {
        Self {
            id: profile.id.clone(),
            saved_at_ms,
            program: profile.program.clone(),
            started_at: profile.run.started_at.clone(),
            status: profile.run.status,
            elapsed: profile.elapsed,
            peak: profile.footprint.as_ref().and_then(Footprint::known_peak),
        }
    }
}
