//! What both profiling tools share: common parameters, starting a run, waiting for it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, aside};
use crate::answer::{ProfileAnswer, SoFar, running};
use crate::recording::{BlockSpec, EngineChoice, ProcessRequest, RunRequest, Window};
use crate::sandbox::Mode;
use crate::server::Server;
use crate::server::error::ToolError;
use crate::server::jobs::{Job, Phase};

/// Longest time that a call may wait: clients give up at 60 s.
const LONGEST_WAIT_SEC: f64 = 3600.0;
/// Longer than any run.
const NO_END: Duration = Duration::from_secs(7 * 24 * 3600);

/// Seconds that a profiling call waits before it answers with a handle.
pub(super) const fn default_wait_sec() -> f64 {
    45.0
}

pub(super) const fn default_sampling_rate() -> f64 {
    0.01
}

pub(super) const fn default_cpu_percent_threshold() -> f64 {
    1.0
}

pub(super) const fn default_malloc_threshold() -> u64 {
    100
}

pub(super) const fn one() -> usize {
    1
}

pub(super) const fn yes() -> bool {
    true
}

/// How far a program is confined, as both tools take it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Sandbox {
    Off,
    Writes,
    Strict,
}

impl Sandbox {
    fn mode(self) -> Mode {
        match self {
            Self::Off => Mode::Off,
            Self::Writes => Mode::Writes,
            Self::Strict => Mode::Strict,
        }
    }
}

// A named part of the program; a doc comment would be sent to clients.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Block {
    name: String,
    /// Default: the program's.
    file: Option<String>,
    start_line: Option<u32>,
    end_line: Option<u32>,
    /// Instead of lines.
    function: Option<String>,
}

impl From<Block> for BlockSpec {
    fn from(block: Block) -> Self {
        let Block { name, file, start_line, end_line, function } = block;
        Self { name, file, start_line, end_line, function }
    }
}

/// Who measures, as all profiling tools take it.
#[derive(Debug, Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Engine {
    #[default]
    Auto,
    Scalene,
    Sampler,
}

impl Engine {
    fn choice(self) -> EngineChoice {
        match self {
            Self::Auto => EngineChoice::Auto,
            Self::Scalene => EngineChoice::Scalene,
            Self::Sampler => EngineChoice::Sampler,
        }
    }
}

/// The program's surroundings, as both tools take them.
pub(super) struct Surroundings {
    pub(super) python: Option<String>,
    pub(super) cwd: Option<String>,
    pub(super) env: BTreeMap<String, String>,
    pub(super) stdin: Option<String>,
    pub(super) sandbox: Option<Sandbox>,
    pub(super) writable: Vec<String>,
    pub(super) timeout: f64,
    pub(super) max_memory_mb: Option<u64>,
    pub(super) repeat: usize,
    pub(super) engine: Engine,
}

impl Surroundings {
    pub(super) fn apply(self, request: &mut RunRequest) -> Result<(), ToolError> {
        request.python = self.python;
        request.cwd = self.cwd.map(PathBuf::from);
        request.env = self.env.into_iter().collect();
        request.stdin = self.stdin;
        request.sandbox = self.sandbox.map(Sandbox::mode);
        request.writable = self.writable.into_iter().map(PathBuf::from).collect();
        request.timeout = seconds("timeout", self.timeout)?;
        request.max_memory_mb = self.max_memory_mb;
        request.repeat = self.repeat;
        request.engine = self.engine.choice();
        Ok(())
    }
}

/// The part of the run that is profiled.
pub(super) fn window(
    duration_sec: Option<f64>,
    delay_sec: Option<f64>,
    ready: Option<String>,
    drive: Option<Vec<String>>,
) -> Result<Window, ToolError> {
    let ready = ready.map(|ready| {
        ready.parse().map_err(|problem| {
            ToolError::invalid_argument(format!("ready: {problem}"), "correct it and call again")
        })
    });
    if drive.as_ref().is_some_and(Vec::is_empty) {
        return Err(ToolError::invalid_argument(
            "drive: the list is empty".to_owned(),
            "name a program and its arguments, as [\"python\",\"load.py\"], or leave it out",
        ));
    }
    Ok(Window {
        delay: delay_sec.map_or(Ok(Duration::ZERO), |delay| seconds("delay_sec", delay))?,
        duration: duration_sec.map(|duration| seconds("duration_sec", duration)).transpose()?,
        ready: ready.transpose()?,
        drive: drive.unwrap_or_default(),
    })
}

pub(super) fn seconds(name: &str, value: f64) -> Result<Duration, ToolError> {
    let limit = 24.0 * 3600.0;
    if !(0.0..=limit).contains(&value) {
        return Err(ToolError::invalid_argument(
            format!("{name}: {value} is outside 0 to {limit} seconds"),
            "correct it and call again",
        ));
    }
    Ok(Duration::from_secs_f64(value))
}

/// Starts a run and answers with its profile, or with a handle when it takes longer.
pub(super) async fn start(
    server: &Server,
    mut request: RunRequest,
    wait_sec: f64,
    call: Call,
) -> Result<ProfileAnswer, ToolError> {
    seconds("wait_sec", wait_sec)?;
    call.roots.settle(&mut request, server.jobs.guard()).await;
    call.answers.apply(&mut request, call.can_ask);
    let job = server.jobs.start(request);
    wait(server, &job, wait_sec, call, true).await
}

/// The same for a look at a process.
pub(super) async fn look(
    server: &Server,
    request: ProcessRequest,
    wait_sec: f64,
    call: Call,
) -> Result<ProfileAnswer, ToolError> {
    seconds("wait_sec", wait_sec)?;
    let job = server.jobs.start(request);
    wait(server, &job, wait_sec, call, true).await
}

impl Call {
    /// How long it waits.
    pub(super) fn patience(&self, wait_sec: f64) -> Result<Duration, ToolError> {
        if self.to_the_end {
            return Ok(NO_END);
        }
        seconds("wait_sec", wait_sec.min(LONGEST_WAIT_SEC))
    }
}

/// Waits for a run and answers with its profile, or with a handle.
pub(super) async fn wait(
    server: &Server,
    job: &Job,
    wait_sec: f64,
    mut call: Call,
    owns: bool,
) -> Result<ProfileAnswer, ToolError> {
    let patience = call.patience(wait_sec)?;
    let phase = server.jobs.wait(job, patience, &call.taken_back, owns, &mut call.progress).await?;
    match phase {
        Phase::Done(Ok(profile)) => aside("profiling", move || ProfileAnswer::new(&profile)).await,
        Phase::Done(Err(error)) => Err(ToolError::from(&*error)),
        Phase::Lost => Err(ToolError::internal("profiling")),
        unfinished => Ok(so_far(server, job, &unfinished)),
    }
}

/// The handle of a run that has not ended, with what is known of it.
pub(in crate::server) fn so_far(server: &Server, job: &Job, phase: &Phase) -> ProfileAnswer {
    let Phase::Running(tick, interim) = phase else {
        return running(job.id.as_str(), &job.label, &server.jobs.describe(job), SoFar::default());
    };
    let so_far = SoFar {
        elapsed_sec: tick.map(|tick| tick.elapsed.as_secs_f64()),
        resident_bytes: tick.and_then(|tick| tick.resident_bytes),
        interim: interim.as_deref(),
    };
    running(job.id.as_str(), &job.label, &job.nth("running"), so_far)
}
