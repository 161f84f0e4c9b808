//! Prompts through a real client: their texts, what they name, arguments and completion.

use rmcp::ServiceError;
use rmcp::model::{
    ArgumentInfo, CompleteRequestParams, ContentBlock, GetPromptRequestParams, Reference,
};
use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::recorded;

/// Every prompt, each way of its use; the profile is the one that was loaded.
fn uses(profile: &str) -> Vec<(&'static str, &'static str, Value)> {
    let script = json!({"script_path": "app.py", "args": "--rows 5"});
    let stored = json!({"profile_id": profile});
    let versions = |one: &str, other: &str| json!({"baseline": one, "candidate": other});
    vec![
        ("compare_versions", "of_profiles", versions(profile, "latest")),
        ("compare_versions", "of_scripts", versions("old.py", "-m package.new")),
        ("compare_versions", "with_a_profile", versions(profile, "new.py")),
        ("explain_profile", "of_a_profile", stored.clone()),
        ("find_bottleneck", "of_a_profile", stored.clone()),
        ("find_bottleneck", "of_a_script", script.clone()),
        ("find_leak", "of_a_script", script.clone()),
        ("reduce_memory", "of_a_script", script.clone()),
        ("speed_up", "of_a_profile", stored),
        ("speed_up", "of_a_script", script),
    ]
}

async fn get(session: &Session, name: &str, arguments: &Value) -> Result<String, String> {
    let mut params = GetPromptRequestParams::new(name);
    params.arguments = arguments.as_object().cloned();
    match session.service.get_prompt(params).await {
        Ok(prompt) => {
            assert_eq!(prompt.messages.len(), 1);
            match &prompt.messages[0].content {
                ContentBlock::Text(text) => Ok(text.text.clone()),
                other => panic!("{name}: {other:?}"),
            }
        }
        Err(ServiceError::McpError(error)) => {
            assert_eq!(error.code.0, -32602, "{error}");
            Err(error.message.into_owned())
        }
        Err(error) => panic!("{name}: {error}"),
    }
}

/// Two profiles of one program; the older one's id.
async fn loaded(session: &Session) -> String {
    let path = json!({"path": recorded::path("shop_main--2.4.0")});
    let first = session.call("load_profile", path.clone()).await.structured;
    session.call("load_profile", path).await;
    first["profile_id"].as_str().unwrap().to_owned()
}

/// Calls in a text: what stands between backticks and is a name with an object.
fn calls(text: &str) -> Vec<(String, Value)> {
    let quoted = text.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|quoted| {
            let (tool, arguments) = quoted.split_once(" {")?;
            let arguments = serde_json::from_str(&format!("{{{arguments}")).unwrap();
            Some((tool.to_owned(), arguments))
        })
        .collect()
}

#[tokio::test]
async fn prompts_are_as_reviewed() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let list = session.service.list_prompts(None).await.unwrap();
    assert_eq!(list.next_cursor, None);
    let names: Vec<_> = list.prompts.iter().map(|prompt| prompt.name.clone()).collect();
    assert!(names.is_sorted(), "{names:?}");
    let mut used: Vec<_> = uses("latest").iter().map(|(name, ..)| (*name).to_owned()).collect();
    used.dedup();
    assert_eq!(names, used, "every prompt is tried below");
    insta::assert_json_snapshot!("list", list);
    let profile = loaded(&session).await;
    let newest = session.call("list_profiles", json!({})).await.structured;
    let newest = newest["profiles"][0]["profile_id"].as_str().unwrap().to_owned();
    for (name, how, arguments) in uses(&profile) {
        let text = get(&session, name, &arguments).await.unwrap();
        assert_eq!(get(&session, name, &arguments).await.unwrap(), text, "the same every time");
        assert!(text.len() <= 1536, "{name} {how}: {} bytes", text.len());
        let text = text.replace(&profile, "[older]").replace(&newest, "[newest]");
        insta::assert_snapshot!(format!("{name}_{how}"), text);
    }
    session.close().await;
}

