//! `get_bottlenecks`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, limit, stored};
use crate::answer::BottlenecksAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct Bottlenecks;

/// Parameters of `get_bottlenecks`.
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
    5
}

impl ToolSpec for Bottlenecks {
    const NAME: &'static str = "get_bottlenecks";
    const TITLE: &'static str = "What to change first";
    const DESCRIPTION: &'static str = "Ranks what costs time or memory: place, pattern, what to change, and how much faster the run \
        can become.";

    type Params = Params;
    type Output = BottlenecksAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<BottlenecksAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id, &mut call).await?;
        Ok(BottlenecksAnswer::new(&profile, limit))
    }
}
