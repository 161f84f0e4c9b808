//! `get_memory_leaks`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::confirm::{self, Wanted};
use super::{Call, ToolSpec, aside, stored};
use crate::analysis::leaks::LeakConfidence;
use crate::answer::LeaksAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct MemoryLeaks;

/// How sure a suspicion must be.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Confidence {
    High,
    #[default]
    Medium,
    Low,
}

/// Parameters of `get_memory_leaks`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// Least confidence listed.
    #[serde(default)]
    confidence: Confidence,
    /// Run it again, recording all; absent: if needed.
    confirm: Option<bool>,
}

impl ToolSpec for MemoryLeaks {
    const NAME: &'static str = "get_memory_leaks";
    const TITLE: &'static str = "Memory leaks";
    const DESCRIPTION: &'static str = "Finds lines that keep ever more memory, who holds it, how sure that is. Undecided short \
        programs run again.";
    // It may run the program again, unasked: neither read-only nor without effects outside, even if most
    // calls are. One annotation holds for all calls of a tool.
    const RUNS_CODE: bool = true;
    const IF_ASKED: bool = true;

    type Params = Params;
    type Output = LeaksAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<LeaksAnswer, ToolError> {
        let profile = stored(server, &params.profile_id, &mut call).await?;
        let least = match params.confidence {
            Confidence::High => LeakConfidence::High,
            Confidence::Medium => LeakConfidence::Medium,
            Confidence::Low => LeakConfidence::Low,
        };
        let wanted = match params.confirm {
            Some(true) => Wanted::Always,
            Some(false) => Wanted::Never,
            None => Wanted::IfUndecided,
        };
        let (profile, note) = confirm::settle(server, profile, wanted, call).await?;
        aside(Self::NAME, move || LeaksAnswer::new(&profile, least).confirmed(note)).await
    }
}