#[tokio::test]
async fn the_calls_of_prompts_are_calls_of_tools() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let tools = session.service.list_all_tools().await.unwrap();
    let profile = loaded(&session).await;
    let mut seen = Vec::new();
    for (name, how, arguments) in uses(&profile) {
        let text = get(&session, name, &arguments).await.unwrap();
        let calls = calls(&text);
        assert!(calls.len() >= 3, "{name} {how}: {text}");
        for (tool, arguments) in calls {
            let found = tools.iter().find(|known| known.name == tool);
            let schema = &found.unwrap_or_else(|| panic!("{name}: no tool {tool}")).input_schema;
            let given = arguments.as_object().unwrap();
            for parameter in given.keys() {
                assert!(schema["properties"].get(parameter).is_some(), "{tool}: {parameter}");
            }
            for required in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                assert!(given.contains_key(required.as_str().unwrap()), "{tool}: {required}");
            }
            seen.push(tool);
        }
    }
    for tool in ["profile_script", "verify_speedup", "compare_profiles", "get_memory_leaks"] {
        assert!(seen.iter().any(|seen| seen == tool), "{tool}: {seen:?}");
    }
    session.close().await;
}

/// The loop as an agent goes through it, with a change that is none.
#[tokio::test]
async fn the_calls_of_a_prompt_can_be_made_as_they_stand() {
    let place = Place::new();
    place.write("app.py", &busy(0.6));
    let session = Session::open(&place.path()).await;
    let text = get(&session, "speed_up", &json!({"script_path": "app.py"})).await.unwrap();
    let calls = calls(&text);
    let call = |tool: &str| calls.iter().find(|(name, _)| name == tool).unwrap().1.clone();
    let run = session.call("profile_script", call("profile_script")).await.structured;
    let id = run["profile_id"].clone();
    let findings = session.call("analyze_profile", call("analyze_profile")).await.structured;
    assert_eq!(findings["profile_id"], id);
    let mut verify = call("verify_speedup");
    verify["budget_sec"] = json!(5);
    let verified = session.call("verify_speedup", verify).await.structured;
    let verdict = verified["verdict"].as_str().unwrap();
    assert!(text.contains(&format!("`{verdict}`")), "the prompt does not say what {verdict} means");
    session.close().await;
}

#[tokio::test]
async fn wrong_arguments_are_named() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let id = loaded(&session).await;
    let long = "x".repeat(1_001);
    for (name, arguments, why) in [
        ("tune", json!({}), "unknown prompt `tune` (prompts: compare_versions, "),
        ("find_leak", json!({}), "give `script_path`, or `profile_id` of a stored profile"),
        ("find_leak", json!({"script_path": " "}), "give `script_path`, or `profile_id`"),
        ("find_leak", json!({"script_path": "a.py", "profile_id": id}), "not both"),
        (
            "find_leak",
            json!({"profile_id": id, "args": "x"}),
            "`args`: a stored profile has its own",
        ),
        ("find_leak", json!({"script": "a.py"}), "no argument `script` (arguments: script_path, "),
        ("find_leak", json!({"script_path": ["a.py"]}), "`script_path`: [\"a.py\"] is not text"),
        ("find_leak", json!({"script_path": long}), "longer than 1000 bytes"),
        ("find_leak", json!({"script_path": "a.py\nrm"}), "line break"),
        ("find_leak", json!({"script_path": "a.py", "args": "[1"}), "`args`: it begins like"),
        ("find_leak", json!({"profile_id": "zzz"}), "profile `zzz` not found (known: "),
        ("explain_profile", json!({}), "`profile_id`: it is missing"),
        ("compare_versions", json!({"baseline": id}), "`candidate`: it is missing"),
        ("compare_versions", json!({"baseline": id, "candidate": id}), "are the same"),
        ("compare_versions", json!({"baseline": id, "candidate": "zzz"}), "a program ends in .py"),
    ] {
        let said = get(&session, name, &arguments).await.unwrap_err();
        assert!(said.contains(why), "{name} {arguments}: {said}");
    }
    session.close().await;
}

