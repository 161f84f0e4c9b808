//! Tools that judge a server: the MCP Inspector and a scorer.

use serde_json::Value;

use crate::installed::Tools;
use crate::support::client::BINARY;
use crate::support::place::Place;
use crate::support::pythons::command;

/// Percent of the scorer's points, in each era.
const ENOUGH: f64 = 97.0;

/// The Inspector lists the tools of one era and finds nothing wrong with their schemas.
pub(crate) fn inspector(tools: &Tools, era: &str) -> String {
    let place = Place::new();
    let mut inspector = command(tools.node("mcp-inspector"));
    inspector.args(["--cli", "--protocol-era", era, "--strict", BINARY]).current_dir(place.path());
    let output = inspector.args(["--method", "tools/list", "--format", "json"]).output().unwrap();
    // Problems of any weight are on stderr, those of weight end with exit code 6.
    let problems = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {problems}", output.status);
    assert_eq!(problems.trim(), "", "problems in {era}");
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    let count = listed["result"]["tools"].as_array().unwrap().len();
    assert!(count >= 12, "{count} tools");
    format!("{count} tools, 0 problems")
}

/// The scorer's points: those of the whole, and those for the era without `initialize`.
pub(crate) fn mcpscore(tools: &Tools) -> String {
    let place = Place::new();
    let mut scorer = command(tools.python("mcpscore"));
    scorer.args(["--no-config", "--json", "--smoke", "--stdio", BINARY]).current_dir(place.path());
    let output = scorer.output().unwrap();
    let complained = String::from_utf8_lossy(&output.stderr);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("no report ({error}): {complained}"));
    let missed = [&report["results"], &report["readiness"]["results"]];
    for rule in missed.iter().flat_map(|results| results.as_array().unwrap()) {
        if rule["passed"] == false {
            println!("  missed: {} ({}): {}", rule["rule_id"], rule["severity"], rule["message"]);
        }
    }
    assert_eq!(report["partial"], false, "{}", report["partial_reason"]);
    let points = |era: &str, part: &Value| {
        let (score, all) = (part["score"].as_f64().unwrap(), part["max_score"].as_f64().unwrap());
        assert!(score >= all * ENOUGH / 100.0, "{era}: {score} of {all} points");
        format!("{score} of {all} ({:.1} %)", 100.0 * score / all)
    };
    format!(
        "{}, of these for 2026-07-28 {}",
        points("all", &report),
        points("2026-07-28", &report["readiness"])
    )
}
