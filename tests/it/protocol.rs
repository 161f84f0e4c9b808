//! The protocol surface: versions, lists, schemas, budgets, resources and progress, as they
//! are on the wire.

use serde_json::{Value, json};

use crate::support::client::server_command;
use crate::support::place::{Place, busy};
#[cfg(target_os = "linux")]
use crate::support::pythons;
use crate::support::recorded;
use crate::support::schema::violations;
#[cfg(target_os = "linux")]
use crate::support::serving::Serving;
use crate::support::wire::{Wire, initialize};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// What a client of the era without a handshake puts into each request.
fn modern(mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    params
}

/// A session in a folder of its own.
struct Bench {
    place: Place,
    wire: Wire,
    /// Id of the last request.
    id: u32,
}

impl Bench {
    async fn new() -> Self {
        let place = Place::new();
        let wire = Wire::open(server_command(&place.path(), &[]), LEGACY).await;
        Self { place, wire, id: 0 }
    }

    async fn result(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        self.wire.result(self.id, method, params).await
    }

    async fn error(&mut self, method: &str, params: Value) -> Value {
        self.id += 1;
        self.wire.error(self.id, method, params).await
    }

    async fn tools(&mut self) -> Vec<Value> {
        let list = self.result("tools/list", json!({})).await;
        list["tools"].as_array().unwrap().clone()
    }

    /// Calls a tool that must succeed.
    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        let params = json!({"name": tool, "arguments": arguments});
        let result = self.result("tools/call", params).await;
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result
    }
}

fn name(tool: &Value) -> &str {
    tool["name"].as_str().unwrap()
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn every_version_with_a_handshake_is_echoed() {
    let place = Place::new();
    let mut asked = vec!["2024-11-05", "2025-03-26", "2025-06-18", LEGACY];
    let mut answered = Vec::new();
    for version in asked.iter().chain(&["1999-01-01"]) {
        let mut wire = Wire::start(server_command(&place.path(), &[]));
        wire.send(initialize(version)).await;
        let result = wire.answer(0).await["result"].clone();
        answered.push(result["protocolVersion"].as_str().unwrap().to_owned());
        assert_eq!(result["serverInfo"]["name"], "scalene-mcp");
        assert_eq!(result["serverInfo"]["version"], env!("CARGO_PKG_VERSION"));
        assert!(result["capabilities"]["tools"].is_object(), "{result}");
        assert!(result["capabilities"]["resources"].is_object(), "{result}");
        let instructions = result["instructions"].as_str().unwrap();
        assert!(instructions.len() <= 2048, "{} bytes", instructions.len());
        assert!(instructions.contains("profile_script"), "{instructions}");
    }
    asked.push(LEGACY);
    assert_eq!(answered, asked, "an unknown version is answered with the newest");
}

#[tokio::test]
async fn clients_without_a_handshake_are_served() {
    let place = Place::new();
    let mut wire = Wire::start(server_command(&place.path(), &[]));
    let found = wire.result(1, "server/discover", modern(json!({}))).await;
    let versions = found["supportedVersions"].as_array().unwrap();
    assert!(versions.contains(&json!(MODERN)) && versions.contains(&json!(LEGACY)), "{found}");
    let list = wire.result(2, "tools/list", modern(json!({}))).await;
    assert_eq!(list["resultType"], "complete");
    assert_eq!(list["cacheScope"], "public");
    assert!(list["ttlMs"].as_u64().unwrap() > 0, "{list}");
    let call = json!({"name": "profile_code", "arguments": {"code": busy(0.4), "memory": false}});
    let result = wire.result(3, "tools/call", modern(call)).await;
    assert_eq!(result["resultType"], "complete");
    assert_eq!(result["structuredContent"]["top_lines"][0]["function_name"], "busy");
    // The next request may be another conversation's: the profile is found by its id alone.
    let arguments = json!({"profile_id": result["structuredContent"]["profile_id"]});
    let call = modern(json!({"name": "get_function_summary", "arguments": arguments}));
    let summary = wire.result(4, "tools/call", call).await;
    assert_eq!(summary["structuredContent"]["functions"][0]["function_name"], "busy");
    let bare = wire.error(5, "tools/list", json!({})).await;
    assert_eq!(bare["code"], -32602, "{bare}");
}

#[tokio::test]
async fn the_list_of_tools_is_sorted_the_same_every_time_and_small() {
    let mut bench = Bench::new().await;
    let tools = bench.tools().await;
    let names: Vec<_> = tools.iter().map(name).collect();
    assert!(names.is_sorted() && names.len() >= 8, "{names:?}");
    assert_eq!(bench.tools().await, tools);
    assert_eq!(Bench::new().await.tools().await, tools);
    let lean: Vec<Value> = tools
        .iter()
        .map(|tool| {
            let mut tool = tool.clone();
            tool.as_object_mut().unwrap().remove("outputSchema").expect("an output schema");
            tool
        })
        .collect();
    let bytes = json!({"tools": lean}).to_string().len();
    assert!(bytes <= 16 * 1024, "{bytes} bytes without output schemas");
}

#[tokio::test]
async fn every_tool_says_what_it_is_and_does() {
    let mut bench = Bench::new().await;
    for tool in bench.tools().await {
        let name = name(&tool);
        assert!(name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
        assert!(!tool["title"].as_str().unwrap().is_empty(), "{name}");
        let description = tool["description"].as_str().unwrap();
        assert!((80..=600).contains(&description.len()), "{name}: {} bytes", description.len());
        assert!(!description.contains("  "), "{name}: {description}");
        // They may run a program again, or end one.
        let again = ["get_memory_hotspots", "get_memory_leaks", "stop_profile", "verify_speedup"];
        let runs_code = name.starts_with("profile_") || again.contains(&name);
        let hints =
            ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"].map(|hint| {
                tool["annotations"][hint].as_bool().unwrap_or_else(|| panic!("{name}: {hint}"))
            });
        assert_eq!(hints, [!runs_code, runs_code, !runs_code, runs_code], "{name}");
    }
}

