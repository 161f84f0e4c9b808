//! The calls worth making after a comparison.

use serde_json::{Value, json};

use super::Change;
use crate::analysis::compare::{Comparison, Obstacle};
use crate::answer::next::{NextCall, can_be_verified, run_again};
use crate::profile::{Profile, Seconds, Status};

pub(super) fn calls(
    baseline: &Profile,
    candidate: &Profile,
    comparison: &Comparison<'_>,
    regressions: &[Change],
    verify: bool,
) -> Vec<NextCall> {
    let id = ("profile_id", json!(candidate.id.as_str()));
    if let Some(obstacle) = comparison.obstacles.first() {
        let fallback = || NextCall::new("analyze_profile", [id.clone()]);
        return vec![overcome(obstacle, baseline, candidate).unwrap_or_else(fallback)];
    }
    let first = regressions.iter().find(|change| change.state != "gone");
    let mut calls = Vec::new();
    if verify {
        calls.extend(timed_without_profiler(baseline));
    }
    match first {
        Some(change) => {
            let file = change.location.rsplit_once(':').map_or(&*change.location, |(file, _)| file);
            let file = ("file_path", json!(file));
            calls.push(NextCall::new("get_file_details", [id, file]));
        }
        None if calls.is_empty() => calls.push(NextCall::new("get_cpu_hotspots", [id])),
        None => {}
    }
    calls
}

/// Both versions timed without a profiler, which confirms what single profiled runs only suggest.
/// A snippet or an imported profile has no files to run again.
fn timed_without_profiler(baseline: &Profile) -> Option<NextCall> {
    const OFFERED: bool = true;
    let id = [("baseline_profile_id", json!(baseline.id.as_str()))];
    (OFFERED && can_be_verified(baseline)).then(|| NextCall::new("verify_speedup", id))
}

/// A run that can be compared.
fn overcome(obstacle: &Obstacle, baseline: &Profile, candidate: &Profile) -> Option<NextCall> {
    match obstacle {
        // The files as they are now, with what the baseline was measured by.
        Obstacle::Mode(..) => run_again(baseline),
        Obstacle::Coverage(..) | Obstacle::BothPartial => {
            let stopped =
                if candidate.run.status == Status::Partial { candidate } else { baseline };
            let mut call = run_again(stopped)?;
            call.arguments.insert("timeout".to_owned(), longer(stopped));
            Some(call)
        }
        Obstacle::Outcome(..) => {
            Some(NextCall::new("get_profile", [("profile_id", json!(candidate.id.as_str()))]))
        }
        Obstacle::OtherProgram(_) | Obstacle::NoSeconds => None,
    }
}

/// A time limit that leaves a stopped run five times as long.
fn longer(stopped: &Profile) -> Value {
    json!((5.0 * stopped.elapsed.map_or(60.0, Seconds::get)).ceil().max(60.0))
}
