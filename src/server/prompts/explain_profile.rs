//! `explain_profile`.

use rmcp::ErrorData;

use super::asked::Asked;
use super::subject::Subject;
use super::{Argument, Spec, reading};
use crate::server::completion::Kind;
use crate::server::resources::SCHEME;

pub(super) const PROMPT: Spec = Spec {
    name: "explain_profile",
    title: "Explain a profile",
    description: "Says in plain words what a profile shows, what it does not show, and how sure that is.",
    arguments: &[Argument {
        name: "profile_id",
        description: "Id of a stored profile, `latest` or `previous`",
        required: true,
        kind: Kind::Profile,
    }],
    tools: &["analyze_profile", "get_file_details", "get_profile"],
    write,
};

fn write(asked: &Asked<'_>) -> Result<String, ErrorData> {
    let subject = Subject::of(asked, true)?;
    Ok(format!(
        "Explain the profile {id} of {name} to somebody who does not know profilers.\n\
         1. {get} has its totals, hot lines, warnings and the program's output.\n\
         2. {analyze} has what follows from it.\n\
         3. {file} shows a file with its figures; as a resource, whole: {SCHEME}{id}/source/<file>.\n\n\
         How to read it: {kinds} {shares} {memory}\n\n\
         Say what the program spends its time and memory on, by function, most first; what of that is work and what is waiting; how sure it is \
         (samples, ranges, warnings); what the profile cannot tell: calls were not counted unless it says so, and what was not measured is \
         not zero.",
        id = subject.id,
        name = subject.name,
        get = subject.about("get_profile", []),
        analyze = subject.about("analyze_profile", []),
        file = subject.about("get_file_details", [("file_path", "<file>")]),
        kinds = reading::KINDS,
        shares = reading::SHARES,
        memory = reading::MEMORY,
    ))
}
