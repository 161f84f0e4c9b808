//! One line of input: a message, or why it is none, with the error that JSON-RPC has for it.

use rmcp::RoleServer;
use rmcp::model::{
    CallToolRequestParams, ClientRequest, CompleteRequestParams, ErrorCode, ErrorData,
    GetPromptRequestParams, InitializeRequestParams, JsonRpcMessage, ReadResourceRequestParams,
    RequestId, SubscribeRequestParams, SubscriptionsListenRequestParams, UnsubscribeRequestParams,
};
use rmcp::service::RxJsonRpcMessage;
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::large::IdFinder;

/// Methods that this server answers; their parameters can only be wrong, not they themselves.
const SERVED: [&str; 17] = [
    "completion/complete",
    "initialize",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/update",
    "tools/call",
    "tools/list",
];

/// What a line is.
pub(super) enum Line {
    /// A message for the protocol crate.
    Message(Box<RxJsonRpcMessage<RoleServer>>),
    /// It is answered with this error; without an id where none can be read.
    Refused(ErrorData, Option<RequestId>),
    /// Nothing that JSON-RPC answers: an empty line, a notification or a response that says nothing.
    Nothing,
}

impl Line {
    fn invalid(why: &'static str, id: Option<RequestId>) -> Self {
        Self::Refused(ErrorData::invalid_request(why, None), id)
    }
}

/// Reads a line.
pub(super) fn read(line: &[u8]) -> Line {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line).trim_ascii();
    if line.is_empty() {
        return Line::Nothing;
    }
    let value: Value = match serde_json::from_slice(line) {
        Ok(value) => value,
        Err(error) => {
            return unreadable(line, &error);
        }
    };
    let Some(object) = value.as_object() else {
        let why = if value.is_array() {
            "batches are not read; send one object a line"
        } else {
            "a message is a JSON object"
        };
        return Line::invalid(why, None);
    };
    let id = object.get("id");
    let known = id.and_then(request_id);
    if object.get("jsonrpc").and_then(Value::as_str) != Some("2.0") {
        return Line::invalid("`jsonrpc` is not \"2.0\"", known);
    }
    match object.get("method") {
        Some(Value::String(method)) => match (id, known) {
            (None, _) => {
                typed(value).map_or(Line::Nothing, |message| Line::Message(message.into()))
            }
            (Some(_), None) => Line::invalid("`id` is neither text nor a 64-bit integer", None),
            (Some(_), Some(id)) => {
                let method = method.clone();
                request(value, &method, id)
            }
        },
        Some(_) => Line::invalid("`method` is no text", known),
        // The answer to a question of ours; what is not readable as one answers nothing.
        None if object.contains_key("result") || object.contains_key("error") => {
            typed(value).map_or(Line::Nothing, |message| Line::Message(message.into()))
        }
        None => Line::invalid("`method` is missing", known),
    }
}

/// What `serde_json` says of text that is JSON, but holds what it does not read.
const NOT_READ: [&str; 4] = [
    "recursion limit exceeded",
    "lone leading surrogate",
    "unexpected end of hex escape",
    "number out of range",
];

/// A line that cannot be read. Where it is JSON its sender expects an answer under its id.
fn unreadable(line: &[u8], error: &serde_json::Error) -> Line {
    let said = error.to_string();
    let json = NOT_READ.iter().any(|why| said.starts_with(why));
    let id = json.then(|| {
        let mut finder = IdFinder::default();
        finder.feed(line);
        finder.found()
    });
    let why = if json { "not readable" } else { "not JSON" };
    let why = format!("{why}: {said}; a message is one line of UTF-8");
    Line::Refused(ErrorData::parse_error(why, None), id.flatten())
}

fn typed(value: Value) -> Option<RxJsonRpcMessage<RoleServer>> {
    serde_json::from_value(value).ok()
}

fn request_id(value: &Value) -> Option<RequestId> {
    serde_json::from_value(value.clone()).ok()
}

fn request(value: Value, method: &str, id: RequestId) -> Line {
    let params = value.get("params").cloned();
    let read = typed(value);
    let custom = |message: &RxJsonRpcMessage<RoleServer>| {
        matches!(message, JsonRpcMessage::Request(found)
            if matches!(found.request, ClientRequest::CustomRequest(_)))
    };
    match read {
        Some(message @ JsonRpcMessage::Request(_))
            if !custom(&message) && !odd(params.as_ref()) =>
        {
            Line::Message(message.into())
        }
        _ if !SERVED.contains(&method) => {
            let why = format!("no method `{method}` (methods: {})", SERVED.join(", "));
            Line::Refused(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, why, None), Some(id))
        }
        _ => {
            let why = format!("{method}: {}", wrong(method, params.unwrap_or_default()));
            Line::Refused(ErrorData::invalid_params(why, None), Some(id))
        }
    }
}

