//! What the server offers when it is told at its start.

use serde_json::{Value, json};

use crate::support::client::{BINARY, Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::recorded;

async fn open(place: &Place, options: &[&str]) -> Session {
    Session::open_with(server_command(&place.path(), options)).await
}

async fn names(session: &Session) -> Vec<String> {
    let tools = session.service.list_all_tools().await.unwrap();
    tools.into_iter().map(|tool| tool.name.to_string()).collect()
}

#[tokio::test]
async fn sets_and_names_decide_which_tools_there_are() {
    let place = Place::new();
    let core = open(&place, &["--tools", "core"]).await;
    let offered = names(&core).await;
    for tool in ["profile_script", "compare_profiles", "get_profile", "stop_profile"] {
        assert!(offered.contains(&tool.to_owned()), "{tool}: {offered:?}");
    }
    assert_eq!(offered.len(), 14, "the twelve of the API, get_profile, stop_profile: {offered:?}");
    let failure = core
        .service
        .call_tool(rmcp::model::CallToolRequestParams::new("load_profile"))
        .await
        .unwrap_err();
    assert!(failure.to_string().contains("`load_profile` is not offered"), "{failure}");
    core.close().await;

    let two = open(&place, &["--tools", "load_profile,analyze_profile"]).await;
    assert_eq!(names(&two).await, ["analyze_profile", "load_profile"]);
    let path = json!({"path": recorded::path("shop_main--2.4.0")});
    let loaded = two.call("load_profile", path).await;
    let id = json!({"profile_id": loaded.structured["profile_id"]});
    let analysis = two.call("analyze_profile", id).await;
    for answer in [loaded, analysis] {
        let next = answer.structured["next"].as_array().unwrap().clone();
        for call in &next {
            let tool = call["tool"].as_str().unwrap();
            assert!(["load_profile", "analyze_profile"].contains(&tool), "{}", answer.text);
        }
        assert!(!answer.text.contains("Next: get_"), "{}", answer.text);
    }
    two.close().await;
}

#[tokio::test]
async fn a_server_that_only_reads_runs_nothing() {
    let place = Place::new();
    let session = open(&place, &["--read-only"]).await;
    let tools = session.service.list_all_tools().await.unwrap();
    for tool in &tools {
        let hints = tool.annotations.clone().unwrap();
        assert_eq!(hints.read_only_hint, Some(true), "{}", tool.name);
        assert_eq!(hints.open_world_hint, Some(false), "{}", tool.name);
    }
    let offered = names(&session).await;
    for tool in
        ["profile_script", "profile_code", "profile_process", "stop_profile", "verify_speedup"]
    {
        assert!(!offered.contains(&tool.to_owned()), "{tool}");
    }
    let path = json!({"path": recorded::path("leak_list--2.4.0")});
    let loaded = session.call("load_profile", path).await.structured;
    let sure = json!({"profile_id": loaded["profile_id"], "confirm": true});
    let leaks = session.call("get_memory_leaks", sure).await;
    assert!(leaks.text.contains("not run again"), "{}", leaks.text);
    let exact = json!({"profile_id": loaded["profile_id"], "exact": true});
    let exact = session.call("get_memory_hotspots", exact).await;
    assert!(exact.text.contains("not run again"), "{}", exact.text);
    session.close().await;
}

#[tokio::test]
async fn answers_come_in_the_form_that_was_chosen() {
    let place = Place::new();
    place.write("work.py", &busy(0.5));
    let run = json!({"script_path": "work.py", "cwd": place.path(), "memory": false});
    let text = open(&place, &["--output", "text"]).await;
    let tools = text.service.list_all_tools().await.unwrap();
    assert!(tools.iter().all(|tool| tool.output_schema.is_none()));
    let answer = text.raw("profile_script", run.clone()).await;
    assert_eq!(answer.structured_content, None);
    assert!(crate::support::client::text(&answer).contains("busy"), "{answer:?}");
    text.close().await;

    let structured = open(&place, &["--output", "structured"]).await;
    let answer = structured.raw("profile_script", run).await;
    let same: Value = serde_json::from_str(&crate::support::client::text(&answer)).unwrap();
    assert_eq!(answer.structured_content, Some(same));
    structured.close().await;
}

#[test]
fn a_tool_that_is_none_is_wrong_usage() {
    #[expect(clippy::disallowed_methods, reason = "a user starts the program")]
    let mut command = std::process::Command::new(BINARY);
    let ended = command.args(["--tools", "core,profil_code"]).output().unwrap();
    assert_eq!(ended.status.code(), Some(2));
    let said = String::from_utf8(ended.stderr).unwrap();
    assert!(said.contains("`profil_code`") && said.contains("profile_code"), "{said}");
}
