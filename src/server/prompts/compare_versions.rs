//! `compare_versions`.

use rmcp::ErrorData;
use serde_json::json;

use super::asked::Asked;
use super::subject::{call, profiling};
use super::{Argument, Spec, reading};
use crate::server::completion::Kind;

const BASELINE: &str = "baseline";
const CANDIDATE: &str = "candidate";

pub(super) const PROMPT: Spec = Spec {
    name: "compare_versions",
    title: "Compare two versions of a program",
    description: "Says what became slower or faster between two versions, where, and whether it is more than noise.",
    arguments: &[
        Argument {
            name: BASELINE,
            description: "Old version: id of a profile, `latest`, `previous`, or a Python file to be profiled",
            required: true,
            kind: Kind::Version,
        },
        Argument {
            name: CANDIDATE,
            description: "New version: the same",
            required: true,
            kind: Kind::Version,
        },
    ],
    tools: &["compare_profiles", "get_file_details"],
    write,
};

/// One version: what the calls to come name, and the step that makes its profile, where it has none.
struct Version {
    id: String,
    script: Option<String>,
}

/// The call that compares the last two profiles.
pub(super) fn newest_two() -> String {
    compare("previous", "latest")
}

fn compare(one: &str, other: &str) -> String {
    call("compare_profiles", json!({ "profile_id1": one, "profile_id2": other }))
}

fn write(asked: &Asked<'_>) -> Result<String, ErrorData> {
    let (old, new) = (version(asked, BASELINE)?, version(asked, CANDIDATE)?);
    if old.id == new.id {
        return Err(asked.refused(&format!("`{BASELINE}` and `{CANDIDATE}` are the same")));
    }
    let runs: Vec<_> = [&old, &new]
        .into_iter()
        .filter_map(|version| version.script.as_deref())
        .map(|script| profiling(script, &[], false))
        .collect();
    let first = if runs.is_empty() {
        "Both profiles are stored.".to_owned()
    } else {
        format!("{}, with the same arguments and input for both.", runs.join(", then "))
    };
    let id = |version: &Version| match version.script {
        Some(_) => format!("<profile_id of {}>", version.id),
        None => version.id.clone(),
    };
    let verify = verify(&old, &new).filter(|_| asked.offers("verify_speedup"));
    let last = verify.map_or_else(String::new, |verify| format!("4. {verify}\n"));
    Ok(format!(
        "Compare {old} (old) with {new} (new): what became slower, what faster, and is it real?\n\
         1. {first}\n\
         2. {compare} lists functions and lines that changed by more than sampling explains, and says where the two \
         runs are not alike (machine, Python, arguments, load).\n\
         3. {details} shows a place that changed.\n\
         {last}\n\
         How to read it: {shares} {clock} Seconds of two profiles differ by the load of the machine alone; shares of a faster program \
         rise everywhere but at the change.\n\n\
         Answer with the verdict and its interval, then the places with their change, and what is within noise as such.",
        old = old.id,
        new = new.id,
        compare = compare(&id(&old), &id(&new)),
        details =
            call("get_file_details", json!({ "profile_id": id(&new), "file_path": "<file>" })),
        shares = reading::SHARES,
        clock = reading::CLOCK,
    ))
}

/// The step that settles it; none where the new version is nowhere but in a profile.
fn verify(old: &Version, new: &Version) -> Option<String> {
    let versions = match (&old.script, &new.script) {
        (Some(old), Some(new)) => json!({ "baseline_path": old, "candidate_path": new }),
        (None, Some(new)) => json!({ "baseline_profile_id": old.id, "candidate_path": new }),
        (None, None) => json!({ "baseline_profile_id": old.id }),
        (Some(_), None) => return None,
    };
    let now = if new.script.is_none() { ", the new one as its files are now" } else { "" };
    let verify = call("verify_speedup", versions);
    Some(format!("{verify} gives the verdict: both versions run in turns without a profiler{now}."))
}

/// A stored profile where there is one of this name, else a program that has no profile yet.
fn version(asked: &Asked<'_>, argument: &str) -> Result<Version, ErrorData> {
    let name = asked.get(argument).unwrap_or_default();
    match asked.server.store.id_of(name) {
        Ok(id) => Ok(Version { id, script: None }),
        Err(_) if is_program(name) && !asked.offers("profile_script") => {
            Err(asked.wrong(argument, "this server runs nothing; give the id of a stored profile"))
        }
        Err(_) if is_program(name) => {
            Ok(Version { id: name.to_owned(), script: Some(name.to_owned()) })
        }
        Err(error) => {
            Err(asked.wrong(argument, &format!("{error}; a program ends in .py or begins with -m")))
        }
    }
}

fn is_program(name: &str) -> bool {
    let python = std::path::Path::new(name).extension().is_some_and(|ending| ending == "py");
    python || name.strip_prefix("-m ").is_some_and(|module| !module.trim().is_empty())
}
