//! `stop_profile`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, run, verify_speedup};
use crate::answer::ProfileAnswer;
use crate::server::Server;
use crate::server::error::ToolError;

/// Longest time from asking a program to end until its profile is read, forcing included.
const ENDS_WITHIN: f64 = 40.0;

pub(super) struct StopProfile;

/// Parameters of `stop_profile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Id of the run, or `latest`.
    profile_id: String,
}

impl ToolSpec for StopProfile {
    const NAME: &'static str = "stop_profile";
    const TITLE: &'static str = "End a run early";
    const DESCRIPTION: &'static str =
        "Ends a running program and returns its profile until then; also for one that never ends.";
    const RUNS_CODE: bool = true;

    type Params = Params;
    type Output = ProfileAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<ProfileAnswer, ToolError> {
        let wanted = params.profile_id.trim();
        if let Some(job) = server.jobs.verification(wanted).filter(|_| wanted != "latest") {
            job.end_early();
            let answer = verify_speedup::wait(server, &job, ENDS_WITHIN, call, false).await?;
            return Ok(answer.stopped(&job.label));
        }
        let newest = || server.jobs.unfinished().pop().filter(|_| wanted == "latest");
        match server.jobs.get(wanted).or_else(newest) {
            Some(job) => {
                job.stop();
                run::wait(server, &job, ENDS_WITHIN, call, false).await
            }
            // It has ended meanwhile.
            None => Ok(ProfileAnswer::new(&*server.store.get(wanted)?)),
        }
    }
}
