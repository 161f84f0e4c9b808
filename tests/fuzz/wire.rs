//! What is fed to the built server: lines of the protocol, and arguments of tools.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::json::{any, change, damage, text};
use crate::random::Random;

/// Longest wait for an answer: only a server that hangs needs it.
const PATIENCE: Duration = Duration::from_secs(60);
/// Errors of the protocol that a client may see.
const ERRORS: [i64; 8] = [-32700, -32600, -32601, -32602, -32603, -32002, -32021, -32022];

/// A server and what it says.
pub(crate) struct Server {
    child: Child,
    input: ChildStdin,
    said: Receiver<String>,
    asked: u64,
    tools: Vec<Value>,
    _place: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Server {
    pub(crate) fn start() -> Self {
        let place = tempfile::Builder::new().prefix("smt-").tempdir().unwrap();
        #[expect(clippy::disallowed_methods, reason = "a client starts its server")]
        let mut command = Command::new(env!("CARGO_BIN_EXE_scalene-mcp"));
        command
            .arg("--no-install")
            .current_dir(place.path())
            .env("SCALENE_MCP_CACHE_DIR", place.path());
        command.env("SCALENE_MCP_PYTHON", "/nowhere/python").env("RUST_BACKTRACE", "0");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (say, said) = channel();
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).all(|line| say.send(line).is_ok())
        });
        let input = child.stdin.take().unwrap();
        let mut server = Self { child, input, said, asked: 0, tools: Vec::new(), _place: place };
        let client = json!({"name": "fuzz", "version": "0"});
        let hello =
            json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client});
        server.ask("initialize", &hello);
        server.write(b"{\"jsonrpc\":\"2.0\",\"method\":\"notifications/initialized\"}\n");
        let mut list = server.ask("tools/list", &json!({}));
        server.tools = serde_json::from_value(list["result"]["tools"].take()).unwrap();
        for name in ["shop_main.stacks--2.4.0", "leak_list--2.0.1", "cpu_functions--1.5.55"] {
            let path = format!("{}/fixtures/profiles/{name}.json", env!("CARGO_MANIFEST_DIR"));
            let loaded = server
                .ask("tools/call", &json!({"name": "load_profile", "arguments": {"path": path}}));
            assert_ne!(loaded["result"]["isError"], true, "{loaded}");
        }
        server
    }

    fn write(&mut self, bytes: &[u8]) {
        self.input.write_all(bytes).expect("the server reads on");
    }

    /// Asks and waits for the answer; what comes before it must be of the protocol.
    fn ask(&mut self, method: &str, params: &Value) -> Value {
        self.asked += 1;
        let id = format!("probe-{}", self.asked);
        let request = json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params});
        self.write(format!("{request}\n").as_bytes());
        loop {
            let line = self.said.recv_timeout(PATIENCE).expect("an answer");
            let message: Value =
                serde_json::from_str(&line).unwrap_or_else(|why| panic!("{why}: {line}"));
            assert_eq!(message["jsonrpc"], "2.0", "{line}");
            if message["id"] == id {
                return message;
            }
            if let Some(error) = message.get("error") {
                assert!(ERRORS.contains(&error["code"].as_i64().unwrap()), "{line}");
            }
        }
    }

    /// Writes what should never have been sent, and asks something afterwards.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> bool {
        self.write(bytes);
        self.write(b"\n");
        let answer = self.ask("tools/call", &json!({"name": "list_profiles", "arguments": {}}));
        assert_eq!(answer["result"]["structuredContent"]["total"], 3, "{answer}");
        true
    }

    /// Calls a tool; the answer is a result, or says which rule the arguments break.
    pub(crate) fn call(&mut self, params: &[u8]) -> bool {
        // Deeper than JSON is read here, and there.
        let Ok(params) = serde_json::from_slice::<Value>(params) else { return false };
        let name = params["name"].as_str().unwrap().to_owned();
        let answer = self.ask("tools/call", &params);
        if let Some(error) = answer.get("error") {
            let (code, said) = (&error["code"], error["message"].as_str().unwrap());
            // Arguments that are nested too deep are read nowhere.
            let deep = *code == -32700 && said.contains("recursion limit");
            assert!(*code == -32602 || deep, "{answer}");
            return false;
        }
        let result = &answer["result"];
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.len() <= 64 * 1024, "{name}: {} bytes", text.len());
        if result["isError"] != true {
            return true;
        }
        let (code, _) = text.split_once(": ").unwrap();
        let documented =
            include_str!("../../docs/troubleshooting.md").contains(&format!("`{code}`"));
        assert!(documented && code != "internal_error", "{text}");
        assert!(text.contains("\nNext: "), "{text}");
        false
    }

    /// Name and arguments for a call, each parameter right or wrong.
    pub(crate) fn arguments(&self, random: &mut Random) -> Vec<u8> {
        let tool = &self.tools[random.below(self.tools.len())];
        let name = tool["name"].as_str().unwrap();
        let mut arguments = Map::new();
        for (key, schema) in tool["inputSchema"]["properties"].as_object().unwrap() {
            let required = tool["inputSchema"]["required"]
                .as_array()
                .is_some_and(|all| all.contains(&json!(key)));
            if random.once_in(3) || (required && !random.once_in(8)) {
                arguments.insert(key.clone(), fitting(key, schema, random));
            }
        }
        let mut arguments = Value::Object(arguments);
        if random.once_in(2) {
            change(&mut arguments, random);
        }
        if random.once_in(30) {
            arguments = any(random, 3);
        }
        if name == "profile_process" {
            spare(&mut arguments);
        }
        let params = json!({"name": name, "arguments": arguments});
        // No program is to run, whatever the arguments are.
        let harmless =
            params["arguments"].as_object().is_some_and(|all| all.contains_key("python"));
        if harmless {
            json!({"name": name, "arguments": without_python(&params)}).to_string().into_bytes()
        } else {
            params.to_string().into_bytes()
        }
    }
}

