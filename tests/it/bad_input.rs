//! What goes wrong by the caller's or the program's doing, seen by a real client: the stable
//! code, the offending value, the next step, and a session that goes on.

use serde_json::{Value, json};

use crate::support::client::{Session, server_command};
use crate::support::place::{Place, busy};
use crate::support::pythons;

/// A server in a folder of its own.
struct Bench {
    place: Place,
    session: Session,
}

impl Bench {
    async fn new() -> Self {
        let place = Place::new();
        let session = Session::open(&place.path()).await;
        Self { place, session }
    }

    /// Calls a tool that must fail with this code and mention these texts; then the session
    /// must still answer.
    async fn refused(&self, tool: &str, arguments: Value, code: &str, mentions: &[&str]) -> String {
        let failure = self.session.failure(tool, arguments).await;
        assert!(failure.starts_with(&format!("{code}: ")), "not {code}: {failure}");
        for text in mentions {
            assert!(failure.contains(text), "`{text}` is not in: {failure}");
        }
        let list = self.session.call("list_profiles", json!({})).await;
        assert_eq!(list.structured["shown"], list.structured["total"]);
        failure
    }

    /// [`Self::refused`] for a script.
    async fn no_script(&self, script: &str, code: &str, mentions: &[&str]) -> String {
        let arguments = json!({"script_path": script, "memory": false});
        self.refused("profile_script", arguments, code, mentions).await
    }

    /// Profiles a source text that must give a profile.
    async fn profile(&self, source: &str, extra: Value) -> Value {
        self.place.write("app.py", source);
        let mut arguments = json!({"script_path": "app.py", "memory": false});
        let members = arguments.as_object_mut().unwrap();
        members.extend(extra.as_object().unwrap().clone());
        let answer = self.session.call("profile_script", arguments).await;
        answer.structured
    }
}

/// A snippet that gives a profile soon.
fn quick() -> Value {
    json!({"code": busy(0.4), "memory": false})
}

#[tokio::test]
async fn a_missing_script_lists_similar_names() {
    let bench = Bench::new().await;
    bench.place.write("simulate.py", "");
    bench.place.write("zebra.txt", "");
    let failure =
        bench.no_script("simulat.py", "script_not_found", &["simulat.py`", "simulate.py"]).await;
    assert!(!failure.contains("zebra"), "{failure}");
    let missing = bench.place.path().join("no/such/folder/x.py");
    let missing = missing.to_str().unwrap();
    bench.no_script(missing, "script_not_found", &[missing]).await;
}

#[tokio::test]
async fn what_is_not_a_python_file_is_named_for_what_it_is() {
    let bench = Bench::new().await;
    bench.place.write("folder/a.py", "");
    bench.place.write("package/__main__.py", "");
    bench.place.write("notes.txt", "some words\n");
    bench.place.write("book.ipynb", "{}\n");
    for (script, mentions) in [
        ("folder", "it is a folder"),
        ("package", "name its module with `-m`"),
        ("notes.txt", "its name does not end in .py"),
        ("book.ipynb", "it is no notebook"),
    ] {
        bench.no_script(script, "not_a_script", &[&format!("{script}`"), mentions]).await;
    }
    bench.no_script("", "not_a_script", &["it is a folder"]).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_pipe_with_the_name_of_a_script_is_refused_and_not_waited_for() {
    let bench = Bench::new().await;
    let fifo = bench.place.path().join("fifo.py");
    assert!(pythons::command("mkfifo").arg(&fifo).status().unwrap().success());
    bench.no_script("fifo.py", "not_a_script", &["fifo.py`", "not a regular file"]).await;
}

/// Root reads a file whatever its mode is. `/proc/self/mem` is a regular file whose first
/// bytes nobody can read.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let bench = Bench::new().await;
    std::os::unix::fs::symlink("/proc/self/mem", bench.place.path().join("locked.py")).unwrap();
    bench.no_script("locked.py", "script_unreadable", &["locked.py`", "readable"]).await;
}

#[tokio::test]
async fn a_syntax_error_comes_back_as_python_says_it() {
    let bench = Bench::new().await;
    bench.place.write("broken.py", "x = 1\ndef f(:\n    pass\n");
    let mentions = ["SyntaxError", "exit 1", "broken.py\", line 2", "def f(:"];
    let failure = bench.no_script("broken.py", "program_failed", &mentions).await;
    assert!(!failure.contains("Traceback"), "plain Python shows no frames here: {failure}");
}

