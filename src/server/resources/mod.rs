//! Stored profiles as resources: the whole of what answers shorten.
//!
//! `address` reads the URIs, `read` makes what is behind them, `pages` lists profiles, `listeners` tells
//! clients what has changed.

mod address;
mod listeners;
mod pages;
mod read;

use rmcp::model::{Resource, ResourceTemplate};

pub(super) use address::{SCHEME, View};
pub(super) use listeners::{Listeners, accepted};
pub(super) use pages::page;
pub(super) use read::read;

/// Arguments of the templates.
pub(super) const PROFILE_ID: &str = "profile_id";
pub(super) const FILE: &str = "file";

/// What a client fills in to name a resource. Sorted, and always the same.
pub(super) fn templates() -> Vec<ResourceTemplate> {
    let template = |view: View<'_>, name: &str, title: &str, description: &str| {
        ResourceTemplate::new(view.template(), name)
            .with_title(title)
            .with_description(description)
            .with_mime_type(view.mime_type())
    };
    vec![
        template(
            View::Whole,
            "profile",
            "Whole profile",
            "Every line with figures, as one JSON object; of a run that is not finished, what is known so far",
        ),
        template(
            View::Output,
            "output",
            "Program output",
            "What was kept of the program's stdout and stderr, also of a run that goes on or failed",
        ),
        template(
            View::Raw,
            "raw",
            "Scalene's document",
            "The JSON as Scalene wrote it; not kept above 16 MiB, nor where a profile is the mean of several runs",
        ),
        template(
            View::Source(FILE),
            "source",
            "Annotated source",
            "A profiled file with time and memory in the margin of each line; the file by its path, or the end of it",
        ),
    ]
}

/// A stored profile as a resource.
fn of_profile(id: &str) -> Resource {
    Resource::new(format!("{SCHEME}{id}"), id)
        .with_description("The whole profile: every line with figures")
        .with_mime_type(View::Whole.mime_type())
}

/// What an answer about a stored profile points to.
pub(super) fn link(id: &str) -> Resource {
    of_profile(id).with_title(format!("Profile {id}"))
}
