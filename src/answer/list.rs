//! The stored profiles.

use std::fmt::Write;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::{self, NextCall};
use super::profile::command;
use super::text::{amount_or_dash, count, table};
use super::{Answer, budget, one_line};
use crate::profile::{Mebibytes, Seconds, Status};
use crate::store::Summary;

/// A stored profile in one row.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProfileMetadata {
    /// Its handle.
    pub profile_id: String,
    /// The program and its arguments.
    pub script_name: String,
    /// When the run started, RFC 3339 in UTC; absent when it has not or is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<String>,
    /// `complete`, `partial` or `running`.
    pub status: String,
    /// Wall time in seconds, with profiling on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elapsed_time_sec: Option<f64>,
    /// Highest footprint in MiB; absent when memory was off.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_footprint_mb: Option<f64>,
}

impl ProfileMetadata {
    /// The row of a run that is not finished.
    pub fn running(profile_id: &str, program: &str) -> Self {
        Self {
            profile_id: profile_id.to_owned(),
            script_name: one_line(program, 160),
            timestamp: None,
            status: "running".to_owned(),
            elapsed_time_sec: None,
            max_footprint_mb: None,
        }
    }

    /// The row of a finished profile.
    pub fn new(profile: &Summary) -> Self {
        Self {
            profile_id: profile.id.to_string(),
            script_name: command(&profile.program),
            timestamp: profile.started_at.clone(),
            status: match profile.status {
                Status::Complete => "complete",
                Status::Partial => "partial",
            }
            .to_owned(),
            elapsed_time_sec: profile.elapsed.map(Seconds::rounded),
            max_footprint_mb: profile.peak.map(Mebibytes::rounded),
        }
    }
}

/// All stored profiles.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ProfilesAnswer {
    /// Newest first.
    pub profiles: Vec<ProfileMetadata>,
    /// Profiles listed.
    pub shown: usize,
    /// Profiles stored; of the script, where one was named.
    pub total: usize,
    /// Stored profiles that cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub warnings: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

impl ProfilesAnswer {
    /// Lists rows, newest first: up to `limit`, of all that are given.
    pub fn new(profiles: &[ProfileMetadata], unreadable: &[String], limit: usize) -> Self {
        let cap = if limit <= Self::DEFAULT_LIMIT { budget::DEFAULT_CAP } else { budget::HARD_CAP };
        budget::fit(limit, cap, |limit| Self::with_rows(profiles, unreadable, limit))
    }

    /// Warnings about single files; of more, only the number is told.
    const MOST_WARNINGS: usize = 5;

    /// Profiles listed when nothing else is asked for.
    pub const DEFAULT_LIMIT: usize = 20;

    fn with_rows(profiles: &[ProfileMetadata], unreadable: &[String], limit: usize) -> Self {
        let total = profiles.len();
        let profiles: Vec<_> = profiles.iter().take(limit).cloned().collect();
        let next = profiles.first().map_or_else(
            || NextCall::new("profile_script", [("script_path", json!("path/to/script.py"))]),
            |newest| {
                let tool =
                    if newest.status == "running" { "get_profile" } else { "analyze_profile" };
                NextCall::new(tool, [("profile_id", json!(newest.profile_id))])
            },
        );
        let mut warnings: Vec<_> =
            unreadable.iter().take(Self::MOST_WARNINGS).map(|why| one_line(why, 300)).collect();
        let more = unreadable.len().saturating_sub(warnings.len());
        if more > 0 {
            warnings.push(format!("{} more cannot be read", count(more as u64, "stored profile")));
        }
        Self { shown: profiles.len(), total, profiles, warnings, next: vec![next] }
    }
}

impl Answer for ProfilesAnswer {
    fn next_calls(&mut self) -> &mut Vec<NextCall> {
        &mut self.next
    }

    fn text(&self) -> String {
        let mut text = format!(
            "{}, newest first, {} shown\n",
            count(self.total as u64, "profile"),
            self.shown
        );
        let row = |profile: &ProfileMetadata| {
            vec![
                profile.profile_id.clone(),
                profile.status.clone(),
                amount_or_dash(profile.elapsed_time_sec),
                amount_or_dash(profile.max_footprint_mb),
                format!("{}  {}", profile.timestamp.as_deref().unwrap_or("-"), profile.script_name),
            ]
        };
        let rows: Vec<_> = self.profiles.iter().map(row).collect();
        if !rows.is_empty() {
            text.push_str(&table(
                &["id", "status", "wall s", "peak MiB", "started, program"],
                &rows,
            ));
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "Warning: {warning}");
        }
        text.push_str(&next::text(&self.next));
        budget::cap(text)
    }
}