#[tokio::test]
async fn an_import_error_comes_back_with_its_traceback() {
    let bench = Bench::new().await;
    bench.place.write("app.py", "import no_such_module_xyz\n");
    let mentions = ["ModuleNotFoundError", "app.py\", line 1", "no_such_module_xyz"];
    let failure = bench.no_script("app.py", "program_failed", &mentions).await;
    assert_eq!(failure.matches("File \"").count(), 1, "one frame: {failure}");
    bench.no_script("-m no_such_package.x", "module_not_found", &["`no_such_package.x`"]).await;
}

#[tokio::test]
async fn a_program_that_raises_keeps_its_profile_and_a_clean_traceback() {
    let bench = Bench::new().await;
    let source = format!("{}def fail():\n    raise ValueError('boom')\nfail()\n", busy(0.5));
    let profile = bench.profile(&source, json!({})).await;
    assert_eq!(profile["outcome"]["exit_code"], 1);
    assert_eq!(profile["top_lines"][0]["function_name"], "busy");
    let error = profile["errors"][0].as_str().unwrap();
    assert!(error.contains("raised ValueError"), "{error}");
    let app = bench.place.path().join("app.py");
    let stderr = profile["stderr"]["head"].as_str().unwrap();
    let frame = |line: u32, function: &str| format!("line {line}, in {function}\n");
    assert!(stderr.starts_with("Traceback (most recent call last):\n  File \""), "{stderr}");
    assert!(stderr.contains(&frame(10, "<module>")) && stderr.contains(&frame(9, "fail")));
    assert!(stderr.ends_with("ValueError: boom\n"), "{stderr}");
    assert_eq!(stderr.matches("File \"").count(), 2, "frames of the program only: {stderr}");
    assert_eq!(stderr.matches("app.py\"").count(), 2, "{} in {stderr}", app.display());
}

#[tokio::test]
async fn exit_codes_are_kept_with_the_profile() {
    let bench = Bench::new().await;
    for (exit, code, errors) in [("sys.exit(3)", 3, 1), ("sys.exit()", 0, 0)] {
        let source = format!("import sys\n{}{exit}\n", busy(0.5));
        let profile = bench.profile(&source, json!({})).await;
        assert_eq!(profile["status"], "complete");
        assert_eq!(profile["outcome"]["exit_code"], code, "{exit}");
        assert_eq!(profile["errors"].as_array().unwrap().len(), errors, "{profile}");
        assert_eq!(profile["top_lines"][0]["function_name"], "busy");
    }
    let source = format!("import sys\n{}sys.exit('gave up')\n", busy(0.5));
    let profile = bench.profile(&source, json!({})).await;
    assert_eq!(profile["outcome"]["exit_code"], 1);
    assert_eq!(profile["stderr"]["head"], "gave up\n");
}

