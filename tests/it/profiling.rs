//! Profiling real programs through the server: figures against ground truth.

use serde_json::{Value, json};

use crate::support::client::{Answer, Session};
use crate::support::place::{Place, busy, program};
use crate::support::pythons;

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

#[tokio::test]
async fn a_script_comes_back_with_its_hot_lines_functions_and_output() {
    let place = Place::new();
    let source = std::fs::read_to_string(program("cpu_functions.py")).unwrap();
    place.write("app.py", &source);
    let session = Session::open(&place.path()).await;
    let answer = session.call("profile_script", json!({"script_path": "app.py"})).await;
    let profile = &answer.structured;
    assert_eq!(profile["status"], "complete");
    assert_eq!(profile["outcome"]["exit_code"], 0);
    assert_eq!(profile["environment"]["scalene_source"], "overlay");
    assert!(profile["stdout"]["head"].as_str().unwrap().starts_with("17999997\n"), "{profile}");

    let elapsed = f(&profile["summary"]["elapsed_time_sec"]);
    assert!((0.3..60.0).contains(&elapsed), "{elapsed}");
    let cpu = &profile["cpu_profile"];
    let sums =
        ["total_python_time_sec", "total_c_time_sec", "total_system_time_sec"].map(|k| f(&cpu[k]));
    let total: f64 = sums.iter().sum();
    assert!((total - elapsed).abs() < 0.1 * elapsed, "lines sum to {total} of {elapsed} s");
    let hot: Vec<_> = profile["top_lines"].as_array().unwrap().iter().take(1).collect();
    for line in hot {
        assert_eq!(line["function_name"], "heavy");
        assert!(
            ["app.py:7", "app.py:8", "app.py:7-8"].contains(&line["location"].as_str().unwrap()),
            "{line}"
        );
    }

    let id = profile["profile_id"].clone();
    let functions = session.call("get_function_summary", json!({"profile_id": id})).await;
    let functions = functions.structured["functions"].as_array().unwrap().clone();
    assert_eq!(functions[0]["function_name"], "heavy");
    assert_eq!(functions[0]["start_line"], 5);
    assert_eq!(functions[1]["function_name"], "Shape.area_sum");
    let cpu_time: f64 = functions.iter().map(|function| f(&function["cpu_time_sec"])).sum();
    assert!(
        (cpu_time - sums[0] - sums[1]).abs() < 0.02 * elapsed,
        "functions {cpu_time}, lines {sums:?}"
    );
    session.close().await;
}

