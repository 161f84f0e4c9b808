//! The answer while a program still runs.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::NextCall;
use super::profile::{ProfileAnswer, StatusInfo, TopLine};
use super::text::{amount, source};
use crate::profile::{Interim, InterimLine, Mebibytes, round_for_display};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProgressInfo {
    /// What is being done: waiting for another run, preparing, running, reading the profile. Of several runs
    /// (`repeat`) it begins with `run 2 of 3: `.
    pub phase: String,
    /// Seconds since the program started; absent before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_sec: Option<f64>,
    /// Resident size of the program now, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resident_mb: Option<f64>,
    /// Seconds sampled so far that `top_lines` are shares of; absent before the first were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampled_sec: Option<f64>,
}

/// What is known of a run that has not ended.
#[derive(Debug, Clone, Copy, Default)]
pub struct SoFar<'a> {
    /// Seconds since the program's process started.
    pub elapsed_sec: Option<f64>,
    /// Resident bytes of it.
    pub resident_bytes: Option<u64>,
    /// What took the time.
    pub interim: Option<&'a Interim>,
}

impl ProgressInfo {
    pub(super) fn text(&self) -> String {
        let elapsed =
            self.elapsed_sec.map_or_else(String::new, |s| format!(" for {} s", amount(s)));
        let memory =
            self.resident_mb.map_or_else(String::new, |m| format!(", {} MiB resident", amount(m)));
        format!("{}{elapsed}{memory}\n", self.phase)
    }
}

/// A handle and what is known so far.
pub fn running(profile_id: &str, program: &str, phase: &str, so_far: SoFar<'_>) -> ProfileAnswer {
    let resident_mb = so_far.resident_bytes.map(|bytes| Mebibytes::from_bytes(bytes).rounded());
    let id = || ("profile_id", json!(profile_id));
    let mut next = vec![NextCall::new("get_profile", [id()])];
    next.extend(so_far.elapsed_sec.map(|_| NextCall::new("stop_profile", [id()])));
    ProfileAnswer {
        profile_id: profile_id.to_owned(),
        status: StatusInfo::Running,
        program: super::one_line(program, 160),
        outcome: None,
        progress: Some(ProgressInfo {
            phase: phase.to_owned(),
            elapsed_sec: so_far.elapsed_sec.map(round_for_display),
            resident_mb,
            sampled_sec: so_far.interim.map(|interim| round_for_display(interim.seconds)),
        }),
        window: None,
        drive: None,
        tests: None,
        summary: None,
        top_lines: so_far.interim.map_or_else(Vec::new, top_lines),
        cpu_profile: None,
        memory_profile: None,
        gpu_profile: None,
        per_call: None,
        call_paths: None,
        blocks: Vec::new(),
        errors: Vec::new(),
        warnings: Vec::new(),
        stdout: None,
        stderr: None,
        loaded_from: None,
        environment: None,
        next,
    }
}

fn top_lines(interim: &Interim) -> Vec<TopLine> {
    let line = |line: &InterimLine| TopLine {
        location: line.location.clone(),
        function_name: line.function.clone(),
        content: source(&line.content),
        percent_of_total: line.part.rounded(),
        time_sec: Some(round_for_display(line.part.get() / 100.0 * interim.seconds)),
        kind: if line.waiting.get() > 0.5 * line.part.get() { "waiting" } else { "running" }
            .to_owned(),
    };
    interim.lines.iter().map(line).collect()
}
