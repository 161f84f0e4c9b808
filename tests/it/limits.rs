//! Limits of a run other than that of time.

use serde_json::json;

use crate::support::client::Session;
use crate::support::place::Place;

/// Takes some 500 MiB a second, in a child when told so.
const EATS: &str = "\
import os, sys, time
if 'fork' in sys.argv and os.fork():
    os.wait()
kept = []
while True:
    kept.append(bytearray(b'x') * (10 << 20))
    time.sleep(0.02)
";

#[tokio::test]
async fn a_program_over_its_memory_limit_is_stopped_and_keeps_its_profile() {
    let place = Place::new();
    place.write("eats.py", EATS);
    let session = Session::open(&place.path()).await;
    for memory in [false, true] {
        let arguments = json!({"script_path": "eats.py", "memory": memory, "max_memory_mb": 400});
        let answer = session.call("profile_script", arguments).await.structured;
        assert_eq!(answer["status"], "partial", "{answer}");
        assert_eq!(answer["outcome"]["description"], "stopped at the memory limit");
        let error = answer["errors"][0].as_str().unwrap();
        assert!(error.contains("max_memory_mb is 400"), "{error}");
        let held = error.split("held ").nth(1).unwrap().split(' ').next().unwrap();
        let held: u64 = held.parse().unwrap();
        // Looked at every 20 ms near the limit; a busy machine may come late by a second.
        assert!((400..=1200).contains(&held), "{error}");
        assert_eq!(answer["top_lines"][0]["function_name"], "<module>", "{answer}");
    }
    session.close().await;
}

#[tokio::test]
async fn memory_of_children_counts_and_the_parameter_is_remembered() {
    let place = Place::new();
    place.write("eats.py", EATS);
    let session = Session::open(&place.path()).await;
    let arguments = json!({
        "script_path": "eats.py", "args": ["fork"], "memory": false, "max_memory_mb": 400,
    });
    let answer = session.call("profile_script", arguments).await.structured;
    assert_eq!(answer["outcome"]["description"], "stopped at the memory limit", "{answer}");
    let nothing = json!({"code": "1", "max_memory_mb": 0});
    let refused = session.failure("profile_code", nothing).await;
    assert!(refused.starts_with("invalid_argument: max_memory_mb: 0 MiB"), "{refused}");
    let low = json!({"code": "import time\ntime.sleep(60)", "max_memory_mb": 1, "memory": false});
    let early = session.failure("profile_code", low).await;
    assert!(early.starts_with("memory_limit: stopped at the memory limit before"), "{early}");
    session.close().await;
}

/// What Python's own helper process would remove from shared memory, were it given the time.
const SHARED: &str = "
import multiprocessing, time
from multiprocessing import shared_memory
if __name__ == '__main__':
    block = shared_memory.SharedMemory(create=True, size=1 << 20)
    lock = multiprocessing.get_context('spawn').Lock()
    print(block.name, flush=True)
    while True: sum(range(1000))
";

#[cfg(target_os = "linux")]
#[tokio::test]
async fn shared_memory_does_not_outlive_a_run_that_is_ended() {
    let place = Place::new();
    place.write("shared.py", SHARED);
    let session = Session::open(&place.path()).await;
    let arguments = json!({"script_path": "shared.py", "memory": false, "timeout": 2});
    let answer = session.call("profile_script", arguments).await.structured;
    assert_eq!(answer["outcome"]["description"], "stopped at the time limit", "{answer}");
    let name = answer["stdout"]["head"].as_str().unwrap().trim();
    assert!(name.starts_with("psm_"), "{answer}");
    let block = std::path::Path::new("/dev/shm").join(name);
    assert!(!block.exists(), "{} is still there", block.display());
    session.close().await;
}
