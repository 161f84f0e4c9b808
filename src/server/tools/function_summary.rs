//! `get_function_summary`.

use super::rows::Rows;
use super::{Call, ToolSpec};
use crate::answer::FunctionsAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct FunctionSummary;

impl ToolSpec for FunctionSummary {
    const NAME: &'static str = "get_function_summary";
    const TITLE: &'static str = "Functions by time";
    const DESCRIPTION: &'static str = "Ranks functions by the CPU time of their own lines, with waiting, memory and counted calls.";

    type Params = Rows<20>;
    type Output = FunctionsAnswer;

    async fn call(
        server: &Server,
        rows: Self::Params,
        call: Call,
    ) -> Result<FunctionsAnswer, ToolError> {
        let (profile, limit) = rows.of(server, call).await?;
        Ok(FunctionsAnswer::new(&profile, limit))
    }
}