#[tokio::test]
async fn a_program_that_is_too_short_says_so_and_keeps_its_output() {
    let bench = Bench::new().await;
    bench.place.write("app.py", "x = 1\nprint('x is', x)\n");
    let mentions = ["too short", "it ran 0.", "stdout (7 bytes):\n  x is 1\n", "larger input"];
    bench.no_script("app.py", "too_short", &mentions).await;
    bench.refused("profile_code", json!({"code": "x = 1"}), "too_short", &["repeat"]).await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_segfault_is_named_and_the_next_run_is_not_affected() {
    let bench = Bench::new().await;
    // Too soon for a sample; what is kept of a later one is in `calls`.
    let source = "print('start', flush=True)\nimport ctypes\nctypes.string_at(0)\n";
    bench.place.write("crash.py", source);
    for memory in [true, false] {
        let arguments = json!({"script_path": "crash.py", "memory": memory});
        let mentions = ["SIGSEGV", "memory=false", "  start\n"];
        bench.refused("profile_script", arguments, "program_crashed", &mentions).await;
    }
    let profile = bench.session.call("profile_code", quick()).await.structured;
    assert_eq!(profile["top_lines"][0]["function_name"], "busy");
}

#[tokio::test]
async fn an_unknown_python_is_answered_with_those_that_exist() {
    let bench = Bench::new().await;
    bench.place.write("app.py", &busy(0.4));
    let exists = pythons::system_python();
    // The test's python is on the server's PATH, whatever else is.
    let folder = exists.parent().unwrap().to_str().unwrap().to_owned();
    let mut command = server_command(&bench.place.path(), &[]);
    command.env("PATH", &folder);
    let bench = Bench { session: Session::open_with(command).await, ..bench };
    for python in ["python9.9", "9.9", "/no/such/python", "no-such-folder/"] {
        let arguments = json!({"script_path": "app.py", "python": python});
        let mentions = [&*format!("`{python}`"), "`python` parameter", &*folder];
        bench.refused("profile_script", arguments, "interpreter_not_found", &mentions).await;
    }
}

/// An environment without pip, and no index within reach.
#[cfg(unix)]
#[tokio::test]
async fn without_an_index_set_up_fails_clearly_and_leaves_nothing() {
    let place = Place::new();
    place.write("app.py", &busy(0.4));
    let venv = bare_environment(&place);
    let (home, cache) = (place.path().join("home"), place.path().join("cache"));
    let mut command = server_command(&place.path(), &[]);
    command.env("PATH", place.path().join("empty")).env("HOME", home);
    command.env("SCALENE_MCP_CACHE_DIR", &cache);
    for name in ["PIP_INDEX_URL", "UV_DEFAULT_INDEX"] {
        command.env(name, "http://127.0.0.1:9/simple");
    }
    for name in ["PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "UV_INDEX", "UV_FIND_LINKS"] {
        command.env_remove(name);
    }
    let bench = Bench { session: Session::open_with(command).await, place };
    let arguments = json!({"script_path": "app.py", "python": venv, "engine": "scalene"});
    let mentions = ["scalene==", "index settings", "onnection refused"];
    bench.refused("profile_script", arguments, "scalene_setup_failed", &mentions).await;
    let mut files = Vec::new();
    list_files(&cache, &mut files);
    assert_eq!(files.len(), 1, "{files:?}");
    assert_eq!(files[0].extension().unwrap(), "lock", "{files:?}");
}

/// Files and empty folders below `folder`.
#[cfg(unix)]
fn list_files(folder: &std::path::Path, found: &mut Vec<std::path::PathBuf>) {
    let entries: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    if entries.is_empty() {
        found.push(folder.to_owned());
    }
    for path in entries {
        if path.is_dir() { list_files(&path, found) } else { found.push(path) }
    }
}

#[cfg(unix)]
fn bare_environment(place: &Place) -> std::path::PathBuf {
    let venv = place.path().join("bare");
    let mut command = pythons::command(pythons::system_python());
    let made = command.args(["-m", "venv", "--without-pip"]).arg(&venv).status().unwrap();
    assert!(made.success());
    venv
}

#[cfg(unix)]
#[tokio::test]
async fn without_leave_to_install_the_way_to_set_up_is_named() {
    let place = Place::new();
    place.write("app.py", &busy(0.4));
    let venv = bare_environment(&place);
    let session = Session::open_with(server_command(&place.path(), &["--no-install"])).await;
    let bench = Bench { place, session };
    let python = venv.join("bin/python");
    let python = python.to_str().unwrap();
    let arguments = json!({"script_path": "app.py", "python": python, "engine": "scalene"});
    let mentions = [python, &*format!("scalene-mcp setup --python {python}"), "--no-install"];
    bench.refused("profile_script", arguments, "scalene_missing", &mentions).await;
}

#[tokio::test]
async fn wrong_types_are_named_with_their_place() {
    let bench = Bench::new().await;
    bench.place.write("app.py", &busy(0.4));
    for (arguments, place, value) in [
        (json!({"timeout": "abc"}), "`timeout`", "\"abc\""),
        (json!({"args": "x"}), "`args`", "\"x\""),
        (json!({"args": [1]}), "`args[0]`", "`1`"),
        (json!({"memory": "yes"}), "`memory`", "\"yes\""),
        (json!({"malloc_threshold": -1}), "`malloc_threshold`", "`-1`"),
        (json!({"malloc_threshold": 1.5}), "`malloc_threshold`", "`1.5`"),
        (json!({"env": {"A": 1}}), "`env.A`", "`1`"),
        (json!({"script_path": 7}), "`script_path`", "`7`"),
    ] {
        let mut all = json!({"script_path": "app.py"});
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        let mentions = ["profile_script", place, value, "cpu_sampling_rate"];
        bench.refused("profile_script", all, "invalid_argument", &mentions).await;
    }
    let mentions = ["`script_path`", "missing"];
    bench.refused("profile_script", json!({}), "invalid_argument", &mentions).await;
    let metric = json!({"profile_id": "latest", "metric": "size"});
    let mentions = ["`metric`", "`size`", "`peak`", "`average`", "`allocation`"];
    bench.refused("get_memory_hotspots", metric, "invalid_argument", &mentions).await;
}

#[tokio::test]
async fn values_out_of_range_are_refused_before_anything_runs() {
    let bench = Bench::new().await;
    bench.place.write("app.py", "open('ran', 'w')\n");
    for (arguments, mentions) in [
        (json!({"timeout": 0}), ["timeout", "0 seconds"]),
        (json!({"timeout": -5}), ["timeout", "-5"]),
        (json!({"timeout": 1e9}), ["timeout", "1000000000"]),
        (json!({"wait_sec": -1}), ["wait_sec", "-1"]),
        (json!({"cpu_sampling_rate": 0}), ["cpu_sampling_rate", "0.0001"]),
        (json!({"cpu_percent_threshold": 101}), ["cpu_percent_threshold", "101"]),
        (json!({"allocation_sampling_window": 1}), ["allocation_sampling_window", "1024"]),
        (json!({"cpu": false, "memory": false, "gpu": false}), ["cpu", "memory and gpu"]),
        (json!({"env": {"A=B": "1"}}), ["env", "`A=B`"]),
        (json!({"env": {"": "1"}}), ["env", "``"]),
        (json!({"args": ["a\u{0}b"]}), ["args", "NUL"]),
        (json!({"cwd": "no/such/folder"}), ["cwd", "no/such/folder"]),
        (json!({"script_path": "-m "}), ["script_path", "module"]),
    ] {
        let mut all = json!({"script_path": "app.py"});
        all.as_object_mut().unwrap().extend(arguments.as_object().unwrap().clone());
        bench.refused("profile_script", all, "invalid_argument", &mentions).await;
    }
    let code = json!({"code": " \n"});
    bench.refused("profile_code", code, "invalid_argument", &["code"]).await;
    assert!(!bench.place.path().join("ran").exists());
}

#[tokio::test]
async fn an_unknown_parameter_names_the_close_one_and_all() {
    let bench = Bench::new().await;
    let mentions = ["`scriptpath`", "did you mean `script_path`?", "cpu_percent_threshold"];
    let arguments = json!({"scriptpath": "x.py"});
    bench.refused("profile_script", arguments, "invalid_argument", &mentions).await;
    let arguments = json!({"zzz": 1});
    let failure = bench
        .refused("list_profiles", arguments, "invalid_argument", &["`zzz`", "parameters: limit"])
        .await;
    assert!(!failure.contains("did you mean"), "{failure}");
}

#[tokio::test]
async fn null_means_absent_and_10_point_0_means_10() {
    let bench = Bench::new().await;
    bench.place.write("app.py", &busy(0.5));
    let arguments = json!({
        "script_path": "app.py", "memory": false, "args": null, "python": null, "cwd": null,
        "env": null, "stdin": null, "timeout": null, "profile_only": null, "stacks": null,
        "allocation_sampling_window": null, "async_profile": null, "malloc_threshold": 100.0,
    });
    let profile = bench.session.call("profile_script", arguments).await.structured;
    assert_eq!(profile["outcome"]["exit_code"], 0);
    let arguments = json!({"profile_id": "latest", "limit": 1.0});
    let hotspots = bench.session.call("get_cpu_hotspots", arguments).await.structured;
    assert_eq!(hotspots["hotspots"].as_array().unwrap().len(), 1);
    let arguments =
        json!({"profile_id": "latest", "file_path": "app.py", "start_line": 2.0, "end_line": 3});
    let file = bench.session.call("get_file_details", arguments).await.structured;
    let numbers: Vec<_> =
        file["lines"].as_array().unwrap().iter().map(|l| l["line_number"].clone()).collect();
    assert_eq!(numbers, [2, 3]);
}

#[tokio::test]
async fn what_is_not_stored_is_answered_with_what_is() {
    let bench = Bench::new().await;
    for id in ["latest", "previous", "p_nothing", ""] {
        let arguments = json!({"profile_id": id});
        let mentions = [&*format!("`{id}`"), "profile_script"];
        bench.refused("get_cpu_hotspots", arguments, "profile_not_found", &mentions).await;
    }
    let known = bench.session.call("profile_code", quick()).await.structured;
    let known = known["profile_id"].as_str().unwrap();
    for tool in ["get_profile", "get_cpu_hotspots", "get_memory_hotspots", "get_function_summary"] {
        let arguments = json!({"profile_id": "zzz"});
        bench.refused(tool, arguments, "profile_not_found", &["`zzz`", known]).await;
    }
    let arguments = json!({"profile_id": known, "file_path": "other.py"});
    let mentions = ["`other.py`", "<snippet>", known];
    bench.refused("get_file_details", arguments, "file_not_in_profile", &mentions).await;
    let arguments =
        json!({"profile_id": known, "file_path": "<snippet>", "start_line": 5, "end_line": 2});
    let mentions = ["start_line 5", "end_line 2"];
    bench.refused("get_file_details", arguments, "invalid_argument", &mentions).await;
    for tool in ["get_cpu_hotspots", "get_memory_hotspots", "get_function_summary"] {
        for limit in [0, 1000] {
            let arguments = json!({"profile_id": known, "limit": limit});
            let mentions = ["limit", &*limit.to_string(), "1 to 100"];
            bench.refused(tool, arguments, "invalid_argument", &mentions).await;
        }
    }
    for line in ["start_line", "end_line"] {
        let arguments = json!({"profile_id": known, "file_path": "<snippet>", line: 0});
        bench.refused("get_file_details", arguments, "invalid_argument", &[line, "0"]).await;
    }
    let arguments = json!({"profile_id": known, "file_path": "<snippet>", "start_line": 900});
    let mentions = ["start_line", "900"];
    bench.refused("get_file_details", arguments, "invalid_argument", &mentions).await;
}

#[tokio::test]
async fn an_unknown_tool_is_a_protocol_error_that_names_the_close_one() {
    let bench = Bench::new().await;
    let params = rmcp::model::CallToolRequestParams::new("profile_scripts");
    let error = bench.session.service.call_tool(params).await.unwrap_err();
    let rmcp::ServiceError::McpError(error) = error else { panic!("{error:?}") };
    assert_eq!(error.code.0, -32602);
    assert!(error.message.contains("`profile_scripts`"), "{}", error.message);
    assert!(error.message.contains("did you mean `profile_script`?"), "{}", error.message);
    assert!(error.message.contains("list_profiles"), "{}", error.message);
    bench.session.call("list_profiles", json!({})).await;
}

#[tokio::test]
async fn the_programs_stdin_is_its_own() {
    let bench = Bench::new().await;
    let source = format!("import sys\nprint(repr(sys.stdin.read()))\n{}", busy(0.4));
    let profile = bench.profile(&source, json!({})).await;
    assert_eq!(profile["stdout"]["head"], "''\n");
    let text = "zwei\n{\"jsonrpc\":\"2.0\"}\né";
    let profile = bench.profile(&source, json!({"stdin": text})).await;
    assert_eq!(profile["stdout"]["head"], "'zwei\\n{\"jsonrpc\":\"2.0\"}\\né'\n");
    // More than a pipe holds, and nobody reads it.
    let profile = bench.profile(&busy(0.4), json!({"stdin": "x".repeat(300_000)})).await;
    assert_eq!(profile["outcome"]["exit_code"], 0);
}

#[tokio::test]
async fn a_hundred_megabytes_of_output_are_counted_and_not_kept() {
    let bench = Bench::new().await;
    let source = "import sys\nsys.stdout.write('first line\\n')\nblock = 'x' * 999_999 + '\\n'\n\
                  for _ in range(100):\n    sys.stdout.write(block)\nsys.stdout.write('last line\\n')\n";
    let source = format!("{source}{}", busy(0.4));
    let profile = bench.profile(&source, json!({})).await;
    let stdout = &profile["stdout"];
    let text = |name: &str| stdout[name].as_str().unwrap().to_owned();
    assert!(text("head").starts_with("first line\nxxx"), "{stdout}");
    assert!(text("tail").ends_with("xxx\nlast line\n"), "{stdout}");
    assert_eq!(stdout["total_bytes"], 100_000_021);
    let shown = (text("head").len() + text("tail").len()) as u64;
    assert_eq!(stdout["omitted_bytes"], 100_000_021 - shown);
    assert!(shown < 4096, "{shown} bytes shown");
    #[cfg(target_os = "linux")]
    {
        // What the server allocated: the pages of a debug binary alone are 20 MiB. All of it together is a
        // figure of `benches/figures.rs`.
        let status = std::fs::read_to_string(format!("/proc/{}/status", bench.session.server_pid));
        let status = status.unwrap();
        let allocated = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
        let kib: u64 = allocated.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kib <= 20 * 1024, "the server holds {kib} KiB");
    }
}

