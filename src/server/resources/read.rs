//! What is behind a URI.

use std::sync::Arc;

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, ResourceContents};
use serde_json::{Value, json};

use super::address::{Address, View, decoded};
use crate::answer::{OutputInfo, ProfileAnswer, annotated_source};
use crate::process::Captured;
use crate::profile::{Output, Profile};
use crate::recording::RecordError;
use crate::server::Server;
use crate::server::jobs::{Job, Phase};
use crate::server::tools;

/// Reads a resource. May take long: a profile may be large.
pub(in crate::server) fn read(server: &Server, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let unknown = |why: String| ErrorData::resource_not_found(why, Some(json!({ "uri": uri })));
    let address = Address::parse(uri).map_err(unknown)?;
    let text = text(server, &address).map_err(unknown)?;
    let contents = ResourceContents::text(text, uri).with_mime_type(address.view.mime_type());
    Ok(ReadResourceResult::new(vec![contents]))
}

fn text(server: &Server, address: &Address<'_>) -> Result<String, String> {
    let Some(job) = server.jobs.get(&address.name) else {
        let profile = server.store.get(&address.name).map_err(|error| error.to_string())?;
        return of_profile(&profile, &address.view);
    };
    match job.phase() {
        Phase::Done(Ok(profile)) => of_profile(&profile, &address.view),
        Phase::Done(Err(error)) => of_failure(&job, &error, &address.view),
        Phase::Lost => Err(format!("the run `{}` was lost by a bug of scalene-mcp", job.id)),
        phase => of_run(server, &job, &phase, &address.view),
    }
}

fn of_profile(profile: &Arc<Profile>, view: &View<'_>) -> Result<String, String> {
    match view {
        View::Whole => Ok(json!(ProfileAnswer::whole(profile)).to_string()),
        View::Output if profile.run.environment.is_none() => Err(format!(
            "profile {} was loaded from a file, which does not hold the program's output",
            profile.id
        )),
        View::Output => Ok(output(&profile.run.stdout, &profile.run.stderr).to_string()),
        View::Raw => raw(profile),
        View::Source(path) => source(profile, &decoded(path)?),
    }
}

fn output(stdout: &Output, stderr: &Output) -> Value {
    json!({ "stdout": OutputInfo::whole(stdout), "stderr": OutputInfo::whole(stderr) })
}

fn raw(profile: &Profile) -> Result<String, String> {
    let raw = profile.raw.as_ref().ok_or_else(|| {
        let why = if profile.repeats.is_some() {
            "it is the mean of several runs, each of which had one"
        } else {
            "Scalene left none, or it is larger than 16 MiB or no UTF-8, or an older scalene-mcp stored the profile"
        };
        format!("profile {} has no document of Scalene: {why}", profile.id)
    })?;
    raw.text().map_err(|error| error.to_string())
}

fn source(profile: &Profile, path: &str) -> Result<String, String> {
    let file = tools::file(profile, path).map_err(|error| error.what().to_owned())?;
    Ok(annotated_source(profile, file))
}

/// What a run without a profile left.
fn of_failure(job: &Job, error: &RecordError, view: &View<'_>) -> Result<String, String> {
    match (view, error.ran()) {
        (View::Output, Some(ran)) => Ok(output(&ran.stdout, &ran.stderr).to_string()),
        _ => Err(format!("the run `{}` has no profile: {error}", job.id)),
    }
}

/// What is known of a run that goes on.
fn of_run(server: &Server, job: &Job, phase: &Phase, view: &View<'_>) -> Result<String, String> {
    let doing = || server.jobs.describe(job);
    match view {
        View::Whole => Ok(json!(tools::run::so_far(server, job, phase)).to_string()),
        View::Output => {
            let [stdout, stderr] =
                job.written().map(|streams| streams.map(until_now)).ok_or_else(|| {
                    format!("the program of the run `{}` is not running: {}", job.id, doing())
                })?;
            Ok(output(&stdout, &stderr).to_string())
        }
        View::Raw | View::Source(_) => {
            Err(format!("the run `{}` is not finished: {}", job.id, doing()))
        }
    }
}

fn until_now(captured: Captured) -> Output {
    Output {
        head: captured.head,
        tail: captured.tail,
        omitted_bytes: captured.omitted_bytes,
        total_bytes: captured.total_bytes,
    }
}
