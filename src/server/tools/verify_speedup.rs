//! `verify_speedup`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Call, ToolSpec, run};
use crate::answer::VerifyAnswer;
use crate::profile::{Profile, ProgramKind};
use crate::recording::{RunRequest, Target};
use crate::server::Server;
use crate::server::error::ToolError;
use crate::server::jobs::{Phase, Verifying};
use crate::verify::{Origin, Verification, VerifyRequest};

/// Longest time that a call may wait.
const LONGEST_WAIT_SEC: f64 = 3600.0;

pub(super) struct VerifySpeedup;

/// Parameters of `verify_speedup`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Old file.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_path: Option<String>,
    /// New file.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_path: Option<String>,
    /// Old code.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_code: Option<String>,
    /// New code.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_code: Option<String>,
    /// Script of *_rev; as it is now unless candidate_rev.
    #[serde(skip_serializing_if = "Option::is_none")]
    script_path: Option<String>,
    /// Git revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_rev: Option<String>,
    /// Git revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    candidate_rev: Option<String>,
    /// Its sources are the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_profile_id: Option<String>,
    /// Arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Vec<String>>,
    /// More args to compare output with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    args_variants: Vec<Vec<String>>,
    /// Instead of stdout: `=expression` or command reading stdout.
    #[serde(skip_serializing_if = "Option::is_none")]
    check: Option<String>,
    /// Let floats in stdout differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    float_tolerance: Option<f64>,
    /// Change that matters.
    #[serde(default = "default_min_effect", skip_serializing_if = "is_default_min_effect")]
    min_effect: f64,
    /// For all runs.
    #[serde(default = "default_budget", skip_serializing_if = "is_default_budget")]
    budget_sec: f64,
    /// Per run, seconds.
    #[serde(default = "default_timeout", skip_serializing_if = "is_default_timeout")]
    timeout: f64,
    /// As profile_script.
    #[serde(skip_serializing_if = "Option::is_none")]
    python: Option<String>,
    /// As profile_script.
    #[serde(skip_serializing_if = "Option::is_none")]
    cwd: Option<String>,
    /// Variables.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    env: BTreeMap<String, String>,
    /// Text for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    stdin: Option<String>,
    /// For the order.
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    /// As profile_script.
    #[serde(default = "run::default_wait_sec", skip_serializing)]
    wait_sec: f64,
    /// Wait for that one.
    #[serde(skip_serializing)]
    verification_id: Option<String>,
}

const fn default_min_effect() -> f64 {
    0.03
}

const fn default_budget() -> f64 {
    40.0
}

