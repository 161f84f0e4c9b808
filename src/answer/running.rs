//! The answer while a program still runs.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::NextCall;
use super::profile::{ProfileAnswer, StatusInfo};
use super::text::amount;
use crate::profile::{Mebibytes, round_for_display};

/// How far a run is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProgressInfo {
    /// What is being done: waiting for another run, preparing, running, reading the profile.
    pub phase: String,
    /// Seconds since the program started; absent before that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_sec: Option<f64>,
    /// Resident size of the program now, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resident_mb: Option<f64>,
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
pub fn running(
    profile_id: &str,
    program: &str,
    phase: &str,
    elapsed_sec: Option<f64>,
    resident_bytes: Option<u64>,
) -> ProfileAnswer {
    let resident_mb = resident_bytes.map(|bytes| Mebibytes::from_bytes(bytes).rounded());
    ProfileAnswer {
        profile_id: profile_id.to_owned(),
        status: StatusInfo::Running,
        program: super::one_line(program, 160),
        outcome: None,
        progress: Some(ProgressInfo {
            phase: phase.to_owned(),
            elapsed_sec: elapsed_sec.map(round_for_display),
            resident_mb,
        }),
        summary: None,
        top_lines: Vec::new(),
        cpu_profile: None,
        memory_profile: None,
        gpu_profile: None,
        call_paths: None,
        errors: Vec::new(),
        warnings: Vec::new(),
        stdout: None,
        stderr: None,
        loaded_from: None,
        environment: None,
        next: vec![NextCall::new("get_profile", [("profile_id", json!(profile_id))])],
    }
}
