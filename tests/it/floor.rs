//! The floor of a run: start, imports, collections, as the launcher measures them.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::{Place, busy};
use crate::support::{pythons, recorded};

/// Collects five times the youngest generation, three times the middle, twice all of it.
const PROGRAM: &str = r#"
import gc
gc.disable()
seen = []
gc.callbacks.append(lambda phase, info: seen.append((phase, info["generation"])))
from shop.store import kept
import slow_library
class Node:
    def __init__(self):
        self.me = self
from time import perf_counter
until = perf_counter() + 0.6
while perf_counter() < until:
    for _ in range(50): Node()
for generation in [0] * 5 + [1] * 3 + [2] * 2:
    gc.collect(generation)
print([seen.count(("stop", generation)) for generation in range(3)])
"#;

fn f(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value} is no number"))
}

/// A project with modules of its own that take their time, and a library.
fn project() -> Place {
    let place = Place::new();
    place.write("app.py", PROGRAM);
    place.write("pyproject.toml", "[project]\nname = 'shop'\n");
    place.write("shop/__init__.py", "import time\ntime.sleep(0.1)\n");
    place.write("shop/store.py", "import time\nimport slow_local\ntime.sleep(0.15)\nkept = []\n");
    place.write("slow_local.py", "import time\ntime.sleep(0.3)\n");
    place.write("lib/slow_library/__init__.py", "import slow_library.part\n");
    place.write("lib/slow_library/part.py", "import time, slow_other\ntime.sleep(0.1)\n");
    place.write("lib/slow_other.py", "import time\ntime.sleep(0.1)\n");
    place
}

async fn floor_of(session: &Session, place: &Place, python: &Path) -> (Value, Value, String) {
    // Outside of the project it is a library.
    let library = Place::new();
    for name in ["slow_library/__init__.py", "slow_library/part.py", "slow_other.py"] {
        let text = std::fs::read_to_string(place.path().join("lib").join(name)).unwrap();
        library.write(name, &text);
    }
    let arguments = json!({"script_path": "app.py", "memory": false, "python": python,
        "cwd": place.path(), "env": {"PYTHONPATH": library.path()}});
    let profile = session.call("profile_script", arguments).await.structured;
    let answer = session.call("analyze_profile", json!({"profile_id": "latest"})).await;
    (profile, answer.structured["floor"].clone(), answer.text)
}

#[tokio::test]
async fn imports_and_collections_are_measured() {
    let place = project();
    let session = Session::open(&place.path()).await;
    let mut pythons = pythons::of_both_kinds();
    assert!(!pythons.is_empty());
    pythons.extend(["1.5.55", "2.0.1", "2.2.1", "2.4.0"].map(pythons::with_scalene));
    for python in pythons {
        let (profile, floor, text) = floor_of(&session, &place, &python).await;
        let elapsed = f(&profile["summary"]["elapsed_time_sec"]);
        let seconds = |module: &str| {
            let rows = floor["imports"].as_array().unwrap();
            let found = rows.iter().find(|row| row["module"] == module);
            f(&found.unwrap_or_else(|| panic!("no {module}: {floor}"))["seconds"])
        };
        // Each at least as long as it sleeps; a library with what it imports.
        let least =
            [("slow_local", 0.3), ("shop.store", 0.15), ("shop", 0.1), ("slow_library", 0.2)];
        for (module, least) in least {
            assert!(seconds(module) >= least, "{module}, {python:?}: {floor}");
        }
        assert!(!floor.to_string().contains("slow_other"), "{floor}");
        // None contains another, so that their sum is no more than all; rounded.
        let sum: f64 = least.iter().map(|(module, _)| seconds(module)).sum();
        let imports = f(&floor["imports_sec"]);
        assert!(sum <= 1.01 * imports && imports < elapsed, "{elapsed}: {floor}");
        assert!(f(&floor["start_sec"]) > 0.0 && f(&floor["profiler_start_sec"]) > 0.0, "{floor}");

        // The program's own callback sees the same collections.
        assert_eq!(profile["stdout"]["head"], "[5, 3, 2]\n");
        let collections: Vec<_> = floor["gc_collections"].as_array().unwrap().clone();
        // One may begin before the program's first line is over.
        assert!([5, 6].contains(&collections[0].as_u64().unwrap()), "{floor}");
        assert_eq!(collections[1..], [json!(3), json!(2)], "{floor}");
        assert!(f(&floor["gc_sec"]) > 0.0 && f(&floor["gc_sec"]) < elapsed, "{floor}");

        let line = text.lines().find(|line| line.starts_with("Floor")).unwrap();
        assert!(line.contains("slow_local ") && line.contains("/3/2 by generation"), "{line}");
        let paths = session.raw("get_call_paths", json!({"profile_id": "latest"})).await;
        assert!(!format!("{:?}", paths.content).contains("launcher"), "{:?}", paths.content);
    }
    session.close().await;
}