#[tokio::test]
async fn memory_is_found_on_its_line() {
    let session = Session::open(&program("")).await;
    let answer = session.call("profile_script", json!({"script_path": "leak_list.py"})).await;
    let memory = &answer.structured["memory_profile"];
    let peak = f(&memory["peak_mb"]);
    assert!((405.0..440.0).contains(&peak), "400 + 16 MiB are kept, peak {peak}");
    let (key, line) = memory["lines"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(key, "fixtures/programs/leak_list.py:13");
    let allocated = f(&line["allocated_mb"]);
    assert!((390.0..420.0).contains(&allocated), "{allocated}");
    assert_eq!(line.get("allocations"), None, "nobody counted them");

    let spots = session
        .call("get_memory_hotspots", json!({"profile_id": "latest", "metric": "allocation"}))
        .await;
    assert_eq!(spots.structured["hotspots"][0]["line"], 13);
    let share = f(&spots.structured["hotspots"][0]["percent_of_total"]);
    assert!((93.0..98.5).contains(&share), "400 of 416 MiB, {share} %");
    session.close().await;
}

#[tokio::test]
async fn a_snippet_imports_from_its_working_directory_and_keeps_its_source() {
    let place = Place::new();
    place.write("helper.py", &busy(0.0).replace("busy(time.process_time() + 0)\n", ""));
    let session = Session::open(&place.path()).await;
    let code = "import helper, time\nprint(helper.__name__, __name__)\nhelper.busy(time.process_time() + 0.6)\n";
    let cwd = place.path();
    let answer =
        session.call("profile_code", json!({"code": code, "cwd": cwd, "memory": false})).await;
    assert_eq!(answer.structured["stdout"]["head"], "helper __main__\n");
    assert_eq!(answer.structured.get("memory_profile"), None);
    let functions = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
    assert_eq!(functions.structured["functions"][0]["function_name"], "busy");
    assert_eq!(functions.structured["functions"][0]["file"], "helper.py");

    let own = "t = 0\nfor i in range(9_000_000):\n    t += i % 7\n";
    session.call("profile_code", json!({"code": own, "memory": false})).await;
    let details = json!({"profile_id": "latest", "file_path": "<snippet>"});
    let file = session.call("get_file_details", details).await;
    let lines = file.structured["lines"].as_array().unwrap();
    assert_eq!(lines[2]["content"], "    t += i % 7");
    assert!(f(&lines[2]["python_time_sec"]) > 0.0);
    session.close().await;
}

#[tokio::test]
async fn code_beside_the_script_folder_is_seen() {
    let place = Place::new();
    let library = busy(0.0).replace("busy(time.process_time() + 0)\n", "");
    place.write("proj/lib/work.py", &library);
    let script = "import os, sys, time\nsys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'lib'))\n\
                  import work\nwork.busy(time.process_time() + 0.6)\n";
    place.write("proj/bin/run.py", script);
    let session = Session::open(&place.path()).await;
    let answer = session
        .call("profile_script", json!({"script_path": "proj/bin/run.py", "memory": false}))
        .await;
    let top = &answer.structured["top_lines"][0];
    assert!(top["location"].as_str().unwrap().contains("lib/work.py:"), "{top}");
    session.close().await;
}

#[tokio::test]
async fn installed_packages_are_libraries_even_under_an_overlay() {
    let place = Place::new();
    let venv = place.path().join(".venv");
    let status = pythons::command(pythons::system_python())
        .args(["-m", "venv", "--without-pip"])
        .arg(&venv)
        .status()
        .unwrap();
    assert!(status.success());
    let site = pythons::command(venv.join("bin/python"))
        .args(["-c", "import sysconfig; print(sysconfig.get_path('purelib'))"])
        .output()
        .unwrap();
    let site = String::from_utf8(site.stdout).unwrap();
    let library = busy(0.0).replace("busy(time.process_time() + 0)\n", "");
    std::fs::write(std::path::Path::new(site.trim()).join("installed.py"), library).unwrap();
    place.write("app.py", "import installed, time\n\ninstalled.busy(time.process_time() + 0.6)\n");
    let session = Session::open(&place.path()).await;
    let answer =
        session.call("profile_script", json!({"script_path": "app.py", "memory": false})).await;
    let profile = &answer.structured;
    assert!(
        profile["environment"]["python_source"].as_str().unwrap().contains(".venv"),
        "{profile}"
    );
    assert_eq!(profile["environment"]["scalene_source"], "overlay");
    assert_eq!(profile["top_lines"][0]["location"], "app.py:3");
    let lines = profile["cpu_profile"]["lines"].as_object().unwrap();
    assert!(lines.keys().all(|line| line.starts_with("app.py:")), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn a_project_inside_an_environment_folder_is_not_dropped() {
    let venv = pythons::with_scalene("2.4.0");
    let project = venv.join("project-inside");
    std::fs::create_dir_all(&project).unwrap();
    std::fs::write(project.join("inside.py"), busy(0.6)).unwrap();
    let session = Session::open(&project).await;
    let arguments = json!({"script_path": "inside.py", "python": venv, "memory": false});
    let answer = session.call("profile_script", arguments).await;
    assert_eq!(answer.structured["top_lines"][0]["function_name"], "busy");
    session.close().await;
}

#[cfg(unix)]
#[tokio::test]
async fn an_environment_behind_a_link_is_no_code_of_the_projects() {
    let place = Place::new();
    std::os::unix::fs::symlink(pythons::with_scalene("2.4.0"), place.path().join("linked"))
        .unwrap();
    place.write("app.py", &busy(0.8));
    let session = Session::open(&place.path()).await;
    let arguments =
        json!({"script_path": "app.py", "python": "linked/bin/python", "memory": false});
    let answer = session.call("profile_script", arguments).await;
    assert_eq!(answer.structured["environment"]["scalene_source"], "project", "{}", answer.text);
    let paths = session.call("get_call_paths", json!({"profile_id": "latest"})).await;
    let first = &paths.structured["calls"][0];
    assert_eq!(first["function_name"], "<module>", "{}", paths.text);
    assert_eq!(first["file"], "app.py", "{}", paths.text);
    session.close().await;
}

#[tokio::test]
async fn modules_and_scripts_without_an_ending_run_as_python_runs_them() {
    let place = Place::new();
    place.write("pkg/__init__.py", "");
    place.write("pkg/part.py", "VALUE = 'relative import works'\n");
    let main = format!(
        "import sys\nfrom .part import VALUE\nprint(VALUE, sys.argv[1:], __package__)\n{}",
        busy(0.4)
    );
    place.write("pkg/tool.py", &main);
    place.write("script", &format!("#!/usr/bin/env python3\nprint('plain name')\n{}", busy(0.4)));
    let session = Session::open(&place.path()).await;
    let module = json!({"script_path": "-m pkg.tool", "args": ["-m", "x"], "cwd": place.path(), "memory": false});
    let answer = session.call("profile_script", module).await;
    assert_eq!(answer.structured["stdout"]["head"], "relative import works ['-m', 'x'] pkg\n");
    assert_eq!(answer.structured["top_lines"][0]["function_name"], "busy");
    let answer =
        session.call("profile_script", json!({"script_path": "script", "memory": false})).await;
    assert_eq!(answer.structured["stdout"]["head"], "plain name\n");
    session.close().await;
}

#[tokio::test]
async fn a_long_run_answers_with_a_handle_and_is_fetched_later() {
    let place = Place::new();
    place.write("slow.py", &busy(2.5));
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "slow.py", "memory": false, "wait_sec": 0.5});
    let answer = session.call("profile_script", arguments).await;
    assert_eq!(answer.structured["status"], "running");
    assert_eq!(answer.structured["next"][0]["tool"], "get_profile");
    let id = answer.structured["profile_id"].clone();
    let list = session.call("list_profiles", json!({})).await;
    assert_eq!(list.structured["profiles"][0]["status"], "running");
    // Questions wait for the run.
    let hotspots = session.call("get_cpu_hotspots", json!({"profile_id": id})).await;
    assert_eq!(hotspots.structured["hotspots"][0]["function_name"], "busy");
    let done = session.call("get_profile", json!({"profile_id": id})).await;
    assert_eq!(done.structured["status"], "complete");
    assert_eq!(done.structured["profile_id"], id);
    session.close().await;
}

/// Asks for a run until its answer shows hot lines.
#[cfg(target_os = "linux")]
async fn with_hot_lines(session: &Session, id: &serde_json::Value) -> Answer {
    for _ in 0..60 {
        let so_far = session.call("get_profile", json!({"profile_id": id, "wait_sec": 0.5})).await;
        assert_eq!(so_far.structured["status"], "running", "{}", so_far.text);
        if so_far.structured["top_lines"].is_array() {
            return so_far;
        }
    }
    panic!("no hot lines of a running program in half a minute");
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_running_program_shows_its_hot_lines_and_is_ended_early() {
    let session = Session::open(&program("")).await;
    let arguments = json!({"script_path": "runs_forever.py", "memory": false, "wait_sec": 0.1});
    let run = session.call("profile_script", arguments).await.structured;
    let id = &run["profile_id"];
    let so_far = with_hot_lines(&session, id).await;
    // Its sleep may have more of the first moments.
    let lines = so_far.structured["top_lines"].as_array().unwrap();
    let spin = lines.iter().find(|line| line["function_name"] == "spin");
    let spin = spin.unwrap_or_else(|| panic!("{}", so_far.text));
    assert!(spin["location"].as_str().unwrap().contains("runs_forever.py:"), "{spin}");
    assert!(so_far.structured["progress"]["sampled_sec"].as_f64().unwrap() > 0.0);
    assert!(so_far.text.contains("So far, from"), "{}", so_far.text);
    assert_eq!(so_far.structured["next"][1]["tool"], "stop_profile");

    let stopped = session.call("stop_profile", json!({"profile_id": "latest"})).await;
    assert_eq!(stopped.structured["status"], "partial", "{}", stopped.text);
    assert_eq!(&stopped.structured["profile_id"], id);
    assert_eq!(stopped.structured["outcome"]["description"], "stopped on request");
    let hotspots = session.call("get_cpu_hotspots", json!({"profile_id": id})).await;
    assert_eq!(hotspots.structured["hotspots"][0]["function_name"], "spin");
    // Once more is the same profile.
    let again = session.call("stop_profile", json!({"profile_id": id})).await;
    assert_eq!(again.structured["status"], "partial");
    session.close().await;
}

#[tokio::test]
async fn a_run_that_waits_for_its_turn_says_behind_how_many_and_can_be_given_up() {
    let session = Session::open(&program("")).await;
    let arguments = json!({"script_path": "runs_forever.py", "memory": false, "wait_sec": 0});
    session.call("profile_script", arguments.clone()).await;
    let second = session.call("profile_script", arguments.clone()).await;
    let third = session.call("profile_script", arguments).await;
    assert!(second.text.contains("queued behind 1 run\n"), "{}", second.text);
    assert!(third.text.contains("queued behind 2 runs\n"), "{}", third.text);
    let id = json!({"profile_id": third.structured["profile_id"]});
    let failure = session.failure("stop_profile", id).await;
    assert!(failure.starts_with("cancelled: "), "{failure}");
    session.close().await;
}

#[tokio::test]
async fn an_endless_program_is_stopped_and_its_profile_kept() {
    let session = Session::open(&program("")).await;
    let arguments = json!({"script_path": "runs_forever.py", "timeout": 3, "memory": false});
    let answer = session.call("profile_script", arguments).await;
    assert_eq!(answer.structured["status"], "partial");
    assert!(
        answer.structured["errors"][0].as_str().unwrap().contains("time limit of 3 s"),
        "{}",
        answer.text
    );
    let functions = session.call("get_function_summary", json!({"profile_id": "latest"})).await;
    assert_eq!(functions.structured["functions"][0]["function_name"], "spin");
    session.close().await;
}

#[tokio::test]
async fn the_projects_own_scalene_of_every_generation_is_used() {
    for version in ["1.5.55", "2.0.1", "2.2.1", "2.4.0"] {
        let venv = pythons::with_scalene(version);
        let session = Session::open(&program("")).await;
        for memory in [false, true] {
            let arguments =
                json!({"script_path": "shop_main.py", "python": venv, "memory": memory});
            let answer = session.call("profile_script", arguments).await;
            let profile = &answer.structured;
            assert_eq!(profile["environment"]["scalene_version"], version);
            assert_eq!(profile["environment"]["scalene_source"], "project");
            assert_eq!(profile.get("memory_profile").is_some(), memory, "{version}");
            let functions =
                session.call("get_function_summary", json!({"profile_id": "latest"})).await;
            let first = &functions.structured["functions"][0];
            assert_eq!(first["function_name"], "quote", "{version}: {}", functions.text);
            assert_eq!(first["file"], "fixtures/programs/shop/pricing.py");
            assert!(f(&first["percent_of_total_cpu"]) > 75.0, "{version}: {first}");
        }
        session.close().await;
    }
}

#[tokio::test]
async fn virtual_time_counts_cpu_seconds_not_waiting() {
    let place = Place::new();
    // Half a second of CPU time, however busy the machine is.
    let busy = busy(0.5).replace("perf_counter", "process_time");
    place.write("naps.py", &format!("import time\ntime.sleep(1.2)\n{busy}"));
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "naps.py", "memory": false, "use_virtual_time": true});
    let answer = session.call("profile_script", arguments).await;
    let cpu = &answer.structured["cpu_profile"];
    let total: f64 = ["total_python_time_sec", "total_c_time_sec", "total_system_time_sec"]
        .iter()
        .map(|key| f(&cpu[*key]))
        .sum();
    let wall = f(&answer.structured["summary"]["elapsed_time_sec"]);
    assert!(wall > 1.6, "{wall}");
    assert!((0.2..1.2).contains(&total), "half a second of CPU time, {total} s: {}", answer.text);
    assert!(cpu["basis"].as_str().unwrap().contains("CPU time of the process"), "{}", answer.text);
    session.close().await;
}