#[tokio::test]
async fn input_schemas_are_such_as_every_client_takes() {
    let mut bench = Bench::new().await;
    for tool in bench.tools().await {
        let (name, schema) = (name(&tool), &tool["inputSchema"]);
        assert_eq!(schema["type"], "object", "{name}");
        let properties = schema["properties"].as_object().unwrap();
        assert!(!properties.is_empty(), "{name}: a tool without arguments would have to be closed");
        for (property, schema) in schema["properties"].as_object().unwrap() {
            let said = schema["description"].as_str().unwrap_or_default();
            assert!(said.len() >= 10, "{name}.{property} is not described: {schema}");
            assert!(schema["type"].is_string(), "{name}.{property} has no one type: {schema}");
        }
        let known = schema["properties"].as_object().unwrap();
        for required in schema["required"].as_array().into_iter().flatten() {
            assert!(known.contains_key(required.as_str().unwrap()), "{name}: {required}");
        }
        let text = schema.to_string();
        for keyword in ["$ref", "$defs", "$schema", "anyOf", "oneOf", "allOf", "format"] {
            assert!(!text.contains(&format!("\"{keyword}\"")), "{name} uses {keyword}: {text}");
        }
        assert!(!text.contains("null"), "{name}: {text}");
    }
}

#[tokio::test]
async fn the_surface_is_as_reviewed() {
    let mut bench = Bench::new().await;
    for tool in bench.tools().await {
        insta::assert_json_snapshot!(format!("tool_{}", name(&tool)), tool);
    }
    let templates = bench.result("resources/templates/list", json!({})).await;
    insta::assert_json_snapshot!("resource_templates", templates);
}

/// A program with 40 lines that are about equally hot and long, far apart in 1,000 lines.
fn forty_hot_lines() -> String {
    let mut lines: Vec<String> = (1..=1000).map(|n| format!("# line {n}")).collect();
    lines[0] = "import time".into();
    lines[1] = "def work(until):".into();
    lines[2] = "    while time.process_time() < until:".into();
    for (index, line) in lines.iter_mut().enumerate().skip(3).take(991) {
        *line = format!("        # {index}");
    }
    for hot in 0..40 {
        let padding = "a_rather_long_name_for_a_value".repeat(3);
        lines[10 + hot * 20] = format!("        {padding}_{hot} = list(range(20_000))");
    }
    lines[994] = "print('o' * 30_000)".into();
    lines[995] = "work(time.process_time() + 4.0)".into();
    lines.join("\n") + "\n"
}

/// A dump and a profile of a process.
#[cfg(target_os = "linux")]
fn about_a_process(pid: u32) -> Vec<(&'static str, Value, usize)> {
    let call = |seconds: f64| json!({"pid": pid, "duration_sec": seconds});
    [0.0, 0.5].map(|seconds| ("profile_process", call(seconds), 4 * 1024)).to_vec()
}

/// Sixty tests with long names that fail with long messages.
const MANY_FAILURES: &str = "\
import unittest

class Many(unittest.TestCase):
    pass

for number in range(60):
    name = 'test_' + 'long_name_' * 12 + str(number)
    setattr(Many, name, lambda self: self.fail('€' * 3_000 + str(sum(range(90_000)))))
";

