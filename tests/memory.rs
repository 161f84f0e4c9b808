//! What a profile is said to occupy against what was allocated for it.
//!
//! A binary of its own: it counts every allocation of the process, so one test at a time.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![expect(clippy::cast_precision_loss, reason = "sizes in bytes")]

use peak_alloc::PeakAlloc;
use scalene_mcp::scalene::parse;

#[path = "it/support/recorded.rs"]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
mod recorded;
#[path = "it/support/synthetic.rs"]
#[expect(dead_code, reason = "shared with the integration tests, which use all of it")]
mod synthetic;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

/// Names of the recorded documents that are not empty.
fn names() -> Vec<String> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/profiles");
    let names = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<_> = names
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".json")?.to_owned()))
        .filter(|name| !name.starts_with("too_short"))
        .collect();
    names.sort();
    names
}

#[test]
fn profiles_occupy_what_they_are_said_to() {
    // What libraries allocate once for all.
    recorded::profile("leak_list--2.4.0").read_all();
    for name in names() {
        let before = ALLOCATED.current_usage();
        let profile = recorded::profile(&name);
        profile.read_all();
        let allocated = (ALLOCATED.current_usage() - before + size_of_val(&profile)) as f64;
        let said = profile.approximate_bytes() as f64;
        let ratio = said / allocated;
        assert!((0.75..=1.25).contains(&ratio), "{name}: {said} said, {allocated} allocated");
    }
    large_documents();
}

/// A large document, and what reading it needs at most.
fn large_documents() {
    let text = synthetic::document(8_000_000);
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let parsed = parse(text.as_bytes()).unwrap();
    let peak = (ALLOCATED.peak_usage() - before + text.len()) as f64;
    let profile = recorded::with(parsed, "2.4.0");
    let kept = (ALLOCATED.current_usage() - before) as f64;
    let needed = peak / (kept + text.len() as f64);
    assert!(needed <= 2.5, "{needed} times what is kept and the document");
    profile.read_all();
    let allocated = (ALLOCATED.current_usage() - before) as f64;
    let ratio = profile.approximate_bytes() as f64 / allocated;
    assert!((0.75..=1.25).contains(&ratio), "{ratio}");
}

/// Asks everything that is kept once it is known.
trait ReadAll {
    fn read_all(&self);
}

impl ReadAll for scalene_mcp::profile::Profile {
    fn read_all(&self) {
        for file in &self.files {
            file.functions();
            file.totals();
            file.sampled_functions();
        }
    }
}
