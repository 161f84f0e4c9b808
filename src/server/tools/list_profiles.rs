//! `list_profiles`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, limit};
use crate::answer::{ProfileMetadata, ProfilesAnswer};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct ListProfiles;

/// Parameters of `list_profiles`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Most rows.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
    /// Part of the script's name.
    #[serde(default)]
    script: String,
}

const fn default_limit() -> u32 {
    20
}

impl ToolSpec for ListProfiles {
    const NAME: &'static str = "list_profiles";
    const TITLE: &'static str = "List profiles";
    const DESCRIPTION: &'static str =
        "Lists stored profiles and runs in progress: id, program, start, wall time, peak memory.";

    type Params = Params;
    type Output = ProfilesAnswer;

    async fn call(server: &Server, params: Params, _: Call) -> Result<ProfilesAnswer, ToolError> {
        let limit = limit(params.limit)?;
        let running = server.jobs.unfinished();
        let running =
            running.iter().map(|job| ProfileMetadata::running(job.id.as_str(), &job.label));
        let (stored, unreadable) = server.store.list();
        let rows = running.chain(stored.iter().map(ProfileMetadata::new));
        let rows: Vec<_> = rows.filter(|row| row.script_name.contains(&params.script)).collect();
        Ok(ProfilesAnswer::new(&rows, &unreadable, limit))
    }
}
