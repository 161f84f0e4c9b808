//! `get_gpu_hotspots`.

use super::rows::Rows;
use super::{Call, ToolSpec};
use crate::answer::GpuHotspotsAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct GpuHotspots;

impl ToolSpec for GpuHotspots {
    const NAME: &'static str = "get_gpu_hotspots";
    const TITLE: &'static str = "Lines by GPU time";
    const DESCRIPTION: &'static str =
        "Ranks lines by GPU time, with load and memory. Needs gpu=true when profiling, and a GPU.";

    type Params = Rows<10>;
    type Output = GpuHotspotsAnswer;

    async fn call(
        server: &Server,
        rows: Self::Params,
        call: Call,
    ) -> Result<GpuHotspotsAnswer, ToolError> {
        let (profile, limit) = rows.of(server, call).await?;
        Ok(GpuHotspotsAnswer::new(&profile, limit))
    }
}