#[tokio::test]
async fn failing_imports_look_as_without_profiling() {
    let place = Place::new();
    // Files are closed at once, whoever else holds a frame.
    let code = "\
import importlib, sys, traceback
def write(name, mode, what):
    with open(name, mode) as file: what(file)
for start in (
    lambda: importlib.import_module('not_there'),
    lambda: __import__('not_there'),
    lambda: __import__('broken'),
    lambda: importlib.import_module('broken'),
    lambda: importlib.reload(sys.modules['fine']),
):
    import fine
    write('fine.py', 'w', lambda file: file.write('1 / 0'))
    try: start()
    except Exception: write('traces', 'a', lambda file: traceback.print_exc(file=file))
";
    place.write("app.py", &format!("{code}{}", busy(0.5)));
    place.write("broken.py", "import json\nraise ValueError('broken')\n");
    let session = Session::open(&place.path()).await;
    let traces = || {
        let path = place.path().join("traces");
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::remove_file(path).unwrap();
        text
    };
    for python in pythons::of_both_kinds() {
        place.write("fine.py", "");
        let mut plain = pythons::command(&python);
        plain.arg("app.py").current_dir(place.path()).env("PYTHONDONTWRITEBYTECODE", "1");
        assert!(plain.status().unwrap().success());
        let expected = traces();
        assert_eq!(expected.matches("Traceback").count(), 5, "{expected}");
        place.write("fine.py", "");
        let arguments = json!({"script_path": "app.py", "memory": false, "python": python});
        session.call("profile_script", arguments).await;
        assert_eq!(traces(), expected);
    }
    session.close().await;
}

#[tokio::test]
async fn what_nobody_measured_has_no_floor() {
    let place = Place::new();
    place.write("app.py", &format!("import os\n{}os.kill(os.getpid(), 9)\n", busy(0.6)));
    let session = Session::open(&place.path()).await;
    let loaded = json!({"path": recorded::path("shop_main--2.4.0")});
    session.call("load_profile", loaded).await;
    let answer = session.call("analyze_profile", json!({"profile_id": "latest"})).await;
    assert_eq!(answer.structured.get("floor"), None, "{}", answer.text);
    assert!(!answer.text.contains("Floor"), "{}", answer.text);

    // Stopped from outside, it has what was measured until then.
    place.write("app.py", &busy(30.0));
    let python = pythons::with_scalene("2.4.0");
    let arguments =
        json!({"script_path": "app.py", "memory": false, "timeout": 3, "python": python});
    let profile = session.call("profile_script", arguments).await.structured;
    assert_eq!(profile["status"], "partial");
    let overall = session.call("analyze_profile", json!({"profile_id": "latest"})).await;
    assert!(f(&overall.structured["floor"]["start_sec"]) > 0.0, "{}", overall.text);
    let focus = json!({"profile_id": "latest", "focus_area": "memory"});
    let memory = session.call("analyze_profile", focus).await;
    assert_eq!(memory.structured.get("floor"), None, "{}", memory.text);
    session.close().await;
}
