//! `find_bottleneck`.

use rmcp::ErrorData;

use super::asked::Asked;
use super::subject::{ARGUMENTS, Subject};
use super::{Spec, reading};

pub(super) const PROMPT: Spec = Spec {
    name: "find_bottleneck",
    title: "Find what makes a program slow",
    description: "Finds the line that takes the time, what kind of time it is, and what a change can give at most.",
    arguments: ARGUMENTS,
    tools: &["analyze_profile", "get_call_paths", "get_file_details"],
    write,
};

fn write(asked: &Asked<'_>) -> Result<String, ErrorData> {
    let subject = Subject::of(asked, false)?;
    Ok(format!(
        "Find what makes {name} slow. Change nothing yet.\n\
         1. {first}\n\
         2. {analyze} names the places worth a change, and what each gives at most.\n\
         3. {file} shows a place in its file. Where a hot function is fine in itself but called too often, \
         {paths} shows by whom.\n\n\
         How to read it: {kinds} {shares}\n\n\
         Answer with file and line, the share with its range, the kind of time and the reason for it in the source, one change, \
         and what it gives at most. If start-up, imports or waiting are most of the time, say that instead.",
        name = subject.name,
        first = subject.first,
        analyze = subject.about("analyze_profile", [("focus_area", "cpu")]),
        file = subject.about("get_file_details", [("file_path", "<file>")]),
        paths = subject.about("get_call_paths", [("function", "<function>")]),
        kinds = reading::KINDS,
        shares = reading::SHARES,
    ))
}