#[tokio::test]
async fn files_go_by_their_real_paths_and_patterns_hold_for_memory_too() {
    let place = Place::new();
    let library = "def keep(n):\n    return [bytearray(1 << 20) for _ in range(n)]\n";
    place.write("lib/store.py", library);
    let script = format!(
        "import os, sys\nsys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', 'lib'))\n\
         import store\nkept = store.keep(40)\n{}",
        busy(0.6)
    );
    place.write("bin/main.py", &script);
    let session = Session::open(&place.path()).await;
    let all = session.call("profile_script", json!({"script_path": "bin/main.py"})).await;
    let lines = all.structured["memory_profile"]["lines"].as_object().unwrap();
    let place_of = lines.keys().find(|key| key.contains("store.py")).unwrap();
    assert!(place_of.ends_with("lib/store.py:2") && !place_of.contains(".."), "{place_of}");
    let wanted = place.path().join("lib/store.py");
    let details = json!({"profile_id": "latest", "file_path": wanted});
    let file = session.call("get_file_details", details).await;
    assert_eq!(file.structured["summary"]["source_lines"], 2);

    let only = json!({"script_path": "bin/main.py", "profile_only": "bin/main"});
    let answer = session.call("profile_script", only).await;
    for lines in ["cpu_profile", "memory_profile"].map(|kind| &answer.structured[kind]["lines"]) {
        assert!(
            lines.as_object().unwrap().keys().all(|key| key.starts_with("bin/main.py:")),
            "{lines}"
        );
    }
    let none = json!({"script_path": "bin/main.py", "profile_only": "no-such-file"});
    let failure = session.failure("profile_script", none).await;
    assert!(failure.starts_with("filtered_out: "), "{failure}");
    session.close().await;
}
