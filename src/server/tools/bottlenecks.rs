//! `get_bottlenecks`.

use super::rows::Rows;
use super::{Call, ToolSpec};
use crate::answer::BottlenecksAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct Bottlenecks;

impl ToolSpec for Bottlenecks {
    const NAME: &'static str = "get_bottlenecks";
    const TITLE: &'static str = "What to change first";
    const DESCRIPTION: &'static str = "Ranks what costs time or memory: place, pattern, what to change, and how much faster the run \
        can become.";

    type Params = Rows<5>;
    type Output = BottlenecksAnswer;

    async fn call(
        server: &Server,
        rows: Self::Params,
        call: Call,
    ) -> Result<BottlenecksAnswer, ToolError> {
        let (profile, limit) = rows.of(server, call).await?;
        Ok(BottlenecksAnswer::new(&profile, limit))
    }
}
