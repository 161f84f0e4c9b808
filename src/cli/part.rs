//! Options of `profile` for a part of a run.

use std::time::Duration;

use clap::Args;

use crate::recording::{Readiness, RecordError, Window};

/// Which part of the run is profiled.
#[derive(Debug, Args)]
pub(super) struct PartOptions {
    /// Stop the program after so many seconds and keep the profile [default: until it ends]
    #[arg(long, value_name = "SECONDS")]
    duration_sec: Option<f64>,

    /// Skip its first seconds, or those after it is ready
    #[arg(long, value_name = "SECONDS")]
    delay_sec: Option<f64>,

    /// When it is ready: port:8000, output:TEXT, or seconds
    #[arg(long, value_name = "WHEN")]
    ready: Option<String>,

    /// Command run once it is ready, as `python load.py`; when it ends, the program is stopped
    #[arg(long, value_name = "COMMAND", requires = "ready")]
    drive: Option<String>,
}

impl PartOptions {
    pub(super) fn window(self) -> Result<Window, RecordError> {
        let invalid = |parameter: &'static str, problem: String| RecordError::InvalidArgument {
            parameter,
            problem,
        };
        let seconds = |name: &'static str, value: Option<f64>| {
            let time = value.map(Duration::try_from_secs_f64).transpose();
            time.map_err(|error| invalid(name, error.to_string()))
        };
        let drive = self.drive.map(|text| {
            let words = shlex::split(&text).filter(|words| !words.is_empty());
            words.ok_or_else(|| invalid("--drive", format!("`{text}` is no command")))
        });
        let ready = self.ready.map(|text| text.parse::<Readiness>());
        Ok(Window {
            delay: seconds("--delay-sec", self.delay_sec)?.unwrap_or_default(),
            duration: seconds("--duration-sec", self.duration_sec)?,
            ready: ready.transpose().map_err(|problem| invalid("--ready", problem))?,
            drive: drive.transpose()?.unwrap_or_default(),
        })
    }
}
