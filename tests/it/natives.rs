//! Names of the machine code that a line's time went to.

use serde_json::{Value, json};

use crate::support::client::Session;
use crate::support::place::program;
use crate::support::pythons;

/// Line 3 compresses, in a library of its own; line 5 is plain Python.
const PROGRAM: &str = "import time, zlib
data = bytes(range(256)) * 4000
while time.process_time() < 2.4: zlib.compress(data, 6)
total = 0
while time.process_time() < 3.2: total += 7 * total % 5
";

fn line(hotspots: &Value, number: u64) -> &Value {
    let rows = hotspots["hotspots"].as_array().unwrap();
    let found = rows.iter().find(|row| row["line"] == number);
    found.unwrap_or_else(|| panic!("line {number} is not in {hotspots}"))
}

#[tokio::test]
async fn the_routine_behind_a_native_line_is_named() {
    let session = Session::open(&program("")).await;
    let arguments = json!({"code": PROGRAM, "python": pythons::with_scalene("2.4.0")});
    let profile = session.call("profile_code", arguments).await.structured;
    let id = profile["profile_id"].as_str().unwrap();
    let hotspots = session.call("get_cpu_hotspots", json!({"profile_id": id})).await;

    let compress = &line(&hotspots.structured, 3)["native_functions"];
    let functions = compress.as_array().unwrap_or_else(|| panic!("{}", hotspots.text));
    let in_library = |row: &&Value| row["library"].as_str().unwrap().contains("libz");
    let percent: f64 =
        functions.iter().filter(in_library).filter_map(|row| row["percent"].as_f64()).sum();
    assert!((50.0..=100.0).contains(&percent), "{compress}");
    let name = functions[0]["name"].as_str().unwrap();
    assert!(hotspots.text.contains(name), "{name} in {}", hotspots.text);

    let python = &line(&hotspots.structured, 5)["native_functions"];
    let shares = python.as_array().into_iter().flatten().filter_map(|row| row["percent"].as_f64());
    assert!(shares.sum::<f64>() < 50.0, "what bytecode needs is not told: {python}");

    // It is a call of the line like any other.
    let ask = json!({"profile_id": id, "function": name});
    let callers = session.call("get_call_paths", ask).await.structured;
    let rows = callers["calls"].as_array().unwrap_or_else(|| panic!("{callers}"));
    assert_eq!((&rows[0]["native"], &rows[0]["function_name"]), (&json!(true), &json!(name)));
    assert_eq!((&rows[1]["function_name"], &rows[1]["call_line"]), (&json!("<module>"), &json!(3)));
}