#[tokio::test]
async fn variables_reach_the_program() {
    let bench = Bench::new().await;
    let source = format!(
        "import os\nprint(os.environ['SMT_A'], os.environ['SMT_B'] == '', 'TMPDIR' in os.environ)\n{}",
        busy(0.4)
    );
    let env = json!({"env": {"SMT_A": "ä = 1", "SMT_B": ""}});
    let profile = bench.profile(&source, env).await;
    let stdout = profile["stdout"]["head"].as_str().unwrap();
    assert!(stdout.starts_with("ä = 1 True"), "{stdout}");
}

#[tokio::test]
async fn when_nothing_is_left_to_profile_the_reason_is_named() {
    let bench = Bench::new().await;
    bench.place.write("app.py", &busy(0.7));
    let arguments = json!({"script_path": "app.py", "memory": false, "profile_only": "nowhere"});
    let mentions = ["`nowhere`", "profile_only"];
    bench.refused("profile_script", arguments, "filtered_out", &mentions).await;

    let arguments = json!({"script_path": "app.py", "memory": false, "profile_exclude": "app.py"});
    let mentions = ["`app.py`", "profile_exclude"];
    bench.refused("profile_script", arguments, "filtered_out", &mentions).await;

    // The time is the standard library's and that of code without a file.
    let statement =
        "end = __import__('time').time() + 0.7\nwhile __import__('time').time() < end: pass";
    let arguments = json!({
        "script_path": "-m timeit", "args": ["-n", "1", "-r", "1", statement], "memory": false,
    });
    let root = bench.place.path();
    let mentions = [root.to_str().unwrap(), "profile_all=true", "1 loop"];
    bench.refused("profile_script", arguments, "nothing_sampled", &mentions).await;
}

