//! Documents that are generated: they must say what the program says.
//!
//! `UPDATE_DOCS=1 cargo test --test it -- docs:: rules::the_document` writes them anew.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use serde_json::{Map, Value, json};

use crate::support::client::server_command;
use crate::support::place::Place;
use crate::support::wire::Wire;

/// Compares a document with its generated text, or writes it.
pub(crate) fn check(name: &str, generated: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, generated).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == generated,
        "docs/{name} is stale: `UPDATE_DOCS=1 cargo test --test it -- docs:: rules::the_document` writes it anew"
    );
}

const HEAD: &str = "\
# Tools

Written from the schemas by a test (`tests/it/docs.rs`); change the schema, not this page.

Every answer comes as structured content, described below, and as text with the same facts. A field that nobody
measured is absent, never zero. Numbers have three significant digits. `_mb` fields are MiB (2^20 bytes), `_sec`
fields seconds under the profiler, `percent` fields hundredths of a whole. A failure is text only: a code, what failed,
and the next step ([troubleshooting](troubleshooting.md)). How figures become findings: [analysis](analysis.md).

The list of tools is kept short, since a model reads it before the first question. What `profile_code`, `profile_function`,
`profile_tests` and `verify_speedup` take of `profile_script`'s parameters is not repeated there, but accepted: `python`, `cwd`, `env`, `stdin`, `blocks`,
`sandbox`, `wait_sec` and so on, as far as they make sense. And these are accepted without being listed at all:

| parameter | of | |
|---|---|---|
| `max_memory_mb` (not listed) | runs of programs | resident MiB of all processes together at which the program is stopped, profile kept |
| `writable` (not listed) | runs of programs | paths that a confined program may write besides its own folder; with `sandbox` |
| `allocation_sampling_window` (not listed) | `profile_script`, `profile_code` | bytes between two allocation samples, 1024 at least; Scalene's default otherwise |
| `plain_run` (not listed) | `profile_script`, `profile_code` | also times a run without any profiler: what profiling costs |
| `async_profile` (not listed) | `profile_script`, `profile_code` | tell time in `await` apart (Scalene 2.2 and later); by default where it costs little |
| `delay_sec` (not listed) | `profile_script`, `profile_code` | seconds from the start, or from `ready`, that are not profiled |
| `args_variants` (not listed) | `verify_speedup` | lists of arguments for which both versions must do the same, too |
| `float_tolerance` (not listed) | `verify_speedup` | relative difference that numbers in the output may have |
| `seed` (not listed) | `verify_speedup` | of the random order of the runs |
";

#[tokio::test]
async fn the_tool_reference_is_up_to_date() {
    let place = Place::new();
    let mut wire = Wire::open(server_command(&place.path(), &[]), "2025-11-25").await;
    let list = wire.result(1, "tools/list", json!({})).await;
    let mut text = HEAD.to_owned();
    let mut described: Vec<(Value, String)> = Vec::new();
    for tool in list["tools"].as_array().unwrap() {
        describe(tool, &mut described, &mut text);
    }
    let templates = wire.result(2, "resources/templates/list", json!({})).await;
    resources(&templates, &mut text);
    let list = wire.result(3, "prompts/list", json!({})).await;
    prompts(&list, &mut text);
    check("tools.md", &text);
}

fn resources(list: &Value, out: &mut String) {
    let head = "Stored profiles, whole. The list has `profile://{profile_id}` of each; `profile_id` may be `latest` or `previous`, too.\n\
                Changes are told to who subscribes (`subscriptions/listen` without a handshake): a new profile, what is added to one, and, once\n\
                a second, a run that goes on. Other servers on the same store are not heard of.\n";
    writeln!(out, "\n# Resources\n\n{head}\n| resource | type | |\n|---|---|---|").unwrap();
    for template in list["resourceTemplates"].as_array().unwrap() {
        let word = |key: &str| template[key].as_str().unwrap();
        let (uri, kind) = (word("uriTemplate"), word("mimeType"));
        writeln!(out, "| `{uri}` | {kind} | {}. {}. |", word("title"), word("description"))
            .unwrap();
    }
}

