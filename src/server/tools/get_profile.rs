//! `get_profile`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, aside, run};
use crate::answer::ProfileAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct GetProfile;

/// Parameters of `get_profile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// Seconds to wait for its end.
    #[serde(default = "run::default_wait_sec")]
    wait_sec: f64,
}

impl ToolSpec for GetProfile {
    const NAME: &'static str = "get_profile";
    const TITLE: &'static str = "Get a profile";
    const DESCRIPTION: &'static str = "Returns a profile again, or waits for a run that answered `running`, with its hot lines so far.";

    const WAITS: bool = true;

    type Params = Params;
    type Output = ProfileAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<ProfileAnswer, ToolError> {
        run::seconds("wait_sec", params.wait_sec)?;
        let newest =
            || server.jobs.unfinished().pop().filter(|_| params.profile_id.trim() == "latest");
        if let Some(job) = server.jobs.get(&params.profile_id).or_else(newest) {
            return run::wait(server, &job, params.wait_sec, call, false).await;
        }
        let profile = server.store.get(&params.profile_id)?;
        aside(Self::NAME, move || ProfileAnswer::new(&profile)).await
    }
}