#[tokio::test]
async fn a_script_in_latin_1_shows_its_lines() {
    let bench = Bench::new().await;
    let mut source = b"# -*- coding: latin-1 -*-\nimport time\nname = 'caf\xe9'\nprint(len(name))\n\
        end = time.process_time() + 1.0\nwhile time.process_time() < end:\n    word = '\xe9' * 50000\n"
        .to_vec();
    source.extend(b"    total = sum(map(ord, word))\n");
    let path = bench.place.write("app.py", "");
    std::fs::write(path, source).unwrap();
    let arguments = json!({"script_path": "app.py", "memory": false});
    let profile = bench.session.call("profile_script", arguments).await.structured;
    assert_eq!(profile["stdout"]["head"], "4\n");
    let top = &profile["top_lines"][0];
    assert_eq!(top["location"], "app.py:8");
    let arguments = json!({"profile_id": "latest", "file_path": "app.py", "start_line": 1});
    let file = bench.session.call("get_file_details", arguments).await.structured;
    assert_eq!(file["lines"][2]["content"], "name = 'café'");
}

#[tokio::test]
async fn paths_with_spaces_and_other_alphabets_work() {
    let bench = Bench::new().await;
    bench.place.write("mein ordner/größe 漢字.py", &busy(0.5));
    let script = "mein ordner/größe 漢字.py";
    let arguments = json!({"script_path": script, "memory": false, "args": ["ü b"]});
    let profile = bench.session.call("profile_script", arguments).await.structured;
    let location = profile["top_lines"][0]["location"].as_str().unwrap();
    assert!(location.starts_with(&format!("{script}:")), "{location}");
    let arguments = json!({"profile_id": "latest", "file_path": "größe 漢字.py"});
    let file = bench.session.call("get_file_details", arguments).await.structured;
    assert_eq!(file["file"], script);
}
