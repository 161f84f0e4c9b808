//! Stored profiles as resources: the whole of what answers shorten.

use rmcp::ErrorData;
use rmcp::model::{ReadResourceResult, Resource, ResourceContents, ResourceTemplate};
use serde_json::json;

use crate::answer::{OutputInfo, ProfileAnswer};
use crate::store::Store;

const SCHEME: &str = "profile://";

/// One resource per stored profile, newest first.
pub(super) fn list(store: &Store) -> Vec<Resource> {
    let (stored, _) = store.list();
    stored
        .iter()
        .map(|profile| {
            Resource::new(format!("{SCHEME}{}", profile.id), profile.id.to_string())
                .with_title(format!("Profile {} of {}", profile.id, profile.program.name))
                .with_description("The whole profile: every line with figures")
                .with_mime_type("application/json")
        })
        .collect()
}

pub(super) fn templates() -> Vec<ResourceTemplate> {
    vec![
        ResourceTemplate::new("profile://{profile_id}", "profile")
            .with_title("Whole profile")
            .with_description("Every line with figures, as one JSON object")
            .with_mime_type("application/json"),
        ResourceTemplate::new("profile://{profile_id}/output", "output")
            .with_title("Program output")
            .with_description("What was kept of the program's stdout and stderr")
            .with_mime_type("application/json"),
    ]
}

pub(super) fn read(store: &Store, uri: &str) -> Result<ReadResourceResult, ErrorData> {
    let unknown = |why: String| ErrorData::resource_not_found(why, Some(json!({ "uri": uri })));
    let place = uri
        .strip_prefix(SCHEME)
        .ok_or_else(|| unknown(format!("`{uri}` is not below {SCHEME}")))?;
    let (id, view) = place.split_once('/').unwrap_or((place, ""));
    let profile = store.get(id).map_err(|error| unknown(error.to_string()))?;
    let body = match view {
        "" => json!(ProfileAnswer::whole(&profile)),
        "output" if profile.run.environment.is_none() => {
            return Err(unknown(format!(
                "profile {} was loaded from a file, which does not hold the program's output",
                profile.id
            )));
        }
        "output" => json!({
            "stdout": OutputInfo::whole(&profile.run.stdout),
            "stderr": OutputInfo::whole(&profile.run.stderr),
        }),
        other => return Err(unknown(format!("a profile has no view `{other}` (known: output)"))),
    };
    let contents = ResourceContents::text(body.to_string(), uri).with_mime_type("application/json");
    Ok(ReadResourceResult::new(vec![contents]))
}
