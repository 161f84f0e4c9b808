//! `speed_up`.

use rmcp::ErrorData;
use serde_json::{Value, json};

use super::asked::Asked;
use super::subject::{ARGUMENTS, Subject, call};
use super::{Spec, reading};

pub(super) const PROMPT: Spec = Spec {
    name: "speed_up",
    title: "Make a program faster, and prove it",
    description: "The loop of profile, one change, and verify_speedup, with the rule when to stop.",
    arguments: ARGUMENTS,
    tools: &["analyze_profile", "profile_script", "verify_speedup"],
    write,
};

fn write(asked: &Asked<'_>) -> Result<String, ErrorData> {
    let subject = Subject::of(asked, false)?;
    let again = subject.again.as_ref().map_or_else(
        || "profile the program again".to_owned(),
        |again| format!("profile again: {again}"),
    );
    Ok(format!(
        "Make {name} faster without changing what it does.\n\
         1. {first}\n\
         2. {analyze} names the next place, what it gives at most, and the `floor` that stays (start, imports).\n\
         3. Make one change there.\n\
         4. {verify} runs old and new in turns, without a profiler, and compares what they print. (Old is what the profile kept, new the \
         files as they are. Two copies: {copies}.)\n\
         5. `faster`: keep it, {again}; it is `latest` now, and the next baseline; go to 2. `no_difference` or `slower`: undo it, take the next place. \
         `different_output`: the change is wrong; mend or undo it. `undecided`: a larger input or `budget_sec`.\n\
         Stop when `no_difference` came for the last place worth a change, or the floor is most of what is left.\n\n\
         How to read it: {kinds} {clock}\n\n\
         Answer with each change and its verdict; of the kept ones the ratio with its interval.",
        name = subject.name,
        first = subject.first,
        analyze = subject.about("analyze_profile", [("focus_area", "cpu")]),
        verify = verify(&subject),
        copies = call("verify_speedup", copies()),
        kinds = reading::KINDS,
        clock = reading::CLOCK,
    ))
}

fn verify(subject: &Subject) -> String {
    let versions = if subject.is_snippet {
        json!({ "baseline_code": "<old>", "candidate_code": "<new>" })
    } else {
        json!({ "baseline_profile_id": subject.id })
    };
    call("verify_speedup", versions)
}

fn copies() -> Value {
    json!({ "baseline_path": "<old.py>", "candidate_path": "<new.py>" })
}
