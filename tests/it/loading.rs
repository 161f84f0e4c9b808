//! Profiles that were recorded elsewhere, and what of a profile is listed.

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::{Place, busy};
use crate::support::recorded;

#[tokio::test]
async fn documents_of_every_version_are_loaded_and_analysed() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    for version in ["1.5.55", "2.0.1", "2.2.1", "2.4.0"] {
        let path = recorded::path(&format!("cpu_functions--{version}"));
        let loaded = session.call("load_profile", json!({"path": path})).await.structured;
        assert_eq!(loaded["status"], "complete", "{version}");
        assert_eq!(loaded["loaded_from"], json!(path));
        for unknown in ["stdout", "stderr", "environment"] {
            assert_eq!(loaded.get(unknown), None, "{version}: nobody recorded it");
        }
        let id = json!({"profile_id": loaded["profile_id"]});
        let functions = session.call("get_function_summary", id.clone()).await.structured;
        assert_eq!(functions["functions"][0]["function_name"], "heavy", "{version}");
        let analysis = session.call("analyze_profile", id).await.structured;
        assert_eq!(analysis["severity"], "critical", "{version}");
        assert_eq!(analysis["hotspots"][0]["function_name"], "heavy", "{version}");
    }
    let ids = json!({"profile_id1": "previous", "profile_id2": "latest"});
    let compared = session.call("compare_profiles", ids).await.structured;
    assert_eq!(compared["summary"]["elapsed_verdict"], "unchanged", "{compared}");
    assert_eq!(compared["summary"]["noise"], 4, "no more than the samples vary: {compared}");
    let stopped = recorded::path("runs_forever.sigterm--2.4.0");
    let stopped = session.call("load_profile", json!({"path": stopped})).await.structured;
    assert_eq!(stopped["status"], "partial");
    session.close().await;
}

#[tokio::test]
async fn what_is_no_profile_is_told_what_it_is() {
    let place = Place::new();
    place.write("empty.json", "{}\n");
    place.write("other.json", "{\"a\": 1}");
    place.write("list.json", "[1]");
    place.write("cut.json", "{\"files\": {\"a.py\": {\"lines\": [");
    place.write("text.json", "not json");
    std::fs::create_dir(place.path().join("folder.json")).unwrap();
    let session = Session::open(&place.path()).await;
    for (file, code, said) in [
        ("missing.json", "profile_file_not_found", "does not exist"),
        ("folder.json", "profile_file_not_found", "is not a file"),
        ("empty.json", "invalid_profile", "Scalene recorded no sample"),
        ("other.json", "invalid_profile", "no Scalene profile"),
        ("list.json", "invalid_profile", "is not an object"),
        ("cut.json", "invalid_profile", "cut off"),
        ("text.json", "invalid_profile", "not JSON"),
    ] {
        let failure =
            session.failure("load_profile", json!({"path": place.path().join(file)})).await;
        assert!(failure.starts_with(code) && failure.contains(said), "{file}: {failure}");
        assert!(failure.contains(file), "{failure}");
    }
    session.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn the_oldest_profiles_make_room_and_that_is_said() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let path = json!({"path": recorded::path("too_short--2.0.1")});
    assert!(session.failure("load_profile", path).await.starts_with("invalid_profile"));
    let path = json!({"path": recorded::path("deletes_itself.cpu-only--2.4.0")});
    let mut ids = Vec::new();
    for _ in 0..52 {
        let loaded = session.call("load_profile", path.clone()).await.structured;
        ids.push(loaded["profile_id"].clone());
    }
    let list = session.call("list_profiles", json!({})).await.structured;
    assert_eq!(list["total"], 50, "{list}");
    let gone = session.failure("get_cpu_hotspots", json!({"profile_id": ids[0]})).await;
    assert!(gone.starts_with("profile_not_found: "), "{gone}");
    assert!(gone.contains("no longer stored: at most 50 profiles and 128 MiB are kept"), "{gone}");
    session.call("get_profile", json!({"profile_id": ids[2]})).await;
    session.close().await;
}

#[tokio::test]
async fn a_pipe_is_not_waited_for() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let failure = session.failure("load_profile", json!({"path": "/dev/zero"})).await;
    assert!(failure.starts_with("profile_file_not_found"), "{failure}");
    session.close().await;
}

