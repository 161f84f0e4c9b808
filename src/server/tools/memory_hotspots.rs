//! `get_memory_hotspots`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Call, ToolSpec, limit, stored};
use crate::analysis::MemoryMetric;
use crate::answer::MemoryHotspotsAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct MemoryHotspots;

/// What lines are ranked by.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Metric {
    #[default]
    Peak,
    Average,
    Allocation,
}

/// Parameters of `get_memory_hotspots`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Id or its beginning, `latest` or `previous`.
    profile_id: String,
    /// Lines to return.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// `peak` and `average`: footprint growth between visits of a line; `allocation`: volume, freed or not.
    #[serde(default)]
    metric: Metric,
}

const fn default_limit() -> u32 {
    10
}

impl ToolSpec for MemoryHotspots {
    const NAME: &'static str = "get_memory_hotspots";
    const TITLE: &'static str = "Lines by memory";
    const DESCRIPTION: &'static str = "Ranks the lines of a profile by memory, in MiB, with source and copy volume. \
        metric=allocation finds churn and large allocations by volume; peak and average find growth while a line \
        runs (per visit or over the run: peak_basis says). Needs a profile made with memory=true.";

    type Params = Params;
    type Output = MemoryHotspotsAnswer;

    async fn call(
        server: &Server,
        params: Params,
        _: Call,
    ) -> Result<MemoryHotspotsAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id)?;
        let metric = match params.metric {
            Metric::Peak => MemoryMetric::Peak,
            Metric::Average => MemoryMetric::Average,
            Metric::Allocation => MemoryMetric::Allocation,
        };
        Ok(MemoryHotspotsAnswer::new(&profile, limit, metric))
    }
}
