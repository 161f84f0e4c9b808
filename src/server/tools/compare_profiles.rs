//! `compare_profiles`.

mod sources;

use schemars::JsonSchema;
use serde::Deserialize;

use super::file_details::file;
use super::{Call, ToolSpec, stored};
use crate::answer::{Comparing, ComparisonAnswer};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct CompareProfiles;

/// Parameters of `compare_profiles`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Baseline: id or `previous`.
    profile_id1: String,
    /// Candidate.
    profile_id2: String,
    /// Relative change let pass.
    #[serde(default = "default_tolerance")]
    #[schemars(range(min = 0.0, max = 10.0))]
    tolerance: f64,
    /// Also list this file's lines.
    file_path: Option<String>,
}

const fn default_tolerance() -> f64 {
    0.05
}

impl ToolSpec for CompareProfiles {
    const NAME: &'static str = "compare_profiles";
    const TITLE: &'static str = "Compare two profiles";
    const DESCRIPTION: &'static str =
        "Says what got slower or faster between two profiles, through edits, moves and renames.";

    type Params = Params;
    type Output = ComparisonAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<ComparisonAnswer, ToolError> {
        if !(0.0..=10.0).contains(&params.tolerance) {
            return Err(ToolError::invalid_argument(
                format!("tolerance: {} is outside 0 to 10", params.tolerance),
                "pass a part, such as 0.05 for 5 %",
            ));
        }
        let baseline = stored(server, &params.profile_id1, &mut call).await?;
        let candidate = stored(server, &params.profile_id2, &mut call).await?;
        let comparing = Comparing {
            baseline: &baseline,
            candidate: &candidate,
            tolerance: params.tolerance,
            unsampled: [sources::unsampled(&baseline), sources::unsampled(&candidate)],
        };
        let Some(path) = params.file_path else { return Ok(comparing.answer()) };
        // A file of either profile, or one that only the comparison knows.
        comparing
            .answer_about(&path)
            .map_or_else(|| file(&candidate, &path).map(|_| comparing.answer()), Ok)
    }
}
