//! `get_blocks`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, limit, stored};
use crate::answer::BlocksAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct Blocks;

/// Parameters of `get_blocks`.
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
    20
}

impl ToolSpec for Blocks {
    const NAME: &'static str = "get_blocks";
    const TITLE: &'static str = "Named blocks";
    const DESCRIPTION: &'static str =
        "Shows named blocks as a tree: calls, total and own time, CPU, waiting, memory, samples.";
    const CORE: bool = false;

    type Params = Params;
    type Output = BlocksAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<BlocksAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id, &mut call).await?;
        Ok(BlocksAnswer::new(&profile, limit))
    }
}
