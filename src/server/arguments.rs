//! From what a client sent to the parameters of a tool, with errors that name the place.

use rmcp::model::JsonObject;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::error::ToolError;

/// Reads the arguments of a call.
pub(super) fn read<T: DeserializeOwned>(
    tool: &str,
    schema: &JsonObject,
    arguments: JsonObject,
) -> Result<T, ToolError> {
    let empty = JsonObject::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
    let unknown = arguments.keys().find(|name| !properties.contains_key(*name));
    if let Some(name) = unknown {
        return Err(unknown_parameter(tool, name, properties));
    }
    let arguments: JsonObject = arguments
        .into_iter()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| {
            let kind = properties.get(&name).and_then(|property| property.get("type"));
            let value = if kind == Some(&Value::from("integer")) { whole(value) } else { value };
            (name, value)
        })
        .collect();
    serde_path_to_error::deserialize(Value::Object(arguments)).map_err(|error| {
        let place = error.path().to_string();
        let place = if place == "." { String::new() } else { format!(" `{place}`:") };
        ToolError::invalid_argument(
            format!("{tool}:{place} {}", in_json_terms(&error.inner().to_string())),
            format!("correct it and call again; parameters: {}", listed(properties)),
        )
    })
}

/// The reader knows JSON, not Rust.
fn in_json_terms(message: &str) -> String {
    [
        ("expected u32", "expected a whole number that is not negative"),
        ("expected u64", "expected a whole number that is not negative"),
        ("expected f64", "expected a number"),
        ("expected a sequence", "expected a list, such as [\"--n\", \"5\"]"),
        ("expected a map", "expected an object"),
        ("expected a boolean", "expected true or false"),
    ]
    .iter()
    .fold(message.to_owned(), |text, (rust, json)| text.replace(rust, json))
}

/// Clients whose language has one kind of number send 10 as 10.0.
fn whole(value: Value) -> Value {
    match value.as_f64() {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "a whole number in the exact range of f64"
        )]
        Some(number) if value.is_f64() && number.fract() == 0.0 && number.abs() < 9e15 => {
            Value::from(number as i64)
        }
        _ => value,
    }
}

fn unknown_parameter(tool: &str, name: &str, properties: &JsonObject) -> ToolError {
    let near = properties
        .keys()
        .map(|known| {
            // `path` means `script_path` rather than `python`.
            let part = name.len() >= 3 && known.split('_').any(|word| word == name);
            (strsim::jaro_winkler(known, name) + if part { 1.0 } else { 0.0 }, known)
        })
        .filter(|(likeness, _)| *likeness > 0.75)
        .max_by(|a, b| a.0.total_cmp(&b.0));
    let meant = near.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"));
    ToolError::invalid_argument(
        format!("{tool} has no parameter `{name}`{meant}"),
        format!("remove or rename it and call again; parameters: {}", listed(properties)),
    )
}

fn listed(properties: &JsonObject) -> String {
    if properties.is_empty() {
        return "none".to_owned();
    }
    properties.keys().map(String::as_str).collect::<Vec<_>>().join(", ")
}
