//! `scalene-mcp setup`.

use std::process::ExitCode;

use super::args::SetupOptions;
use super::live::Live;
use crate::recording::{Recorder, Settings};

pub(super) async fn run(settings: Settings, options: SetupOptions) -> ExitCode {
    let near = super::current_dir().join(options.project.unwrap_or_default());
    let recorder = Recorder::new(settings);
    let mut live = Live::new();
    let controls = super::controls();
    let ready = recorder.set_up(None, &near, &controls, &mut |event| live.show(&event)).await;
    live.clear();
    match ready {
        Ok(ready) => {
            let project = &ready.project;
            println!(
                "Python {} at {}, from {}",
                project.version,
                project.executable.display(),
                project.source
            );
            match ready.overlay {
                Some(dir) => {
                    println!(
                        "Scalene {} ready in the private overlay {}",
                        ready.scalene_version,
                        dir.display()
                    );
                }
                None => println!("Scalene {} is installed there", ready.scalene_version),
            }
            ExitCode::SUCCESS
        }
        Err(error) => super::fail(&error),
    }
}