#[tokio::test]
async fn answers_fit_their_budgets_and_their_schemas() {
    let mut bench = Bench::new().await;
    bench.place.write("forty.py", &forty_hot_lines());
    let tools = bench.tools().await;
    let args: Vec<String> = (0..200).map(|n| format!("--option-{n}")).collect();
    let script = json!({"script_path": "forty.py", "args": args});
    let all = json!({"profile_id": "latest", "limit": 100});
    let id = json!({"profile_id": "latest"});
    let file = json!({"profile_id": "latest", "file_path": "forty.py"});
    let whole =
        json!({"profile_id": "latest", "file_path": "forty.py", "start_line": 1, "end_line": 1000});
    let recorded = recorded::path("shop_main.stacks--2.4.0");
    let (default, most) = (4 * 1024, 24 * 1024);
    let long = "#".repeat(5_000);
    let faster = json!({"baseline_code": format!("{}{long}", busy(0.2)), "candidate_code": long,
        "args_variants": [[&long], ["b"]], "budget_sec": 4});
    let failing = json!({"baseline_code": "1", "args": [&long],
        "candidate_code": "raise ValueError('€' * 9_000 + '\\n' * 50 + '€' * 9_000)"});
    bench.place.write("test_many.py", MANY_FAILURES);
    let function = json!({"target": "textwrap:wrap", "args": ["ab ".repeat(400)], "memory": false, "min_time_sec": 1.2});
    let mut called = Vec::new();
    #[cfg(target_os = "linux")]
    let serving = Serving::start(&pythons::system_python(), 6, "");
    #[cfg(target_os = "linux")]
    let processes = about_a_process(serving.pid());
    #[cfg(not(target_os = "linux"))]
    let processes = (called.push("profile_process"), Vec::new()).1;
    let usual = [
        ("list_profiles", json!({}), default),
        ("profile_tests", json!({"selector": ["test_many"]}), default),
        ("profile_function", function, default),
        ("profile_script", script, default),
        ("profile_code", json!({"code": busy(0.4), "memory": false, "stacks": true}), default),
        ("get_profile", json!({"profile_id": "previous"}), default),
        ("stop_profile", json!({"profile_id": "previous"}), default),
        ("list_profiles", json!({}), default),
        ("get_cpu_hotspots", json!({"profile_id": "previous"}), default),
        ("get_memory_hotspots", json!({"profile_id": "previous"}), default),
        ("get_function_summary", json!({"profile_id": "previous"}), default),
        ("get_gpu_hotspots", json!({"profile_id": "previous"}), default),
        ("get_memory_leaks", json!({"profile_id": "previous", "confidence": "low"}), default),
        ("get_call_paths", json!({"profile_id": "previous"}), default),
        ("get_blocks", json!({"profile_id": "previous"}), default),
        ("get_bottlenecks", json!({"profile_id": "previous"}), default),
        ("analyze_profile", json!({"profile_id": "previous"}), default),
        ("analyze_profile", json!({"profile_id": "previous", "focus_area": "memory"}), default),
        ("analyze_profile", json!({"profile_id": "latest", "focus_area": "gpu"}), default),
        ("compare_profiles", json!({"profile_id1": "previous", "profile_id2": "latest"}), default),
        ("get_file_details", with_profile(&file, "previous"), 6 * 1024),
        ("get_cpu_hotspots", with_profile(&all, "previous"), most),
        ("get_call_paths", with_profile(&all, "previous"), most),
        ("get_bottlenecks", with_profile(&all, "previous"), most),
        ("get_gpu_hotspots", with_profile(&all, "previous"), most),
        ("get_memory_hotspots", with_profile(&all, "previous"), most),
        ("get_function_summary", with_profile(&all, "previous"), most),
        ("get_file_details", with_profile(&whole, "previous"), most),
        ("get_memory_hotspots", id, default),
        ("load_profile", json!({"path": recorded}), default),
        ("verify_speedup", faster, 2048),
        ("verify_speedup", failing, 2048),
        ("verify_speedup", json!({"verification_id": "latest"}), 2048),
    ];
    for (tool, arguments, budget) in processes.into_iter().chain(usual) {
        let result = bench.call(tool, arguments).await;
        let (text, structured) = (text(&result), &result["structuredContent"]);
        assert!(text.len() <= budget, "{tool}: {} of {budget} bytes\n{text}", text.len());
        let declared = tools.iter().find(|declared| name(declared) == tool).unwrap();
        assert_eq!(
            violations(&declared["outputSchema"], structured),
            Vec::<String>::new(),
            "{tool}"
        );
        called.push(tool);
    }
    // load_profile made one more the latest: the forty lines are two before it.
    let list = bench.call("list_profiles", json!({})).await["structuredContent"].clone();
    let forty = list["profiles"][2]["profile_id"].as_str().unwrap();
    let forty = bench.call("get_cpu_hotspots", with_profile(&all, forty)).await;
    let found = forty["structuredContent"]["hotspots"].as_array().unwrap().len();
    // More than an answer lists unasked; a busy machine finds fewer than all.
    assert!(found > 10, "only {found} of 40 hot lines: the budgets were not tried");
    let missed: Vec<_> = tools.iter().map(name).filter(|tool| !called.contains(tool)).collect();
    assert_eq!(missed, Vec::<&str>::new(), "tools that no budget was tried on");
}

