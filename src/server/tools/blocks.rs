//! `get_blocks`.

use super::rows::Rows;
use super::{Call, ToolSpec};
use crate::answer::BlocksAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct Blocks;

impl ToolSpec for Blocks {
    const NAME: &'static str = "get_blocks";
    const TITLE: &'static str = "Named blocks";
    const DESCRIPTION: &'static str =
        "Shows named blocks as a tree: calls, total and own time, CPU, waiting, memory, samples.";
    const CORE: bool = false;

    type Params = Rows<20>;
    type Output = BlocksAnswer;

    async fn call(
        server: &Server,
        rows: Self::Params,
        call: Call,
    ) -> Result<BlocksAnswer, ToolError> {
        let (profile, limit) = rows.of(server, call).await?;
        Ok(BlocksAnswer::new(&profile, limit))
    }
}