#[tokio::test]
async fn what_cannot_be_done_is_not_offered() {
    let place = Place::new();
    let session = Session::open_with(server_command(&place.path(), &["--read-only"])).await;
    let list = session.service.list_prompts(None).await.unwrap().prompts;
    let names: Vec<_> = list.iter().map(|prompt| prompt.name.as_str()).collect();
    assert_eq!(names, ["compare_versions", "explain_profile", "find_bottleneck"]);
    let id = loaded(&session).await;
    let tools = session.service.list_all_tools().await.unwrap();
    for (name, arguments) in [
        ("compare_versions", json!({"baseline": id, "candidate": "latest"})),
        ("explain_profile", json!({"profile_id": id})),
        ("find_bottleneck", json!({"profile_id": id})),
    ] {
        for (tool, _) in calls(&get(&session, name, &arguments).await.unwrap()) {
            assert!(tools.iter().any(|known| known.name == tool), "{name}: {tool}");
        }
    }
    for (name, arguments, why) in [
        ("speed_up", json!({"profile_id": id}), "needs the tool profile_script"),
        ("find_bottleneck", json!({"script_path": "a.py"}), "this server runs nothing"),
        ("compare_versions", json!({"baseline": id, "candidate": "a.py"}), "runs nothing"),
    ] {
        let said = get(&session, name, &arguments).await.unwrap_err();
        assert!(said.contains(why), "{name}: {said}");
    }
    session.close().await;
}

#[tokio::test]
async fn programs_keep_their_arguments() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    for (args, expected) in [
        ("--rows 5  -v", json!(["--rows", "5", "-v"])),
        (r#"["two words", "5"]"#, json!(["two words", "5"])),
    ] {
        let arguments = json!({"script_path": "app.py", "args": args});
        let text = get(&session, "find_bottleneck", &arguments).await.unwrap();
        assert_eq!(calls(&text)[0].1["args"], expected, "{text}");
    }
    // A stored run is repeated as it was.
    place.write("app.py", &busy(0.5));
    let run = json!({"script_path": "app.py", "args": ["--rows", "a b"], "memory": false});
    session.call("profile_script", run).await;
    let text = get(&session, "speed_up", &json!({"profile_id": "latest"})).await.unwrap();
    let again = calls(&text).into_iter().find(|(tool, _)| tool == "profile_script").unwrap().1;
    assert_eq!(again["args"], json!(["--rows", "a b"]), "{text}");
    assert_eq!(again["memory"], false);
    // A snippet has no file to be compared with.
    session.call("profile_code", json!({"code": busy(0.4), "memory": false})).await;
    let text = get(&session, "speed_up", &json!({"profile_id": "latest"})).await.unwrap();
    let verify = calls(&text).into_iter().find(|(tool, _)| tool == "verify_speedup").unwrap().1;
    assert!(verify["baseline_code"].is_string() && verify["candidate_code"].is_string(), "{text}");
    session.close().await;
}

#[tokio::test]
async fn arguments_are_completed() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let completed = async |prompt: &str, argument: &str, typed: &str| {
        let params = CompleteRequestParams::new(
            Reference::for_prompt(prompt),
            ArgumentInfo::new(argument, typed),
        );
        session.service.complete(params).await.map(|found| found.completion.values)
    };
    assert_eq!(completed("speed_up", "script_path", "").await.unwrap(), Vec::<String>::new());
    let older = loaded(&session).await;
    let program = "/tmp/demo/shop_main.py";
    assert_eq!(completed("speed_up", "script_path", "").await.unwrap(), [program], "once");
    assert_eq!(completed("find_leak", "script_path", "shop").await.unwrap(), [program]);
    let ids = completed("explain_profile", "profile_id", "").await.unwrap();
    assert_eq!((&ids[1], ids.len()), (&older, 4), "newest first, then the names: {ids:?}");
    let both = completed("compare_versions", "candidate", "").await.unwrap();
    assert!(both.contains(&older) && both.contains(&program.to_owned()), "{both:?}");
    assert_eq!(completed("speed_up", "args", "").await.unwrap(), Vec::<String>::new());
    for (prompt, argument) in [("tune", "script_path"), ("speed_up", "goal")] {
        let error = completed(prompt, argument, "").await.unwrap_err();
        let ServiceError::McpError(error) = error else { panic!("{error}") };
        assert_eq!(error.code.0, -32602, "{error}");
        assert!(error.message.contains(prompt), "{error}");
    }
    session.close().await;
}
