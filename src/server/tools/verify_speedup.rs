//! `verify_speedup`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Call, ToolSpec, aside, run};
use crate::answer::VerifyAnswer;
use crate::profile::{Profile, ProgramKind};
use crate::recording::{RunRequest, Target};
use crate::server::Server;
use crate::server::error::ToolError;
use crate::server::jobs::{Phase, Verifying};
use crate::verify::{Origin, Verification, VerifyRequest};

pub(super) struct VerifySpeedup;

/// Parameters of `verify_speedup`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Old script.
    baseline_path: Option<String>,
    /// New script.
    candidate_path: Option<String>,
    /// Old source.
    baseline_code: Option<String>,
    /// New source.
    candidate_code: Option<String>,
    /// Script of *_rev.
    script_path: Option<String>,
    /// Git revision.
    baseline_rev: Option<String>,
    /// Default: files now.
    candidate_rev: Option<String>,
    /// Stored sources.
    baseline_profile_id: Option<String>,
    /// Arguments.
    args: Option<Vec<String>>,
    /// Compared, too.
    #[serde(default)]
    args_variants: Vec<Vec<String>>,
    /// Not stdout: `=expression` or command.
    check: Option<String>,
    /// For floats in stdout.
    float_tolerance: Option<f64>,
    /// What matters (0.03).
    min_effect: Option<f64>,
    /// All runs (40).
    budget_sec: Option<f64>,
    /// One run (120).
    timeout: Option<f64>,
    /// Interpreter.
    python: Option<String>,
    /// Directory.
    cwd: Option<String>,
    /// Variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Input text.
    stdin: Option<String>,
    /// Of the order.
    seed: Option<u64>,
    /// Default 45.
    wait_sec: Option<f64>,
    /// Wait for it.
    verification_id: Option<String>,
}

impl Params {
    /// What was given, to be given again.
    fn given(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut all)) = serde_json::to_value(self) else { return Map::new() };
        all.retain(|name, value| {
            let is_empty = match value {
                Value::Null => true,
                Value::Array(items) => items.is_empty(),
                Value::Object(members) => members.is_empty(),
                _ => false,
            };
            !is_empty && name != "wait_sec"
        });
        all
    }
}

impl ToolSpec for VerifySpeedup {
    const NAME: &'static str = "verify_speedup";
    const TITLE: &'static str = "Is it really faster?";
    const DESCRIPTION: &'static str = "Runs two versions in turns without a profiler: same work, and faster? With a 95 % interval. Use \
        it after every optimisation. Takes options of profile_script, too: args, python, cwd, ...";
    const UNLISTED: &'static [&'static str] = &[
        "seed",
        "float_tolerance",
        "args_variants",
        "args",
        "python",
        "cwd",
        "env",
        "stdin",
        "timeout",
        "wait_sec",
    ];
    const CORE: bool = false;
    const RUNS_CODE: bool = true;

    type Params = Params;
    type Output = VerifyAnswer;

    async fn call(server: &Server, params: Params, call: Call) -> Result<VerifyAnswer, ToolError> {
        let wait_sec = params.wait_sec.unwrap_or_else(run::default_wait_sec);
        run::seconds("wait_sec", wait_sec)?;
        if let Some(id) = &params.verification_id {
            let job = server.jobs.verification(id).ok_or_else(|| unknown(server, id))?;
            return wait(server, &job, wait_sec, call, false).await;
        }
        let profile = match params.baseline_profile_id.clone() {
            Some(id) => {
                let store = Arc::clone(&server.store);
                Some(aside(Self::NAME, move || store.get(&id)).await??)
            }
            None => None,
        };
        let job = server.jobs.start_verification(request(server, params, profile.as_ref())?);
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
    let patience = call.patience(wait_sec)?;
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

fn request(
    server: &Server,
    params: Params,
    profile: Option<&Arc<Profile>>,
) -> Result<VerifyRequest, ToolError> {
    let parameters = params.given();
    let baseline = only(
        "baseline",
        [
            params.baseline_path.map(Origin::Path),
            params.baseline_code.map(Origin::Code),
            params.baseline_rev.map(Origin::Revision),
            profile.cloned().map(Origin::Profile),
        ],
    )?;
    let script = match profile {
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
    let mut run = profile.map_or_else(fresh, |profile| run_of(server, profile));
    run.args = params.args.unwrap_or(run.args);
    run.python = params.python.or(run.python);
    run.cwd = params.cwd.map(PathBuf::from).or(run.cwd);
    if !params.env.is_empty() {
        run.env = params.env.into_iter().collect();
    }
    run.stdin = params.stdin.or(run.stdin);
    if let Some(timeout) = params.timeout {
        run.timeout = run::seconds("timeout", timeout)?;
    }
    let usual = VerifyRequest::new(baseline, candidate);
    let budget = params.budget_sec.map(|budget| run::seconds("budget_sec", budget)).transpose()?;
    Ok(VerifyRequest {
        script,
        run,
        args_variants: params.args_variants,
        budget: budget.unwrap_or(usual.budget),
        min_effect: params.min_effect.unwrap_or(usual.min_effect),
        check: params.check,
        float_tolerance: params.float_tolerance,
        seed: params.seed,
        parameters,
        ..usual
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
    let text = match profile.program.kind {
        ProgramKind::Snippet => Some("a snippet"),
        ProgramKind::Function => Some("a function"),
        _ => None,
    };
    if let Some(what) = text {
        return Err(ToolError::invalid_argument(
            format!("baseline_profile_id: profile {} is of {what}", profile.id),
            "give both versions as `baseline_code` and `candidate_code`",
        ));
    }
    let partly = if profile.program.kind == ProgramKind::Process {
        Some("of a running process")
    } else if profile.tests.is_some() {
        Some("of tests")
    } else {
        profile.covered.as_ref().map(|_| "of a part of a run")
    };
    if let Some(what) = partly {
        return Err(ToolError::invalid_argument(
            format!("baseline_profile_id: profile {} is {what}", profile.id),
            "compare programs that come to their own end: a script that does the work that was slow",
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
