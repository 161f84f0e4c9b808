//! The launcher: how a program and its arguments reach Scalene untouched.
//!
//! Scalene's command line swallows, reorders or misreads script arguments. `launch.py`
//! lets it parse its own options only and runs the program as `python program` would. It
//! reads a [`LaunchRequest`] and keeps a [`LaunchState`] up to date.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Source of the launcher, written beside each run's other files.
pub const LAUNCHER: &str = include_str!("launch.py");

/// Source of the module that programs import to mark blocks.
pub const BLOCKS: &str = include_str!("blocks.py");

/// Python that stands in for the module where the program runs without us: marks that do nothing.
pub const NO_BLOCKS: &str = "block = type(\"block\", (), {\"__init__\": lambda s, name: None, \"__enter__\": lambda s: s, \
    \"__exit__\": lambda s, *e: None, \"__call__\": lambda s, f: f})";

/// The name that it is imported by.
pub const BLOCKS_MODULE: &str = "scalene_mcp_blocks";
/// Source of what has Scalene on for a part of the run, written where one is asked for.
pub const WINDOW: &str = include_str!("window.py");

/// File name of the launcher's functions that run while the program does: no code of anybody's.
pub const HIDDEN_FILE: &str = "<scalene launcher>";

/// How the program is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchMode {
    /// A file.
    Script,
    /// A module, as after `-m`.
    Module,
    /// Calls of one function.
    Function,
}

/// What the launcher is asked to run.
#[derive(Debug, Clone, Serialize)]
pub struct LaunchRequest {
    /// Scalene's own options, from [`super::Adapter::arguments`].
    pub scalene_args: Vec<String>,
    /// File or module.
    pub mode: LaunchMode,
    /// The file as typed, or the module's name.
    pub target: String,
    /// Arguments for the program.
    pub args: Vec<String>,
    /// Where the state goes.
    pub state_file: String,
    /// First entry of the program's `sys.path`, where it is not the script's directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path0: Option<String>,
    /// The program's `sys.argv[0]`, where it is not the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub argv0: Option<String>,
    /// Variables that get these values back just before the program starts.
    pub restore_env: BTreeMap<String, String>,
    /// The part of the run in which Scalene is on; absent means all of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub window: Option<LaunchWindow>,
    /// Modules below this folder are the program's own.
    pub own_root: String,
    /// Folders below it that hold libraries.
    pub own_libraries: Vec<String>,
    /// Cells of a notebook, which is the target: their numbers and files.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cells: Vec<(usize, String)>,
    /// The file that makes the calls of a function.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    /// What it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub function: Option<serde_json::Value>,
    /// File of the module that marks blocks.
    pub blocks_file: String,
}

/// A part of the run. Each file is made from outside, with SIGURG to the process; the launcher answers with a file
/// of the same name and `.done`.
#[derive(Debug, Clone, Serialize)]
pub struct LaunchWindow {
    /// Where [`WINDOW`] is.
    pub code: String,
    /// File whose being there switches Scalene on.
    pub opens: String,
    /// File whose being there switches it off, and has the profile written.
    pub closes: String,
    /// Scalene is off until then; otherwise it is on from the program's first line.
    pub late: bool,
}

/// How far the launcher got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LaunchPhase {
    /// Nothing was said: it did not even start.
    #[default]
    Unknown,
    /// Scalene is being imported.
    Starting,
    /// The program runs, or ran and its profile is being written.
    Running,
    /// Everything is written.
    Finished,
    /// [`LaunchState::error`] says what went wrong.
    Failed,
}

/// What the launcher reports.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct LaunchState {
    /// How far it got.
    pub phase: LaunchPhase,
    /// What failed before or beside the program.
    pub error: Option<LaunchError>,
    /// Remarks about this run.
    pub warnings: Vec<String>,
    /// When the program's first line ran, seconds since 1970.
    pub program_started_at: Option<f64>,
    /// When the program's own code was over, seconds since 1970.
    pub program_ended_at: Option<f64>,
    /// When Scalene was switched on in mid-run, seconds since 1970.
    pub window_opened_at: Option<f64>,
    /// When it was switched off, seconds since 1970.
    pub window_closed_at: Option<f64>,
    /// The program's exit code.
    pub exit_code: Option<i32>,
    /// Type of the exception that ended the program.
    pub exception: Option<String>,
    /// Highest resident size of the process.
    pub max_rss_bytes: Option<u64>,
    /// User CPU time of the program.
    pub user_cpu_sec: Option<f64>,
    /// System CPU time of the program.
    pub system_cpu_sec: Option<f64>,
    /// What Scalene wanted to print.
    pub scalene_messages: String,
    /// Costs beside the program's own lines, at its end.
    pub floor: Option<LaunchFloor>,
    /// Calls of the function that were profiled.
    pub calls: Option<u64>,
}

/// What the launcher measured beside the program's own lines.
#[derive(Debug, Clone, PartialEq, Default, Deserialize)]
#[serde(default)]
pub struct LaunchFloor {
    /// When Python was ready, seconds since 1970; absent after a restart.
    pub launched_at: Option<f64>,
    /// Seconds in imports.
    pub imports_sec: Option<f64>,
    /// The same by module, largest first; those of one do not contain those of another.
    pub imports: Vec<(String, f64)>,
    /// Seconds in the garbage collector.
    pub gc_sec: Option<f64>,
    /// Collections by generation.
    pub gc_collections: Option<Vec<u64>>,
}

/// A failure that is not the program's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(default)]
pub struct LaunchError {
    /// `scalene_import`, `scalene_failed`, `target_not_found`, `syntax_error`; for calls those of `call.py`.
    pub kind: String,
    /// In words.
    pub message: String,
}

impl LaunchState {
    /// Seconds that the program itself ran, when both ends are known.
    pub fn program_seconds(&self) -> Option<f64> {
        Some(self.program_ended_at? - self.program_started_at?)
    }
}