fn prompts(list: &Value, out: &mut String) {
    let head = "Ways to work with the tools, in which the calls are filled in. Of `script_path` and `profile_id` one is given.";
    writeln!(out, "\n# Prompts\n\n{head}\n\n| prompt | arguments | |\n|---|---|---|").unwrap();
    for prompt in list["prompts"].as_array().unwrap() {
        let word = |key: &str| prompt[key].as_str().unwrap();
        let arguments = prompt["arguments"].as_array().unwrap().iter().map(|argument| {
            let optional = if argument["required"] == true { "" } else { "?" };
            format!("`{}{optional}`", argument["name"].as_str().unwrap())
        });
        let arguments: Vec<_> = arguments.collect();
        let about = format!("{}. {}", word("title"), word("description"));
        writeln!(out, "| `{}` | {} | {about} |", word("name"), arguments.join(" ")).unwrap();
    }
}

/// Tools with the same result share its table: the first one shows it.
fn describe(tool: &Value, described: &mut Vec<(Value, String)>, out: &mut String) {
    let word = |key: &str| tool[key].as_str().unwrap();
    writeln!(out, "\n## {}\n\n{}. {}\n", word("name"), word("title"), word("description")).unwrap();
    let input = &tool["inputSchema"];
    let empty = Map::new();
    let properties = input["properties"].as_object().unwrap_or(&empty);
    if properties.is_empty() {
        writeln!(out, "No parameters.").unwrap();
    } else {
        writeln!(out, "| parameter | type | default | |\n|---|---|---|---|").unwrap();
        let required = input["required"].as_array().cloned().unwrap_or_default();
        for (name, schema) in properties {
            let default = match &schema["default"] {
                _ if required.contains(&json!(name)) => "required".to_owned(),
                Value::Null => String::new(),
                value => format!("`{value}`"),
            };
            let about = cell(schema);
            writeln!(out, "| `{name}` | {} | {default} | {about} |", kind(schema)).unwrap();
        }
    }
    let result = &tool["outputSchema"];
    if let Some((_, first)) = described.iter().find(|(known, _)| known == result) {
        writeln!(out, "\nThe result is that of [{first}](#{first}).").unwrap();
        return;
    }
    described.push((result.clone(), word("name").to_owned()));
    writeln!(out, "\n| result | type | |\n|---|---|---|").unwrap();
    rows(result, "", out);
}

fn cell(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace('|', "\\|").replace('\n', " ")
}

fn kind(schema: &Value) -> String {
    if let Some(words) = schema["enum"].as_array() {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if let Some(branches) = schema["oneOf"].as_array() {
        let words: Vec<_> = branches
            .iter()
            .filter_map(|branch| branch["const"].as_str().map(|word| format!("`\"{word}\"`")))
            .collect();
        return words.join(", ");
    }
    let name = schema["type"].as_str().unwrap_or("any");
    let range = match (&schema["minimum"], &schema["maximum"]) {
        (Value::Null, Value::Null) => String::new(),
        (low, Value::Null) => format!(" ≥ {low}"),
        (Value::Null, high) => format!(" ≤ {high}"),
        (low, high) => format!(" {low} to {high}"),
    };
    match name {
        "array" => format!("list of {}", kind(&schema["items"])),
        _ => format!("{name}{range}"),
    }
}

/// One row for each field, nested ones by their path.
fn rows(schema: &Value, path: &str, out: &mut String) {
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        writeln!(out, "| `{path}` | {} | {} |", kind(field), cell(field)).unwrap();
        rows(field, &path, out);
        if field["items"].is_object() {
            rows(&field["items"], &format!("{path}[]"), out);
        }
        if field["additionalProperties"].is_object() {
            rows(&field["additionalProperties"], &format!("{path}[*]"), out);
        }
    }
}

