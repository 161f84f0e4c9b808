//! Questions to the person at the client, folders that the client tells, calls that are followed as tasks.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::client::server_command;
use crate::support::place::{Place, busy};
use crate::support::pythons::{command, of_both_kinds, system_python};
use crate::support::traces::processes_with;
use crate::support::wire::Wire;

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// A client of one era that has told what it can do.
struct Client {
    wire: Wire,
    modern: bool,
    capabilities: Value,
    id: u32,
}

impl Client {
    async fn open(command: tokio::process::Command, version: &str, capabilities: Value) -> Self {
        let mut wire = Wire::start(command);
        let modern = version == MODERN;
        if !modern {
            let client = json!({"name": "test", "version": "0"});
            let params = json!({"protocolVersion": version, "capabilities": capabilities, "clientInfo": client});
            wire.result(0, "initialize", params).await;
            wire.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        }
        Self { wire, modern, capabilities, id: 0 }
    }

    async fn begin(&mut self, method: &str, mut params: Value) {
        self.id += 1;
        if self.modern {
            params["_meta"] = json!({
                "io.modelcontextprotocol/protocolVersion": MODERN,
                "io.modelcontextprotocol/clientCapabilities": self.capabilities,
            });
        }
        self.wire.request(self.id, method, params).await;
    }

    async fn ask(&mut self, method: &str, params: Value) -> Value {
        self.begin(method, params).await;
        let answer = self.wire.answer(self.id).await;
        assert_eq!(answer.get("error"), None, "{method} failed");
        answer["result"].clone()
    }

    /// Calls a tool. Requests of the server are answered by `person`, and come back with the result.
    async fn call(
        &mut self,
        name: &str,
        arguments: &Value,
        person: impl Fn(&Value) -> Option<Value>,
    ) -> (Vec<Value>, Value) {
        self.begin("tools/call", json!({"name": name, "arguments": arguments})).await;
        let mut asked = Vec::new();
        loop {
            let message = self.wire.message().await.unwrap();
            if message["id"] == self.id && message.get("method").is_none() {
                return (asked, message["result"].clone());
            }
            let Some(id) = message.get("id") else { continue };
            if let Some(result) = person(&message) {
                self.wire.send(json!({"jsonrpc": "2.0", "id": id, "result": result})).await;
            }
            asked.push(message);
        }
    }
}

fn says(answer: Value) -> impl Fn(&Value) -> Option<Value> {
    move |_| Some(json!({"action": "accept", "content": {"answer": answer}}))
}

fn text(result: &Value) -> &str {
    result["content"][0]["text"].as_str().unwrap()
}

fn forms() -> Value {
    json!({"elicitation": {}})
}

fn venv(python: &std::path::Path, at: &std::path::Path) {
    let made = command(python).args(["-m", "venv", "--without-pip"]).arg(at).status().unwrap();
    assert!(made.success());
}

