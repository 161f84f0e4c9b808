//! `profile_script`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::run::{self, Surroundings};
use super::{Call, ToolSpec};
use crate::answer::ProfileAnswer;
use crate::recording::{Measure, RunRequest, Target};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct ProfileScript;

/// Parameters of `profile_script`.
#[expect(clippy::doc_markdown, reason = "these are sent to clients, where each byte counts")]
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Python file, or `-m package.module`.
    script_path: String,
    /// Arguments.
    args: Option<Vec<String>>,
    /// Report CPU time.
    #[serde(default = "run::yes")]
    cpu: bool,
    /// Profile memory; doubles the run time.
    #[serde(default = "run::yes")]
    memory: bool,
    /// Profile the GPU.
    #[serde(default)]
    gpu: bool,
    /// Report call paths.
    #[serde(default)]
    stacks: bool,
    /// Significant lines only.
    #[serde(default)]
    reduced_profile: bool,
    /// Only paths with one of these (a,b).
    #[serde(default)]
    profile_only: String,
    /// None with one of these.
    #[serde(default)]
    profile_exclude: String,
    /// Seconds between samples.
    #[serde(default = "run::default_sampling_rate")]
    cpu_sampling_rate: f64,
    /// Least percent of time listed.
    #[serde(default = "run::default_cpu_percent_threshold")]
    cpu_percent_threshold: f64,
    /// Fewest bytes listed.
    #[serde(default = "run::default_malloc_threshold")]
    malloc_threshold: u64,
    /// Report suspected leaks.
    #[serde(default = "run::yes")]
    memory_leak_detector: bool,
    /// CPU time only, no waiting.
    #[serde(default)]
    use_virtual_time: bool,
    /// Seconds until it is stopped.
    #[serde(default = "default_timeout")]
    timeout: f64,
    /// MiB at which it is stopped.
    max_memory_mb: Option<u64>,
    /// Interpreter, environment or version.
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
    /// Paths it may write then.
    #[serde(default)]
    writable: Vec<String>,
    /// Seconds until it answers `running`.
    #[serde(default = "run::default_wait_sec")]
    wait_sec: f64,
    /// Bytes between allocation samples.
    allocation_sampling_window: Option<u64>,
    /// Profile libraries too.
    #[serde(default)]
    profile_all: bool,
    /// Count calls (one more run).
    #[serde(default)]
    count_calls: bool,
    /// Time a run without profiler.
    #[serde(default)]
    plain_run: bool,
    /// Mean of 1 to 10 runs.
    #[serde(default = "run::one")]
    repeat: usize,
    /// Tell await time apart.
    async_profile: Option<bool>,
    /// {name, function} or {name, file, start_line, end_line}.
    #[serde(default)]
    #[schemars(with = "Vec<serde_json::Map<String, serde_json::Value>>")]
    blocks: Vec<run::Block>,
    /// Sampler: no install, time only.
    #[serde(default)]
    engine: run::Engine,
    /// Profile so long, then stop it.
    duration_sec: Option<f64>,
    /// Skip its first seconds.
    delay_sec: Option<f64>,
    /// port:8000, output:TEXT or seconds.
    ready: Option<String>,
    /// Command run once ready; then it stops.
    drive: Option<Vec<String>>,
}

const fn default_timeout() -> f64 {
    120.0
}

impl ToolSpec for ProfileScript {
    const NAME: &'static str = "profile_script";
    const TITLE: &'static str = "Profile a script";
    const DESCRIPTION: &'static str = "Runs a Python script under the Scalene profiler and says which lines take the time and the \
        memory. Use it first when code is slow or hungry. Returns hot lines with source, exit code, \
        output, a profile_id; after wait_sec `running`: get_profile waits on.";
    const UNLISTED: &'static [&'static str] = &[
        "allocation_sampling_window",
        "max_memory_mb",
        "writable",
        "plain_run",
        "async_profile",
        "delay_sec",
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
    let mut request = RunRequest::new(Target::typed(&params.script_path));
    request.args = params.args.unwrap_or_default();
    request.measure = Measure {
        cpu: params.cpu,
        memory: params.memory,
        gpu: params.gpu,
        stacks: params.stacks,
        async_profile: params.async_profile,
        reduced_profile: params.reduced_profile,
        profile_only: params.profile_only,
        profile_exclude: params.profile_exclude,
        profile_all: params.profile_all,
        cpu_sampling_rate: params.cpu_sampling_rate,
        cpu_percent_threshold: params.cpu_percent_threshold,
        malloc_threshold: params.malloc_threshold,
        memory_leak_detector: params.memory_leak_detector,
        use_virtual_time: params.use_virtual_time,
        allocation_sampling_window: params.allocation_sampling_window,
        count_calls: params.count_calls,
        plain_run: params.plain_run,
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
