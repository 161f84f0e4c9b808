//! `get_memory_hotspots`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::confirm::{self, Wanted};
use super::{Call, ToolSpec, aside, limit, stored};
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
    /// Or `latest`.
    profile_id: String,
    /// Most rows.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// What to rank by.
    #[serde(default)]
    metric: Metric,
    /// Run it again, recording all: true bytes at peak.
    #[serde(default)]
    exact: bool,
}

const fn default_limit() -> u32 {
    10
}

impl ToolSpec for MemoryHotspots {
    const NAME: &'static str = "get_memory_hotspots";
    const TITLE: &'static str = "Lines by memory";
    const DESCRIPTION: &'static str =
        "Ranks lines by memory (MiB), with source and copies; metric=allocation finds churn.";
    // With exact=true; without it the tool only reads. One annotation holds for all calls of a tool.
    const RUNS_CODE: bool = true;
    const IF_ASKED: bool = true;

    type Params = Params;
    type Output = MemoryHotspotsAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<MemoryHotspotsAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id, &mut call).await?;
        let metric = match params.metric {
            Metric::Peak => MemoryMetric::Peak,
            Metric::Average => MemoryMetric::Average,
            Metric::Allocation => MemoryMetric::Allocation,
        };
        if !params.exact {
            let new = move || MemoryHotspotsAnswer::new(&profile, limit, metric);
            return aside(Self::NAME, new).await;
        }
        let (profile, note) = confirm::settle(server, profile, Wanted::Always, call).await?;
        let exact = move || MemoryHotspotsAnswer::exact(&profile, limit, metric, note);
        aside(Self::NAME, exact).await
    }
}
