//! Checks values against schemas: as much of JSON Schema as our schemas use, no more.

use serde_json::Value;

/// Everything in `value` that `schema` does not allow. Panics on a keyword that it does
/// not know, so that no rule of a schema is passed over.
pub(crate) fn violations(schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(schema, value, "$", &mut found);
    found
}

fn check(schema: &Value, value: &Value, place: &str, found: &mut Vec<String>) {
    if *schema == Value::Bool(true) {
        return;
    }
    let Value::Object(rules) = schema else { panic!("{place}: {schema} is no schema") };
    for (keyword, rule) in rules {
        let fits = match keyword.as_str() {
            "type" => is(value, rule.as_str().expect("one type")),
            "enum" => rule.as_array().unwrap().contains(value),
            "const" => rule == value,
            "minimum" => value.as_f64() >= rule.as_f64(),
            "maximum" => value.as_f64() <= rule.as_f64(),
            "minItems" => length(value) >= rule.as_u64(),
            "maxItems" => length(value) <= rule.as_u64(),
            "required" => {
                let names = rule.as_array().unwrap().iter();
                names.filter_map(Value::as_str).all(|name| value.get(name).is_some())
            }
            "oneOf" => {
                let branches = rule.as_array().unwrap().iter();
                branches.filter(|branch| violations(branch, value).is_empty()).count() == 1
            }
            "properties" | "additionalProperties" => {
                properties(rules, value, place, found);
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(rule, item, &format!("{place}[{index}]"), found);
                }
                true
            }
            "description" | "default" | "title" => true,
            other => panic!("{place}: keyword `{other}` is not checked here"),
        };
        if !fits {
            found.push(format!("{place}: {value} breaks {keyword} {rule}"));
        }
    }
}

/// Both keywords in one go, once for either: what one does not name is the other's.
fn properties(
    rules: &serde_json::Map<String, Value>,
    value: &Value,
    place: &str,
    found: &mut Vec<String>,
) {
    let named = rules.get("properties").and_then(Value::as_object);
    for (name, member) in value.as_object().into_iter().flatten() {
        let place = format!("{place}.{name}");
        match named.and_then(|named| named.get(name)).or(rules.get("additionalProperties")) {
            // Without a word on others JSON Schema allows them; to us they were forgotten.
            Some(Value::Bool(false)) | None => found.push(format!("{place} is not in the schema")),
            Some(rule) => check(rule, member, &place, found),
        }
    }
}

fn length(value: &Value) -> Option<u64> {
    value.as_array().map(|items| items.len() as u64)
}

fn is(value: &Value, kind: &str) -> bool {
    match kind {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        other => panic!("type `{other}` is not checked here"),
    }
}
