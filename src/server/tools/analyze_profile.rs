//! `analyze_profile`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Call, ToolSpec, stored};
use crate::answer::{AnalysisAnswer, Focus};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct AnalyzeProfile;

/// What to look at.
#[derive(Debug, Clone, Copy, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum FocusArea {
    Cpu,
    Memory,
    Gpu,
    #[default]
    Overall,
}

/// Parameters of `analyze_profile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// What to look at.
    #[serde(default)]
    focus_area: FocusArea,
}

impl ToolSpec for AnalyzeProfile {
    const NAME: &'static str = "analyze_profile";
    const TITLE: &'static str = "Analyze a profile";
    const DESCRIPTION: &'static str = "Says what a profile means: what to change where, what that gives at most, suspected leaks. The \
        call to make after profiling.";

    type Params = Params;
    type Output = AnalysisAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<AnalysisAnswer, ToolError> {
        let profile = stored(server, &params.profile_id, &mut call).await?;
        let focus = match params.focus_area {
            FocusArea::Cpu => Focus::Cpu,
            FocusArea::Memory => Focus::Memory,
            FocusArea::Gpu => Focus::Gpu,
            FocusArea::Overall => Focus::Overall,
        };
        Ok(AnalysisAnswer::new(&profile, focus))
    }
}
