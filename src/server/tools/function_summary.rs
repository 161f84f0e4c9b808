//! `get_function_summary`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, limit, stored};
use crate::answer::FunctionsAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct FunctionSummary;

/// Parameters of `get_function_summary`.
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

impl ToolSpec for FunctionSummary {
    const NAME: &'static str = "get_function_summary";
    const TITLE: &'static str = "Functions by time";
    const DESCRIPTION: &'static str = "Ranks functions by the CPU time of their own lines, with waiting, memory and counted calls.";

    type Params = Params;
    type Output = FunctionsAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<FunctionsAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let profile = stored(server, &params.profile_id, &mut call).await?;
        Ok(FunctionsAnswer::new(&profile, limit))
    }
}
