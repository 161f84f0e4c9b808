//! `profile_function`.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::run::{self, Surroundings};
use super::{Call, ToolSpec};
use crate::answer::ProfileAnswer;
use crate::recording::{FunctionCall, Measure, RunRequest, Target};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct ProfileFunction;

/// Parameters of `profile_function`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// `pkg.mod:function` or `file.py:Class.method`.
    target: String,
    /// Arguments by position.
    #[serde(default)]
    #[schemars(schema_with = "any_values")]
    args: Vec<Value>,
    /// Arguments by name.
    #[serde(default)]
    kwargs: Map<String, Value>,
    /// Instead of both: an expression.
    call: Option<String>,
    /// Code before.
    setup: Option<String>,
    /// Code before each call, not measured.
    setup_each: Option<String>,
    /// Seconds of calls.
    #[serde(default = "default_min_time")]
    min_time_sec: f64,
    /// Profile memory.
    #[serde(default = "run::yes")]
    memory: bool,
    /// Limit of each of the two runs.
    #[serde(default = "default_timeout")]
    timeout: f64,
    /// Interpreter.
    python: Option<String>,
    /// Working directory.
    cwd: Option<String>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Confine it.
    sandbox: Option<run::Sandbox>,
    /// See profile_script.
    #[expect(clippy::doc_markdown, reason = "this is sent to clients, where each byte counts")]
    #[serde(default = "run::default_wait_sec")]
    wait_sec: f64,
    /// Named parts.
    #[serde(default)]
    blocks: Vec<run::Block>,
    /// Report call paths.
    #[serde(default)]
    stacks: bool,
    /// Profile libraries too.
    #[serde(default)]
    profile_all: bool,
    /// MiB at which it is stopped.
    max_memory_mb: Option<u64>,
    /// Paths it may write when confined.
    #[serde(default)]
    writable: Vec<String>,
}

/// A list of whatever JSON has; an item without a type is none to strict readers of schemas.
fn any_values(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "array"})
}

const fn default_timeout() -> f64 {
    120.0
}

const fn default_min_time() -> f64 {
    FunctionCall::MIN_TIME_SEC
}

impl ToolSpec for ProfileFunction {
    const NAME: &'static str = "profile_function";
    const TITLE: &'static str = "Profile one function";
    const DESCRIPTION: &'static str = "Calls one function again and again: time of a call without a profiler (per_call), and a profile \
        of it. Takes options of profile_script, too: python, cwd, ...";
    const UNLISTED: &'static [&'static str] = &[
        "memory",
        "timeout",
        "python",
        "cwd",
        "env",
        "sandbox",
        "wait_sec",
        "blocks",
        "stacks",
        "profile_all",
        "max_memory_mb",
        "writable",
    ];
    const RUNS_CODE: bool = true;
    const CORE: bool = false;

    type Params = Params;
    type Output = ProfileAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<ProfileAnswer, ToolError> {
        let wait_sec = params.wait_sec;
        run::start(server, request(params)?, wait_sec, call).await
    }
}

fn request(params: Params) -> Result<RunRequest, ToolError> {
    let usual = params.min_time_sec.to_bits() == default_min_time().to_bits();
    let min_time = run::seconds("min_time_sec", params.min_time_sec)?;
    let call = FunctionCall {
        target: params.target,
        args: params.args,
        kwargs: params.kwargs,
        call: params.call,
        setup: params.setup,
        setup_each: params.setup_each,
        min_time: (!usual).then_some(min_time).or(None::<Duration>),
    };
    let mut request = RunRequest::new(Target::Function(Box::new(call)));
    request.measure = Measure {
        memory: params.memory,
        stacks: params.stacks,
        profile_all: params.profile_all,
        ..Measure::default()
    };
    request.blocks = params.blocks.into_iter().map(Into::into).collect();
    let surroundings = Surroundings {
        python: params.python,
        cwd: params.cwd,
        env: params.env,
        stdin: None,
        sandbox: params.sandbox,
        writable: params.writable,
        timeout: params.timeout,
        max_memory_mb: params.max_memory_mb,
        repeat: 1,
        engine: run::Engine::default(),
    };
    surroundings.apply(&mut request)?;
    Ok(request)
}