#[tokio::test]
async fn leave_to_install_is_asked_for_and_a_no_is_a_no() {
    let place = Place::new();
    let python = place.path().join("bare");
    venv(&system_python(), &python);
    let server = || server_command(&place.path(), &["--no-install"]);
    let run = json!({"code": busy(0.4), "python": python, "memory": false, "wait_sec": 80,
        "engine": "scalene"});

    let mut client = Client::open(server(), LEGACY, forms()).await;
    // The sampler takes over only after the no.
    let mut auto = run.clone();
    (auto["engine"], auto["code"]) = (json!("auto"), json!(busy(1.0)));
    let (asked, sampled) = client.call("profile_code", &auto, says(json!(false))).await;
    assert_eq!(asked.len(), 1, "{sampled}");
    assert_eq!(sampled["structuredContent"]["environment"]["engine"], "sampler", "{sampled}");
    let (asked, refused) = client.call("profile_code", &run, says(json!(false))).await;
    assert_eq!((asked.len(), &refused["isError"]), (1, &json!(true)), "{refused}");
    assert_eq!(asked[0]["method"], "elicitation/create");
    let form = &asked[0]["params"];
    assert!(form["message"].as_str().unwrap().contains("Install Scalene"), "{form}");
    assert_eq!(form["requestedSchema"]["properties"]["answer"]["type"], "boolean", "{form}");
    assert!(text(&refused).starts_with("scalene_missing"), "{refused}");
    let declined = |_: &Value| Some(json!({"action": "decline"}));
    let (asked, refused) = client.call("profile_code", &run, declined).await;
    assert_eq!((asked.len(), &refused["isError"]), (1, &json!(true)), "{refused}");
    let (asked, profile) = client.call("profile_code", &run, says(json!(true))).await;
    assert_eq!(asked.len(), 1);
    assert_eq!(profile["structuredContent"]["status"], "complete", "{profile}");

    let mut mute = Client::open(server(), LEGACY, json!({})).await;
    let (asked, refused) = mute.call("profile_code", &run, |_| None).await;
    assert_eq!((asked.len(), &refused["isError"]), (0, &json!(true)), "{refused}");

    let mut modern = Client::open(server(), MODERN, forms()).await;
    let mut params = json!({"name": "profile_code", "arguments": run});
    let question = modern.ask("tools/call", params.clone()).await;
    assert_eq!(question["resultType"], "input_required", "{question}");
    let form = &question["inputRequests"]["install"];
    assert_eq!(form["method"], "elicitation/create", "{question}");
    params["requestState"] = question["requestState"].clone();
    params["inputResponses"] =
        json!({"install": {"action": "accept", "content": {"answer": true}}});
    let profile = modern.ask("tools/call", params.clone()).await;
    assert_eq!(profile["structuredContent"]["status"], "complete", "{profile}");
    params["inputResponses"] = json!({"install": {"action": "decline"}});
    let refused = modern.ask("tools/call", params).await;
    assert!(text(&refused).starts_with("scalene_missing"), "{refused}");
}

#[tokio::test]
async fn a_script_outside_the_roots_runs_if_a_person_says_so() {
    let place = Place::new();
    place.write("in/app.py", &busy(0.4));
    let outside = place.write("out/app.py", &busy(0.4));
    let root = place.path().join("in");
    let server = server_command(&place.path(), &["--root", root.to_str().unwrap()]);
    let mut client = Client::open(server, LEGACY, forms()).await;
    let run = json!({"script_path": outside, "memory": false, "wait_sec": 80});
    let (asked, refused) = client.call("profile_script", &run, says(json!(false))).await;
    assert_eq!(asked.len(), 1);
    assert!(text(&refused).starts_with("outside_roots"), "{refused}");
    for _ in 0..2 {
        // A yes is for one call.
        let (asked, profile) = client.call("profile_script", &run, says(json!(true))).await;
        assert_eq!(asked.len(), 1);
        assert_eq!(profile["structuredContent"]["status"], "complete", "{profile}");
    }
    let load = json!({"path": outside});
    let (asked, refused) = client.call("load_profile", &load, says(json!(true))).await;
    assert_eq!((asked.len(), &refused["isError"]), (0, &json!(true)), "{refused}");
}

#[tokio::test]
async fn one_of_several_environments_is_chosen_once() {
    let place = Place::new();
    place.write("app.py", &busy(0.4));
    let pythons = of_both_kinds();
    venv(&pythons[0], &place.path().join(".venv"));
    venv(pythons.last().unwrap(), &place.path().join("other"));
    let real = place.path().canonicalize().unwrap();
    let run = json!({"script_path": place.path().join("app.py"), "memory": false, "wait_sec": 80});
    let used = |profile: &Value| {
        let environment = &profile["structuredContent"]["environment"];
        environment["python"].as_str().unwrap_or_else(|| panic!("{profile}")).to_owned()
    };
    let other = real.join("other");
    let server = || server_command(&place.path(), &[]);

    let mut client = Client::open(server(), LEGACY, forms()).await;
    let (asked, profile) = client.call("profile_script", &run, says(json!(other))).await;
    let choices = &asked[0]["params"]["requestedSchema"]["properties"]["answer"]["enum"];
    assert_eq!(*choices, json!([real.join(".venv"), other]), "{}", asked[0]);
    assert!(used(&profile).contains("/other/"), "{}", used(&profile));
    let (asked, profile) = client.call("profile_script", &run, |_| None).await;
    assert!(asked.is_empty() && used(&profile).contains("/other/"), "{}", used(&profile));

    // Something that is not among them is no answer, and neither is a no: the usual one is taken.
    for person in [json!("/usr"), json!(false)] {
        let mut client = Client::open(server(), LEGACY, forms()).await;
        let (asked, profile) = client.call("profile_script", &run, says(person)).await;
        assert_eq!(asked.len(), 1);
        assert!(used(&profile).contains("/.venv/"), "{}", used(&profile));
    }
    let mut mute = Client::open(server(), LEGACY, json!({})).await;
    let (_, profile) = mute.call("profile_script", &run, |_| None).await;
    assert!(used(&profile).contains("/.venv/"), "{}", used(&profile));
}

