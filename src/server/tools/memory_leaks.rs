//! `get_memory_leaks`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Call, ToolSpec, stored};
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
    /// Id or its beginning, `latest` or `previous`.
    profile_id: String,
    /// Least confidence of a line that is listed.
    #[serde(default)]
    confidence: Confidence,
}

impl ToolSpec for MemoryLeaks {
    const NAME: &'static str = "get_memory_leaks";
    const TITLE: &'static str = "Lines that may leak memory";
    const DESCRIPTION: &'static str = "Looks for memory that a program keeps more and more of: whether the footprint \
        grows to stay, which lines account for it, what the code does with their objects, and how sure that is. \
        Says what one profile cannot tell and which call would. \
        Needs a profile made with memory=true.";

    type Params = Params;
    type Output = LeaksAnswer;

    async fn call(server: &Server, params: Params, _: Call) -> Result<LeaksAnswer, ToolError> {
        let profile = stored(server, &params.profile_id)?;
        let least = match params.confidence {
            Confidence::High => LeakConfidence::High,
            Confidence::Medium => LeakConfidence::Medium,
            Confidence::Low => LeakConfidence::Low,
        };
        Ok(LeaksAnswer::new(&profile, least))
    }
}
