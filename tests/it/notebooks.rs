//! Notebooks, run from top to bottom.

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::Place;
use crate::support::pythons;

fn code(text: &str) -> Value {
    json!({"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": null, "source": text})
}

fn notebook(cells: &[Value]) -> String {
    json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {"language_info": {"name": "python"}}, "cells": cells})
        .to_string()
}

fn lab() -> String {
    notebook(&[
        json!({"cell_type": "markdown", "source": ["# Lab"]}),
        code("%matplotlib inline\nimport os\nprint('in', os.path.basename(os.getcwd()))"),
        code(""),
        code(
            "def work(n):\n    total = 0\n    for i in range(n):\n        total += i * i % 7\n    return total\n\ntext = '''\n% no magic\n'''",
        ),
        code("%%bash\necho never"),
        code(
            "if True:\n    !ls\nfiles = !ls\n%time found = work(1000)\ndisplay(found, text.count('%'))",
        ),
        code("import asyncio\nawait asyncio.sleep(0.01)\nprint('awaited')"),
        code(
            "import time\nuntil = time.perf_counter() + 1.0\nwhile time.perf_counter() < until:\n    work(20_000)",
        ),
    ])
}

#[tokio::test]
async fn cells_run_in_order_and_lines_are_those_of_their_cell() {
    let place = Place::new();
    place.write("nb/lab.ipynb", &lab());
    for python in pythons::of_both_kinds() {
        let session = Session::open(&place.path()).await;
        let call = json!({"script_path": "nb/lab.ipynb", "memory": false, "python": python});
        let answer = session.call("profile_script", call).await;
        let text = &answer.text;
        assert_eq!(answer.structured["outcome"]["exit_code"], 0, "{text}");
        for said in ["in nb", "  2001\n  1\n", "awaited"] {
            assert!(text.contains(said), "{said}: {text}");
        }
        assert!(!text.contains("never"), "{text}");
        let top = answer.structured["top_lines"][0]["location"].as_str().unwrap();
        assert!(top.starts_with("lab.ipynb cell 2, line"), "{text}");
        let warnings = answer.structured["warnings"].to_string();
        for skipped in [
            "cell 1, line 1: %matplotlib inline",
            "cell 3, line 1: %%bash",
            "cell 4, line 2: !ls",
            "cell 4, line 3: files = !ls",
        ] {
            assert!(warnings.contains(skipped), "{skipped} in {warnings}");
        }
        let cell = json!({"profile_id": "latest", "file_path": "lab.ipynb cell 2"});
        let details = session.call("get_file_details", cell).await;
        assert!(details.text.contains("total += i * i % 7"), "{}", details.text);
        let hot = session.call("get_cpu_hotspots", json!({"profile_id": "latest"})).await;
        assert!(hot.text.contains("lab.ipynb cell 2, line"), "{}", hot.text);
        session.close().await;
    }
    // The folder is as it was.
    let names: Vec<_> = std::fs::read_dir(place.path().join("nb")).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[tokio::test]
async fn failures_name_their_cell() {
    let place = Place::new();
    let session = Session::open(&place.path()).await;
    let run = json!({"script_path": "lab.ipynb", "memory": false});
    place.write("lab.ipynb", &notebook(&[code("a = 1"), code("b = 2\n\nraise KeyError(a + b)")]));
    let failure = session.failure("profile_script", run.clone()).await;
    assert!(
        failure.starts_with("program_failed: ") && failure.contains("KeyError: 3"),
        "{failure}"
    );
    assert!(failure.contains("lab.ipynb cell 2\", line 3"), "{failure}");

    place.write("lab.ipynb", &notebook(&[code("a = 1"), code("b = (2")]));
    let failure = session.failure("profile_script", run.clone()).await;
    assert!(failure.contains("SyntaxError") && failure.contains("lab.ipynb cell 2"), "{failure}");

    let r = json!({"metadata": {"kernelspec": {"language": "R"}}, "cells": [code("a <- 1")]});
    for (text, why) in [
        ("{\"cells\": [".to_owned(), "no valid JSON"),
        ("[]".to_owned(), "no list of `cells`"),
        (notebook(&[]), "without any code"),
        (r.to_string(), "another language (R)"),
    ] {
        place.write("lab.ipynb", &text);
        let failure = session.failure("profile_script", run.clone()).await;
        assert!(failure.starts_with("not_a_script: ") && failure.contains(why), "{failure}");
    }
    place.write("lab.ipynb", &notebook(&[code("a = 1")]));
    let counted = json!({"script_path": "lab.ipynb", "count_calls": true});
    let failure = session.failure("profile_script", counted).await;
    assert!(failure.contains("count_calls: not for a function, nor for a notebook"), "{failure}");
    let verified = json!({"script_path": "lab.ipynb", "baseline_path": "lab.ipynb"});
    let failure = session.failure("verify_speedup", verified).await;
    assert!(failure.contains("nbconvert"), "{failure}");
    session.close().await;
}

/// Nothing but the event loop is on the stack while a cell awaits.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_cell_that_awaits_is_seen_to_wait() {
    let place = Place::new();
    let cells = [
        code("import asyncio, time\nuntil = time.process_time() + 0.3"),
        code("while time.process_time() < until:\n    pass\nawait asyncio.sleep(1.5)"),
    ];
    place.write("waits.ipynb", &notebook(&cells));
    let session = Session::open(&place.path()).await;
    for python in pythons::of_both_kinds() {
        let call = json!({"script_path": "waits.ipynb", "memory": false, "python": python});
        let answer = session.call("profile_script", call).await;
        let top = &answer.structured["top_lines"][0];
        assert_eq!(top["location"], "waits.ipynb cell 2, line 3", "{}", answer.text);
        let waiting = answer.structured["cpu_profile"]["total_system_time_sec"].as_f64();
        let waiting = waiting.unwrap_or_else(|| panic!("{}", answer.structured["cpu_profile"]));
        assert!((0.8..3.0).contains(&waiting), "{waiting}: {}", answer.text);
    }
    session.close().await;
}
