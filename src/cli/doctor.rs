//! `scalene-mcp doctor`.

use std::process::ExitCode;

use super::args::DoctorOptions;
use crate::doctor::{Check, CheckStatus, examine};
use crate::recording::{Recorder, Settings};

pub(super) async fn run(settings: Settings, options: DoctorOptions) -> ExitCode {
    let near = super::current_dir().join(options.project.unwrap_or_default());
    let recorder = Recorder::new(settings);
    let show = |check: &Check| {
        if !options.json {
            print(check);
        }
    };
    let checks = examine(&recorder, None, &near, &super::controls(), show).await;
    if options.json {
        println!("{}", serde_json::json!({ "checks": checks }));
    }
    let healthy = checks.iter().all(|check| check.status == CheckStatus::Ok);
    if healthy { ExitCode::SUCCESS } else { ExitCode::from(super::FAILURE) }
}

fn print(check: &Check) {
    let mark = match check.status {
        CheckStatus::Ok => "ok    ",
        CheckStatus::Failed => "FAILED",
        CheckStatus::Skipped => "-     ",
    };
    println!("{mark}  {}: {}", check.name, check.detail);
    if !check.fix.is_empty() {
        println!("        do: {}", check.fix);
    }
}
