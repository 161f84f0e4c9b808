//! Schemas as every client takes them: flat, inline, without null unions and number formats.

use std::sync::Arc;

use rmcp::model::JsonObject;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value};

/// The schema of what a tool takes, cleaned.
///
/// It is not closed: what is unknown is refused with the nearest name, and the word would stand in each schema.
pub(super) fn of_input<T: JsonSchema>() -> Arc<JsonObject> {
    let mut schema = of::<T>(SchemaSettings::draft2020_12().for_deserialize());
    Arc::make_mut(&mut schema).remove("additionalProperties");
    schema
}

/// A schema without some of its properties.
pub(super) fn without(schema: &Arc<JsonObject>, names: &[&str]) -> Arc<JsonObject> {
    let mut schema = Arc::clone(schema);
    if let Some(properties) =
        Arc::make_mut(&mut schema).get_mut("properties").and_then(Value::as_object_mut)
    {
        properties.retain(|name, _| !names.contains(&name.as_str()));
    }
    schema
}

/// The schema of what a tool returns, cleaned. A member that is left out when it is empty
/// is not required: clients hold every answer against this.
pub(super) fn of_output<T: JsonSchema>() -> Arc<JsonObject> {
    of::<T>(SchemaSettings::draft2020_12().for_serialize())
}

fn of<T: JsonSchema>(settings: SchemaSettings) -> Arc<JsonObject> {
    let settings = settings.with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    clean(&mut schema);
    let mut object = match schema {
        Value::Object(object) => object,
        _ => Map::new(),
    };
    object.remove("title");
    object.remove("description");
    object.entry("properties").or_insert_with(|| Value::Object(Map::new()));
    Arc::new(object)
}

fn clean(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.remove("format");
            // What is unsigned says so when it is refused.
            if object.get("minimum").and_then(Value::as_f64) == Some(0.0) {
                object.remove("minimum");
            }
            // Anything: some clients do not know `true` as a schema.
            if object.get("items") == Some(&Value::Bool(true)) {
                object.insert("items".to_owned(), Value::Object(Map::new()));
            }
            // Absent, empty and no mean the same.
            if object.get("default").is_some_and(is_empty) {
                object.remove("default");
            }
            // An object is open unless it says otherwise.
            if object.get("additionalProperties") == Some(&Value::Bool(true)) {
                object.remove("additionalProperties");
            }
            without_null(object);
            object.values_mut().for_each(clean);
        }
        Value::Array(items) => items.iter_mut().for_each(clean),
        _ => {}
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Object(object) => object.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

/// `["string", "null"]` to `"string"`, `anyOf: [X, null]` to `X`: absent says the same.
fn without_null(object: &mut Map<String, Value>) {
    if let Some(Value::Array(types)) = object.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            object.insert("type".to_owned(), only);
        }
    }
    if let Some(Value::Array(values)) = object.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    let Some(Value::Array(branches)) = object.get_mut("anyOf") else { return };
    branches.retain(|branch| branch.get("type").is_none_or(|kind| kind != "null"));
    if let [Value::Object(only)] = branches.as_slice() {
        let only = only.clone();
        object.remove("anyOf");
        for (key, value) in only {
            object.entry(key).or_insert(value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[derive(JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Sample {
        /// A name.
        name: Option<String>,
        count: u32,
        metric: Option<Metric>,
    }

    #[derive(JsonSchema)]
    #[serde(rename_all = "lowercase")]
    #[expect(dead_code, reason = "only its schema is looked at")]
    enum Metric {
        Peak,
        Average,
    }

    #[test]
    fn schemas_are_flat_and_plain() {
        let schema = Value::Object((*of_input::<Sample>()).clone());
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "name": {"description": "A name.", "type": "string"},
                    "count": {"type": "integer"},
                    "metric": {"type": "string", "enum": ["peak", "average"]}
                },
                "required": ["count"]
            })
        );
    }
}
