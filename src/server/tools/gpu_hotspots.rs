//! `get_gpu_hotspots`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, limit, stored};
use crate::answer::GpuHotspotsAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct GpuHotspots;

/// Parameters of `get_gpu_hotspots`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// Most rows.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
}

const fn default_limit() -> u32 {
    10
}

impl ToolSpec for GpuHotspots {
    const NAME: &'static str = "get_gpu_hotspots";
    const TITLE: &'static str = "Lines by GPU time";
    const DESCRIPTION: &'static str =
        "Ranks lines by GPU time, with load and memory. Needs gpu=true when profiling, and a GPU.";

    type Params = Params;
    type Output = GpuHotspotsAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<GpuHotspotsAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id, &mut call).await?;
        Ok(GpuHotspotsAnswer::new(&profile, limit))
    }
}