const fn default_timeout() -> f64 {
    120.0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_min_effect(value: &f64) -> bool {
    *value == default_min_effect()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_budget(value: &f64) -> bool {
    *value == default_budget()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_default_timeout(value: &f64) -> bool {
    *value == default_timeout()
}

impl ToolSpec for VerifySpeedup {
    const NAME: &'static str = "verify_speedup";
    const TITLE: &'static str = "Is it really faster?";
    const DESCRIPTION: &'static str = "Runs two versions in turns without a profiler, says whether the new one does \
        the same work and is faster, with a 95 % interval. Use it after every optimisation. Give a pair of paths, \
        codes or revisions.";
    const RUNS_CODE: bool = true;

    type Params = Params;
    type Output = VerifyAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<VerifyAnswer, ToolError> {
        let wait_sec = params.wait_sec;
        run::seconds("wait_sec", wait_sec)?;
        if let Some(id) = &params.verification_id {
            let job = server.jobs.verification(id).ok_or_else(|| unknown(server, id))?;
            return wait(server, &job, wait_sec, call, false).await;
        }
        let job = server.jobs.start_verification(request(server, params)?);
        wait(server, &job, wait_sec, call, true).await
    }
}

fn unknown(server: &Server, id: &str) -> ToolError {
    let known = server.jobs.verification_ids();
    let known = known.iter().take(5).cloned().collect::<Vec<_>>().join(", ");
    let known = if known.is_empty() { "none".to_owned() } else { known };
    ToolError::new(
        "verification_not_found",
        format!("verification `{id}` not found (known: {known})"),
        "start one without verification_id",
    )
}

/// Waits for a verification and answers with its verdict, or with a handle.
pub(super) async fn wait(
    server: &Server,
    job: &Verifying,
    wait_sec: f64,
    mut call: Call,
    owns: bool,
) -> Result<VerifyAnswer, ToolError> {
    let patience = run::seconds("wait_sec", wait_sec.min(LONGEST_WAIT_SEC))?;
    let phase: Phase<Arc<Verification>> =
        server.jobs.wait(job, patience, &call.taken_back, owns, &mut call.progress).await?;
    match phase {
        Phase::Done(Ok(found)) => Ok(VerifyAnswer::new(&job.id, &found)),
        Phase::Done(Err(error)) => Err(ToolError::from(&*error)),
        Phase::Lost => Err(ToolError::internal("verifying")),
        Phase::Comparing(so_far) => {
            let phase = server.jobs.describe(job);
            Ok(VerifyAnswer::running(&job.id, &job.label, &phase, Some(&so_far)))
        }
        _ => {
            let phase = server.jobs.describe(job);
            Ok(VerifyAnswer::running(&job.id, &job.label, &phase, None))
        }
    }
}

fn request(server: &Server, params: Params) -> Result<VerifyRequest, ToolError> {
    let parameters = match serde_json::to_value(&params) {
        Ok(Value::Object(parameters)) => parameters,
        _ => Map::new(),
    };
    let profile = match &params.baseline_profile_id {
        Some(id) => Some(server.store.get(id)?),
        None => None,
    };
    let baseline = only(
        "baseline",
        [
            params.baseline_path.map(Origin::Path),
            params.baseline_code.map(Origin::Code),
            params.baseline_rev.map(Origin::Revision),
            profile.clone().map(Origin::Profile),
        ],
    )?;
    let script = match &profile {
        Some(profile) => Some(params.script_path.map_or_else(|| script_of(profile), Ok)?),
        None => params.script_path,
    };
    let baseline = baseline.ok_or_else(|| missing("baseline"))?;
    let candidate = only(
        "candidate",
        [
            params.candidate_path.map(Origin::Path),
            params.candidate_code.map(Origin::Code),
            params.candidate_rev.map(Origin::Revision),
        ],
    )?;
    // The files as they are now.
    let candidate = candidate.or_else(|| script.clone().map(Origin::Path));
    let candidate = candidate.ok_or_else(|| missing("candidate"))?;
    let mut run = profile.as_ref().map_or_else(fresh, |profile| run_of(server, profile));
    run.args = params.args.unwrap_or(run.args);
    run.python = params.python.or(run.python);
    run.cwd = params.cwd.map(PathBuf::from).or(run.cwd);
    if !params.env.is_empty() {
        run.env = params.env.into_iter().collect();
    }
    run.stdin = params.stdin.or(run.stdin);
    run.timeout = run::seconds("timeout", params.timeout)?;
    Ok(VerifyRequest {
        script,
        run,
        args_variants: params.args_variants,
        budget: run::seconds("budget_sec", params.budget_sec)?,
        min_effect: params.min_effect,
        check: params.check,
        float_tolerance: params.float_tolerance,
        seed: params.seed,
        parameters,
        ..VerifyRequest::new(baseline, candidate)
    })
}

fn missing(side: &str) -> ToolError {
    let profile = if side == "baseline" { ", `baseline_profile_id`" } else { "" };
    ToolError::invalid_argument(
        format!("there is no {side}"),
        format!(
            "give `{side}_path`, `{side}_code`{profile}, or `script_path` with `{side}_rev` and call again"
        ),
    )
}

/// The one that is given; several are too many.
fn only<const N: usize>(
    side: &str,
    origins: [Option<Origin>; N],
) -> Result<Option<Origin>, ToolError> {
    let mut given = origins.into_iter().flatten();
    let first = given.next();
    match given.next() {
        None => Ok(first),
        Some(_) => Err(ToolError::invalid_argument(
            format!("{side}: several are given"),
            format!("give one {side} only and call again"),
        )),
    }
}

fn script_of(profile: &Profile) -> Result<String, ToolError> {
    if profile.program.kind == ProgramKind::Snippet {
        return Err(ToolError::invalid_argument(
            format!("baseline_profile_id: profile {} is of a snippet", profile.id),
            "give both versions as `baseline_code` and `candidate_code`",
        ));
    }
    Ok(profile.script_argument())
}

fn fresh() -> RunRequest {
    RunRequest::new(Target::Script(String::new()))
}

/// How the program of a profile was run, as far as it is known.
fn run_of(server: &Server, profile: &Profile) -> RunRequest {
    let known = server.jobs.request(&profile.id);
    let mut run = known.unwrap_or_else(|| {
        let args = profile.program.args.clone();
        RunRequest { args, ..fresh() }
    });
    if run.cwd.is_none() && profile.run.cwd.is_dir() {
        run.cwd = Some(profile.run.cwd.clone());
    }
    run
}
