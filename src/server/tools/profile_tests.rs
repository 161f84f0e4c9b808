//! `profile_tests`.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::run::{self, Surroundings};
use super::{Call, ToolSpec};
use crate::answer::ProfileAnswer;
use crate::recording::{Measure, RunRequest, Tests};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct ProfileTests;

/// Parameters of `profile_tests`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Paths or node ids; unittest: dotted names.
    #[serde(default)]
    selector: Vec<String>,
    /// As after -k.
    keyword: Option<String>,
    /// More pytest arguments.
    #[serde(default)]
    args: Vec<String>,
    /// Profile memory.
    #[serde(default)]
    memory: bool,
    /// Report call paths.
    #[serde(default)]
    stacks: bool,
    /// Seconds until they are stopped.
    #[serde(default = "default_timeout")]
    timeout: f64,
    /// MiB at which they are stopped.
    max_memory_mb: Option<u64>,
    /// Interpreter, environment or version.
    python: Option<String>,
    /// Working directory.
    cwd: Option<String>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Confine the tests.
    sandbox: Option<run::Sandbox>,
    /// Paths they may write then.
    #[serde(default)]
    writable: Vec<String>,
    /// Seconds until it answers `running`.
    #[serde(default = "run::default_wait_sec")]
    wait_sec: f64,
    /// Named parts.
    #[serde(default)]
    blocks: Vec<run::Block>,
    /// Profile libraries too.
    #[serde(default)]
    profile_all: bool,
    /// Mean of 1 to 10 runs.
    #[serde(default = "run::one")]
    repeat: usize,
    /// Sampler: no install, time only.
    #[serde(default)]
    engine: run::Engine,
}

const fn default_timeout() -> f64 {
    300.0
}

impl ToolSpec for ProfileTests {
    const NAME: &'static str = "profile_tests";
    const TITLE: &'static str = "Profile tests";
    const DESCRIPTION: &'static str = "Runs tests (pytest, unittest): outcome and cost of each, fixtures, collection, hot lines of the \
        project. Quick ones are repeated. Takes options of profile_script, too: python, cwd, ...";
    const UNLISTED: &'static [&'static str] = &[
        "memory",
        "python",
        "cwd",
        "wait_sec",
        "stacks",
        "max_memory_mb",
        "env",
        "sandbox",
        "writable",
        "profile_all",
        "repeat",
        "engine",
        "blocks",
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
    let mut request = RunRequest::of_tests(Tests {
        selector: params.selector,
        keyword: params.keyword,
        args: params.args,
    });
    request.measure = Measure {
        memory: params.memory,
        stacks: params.stacks,
        profile_all: params.profile_all,
        ..request.measure
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
        repeat: params.repeat,
        engine: params.engine,
    };
    surroundings.apply(&mut request)?;
    Ok(request)
}
