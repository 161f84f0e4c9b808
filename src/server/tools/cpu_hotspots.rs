//! `get_cpu_hotspots`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, limit, stored};
use crate::analysis::CpuBasis;
use crate::answer::CpuHotspotsAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct CpuHotspots;

/// Parameters of `get_cpu_hotspots`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// Most rows.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Count system time (mostly waiting) too.
    #[serde(default)]
    include_system: bool,
}

const fn default_limit() -> u32 {
    10
}

impl ToolSpec for CpuHotspots {
    const NAME: &'static str = "get_cpu_hotspots";
    const TITLE: &'static str = "Lines by CPU time";
    const DESCRIPTION: &'static str =
        "Ranks lines by CPU time: seconds in Python, native and waiting, each with its source.";

    type Params = Params;
    type Output = CpuHotspotsAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<CpuHotspotsAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id, &mut call).await?;
        let basis = if params.include_system { CpuBasis::WithSystem } else { CpuBasis::OnCpu };
        Ok(CpuHotspotsAnswer::new(&profile, limit, basis))
    }
}