fn with_profile(arguments: &Value, id: &str) -> Value {
    let mut arguments = arguments.clone();
    arguments["profile_id"] = json!(id);
    arguments
}

#[tokio::test]
async fn a_handle_fits_the_schema_of_a_profile() {
    let mut bench = Bench::new().await;
    bench.place.write("app.py", &busy(1.0));
    let tools = bench.tools().await;
    let arguments = json!({"script_path": "app.py", "memory": false, "wait_sec": 0});
    let handle = bench.call("profile_script", arguments).await["structuredContent"].clone();
    assert_eq!(handle["status"], "running");
    let list = bench.call("list_profiles", json!({})).await["structuredContent"].clone();
    assert_eq!(list["profiles"][0]["profile_id"], handle["profile_id"]);
    for (tool, structured) in [("profile_script", &handle), ("list_profiles", &list)] {
        let declared = tools.iter().find(|declared| name(declared) == tool).unwrap();
        assert_eq!(violations(&declared["outputSchema"], structured), Vec::<String>::new());
    }
}

#[tokio::test]
async fn an_unknown_cursor_is_refused() {
    let mut bench = Bench::new().await;
    for method in ["tools/list", "resources/list", "resources/templates/list"] {
        let error = bench.error(method, json!({"cursor": "zzz"})).await;
        assert_eq!(error["code"], -32602, "{method}");
        assert!(error["message"].as_str().unwrap().contains("`zzz`"), "{error}");
    }
}

#[tokio::test]
async fn profiles_are_resources() {
    let mut bench = Bench::new().await;
    assert_eq!(bench.result("resources/list", json!({})).await["resources"], json!([]));
    let code = format!("print('a' * 20_000)\n{}", busy(0.4));
    let profile = bench.call("profile_code", json!({"code": code, "memory": false})).await;
    let id = profile["structuredContent"]["profile_id"].as_str().unwrap();
    let uri = format!("profile://{id}");

    let list = bench.result("resources/list", json!({})).await;
    assert_eq!(list["resources"].as_array().unwrap().len(), 1);
    assert_eq!(list["resources"][0]["uri"], uri);
    let mut read = Vec::new();
    for uri in [uri.clone(), format!("{uri}/output"), "profile://latest".to_owned()] {
        let contents =
            bench.result("resources/read", json!({"uri": uri})).await["contents"].clone();
        assert_eq!(contents[0]["uri"], uri);
        assert_eq!(contents[0]["mimeType"], "application/json");
        let body: Value = serde_json::from_str(contents[0]["text"].as_str().unwrap()).unwrap();
        read.push(body);
    }
    assert_eq!(read[0]["profile_id"], id);
    assert_eq!(read[0]["top_lines"][0]["function_name"], "busy");
    assert_eq!(read[1]["stdout"]["head"], format!("{}\n", "a".repeat(20_000)));
    assert_eq!(read[2], read[0]);

    let bad = ["profile://zzz", &format!("{uri}/zzz"), "file:///etc/passwd", "zzz"];
    for uri in bad {
        let error = bench.error("resources/read", json!({"uri": uri})).await;
        assert_eq!(error["code"], -32002, "{uri}: not found, as this era says it");
        assert!(error["message"].as_str().unwrap().contains("zzz") || uri.starts_with("file"));
        assert_eq!(error["data"]["uri"], uri);
    }
}

#[tokio::test]
async fn progress_is_told_to_those_who_ask_and_always_increases() {
    let mut bench = Bench::new().await;
    bench.place.write("app.py", &busy(2.5));
    let call =
        json!({"name": "profile_script", "arguments": {"script_path": "app.py", "memory": false}});
    let mut asking = call.clone();
    asking["_meta"] = json!({"progressToken": "tok"});
    bench.wire.request(1, "tools/call", asking).await;
    let (told, _) = bench.wire.answer_after(1).await;
    assert!(told.len() >= 3, "{told:?}");
    let mut last = 0.0;
    for message in &told {
        assert_eq!(message["method"], "notifications/progress");
        assert_eq!(message["params"]["progressToken"], "tok");
        let value = message["params"]["progress"].as_f64().unwrap();
        assert!(value > last, "{told:?}");
        last = value;
    }
    let messages: Vec<_> = told.iter().map(|m| m["params"]["message"].as_str().unwrap()).collect();
    assert!(messages.iter().any(|message| message.starts_with("running for ")), "{messages:?}");

    bench.wire.request(2, "tools/call", call).await;
    let (told, _) = bench.wire.answer_after(2).await;
    assert_eq!(told, Vec::<Value>::new(), "nobody asked");
}
