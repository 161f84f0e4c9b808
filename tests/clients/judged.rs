//! Tools that judge a server: the MCP Inspector, a scorer, the conformance suite.

use std::net::{TcpListener, TcpStream};
use std::time::{Duration, Instant};

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

/// Scenarios of the conformance suite that are for every server, with the checks that must pass. The others call tools and
/// prompts of a server that is made for the suite.
const SCENARIOS: [(&str, usize); 8] = [
    ("server-initialize", 3),
    ("ping", 2),
    ("tools-list", 3),
    ("resources-list", 2),
    ("prompts-list", 2),
    ("caching", 7),
    ("sep-2164-resource-not-found", 4),
    // Four more need the suite's own tools.
    ("server-stateless", 24),
];
/// Time for the bridge to open its port.
const BRIDGE_WITHIN: Duration = Duration::from_secs(30);

/// A process that ends with its owner.
struct Bridge(std::process::Child);

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The suite speaks HTTP only; a bridge passes its messages on to the server's pipes.
pub(crate) fn conformance(tools: &Tools) -> String {
    let place = Place::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let node = tools.newer_node();
    let mut bridge = command(&node);
    bridge.arg(tools.node("mcp-proxy")).args(["--port", &port.to_string(), "--server", "stream"]);
    bridge.args(["--", BINARY]).current_dir(place.path());
    bridge.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let _bridge = Bridge(bridge.spawn().unwrap());
    let deadline = Instant::now() + BRIDGE_WITHIN;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < deadline, "the bridge does not open its port");
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut all = 0;
    for (scenario, least) in SCENARIOS {
        let mut suite = command(&node);
        suite.arg(tools.node("conformance")).args(["server", "--scenario", scenario]);
        suite.args(["--url", &format!("http://127.0.0.1:{port}/mcp")]).current_dir(place.path());
        let output = suite.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let result = said.lines().find_map(|line| line.strip_prefix("Passed: "));
        let result = result.unwrap_or_else(|| panic!("{scenario}: {said}"));
        let passed: usize = result.split('/').next().unwrap().parse().unwrap();
        assert!(passed >= least, "{scenario}: {least} expected: {said}");
        all += passed;
    }
    format!("{all} checks of {} scenarios", SCENARIOS.len())
}
