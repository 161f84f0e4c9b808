//! A bug in one call: that call fails and says so, and the session goes on. The bugs are made by a
//! variable that debug builds read.

use serde_json::{Value, json};

use crate::support::client::server_command;
use crate::support::place::{Place, busy};
use crate::support::recorded;
use crate::support::wire::Wire;

const LEGACY: &str = "2025-11-25";

/// A session whose server panics at these places, with a profile in it where loading is none of them.
struct Broken {
    _place: Place,
    wire: Wire,
    id: u32,
}

impl Broken {
    async fn at(places: &str) -> Self {
        let place = Place::new();
        let mut command = server_command(&place.path(), &[]);
        command.env("SCALENE_MCP_TEST_PANIC", places);
        let wire = Wire::open(command, LEGACY).await;
        Self { _place: place, wire, id: 0 }
    }

    async fn call(&mut self, tool: &str, arguments: Value) -> Value {
        self.id += 1;
        let params = json!({"name": tool, "arguments": arguments});
        self.wire.result(self.id, "tools/call", params).await
    }

    async fn works(&mut self, tool: &str, arguments: Value) -> Value {
        let result = self.call(tool, arguments).await;
        assert_ne!(result["isError"], true, "{tool}: {result}");
        result["structuredContent"].clone()
    }

    async fn fails(&mut self, tool: &str, arguments: Value) {
        let result = self.call(tool, arguments).await;
        let text = result["content"][0]["text"].as_str().unwrap();
        assert!(text.starts_with("internal_error: "), "{tool}: {text}");
        assert!(text.contains("a bug of scalene-mcp") && text.contains("\nNext: "), "{text}");
    }

    async fn load(&mut self) -> Value {
        let path = recorded::path("shop_main--2.4.0");
        self.works("load_profile", json!({"path": path})).await
    }
}

#[tokio::test]
async fn a_bug_in_a_question_is_the_failure_of_that_question() {
    let mut broken = Broken::at("get_cpu_hotspots").await;
    broken.load().await;
    let id = json!({"profile_id": "latest"});
    for _ in 0..3 {
        broken.fails("get_cpu_hotspots", id.clone()).await;
        let summary = broken.works("get_function_summary", id.clone()).await;
        assert_eq!(summary["functions"][0]["function_name"], "quote");
    }
}

#[tokio::test]
async fn a_bug_in_reading_a_document_loses_no_stored_profile() {
    let mut broken = Broken::at("load_profile,resources/read").await;
    let path = json!({"path": recorded::path("shop_main--2.4.0")});
    broken.fails("load_profile", path).await;
    assert_eq!(broken.works("list_profiles", json!({})).await["total"], 0);
    let profile = json!({"code": busy(0.4), "memory": false});
    let made = broken.works("profile_code", profile).await;
    let uri = format!("profile://{}", made["profile_id"].as_str().unwrap());
    let error = broken.wire.error(100, "resources/read", json!({"uri": uri})).await;
    assert_eq!(error["code"], -32603, "{error}");
    assert_eq!(broken.works("list_profiles", json!({})).await["total"], 1);
}

#[tokio::test]
async fn a_bug_in_a_run_is_told_to_whoever_waits_for_it_and_gives_the_turn_on() {
    let mut broken = Broken::at("run").await;
    let code = json!({"code": "x = 1", "memory": false});
    for _ in 0..3 {
        broken.fails("profile_code", code.clone()).await;
    }
    broken.load().await;
    let lines = broken.works("get_cpu_hotspots", json!({"profile_id": "latest"})).await;
    assert_eq!(lines["hotspots"][0]["function_name"], "quote");
}

#[tokio::test]
async fn a_bug_in_a_verification_is_told_and_gives_the_turn_on() {
    let mut broken = Broken::at("verification").await;
    let code = json!({"baseline_code": "1", "candidate_code": "1"});
    for _ in 0..2 {
        broken.fails("verify_speedup", code.clone()).await;
    }
    let profile = json!({"code": busy(0.4), "memory": false});
    assert_eq!(broken.works("profile_code", profile).await["status"], "complete");
}