/// No process of this machine is looked at, whatever the arguments are.
fn spare(arguments: &mut Value) {
    let Some(arguments) = arguments.as_object_mut() else { return };
    for (name, value) in arguments {
        match value {
            Value::Number(pid) if name == "pid" && pid.is_u64() => {
                *value = json!(4_000_000_000_u32);
            }
            Value::String(_) if name == "match" => *value = json!("no process has this"),
            _ => {}
        }
    }
}

fn without_python(params: &Value) -> Value {
    let mut arguments = params["arguments"].clone();
    arguments["python"] = json!("/nowhere/python");
    arguments
}

fn fitting(key: &str, schema: &Value, random: &mut Random) -> Value {
    if random.once_in(8) {
        return any(random, 3);
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[random.below(values.len())].clone();
    }
    match schema["type"].as_str().unwrap_or_default() {
        "integer" => json!([0, 1, 5, 100, 101, -1, 4_294_967_296_i64][random.below(7)]),
        "number" => json!([0.0, 0.05, 1.0, 100.0, -1.0, 1e308, 45.0][random.below(7)]),
        "boolean" => json!(random.once_in(2)),
        "array" => json!(["a", "*", "[", "\u{0}"][..random.below(5)]),
        "object" => json!({"A": "b", "": "\u{0}", "X=Y": "1"}),
        _ if key.starts_with("profile_id") => {
            json!(["latest", "previous", "p", "", "zzz"][random.below(5)])
        }
        _ => json!(
            [
                "shop_main.py",
                "fixtures/programs/shop/pricing.py",
                "x = 1",
                "",
                ".",
                "/",
                "\u{0}",
                "-m a",
                "é\n",
                "//"
            ][random.below(10)]
        ),
    }
}

/// Requests, answers and notifications that are right, before they are changed.
fn message(random: &mut Random) -> Value {
    let ids = [json!(1), json!("a"), json!(0), json!(-5), json!(9_007_199_254_740_993_i64)];
    let id = ids[random.below(5)].clone();
    let tools =
        ["get_cpu_hotspots", "list_profiles", "get_memory_leaks", "analyze_profile", "nothing"];
    let call = json!({"name": tools[random.below(5)], "arguments": {"profile_id": "latest"}, "_meta": {"progressToken": id}});
    let (method, params) = match random.below(14) {
        0 => ("tools/list", json!({"cursor": "x"})),
        1 => ("ping", Value::Null),
        2 => ("resources/read", json!({"uri": "profile://latest/output"})),
        3 => ("resources/templates/list", json!({})),
        4 => (
            "initialize",
            json!({"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}),
        ),
        5 => ("notifications/cancelled", json!({"requestId": id, "reason": "x"})),
        6 => ("notifications/progress", json!({"progressToken": id, "progress": 1})),
        7 => (
            "server/discover",
            json!({"_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28"}}),
        ),
        8 => ("prompts/get", json!({"name": "speed_up", "arguments": {"profile_id": "latest"}})),
        9 => ("resources/subscribe", json!({"uri": "profile://latest"})),
        10 => ("subscriptions/listen", json!({"notifications": {"resourcesListChanged": true}})),
        11 => (
            "completion/complete",
            json!({"ref": {"type": "ref/prompt", "name": "speed_up"}, "argument": {"name": "profile_id", "value": "p"}}),
        ),
        _ => ("tools/call", call),
    };
    match random.below(9) {
        0 => json!({"jsonrpc": "2.0", "id": id, "result": params}),
        1 => json!({"jsonrpc": "2.0", "id": id, "error": {"code": -32000, "message": "x"}}),
        2 => json!({"jsonrpc": "2.0", "method": method, "params": params}),
        _ => json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}),
    }
}

/// Lines that are nearly of the protocol.
pub(crate) fn lines(random: &mut Random) -> Vec<u8> {
    let mut all = Vec::new();
    for _ in 0..=random.below(8) {
        let mut message = message(random);
        if !random.once_in(4) {
            change(&mut message, random);
        }
        let mut line = if random.once_in(8) {
            text(&message, random)
        } else {
            message.to_string().into_bytes()
        };
        if random.once_in(2) {
            damage(&mut line, random);
        }
        all.extend(line);
        all.extend_from_slice(if random.once_in(9) { b"\r\n" } else { b"\n" });
    }
    all
}
