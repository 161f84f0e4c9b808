//! Where a program ran.

use schemars::JsonSchema;
use serde::Serialize;

use super::text::amount;
use crate::profile::{Engine, RunInfo, round_for_display};

/// Interpreter, profiler and machine.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EnvironmentInfo {
    /// Interpreter that ran the program.
    pub python: String,
    /// How that interpreter was chosen.
    pub python_source: String,
    /// Version of Python.
    pub python_version: String,
    /// `sampler`: it measured alone, times and waits, no memory. Absent where Scalene ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub engine: Option<String>,
    /// Version of Scalene; absent where it did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalene_version: Option<String>,
    /// `project` (installed there) or `overlay` (private copy; the project is not touched).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scalene_source: Option<String>,
    /// Operating system and machine.
    pub platform: String,
    /// Logical cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<usize>,
    /// One-minute load average when the run began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load: Option<f64>,
    /// How the program was confined, if it was: `writes` or `strict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Directory that paths in answers are relative to.
    pub project_root: String,
    /// Working directory of the program.
    pub cwd: String,
}

impl EnvironmentInfo {
    /// Nothing for a profile that was recorded elsewhere.
    pub(super) fn new(run: &RunInfo) -> Option<Self> {
        let environment = run.environment.as_ref()?;
        Some(Self {
            python: environment.python.display().to_string(),
            python_source: environment.python_source.clone(),
            python_version: environment.python_version.clone(),
            engine: Some(environment.engine.word())
                .filter(|_| environment.engine != Engine::Scalene)
                .map(str::to_owned),
            scalene_version: environment.scalene_version.clone(),
            scalene_source: environment.scalene_source.clone(),
            platform: environment.platform.clone(),
            cores: environment.cores,
            load: environment.load.map(round_for_display),
            sandbox: environment.sandbox.as_deref().map(str::to_owned),
            project_root: run.project_root.display().to_string(),
            cwd: run.cwd.display().to_string(),
        })
    }

    pub(super) fn text(&self) -> String {
        let cores = self.cores.map_or_else(String::new, |cores| format!(", {cores} cores"));
        let load = self.load.map_or_else(String::new, |load| format!(", load {}", amount(load)));
        let sandbox =
            self.sandbox.as_ref().map_or_else(String::new, |mode| format!(", sandbox {mode}"));
        let measured = match (&self.scalene_version, &self.scalene_source) {
            (Some(version), Some(source)) => format!("Scalene {version} ({source})"),
            _ => format!("engine {}", self.engine.as_deref().unwrap_or_default()),
        };
        format!(
            "Environment: Python {} ({}, from {}), {measured}, {}{cores}{load}{sandbox}; cwd {}, paths relative to {}\n",
            self.python_version,
            self.python,
            self.python_source,
            self.platform,
            self.cwd,
            self.project_root,
        )
    }
}
