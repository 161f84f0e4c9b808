//! `reduce_memory`.

use rmcp::ErrorData;

use super::asked::Asked;
use super::subject::{ARGUMENTS, Subject};
use super::{Spec, reading};

pub(super) const PROMPT: Spec = Spec {
    name: "reduce_memory",
    title: "Make a program need less memory",
    description: "Finds the lines that hold the memory at its peak, and lowers that peak.",
    arguments: ARGUMENTS,
    tools: &["analyze_profile", "compare_profiles", "get_memory_hotspots", "profile_script"],
    write,
};

fn write(asked: &Asked<'_>) -> Result<String, ErrorData> {
    let subject = Subject::of(asked, true)?;
    let again = subject.again.as_ref().map_or_else(
        || "profile the program again".to_owned(),
        |again| format!("profile it again, with the same input: {again}"),
    );
    Ok(format!(
        "Lower the memory that {name} needs.\n\
         1. {first}\n\
         2. {hot} lists lines by peak. Where small objects hold the memory and no line stands out, add `\"exact\":true`: one more \
         run records every allocation.\n\
         3. {analyze} says what is known to help. Likely changes: a generator in place of a list, chunks in place of \
         all at once, a smaller type, in place instead of a copy, letting go of what is not used again.\n\
         4. Make one change, {again}, then {compare}.\n\
         5. Keep it if the peak fell by more than two runs of the same version differ; else undo it. Stop when what is held is \
         what the result needs.\n\n\
         How to read it: {memory}",
        name = subject.name,
        first = subject.first,
        hot = subject.about("get_memory_hotspots", []),
        analyze = subject.about("analyze_profile", [("focus_area", "memory")]),
        compare = super::compare_versions::newest_two(),
        memory = reading::MEMORY,
    ))
}
