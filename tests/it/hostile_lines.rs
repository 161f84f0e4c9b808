//! Lines that no client should send, between calls that one may: every call is answered, correctly
//! and once, every hostile line as JSON-RPC asks, and the server stays as it was.

use std::collections::HashMap;

use serde_json::{Value, json};

use crate::support::client::server_command;
use crate::support::place::{Place, busy};
use crate::support::recorded;
use crate::support::traces::{held, until};
use crate::support::wire::{LIST_CHANGED, Wire, initialize};

const LEGACY: &str = "2025-11-25";
/// Lines before each call, and calls.
const LINES: usize = 100;
const CALLS: usize = 100;

/// What a line is answered with.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Answer {
    Nothing,
    /// An error without an id: none can be read.
    Nameless(i64),
    /// An error under the line's id.
    Error(i64),
    Result,
}
use Answer::{Error, Nameless, Nothing, Result};

/// A line of each kind; `ID` stands for its id.
fn kinds() -> Vec<(Vec<u8>, Answer)> {
    let request = |rest: &str| format!(r#"{{"jsonrpc":"2.0","id":"ID",{rest}}}"#);
    let call = |params: &str| request(&format!(r#""method":"tools/call","params":{params}"#));
    let id = |id: &str| format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
    let deep = format!("{}{}", r#"{"a":"#.repeat(300), "}".repeat(300));
    let texts = [
        ("{".to_owned(), Nameless(-32700)),
        ("Content-Length: 40".to_owned(), Nameless(-32700)),
        ("\0\0\0".to_owned(), Nameless(-32700)),
        ("[".repeat(10_000), Nameless(-32700)),
        (deep, Nameless(-32700)),
        (request(r#""method":"ping"} {"#), Nameless(-32700)),
        (request(r#""method":"ping","params":{"x":"\ud800"}"#), Error(-32700)),
        (id("1e400"), Nameless(-32700)),
        (request(&format!(r#""params":{}{}"#, "[".repeat(200), "]".repeat(200))), Error(-32700)),
        (id("NaN"), Nameless(-32700)),
        (String::new(), Nothing),
        ("\r".to_owned(), Nothing),
        (" \t ".to_owned(), Nothing),
        ("7".to_owned(), Nameless(-32600)),
        ("null".to_owned(), Nameless(-32600)),
        ("[]".to_owned(), Nameless(-32600)),
        (format!("[{}]", request(r#""method":"ping""#)), Nameless(-32600)),
        ("{}".to_owned(), Nameless(-32600)),
        (id("null"), Nameless(-32600)),
        (id("1.5"), Nameless(-32600)),
        (id("true"), Nameless(-32600)),
        (id("{\"a\":[]}"), Nameless(-32600)),
        (id("18446744073709551616"), Nameless(-32600)),
        (r#"{"id":"ID","method":"ping"}"#.to_owned(), Error(-32600)),
        (r#"{"jsonrpc":2.0,"id":"ID","method":"ping"}"#.to_owned(), Error(-32600)),
        (request(r#""params":{}"#), Error(-32600)),
        (request(r#""method":["ping"]"#), Error(-32600)),
        (request(r#""method":"tools/burn""#), Error(-32601)),
        (request(r#""method":"notifications/initialized""#), Error(-32601)),
        (request(r#""method":"prompts/get","params":{"name":7}"#), Error(-32602)),
        (request(r#""method":"prompts/get","params":{"name":"x"}"#), Error(-32602)),
        (request(r#""method":"prompts/get","params":{"name":"find_leak","arguments":{"args":[]}}"#), Error(-32602)),
        (request(r#""method":"completion/complete","params":{"ref":{}}"#), Error(-32602)),
        (request(r#""method":"resources/subscribe","params":{"uri":"profile://zzz"}"#), Error(-32002)),
        (request(r#""method":"subscriptions/listen","params":{"notifications":7}"#), Error(-32602)),
        (request(r#""method":"tools/call""#), Error(-32602)),
        (call("null"), Error(-32602)),
        (call("[]"), Error(-32602)),
        (call(r#"{"arguments":{}}"#), Error(-32602)),
        (call(r#"{"name":7}"#), Error(-32602)),
        (call(r#"{"name":"list_profiles","arguments":[1]}"#), Error(-32602)),
        (call(r#"{"name":"list_profiles","arguments":"x"}"#), Error(-32602)),
        (call(r#"{"name":"no_such_tool"}"#), Error(-32602)),
        (request(r#""method":"tools/list","params":{"cursor":7}"#), Error(-32602)),
        (request(r#""method":"resources/read","params":{}"#), Error(-32602)),
        (request(r#""method":"resources/read","params":{"uri":"profile://\u0000"}"#), Error(-32002)),
        (request(r#""result":{}"#), Nothing),
        (request(r#""error":{"code":1,"message":"x"}"#), Nothing),
        (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"nobody"}}"#.to_owned(), Nothing),
        (r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":[1]}"#.to_owned(), Nothing),
        (r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progressToken":{},"progress":"x"}}"#.to_owned(), Nothing),
        (r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"list_profiles"}}"#.to_owned(), Nothing),
        (call(r#"{"name":"list_profiles","_meta":{"progressToken":{"a":1}}}"#), Result),
        (call(r#"{"name":"list_profiles","_meta":{"progressToken":1.5}}"#), Result),
        (call(r#"{"name":"list_profiles","arguments":null}"#), Result),
        (format!("\u{feff}{}\r", request(r#""method":"ping""#)), Result),
        (request(r#""id":"ID","method":"ping","method":"ping""#), Result),
    ];
    let mut all: Vec<_> = texts.map(|(text, answer)| (text.into_bytes(), answer)).into();
    all.push((
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"\xff\xfe\"}".to_vec(),
        Nameless(-32700),
    ));
    all
}

/// What came, by id; without one by code.
#[derive(Default)]
struct Came {
    named: HashMap<String, Vec<Value>>,
    nameless: HashMap<i64, usize>,
}

impl Came {
    fn take(&mut self, message: Value) {
        // Of the profile that is loaded at the beginning.
        if message["method"] == LIST_CHANGED {
            return;
        }
        if let Some(id) = message.get("id") {
            let id = id.as_str().unwrap_or_else(|| panic!("whose id: {message}")).to_owned();
            self.named.entry(id).or_default().push(message);
        } else {
            let code = message["error"]["code"].as_i64().unwrap_or_else(|| panic!("{message}"));
            *self.nameless.entry(code).or_default() += 1;
        }
    }
}

#[tokio::test]
async fn ten_thousand_hostile_lines_cost_no_call_its_answer() {
    let place = Place::new();
    let mut wire = Wire::open(server_command(&place.path(), &[]), LEGACY).await;
    let load =
        json!({"name": "load_profile", "arguments": {"path": recorded::path("shop_main--2.4.0")}});
    wire.result(1, "tools/call", load).await;
    let (kinds, mut came) = (kinds(), Came::default());
    let mut expected: HashMap<String, Answer> = HashMap::new();
    let mut nameless: HashMap<i64, usize> = HashMap::new();
    let mut settled = None;
    for call in 0..CALLS {
        let mut bytes = Vec::new();
        for line in call * LINES..(call + 1) * LINES {
            let (text, answer) = &kinds[line % kinds.len()];
            let id = format!("h-{line}");
            let text = memchr::memmem::find_iter(text, b"ID").fold(
                (Vec::new(), 0),
                |(mut all, from), at| {
                    all.extend([&text[from..at], id.as_bytes()].concat());
                    (all, at + 2)
                },
            );
            bytes.extend(text.0);
            bytes.extend(&kinds[line % kinds.len()].0[text.1..]);
            bytes.push(b'\n');
            match answer {
                Nothing => {}
                Nameless(code) => *nameless.entry(*code).or_default() += 1,
                Error(_) | Result => drop(expected.insert(id, *answer)),
            }
        }
        if call % 40 == 10 {
            // Longer than a message may be, its id at the end as some clients write it.
            let id = format!("large-{call}");
            let code = "x".repeat(20 << 20);
            bytes.extend(format!(r#"{{"method":"tools/call","params":{{"name":"profile_code","arguments":{{"id":"no","code":"{code}"}}}},"jsonrpc":"2.0","id":"{id}"}}"#).bytes());
            bytes.push(b'\n');
            expected.insert(id, Error(-32600));
        }
        wire.flood(&bytes).await.into_iter().for_each(|message| came.take(message));
        let id = format!("call-{call}");
        let params = json!({"name": "get_cpu_hotspots", "arguments": {"profile_id": "latest"}});
        wire.send(json!({"jsonrpc": "2.0", "id": id, "method": "tools/call", "params": params}))
            .await;
        while !came.named.contains_key(&id) {
            came.take(wire.message().await.expect("the server goes on"));
        }
        let answer = &came.named[&id][0]["result"]["structuredContent"];
        assert_eq!(answer["hotspots"][0]["function_name"], "quote", "{answer}");
        expected.insert(id, Result);
        // After the allocator has learned of large messages: what it keeps for them it keeps.
        if call == 60 {
            settled = Some(held(wire.pid()));
        }
    }
    while came.named.len() < expected.len() {
        came.take(wire.message().await.expect("the server goes on"));
    }
    for (id, answer) in &expected {
        let messages = &came.named[id];
        assert_eq!(messages.len(), 1, "{id}: {messages:?}");
        let code = messages[0]["error"]["code"].as_i64();
        let right = match answer {
            Error(wanted) => code == Some(*wanted),
            _ => messages[0]["result"].is_object(),
        };
        assert!(right, "{id}, {answer:?}: {}", messages[0]);
    }
    assert_eq!(came.nameless, nameless);
    let (settled, end) = (settled.unwrap(), held(wire.pid()));
    assert!(end.memory_kib < settled.memory_kib + 24 * 1024, "{settled:?}, then {end:?}");
    assert!(end.descriptors <= settled.descriptors, "{settled:?}, then {end:?}");
    assert!(end.threads <= settled.threads + 8, "{settled:?}, then {end:?}");
    wire.close_input();
    assert_eq!(wire.message().await, None, "nothing follows the last answer");
    assert_eq!(wire.exit_code().await, Some(0));
}

#[tokio::test]
async fn an_id_in_use_does_not_take_the_answer_of_its_owner() {
    let place = Place::new();
    let mut wire = Wire::open(server_command(&place.path(), &[]), LEGACY).await;
    let source = format!("open('ready', 'w').close()\n{}", busy(1.0));
    let call = json!({"name": "profile_code", "arguments": {"code": source, "memory": false}});
    wire.request(7, "tools/call", call).await;
    until("the program runs", || place.path().join("ready").exists()).await;
    wire.request(7, "ping", json!({})).await;
    wire.request(7, "tools/burn", json!({})).await;
    let (before, answer) = wire.answer_after(7).await;
    let codes: Vec<_> =
        before.iter().map(|message| (message.get("id"), &message["error"]["code"])).collect();
    assert_eq!(codes, [(None, &json!(-32600)), (None, &json!(-32601))], "{before:?}");
    assert_eq!(answer["result"]["structuredContent"]["status"], "complete", "{answer}");
    // It is free again.
    wire.result(7, "ping", json!({})).await;
    // So is that of a call that was taken back and has no answer.
    let call = json!({"name": "profile_code", "arguments": {"code": busy(60.0), "memory": false}});
    wire.request(8, "tools/call", call).await;
    let cancelled =
        json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 8}});
    wire.send(cancelled).await;
    wire.result(8, "ping", json!({})).await;
}

#[tokio::test]
async fn nothing_that_comes_before_the_first_request_ends_the_session() {
    let place = Place::new();
    let mut wire = Wire::start(server_command(&place.path(), &[]));
    for line in [
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        "",
        "{",
        r#"{"jsonrpc":"2.0","id":"early","method":"tools/list"}"#,
        r#"{"jsonrpc":"2.0","id":"odd","method":"initialize","params":{"protocolVersion":7}}"#,
        r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
    ] {
        wire.raw(format!("{line}\n").as_bytes()).await;
    }
    wire.send(initialize(LEGACY)).await;
    let (before, answer) = wire.answer_after(0).await;
    assert_eq!(answer["result"]["serverInfo"]["name"], "scalene-mcp", "{answer}");
    let codes: Vec<_> =
        before.iter().map(|message| (&message["id"], &message["error"]["code"])).collect();
    let wanted = [(Value::Null, -32700), (json!("early"), -32602), (json!("odd"), -32602)];
    assert_eq!(codes.len(), 3, "{before:?}");
    for (id, code) in wanted {
        assert!(codes.contains(&(&id, &json!(code))), "{before:?}");
    }
    wire.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
    assert!(wire.result(2, "tools/list", json!({})).await["tools"].is_array());
}