#[tokio::test]
async fn a_script_is_found_in_the_folders_of_the_client() {
    let (project, elsewhere) = (Place::new(), Place::new());
    project.write("src/app.py", &busy(0.4));
    let uri = |place: &Place| json!({"uri": format!("file://{}", place.path().display())});
    let both = json!({"roots": [uri(&elsewhere), uri(&project)]});
    let server = || server_command(std::path::Path::new("/"), &[]);
    let run = json!({"script_path": "src/app.py", "memory": false, "wait_sec": 80});

    let mut client = Client::open(server(), LEGACY, json!({"roots": {}})).await;
    let (asked, profile) = client.call("profile_script", &run, |_| Some(both.clone())).await;
    assert_eq!(asked[0]["method"], "roots/list");
    assert_eq!(profile["structuredContent"]["status"], "complete", "{profile}");
    let code = json!({"code": "import os\nprint(os.getcwd())\n", "memory": false, "wait_sec": 80});
    let (_, where_to) = client.call("profile_code", &code, |_| Some(both.clone())).await;
    let first = elsewhere.path().canonicalize().unwrap();
    assert!(where_to.to_string().contains(first.to_str().unwrap()), "{where_to}");

    // One that says that it has folders, and does not tell them.
    let mut silent = Client::open(server(), LEGACY, json!({"roots": {}})).await;
    let (asked, refused) = silent.call("profile_script", &run, |_| None).await;
    assert_eq!(asked.len(), 1);
    assert!(text(&refused).starts_with("script_not_found"), "{refused}");
    let mut mute = Client::open(server(), LEGACY, json!({})).await;
    let (asked, refused) = mute.call("profile_script", &run, |_| None).await;
    assert!(asked.is_empty() && text(&refused).starts_with("script_not_found"), "{refused}");
}

#[tokio::test]
async fn a_long_call_is_followed_as_a_task() {
    let place = Place::new();
    let follows = json!({"extensions": {"io.modelcontextprotocol/tasks": {}}});
    let mut client = Client::open(server_command(&place.path(), &[]), MODERN, follows).await;
    let run = json!({"code": busy(0.6), "memory": false, "wait_sec": 0});
    let task = client.ask("tools/call", json!({"name": "profile_code", "arguments": run})).await;
    assert_eq!(task["resultType"], "task", "{task}");
    let id = json!({"taskId": task["taskId"]});
    let patience = Instant::now() + Duration::from_secs(80);
    let done = loop {
        let now = client.ask("tasks/get", id.clone()).await;
        if now["status"] != "working" {
            break now;
        }
        assert!(Instant::now() < patience, "{now}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    assert_eq!(done["status"], "completed", "{done}");
    assert_eq!(done["result"]["structuredContent"]["status"], "complete", "{done}");

    // What only computes is answered.
    let list = client.ask("tools/call", json!({"name": "list_profiles", "arguments": {}})).await;
    assert_eq!(list["structuredContent"]["total"], 1, "{list}");

    let marker = format!("TASK_OF={}", place.path().display());
    let (name, value) = marker.split_once('=').unwrap();
    let sleeps =
        json!({"code": "import time\ntime.sleep(600)\n", "memory": false, "env": {name: value}});
    let task = client.ask("tools/call", json!({"name": "profile_code", "arguments": sleeps})).await;
    let id = json!({"taskId": task["taskId"]});
    while processes_with(&marker).is_empty() {
        assert_eq!(client.ask("tasks/get", id.clone()).await["status"], "working");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    client.ask("tasks/cancel", id.clone()).await;
    while client.ask("tasks/get", id.clone()).await["status"] == "working" {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(client.ask("tasks/get", id).await["status"], "cancelled");
    while !processes_with(&marker).is_empty() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