/// What the protocol crate reads as no parameters at all.
fn odd(params: Option<&Value>) -> bool {
    let cursor =
        |value: &Value| value.get("cursor").is_none_or(|at| at.is_string() || at.is_null());
    params.is_some_and(|value| !(value.is_null() || value.is_object() && cursor(value)))
}

/// What is wrong with parameters.
fn wrong(method: &str, params: Value) -> String {
    match method {
        "completion/complete" => place::<CompleteRequestParams>(params),
        "initialize" => place::<InitializeRequestParams>(params),
        "prompts/get" => place::<GetPromptRequestParams>(params),
        "resources/subscribe" => place::<SubscribeRequestParams>(params),
        "resources/unsubscribe" => place::<UnsubscribeRequestParams>(params),
        "subscriptions/listen" => place::<SubscriptionsListenRequestParams>(params),
        "resources/read" => place::<ReadResourceRequestParams>(params),
        "tools/call" => place::<CallToolRequestParams>(params),
        _ => None,
    }
    .unwrap_or_else(|| "`params` does not have the form of this method".to_owned())
}

fn place<T: DeserializeOwned>(params: Value) -> Option<String> {
    if !params.is_object() {
        return Some("`params` is not an object".to_owned());
    }
    let error = serde_path_to_error::deserialize::<_, T>(params).err()?;
    let place = error.path().to_string();
    let place = if place == "." { "params".to_owned() } else { format!("params.{place}") };
    Some(format!("`{place}`: {}", error.inner()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> (i32, Option<String>, String) {
        match read(line.as_bytes()) {
            Line::Refused(error, id) => {
                (error.code.0, id.map(|id| id.to_string()), error.message.into_owned())
            }
            Line::Message(message) => panic!("{line} is read: {message:?}"),
            Line::Nothing => panic!("{line} is nothing"),
        }
    }

    #[test]
    fn what_is_no_message_has_the_error_of_the_specification() {
        for (line, code, id) in [
            ("{", -32700, None),
            ("\u{0}", -32700, None),
            (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}}"#, -32700, None),
            (r#"{"jsonrpc":"2.0","method":"x\ud800","id":1}"#, -32700, Some("1")),
            (r#"{"jsonrpc":"2.0","method":"x\ud800y","id":1}"#, -32700, Some("1")),
            (
                &format!(r#"{{"id":1,"params":{}{}}}"#, "[".repeat(130), "]".repeat(130)),
                -32700,
                Some("1"),
            ),
            (r#"{"params":1e999,"id":1}"#, -32700, Some("1")),
            (&"[".repeat(100_000), -32700, None),
            ("[]", -32600, None),
            ("7", -32600, None),
            ("{}", -32600, None),
            (r#"{"jsonrpc":"1.0","id":3,"method":"ping"}"#, -32600, Some("3")),
            (r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":99999999999999999999,"method":"ping"}"#, -32600, None),
            (r#"{"jsonrpc":"2.0","id":"a","method":7}"#, -32600, Some("a")),
            (r#"{"jsonrpc":"2.0","id":"a"}"#, -32600, Some("a")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"no/such"}"#, -32601, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":7}"#, -32602, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#, -32601, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#, -32602, Some("1")),
            (r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}"#, -32602, Some("1")),
            (
                r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#,
                -32602,
                Some("1"),
            ),
        ] {
            let (found, named, message) = refused(line);
            assert_eq!((found, named.as_deref()), (code, id), "{line}: {message}");
        }
        let (code, _, message) = refused(
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"x","arguments":[1]}}"#,
        );
        assert_eq!(code, -32602);
        assert!(message.starts_with("tools/call: `params.arguments`: invalid type"), "{message}");
    }

    #[test]
    fn what_needs_no_answer_has_none() {
        for line in [
            "",
            " \r",
            "\u{feff}",
            r#"{"jsonrpc":"2.0","id":{},"result":{}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":7}"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Line::Nothing), "{line}");
        }
        // The answer to a question, and one that is an error.
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"action":"decline"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no forms"}}"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Line::Message(_)), "{line}");
        }
    }

    #[test]
    fn messages_are_read_in_every_spelling() {
        for line in [
            r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#,
            r#"{"method":"tools/list","id":"a","jsonrpc":"2.0","params":{},"more":1}"#,
            "\u{feff} {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"x\"}} \r",
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/of_somebody_else","params":{}}"#,
        ] {
            assert!(matches!(read(line.as_bytes()), Line::Message(_)), "{line}");
        }
    }
}
