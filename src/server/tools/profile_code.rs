//! `profile_code`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::run::{self, Surroundings};
use super::{Call, ToolSpec};
use crate::answer::ProfileAnswer;
use crate::recording::{Measure, RunRequest, Target};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct ProfileCode;

/// Parameters of `profile_code`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Python source; imports from `cwd`, like `python -c`.
    code: String,
    /// Report CPU time.
    #[serde(default = "run::yes")]
    cpu: bool,
    /// Profile memory.
    #[serde(default = "run::yes")]
    memory: bool,
    /// Profile the GPU.
    #[serde(default)]
    gpu: bool,
    /// Report call paths.
    #[serde(default)]
    stacks: bool,
    /// As of a script.
    #[serde(default)]
    reduced_profile: bool,
    /// As of a script.
    #[serde(default = "run::default_cpu_percent_threshold")]
    cpu_percent_threshold: f64,
    /// As of a script.
    #[serde(default = "run::default_malloc_threshold")]
    malloc_threshold: u64,
    /// Seconds until it is stopped.
    #[serde(default = "default_timeout")]
    timeout: f64,
    /// MiB at which it is stopped.
    max_memory_mb: Option<u64>,
    /// As of a script.
    python: Option<String>,
    /// Working directory.
    cwd: Option<String>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Text for stdin.
    stdin: Option<String>,
    /// Confine the program.
    sandbox: Option<run::Sandbox>,
    /// As of a script.
    #[serde(default)]
    writable: Vec<String>,
    /// As of a script.
    #[serde(default = "run::default_wait_sec")]
    wait_sec: f64,
    /// As of a script.
    allocation_sampling_window: Option<u64>,
    /// Profile libraries too.
    #[serde(default)]
    profile_all: bool,
    /// As of a script.
    #[serde(default)]
    count_calls: bool,
    /// As of a script.
    #[serde(default)]
    plain_run: bool,
    /// Mean of 1 to 10 runs.
    #[serde(default = "run::one")]
    repeat: usize,
    /// Tell await time apart.
    async_profile: Option<bool>,
    /// As of a script.
    #[serde(default)]
    blocks: Vec<run::Block>,
    #[serde(default)]
    engine: run::Engine,
    /// As of a script.
    duration_sec: Option<f64>,
    /// As of a script.
    delay_sec: Option<f64>,
    /// As of a script.
    ready: Option<String>,
    /// As of a script.
    drive: Option<Vec<String>>,
}

const fn default_timeout() -> f64 {
    60.0
}

impl ToolSpec for ProfileCode {
    const NAME: &'static str = "profile_code";
    const TITLE: &'static str = "Profile a snippet";
    const DESCRIPTION: &'static str = "Like profile_script, for Python source given as text. Give it a second of work. Takes the other \
        options of profile_script, too: python, cwd, env, stdin, repeat, ...";
    const UNLISTED: &'static [&'static str] = &[
        "max_memory_mb",
        "python",
        "cwd",
        "sandbox",
        "wait_sec",
        "env",
        "stdin",
        "writable",
        "allocation_sampling_window",
        "profile_all",
        "count_calls",
        "plain_run",
        "repeat",
        "async_profile",
        "blocks",
        "duration_sec",
        "delay_sec",
        "ready",
        "drive",
    ];
    const RUNS_CODE: bool = true;

    type Params = Params;
    type Output = ProfileAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<ProfileAnswer, ToolError> {
        let wait_sec = params.wait_sec;
        run::start(server, request(params)?, wait_sec, call).await
    }
}

fn request(params: Params) -> Result<RunRequest, ToolError> {
    let mut request = RunRequest::new(Target::Snippet(params.code));
    request.measure = Measure {
        cpu: params.cpu,
        memory: params.memory,
        gpu: params.gpu,
        stacks: params.stacks,
        async_profile: params.async_profile,
        reduced_profile: params.reduced_profile,
        profile_all: params.profile_all,
        cpu_percent_threshold: params.cpu_percent_threshold,
        malloc_threshold: params.malloc_threshold,
        allocation_sampling_window: params.allocation_sampling_window,
        count_calls: params.count_calls,
        plain_run: params.plain_run,
        ..Measure::default()
    };
    let surroundings = Surroundings {
        python: params.python,
        cwd: params.cwd,
        env: params.env,
        stdin: params.stdin,
        sandbox: params.sandbox,
        writable: params.writable,
        timeout: params.timeout,
        max_memory_mb: params.max_memory_mb,
        repeat: params.repeat,
        engine: params.engine,
    };
    surroundings.apply(&mut request)?;
    request.blocks = params.blocks.into_iter().map(Into::into).collect();
    request.window =
        run::window(params.duration_sec, params.delay_sec, params.ready, params.drive)?;
    Ok(request)
}