/// A GPU's figures: no machine with one was at hand, so the document is made up.
#[test]
fn gpu_time_is_load_times_the_lines_own_time() {
    use scalene_mcp::answer::{Answer, GpuHotspotsAnswer};
    let document = json!({
        "program": "/a/train.py", "args": ["x"], "elapsed_time_sec": 2.0, "gpu": true, "gpu_device": "GPU",
        "files": {"/a/train.py": {"percent_cpu_time": 100.0, "lines": [
            {"lineno": 1, "line": "loss = step(batch)\n", "n_cpu_percent_python": 40.0, "n_cpu_percent_c": 20.0,
             "cpu_samples_list": [1.0, 2.0, 3.0], "n_gpu_percent": 50.0, "n_gpu_peak_memory_mb": 300.0,
             "n_gpu_avg_memory_mb": 200.0},
            {"lineno": 2, "line": "compiled(batch)\n", "n_cpu_percent_c": 30.0, "cpu_samples_list": [],
             "n_gpu_percent": 10.0},
            {"lineno": 3, "line": "report()\n", "n_cpu_percent_python": 10.0, "cpu_samples_list": [4.0]}
        ]}}
    });
    let profile = scalene_mcp::ProfileParser::new().parse_json(document.to_string()).unwrap();
    let answer = GpuHotspotsAnswer::new(&profile, 10);
    let value = serde_json::to_value(&answer).unwrap();
    let spots = value["hotspots"].as_array().unwrap();
    let figures = |spot: &Value| {
        ["gpu_percent", "gpu_time_sec", "gpu_load_percent", "gpu_memory_mb"]
            .map(|key| spot[key].as_f64())
    };
    // Sampled: half of the line's 60 % of two seconds. Not sampled: the share itself.
    assert_eq!(figures(&spots[0]), [Some(30.0), Some(0.6), Some(50.0), Some(300.0)]);
    assert_eq!(figures(&spots[1]), [Some(10.0), Some(0.2), None, Some(0.0)]);
    assert_eq!(spots.len(), 2, "{}", answer.text());
    assert!(answer.text().contains("GPU"), "{}", answer.text());
    let none = recorded::profile("cpu_functions--2.4.0");
    let none = serde_json::to_value(GpuHotspotsAnswer::new(&none, 10)).unwrap();
    assert_eq!(none.get("hotspots"), None, "unknown is absent");
    assert!(none["warnings"][0].as_str().unwrap().starts_with("no GPU was profiled"));
}

#[tokio::test]
async fn thresholds_leave_lines_out_of_lists_and_not_out_of_sums() {
    let place = Place::new();
    let program = format!(
        "def small():\n    return sum(range(400_000))\nfor n in range(5):\n    small()\n{}",
        busy(0.8)
    );
    place.write("app.py", &program);
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "app.py", "cpu_percent_threshold": 60, "memory": false,
        "reduced_profile": true});
    let profile = session.call("profile_script", arguments).await.structured;
    let lines = profile["cpu_profile"]["lines"].as_object().unwrap();
    for (place, line) in lines {
        assert!(line["percent_of_total"].as_f64().unwrap() >= 60.0, "{place}: {line}");
    }
    let spots = session.call("get_cpu_hotspots", json!({"profile_id": "latest"})).await.structured;
    assert!(spots["below_threshold"].as_u64().unwrap() >= 1, "{spots}");
    assert_eq!(
        spots["shown"].as_u64().unwrap() + spots["below_threshold"].as_u64().unwrap(),
        spots["total"]
    );
    let functions =
        session.call("get_function_summary", json!({"profile_id": "latest"})).await.structured;
    assert_eq!(functions["coverage_percent"], 100.0, "{functions}");
    let file = json!({"profile_id": "latest", "file_path": "app.py"});
    let reduced = session.call("get_file_details", file.clone()).await.structured;
    assert_eq!(reduced["reduced"], true);
    assert!(reduced["shown"].as_u64().unwrap() <= 2, "{reduced}");
    let mut range = file;
    (range["start_line"], range["end_line"]) = (json!(1), json!(4));
    let range = session.call("get_file_details", range).await.structured;
    assert_eq!((&range["reduced"], &range["shown"]), (&json!(false), &json!(4)), "{range}");
    session.close().await;
}

#[tokio::test]
async fn a_file_is_shown_page_by_page() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let path = recorded::path("cpu_functions--2.4.0");
    session.call("load_profile", json!({"path": path})).await;
    let mut call = json!({"profile_id": "latest", "file_path": "cpu_functions.py", "start_line": 1, "limit": 20});
    let mut seen = Vec::new();
    loop {
        let page = session.call("get_file_details", call.clone()).await.structured;
        let numbers = page["lines"].as_array().unwrap().iter();
        seen.extend(numbers.map(|line| line["line_number"].as_u64().unwrap()));
        let Some(next) = page["next"].as_array().unwrap().first() else { break };
        call = next["arguments"].clone();
        call["limit"] = json!(20);
    }
    assert_eq!(seen, (1..=46).collect::<Vec<_>>());
    session.close().await;
}
