//! `profile_process`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::run;
use super::{Call, ToolSpec};
use crate::answer::ProcessAnswer;
use crate::recording::{ProcessRequest, Which};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct ProfileProcess;

/// Parameters of `profile_process`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Process id.
    pid: Option<u32>,
    /// Or a part of its command line.
    r#match: Option<String>,
    /// 0: one dump of all threads.
    #[serde(default = "default_duration")]
    duration_sec: f64,
    /// Reads per second.
    #[serde(default = "default_rate")]
    rate_hz: f64,
    /// Its descendants, too.
    #[serde(default = "run::yes")]
    subprocesses: bool,
    /// Named parts.
    #[serde(default)]
    blocks: Vec<run::Block>,
    /// Seconds until it answers `running`.
    #[serde(default = "run::default_wait_sec")]
    wait_sec: f64,
}

const fn default_duration() -> f64 {
    10.0
}

const fn default_rate() -> f64 {
    100.0
}

impl ToolSpec for ProfileProcess {
    const NAME: &'static str = "profile_process";
    const TITLE: &'static str = "Profile a process";
    const DESCRIPTION: &'static str = "Profiles a Python process that already runs, from outside, unharmed: time and waiting. \
        duration_sec 0: what each thread does now.";
    const UNLISTED: &'static [&'static str] = &["blocks"];
    const RUNS_CODE: bool = true;
    const CORE: bool = false;

    type Params = Params;
    type Output = ProcessAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<ProcessAnswer, ToolError> {
        let wait_sec = params.wait_sec;
        let request = request(params)?;
        if request.duration.is_zero() {
            let dumped = server.jobs.recorder().dump_process(&request).await;
            let dump = dumped.map_err(|error| ToolError::from(&error))?;
            return super::aside(Self::NAME, move || ProcessAnswer::of_dump(&dump)).await;
        }
        // Before it waits for its turn.
        let found = server.jobs.recorder().find_process(&request).await;
        found.map_err(|error| ToolError::from(&error))?;
        Ok(ProcessAnswer::of_profile(run::look(server, request, wait_sec, call).await?))
    }
}

fn request(params: Params) -> Result<ProcessRequest, ToolError> {
    let which = match (params.pid, params.r#match) {
        (Some(pid), None) => Which::Pid(pid),
        (None, Some(text)) => Which::Match(text),
        _ => {
            return Err(ToolError::invalid_argument(
                "pid, match: exactly one of them names the process",
                "pass one, as {\"pid\":1234} or {\"match\":\"app.py\"}",
            ));
        }
    };
    let duration = run::seconds("duration_sec", params.duration_sec)?;
    let (rate_hz, subprocesses) = (params.rate_hz, params.subprocesses);
    let blocks = params.blocks.into_iter().map(Into::into).collect();
    Ok(ProcessRequest { duration, rate_hz, subprocesses, blocks, ..ProcessRequest::new(which) })
}