/// The table of codes in the troubleshooting and the codes in the source are the same.
#[test]
fn every_code_of_a_failure_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut made = BTreeSet::new();
    collect_codes(&root.join("src"), &mut made);
    // A few of each way of making one, so that a marker that finds nothing more is noticed.
    for known in
        ["timeout", "profile_file_not_found", "scalene_conflict", "internal_error", "not_sampled"]
    {
        assert!(made.contains(known), "the source is read wrongly: no `{known}` in {made:?}");
    }
    let page = std::fs::read_to_string(root.join("docs/troubleshooting.md")).unwrap();
    let (_, table) = page.split_once("## Codes").unwrap();
    let (table, _) = table.split_once("\n## ").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split(" | ").next());
    let told: Vec<String> = rows.flat_map(codes_of_a_cell).collect();
    let explained: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(explained.len(), told.len(), "a code has two rows");
    assert_eq!(explained, made, "docs/troubleshooting.md (left), source (right)");
}

/// The codes of a first cell, which are in backticks and have commas between them.
fn codes_of_a_cell(cell: &str) -> impl Iterator<Item = String> {
    cell.split(',').map(|code| code.trim().trim_matches('`').to_owned())
}

/// Codes stand in functions called `code`, in a match for one, or first in `ToolError::new`.
fn collect_codes(folder: &Path, codes: &mut BTreeSet<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            // There `code` is the letter of a difference, not of a failure.
            if !path.ends_with("analysis") {
                collect_codes(&path, codes);
            }
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        for marker in ["fn code(&self) -> &'static str {", "let code = match &error {"] {
            for (at, _) in text.match_indices(marker) {
                codes.extend(words(block(&text[at..])));
            }
        }
        for marker in ["ToolError::new(", "Self::new("] {
            for (at, _) in text.match_indices(marker) {
                let first = text[at + marker.len()..].trim_start();
                let word = first.strip_prefix('"').and_then(|rest| rest.split('"').next());
                codes.extend(word.filter(|word| is_code(word)).map(str::to_owned));
            }
        }
    }
}

/// From here to where the first brace is closed.
fn block(text: &str) -> &str {
    let mut depth = 0;
    for (at, letter) in text.char_indices() {
        match letter {
            '{' => depth += 1,
            '}' if depth == 1 => return &text[..at],
            '}' => depth -= 1,
            _ => {}
        }
    }
    text
}

/// Texts in quotation marks that are codes.
fn words(text: &str) -> impl Iterator<Item = String> {
    text.split('"').skip(1).step_by(2).filter(|word| is_code(word)).map(str::to_owned)
}

fn is_code(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Links of a text to files of the repository: the file, and the heading in it.
fn links(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let targets = text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0));
    targets.filter(|target| !target.contains("://")).map(|target| {
        target.split_once('#').map_or((target, None), |(file, heading)| (file, Some(heading)))
    })
}

/// How a heading is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[test]
fn links_lead_to_files_and_headings_that_are_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let docs = std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path());
    let pages = docs.chain([root.join("README.md"), root.join("CHANGELOG.md")]);
    let mut checked = 0;
    for page in pages.filter(|page| page.extension().is_some_and(|ending| ending == "md")) {
        let text = std::fs::read_to_string(&page).unwrap();
        for (file, heading) in links(&text) {
            let target =
                if file.is_empty() { page.clone() } else { page.parent().unwrap().join(file) };
            assert!(target.exists(), "{}: {file}", page.display());
            checked += 1;
            let Some(heading) = heading else { continue };
            let text = std::fs::read_to_string(&target).unwrap();
            let mut headings = text.lines().filter_map(|line| line.strip_prefix('#'));
            let found = headings.any(|line| anchor(line.trim_start_matches('#')) == heading);
            assert!(found, "{}: {file}#{heading}", page.display());
        }
    }
    assert!(checked > 50, "{checked}");
}
