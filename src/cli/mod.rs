//! The command line: arguments in `args`, one file per subcommand.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the command line talks to people")]

mod args;
mod check;
mod config;
mod confine;
mod doctor;
mod limits;
mod live;
mod part;
mod profile;
mod report;
mod setup;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::process::Controls;
use crate::recording::{RecordError, Settings};
use crate::server::Options;
use crate::store::{Bounds, Store};
use args::{Command, Invocation, Parsed};

/// Exit code for anything that did not work; clap uses 2 for wrong usage.
const FAILURE: u8 = 1;

/// Exit code of wrong usage.
const WRONG_USAGE: u8 = 2;

/// Argument that makes this executable the keeper of a run; for its own use.
#[cfg(unix)]
const KEEPER: &str = "keep-one-run";

/// Runs the program. Wrong usage prints help and ends the process with code 2.
pub fn main() -> ExitCode {
    #[cfg(unix)]
    {
        if std::env::args_os().nth(1).is_some_and(|first| first == KEEPER) {
            return crate::process::keep();
        }
        crate::process::keep_children(KEEPER);
    }
    let Invocation { arguments, settings, options, store, log_level } = match args::parse() {
        // Before anything has made a second thread.
        Parsed::Confine(options) => return confine::run(&options),
        Parsed::Config(options, server) => return config::run(&options, server),
        Parsed::Run(invocation) => *invocation,
    };
    crate::library::configure_logging(&log_level);
    let runs = arguments.as_ref().and_then(Command::running);
    if let Some(command) = runs.filter(|_| options.read_only) {
        eprintln!(
            "scalene-mcp: --read-only runs nothing, and `{command}` runs programs: leave one of the two out"
        );
        // For `check` the usual code of wrong usage means something else.
        return ExitCode::from(if command == "check" { check::FAILURE } else { WRONG_USAGE });
    }
    let store = match open(store.as_deref()) {
        Ok(store) => store,
        Err(code) => return code,
    };
    let runtime =
        match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                eprintln!("scalene-mcp: the async runtime could not be started: {error}");
                return ExitCode::from(FAILURE);
            }
        };
    let code = runtime.block_on(async {
        match arguments {
            None | Some(Command::Serve) => serve(settings, store, options).await,
            Some(Command::Profile(options)) => profile::run(settings, store, *options).await,
            Some(Command::Check(options)) => check::run(settings, &store, *options).await,
            Some(Command::Setup(options)) => setup::run(settings, options).await,
            Some(Command::Doctor(options)) => doctor::run(settings, options).await,
            // Taken care of above.
            Some(Command::Confine(_) | Command::Config(_)) => ExitCode::from(FAILURE),
        }
    });
    // Standard input is read by a thread that cannot be interrupted.
    runtime.shutdown_background();
    code
}

/// The store: in memory, or in a folder as well.
fn open(dir: Option<&Path>) -> Result<Store, ExitCode> {
    let Some(dir) = dir else { return Ok(Store::new(Bounds::default())) };
    Store::open(dir, Bounds::default()).map_err(|why| {
        eprintln!(
            "scalene-mcp: --store: `{}` cannot be used: {why}\nNext: name a folder that can be written, or leave \
             --store (SCALENE_MCP_STORE) out",
            dir.display()
        );
        ExitCode::from(FAILURE)
    })
}

async fn serve(settings: Settings, store: Store, options: Options) -> ExitCode {
    match crate::server::serve(settings, store, options).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("scalene-mcp: the session could not be opened: {error}");
            ExitCode::from(FAILURE)
        }
    }
}

fn fail(error: &RecordError) -> ExitCode {
    tell(error);
    ExitCode::from(FAILURE)
}

/// Says what failed and what to do.
fn tell(error: &RecordError) {
    eprintln!("{}: {error}\nNext: {}", error.code(), error.hint());
    if let Some(ran) = error.ran() {
        for (name, output) in [("stdout", &ran.stdout), ("stderr", &ran.stderr)] {
            eprint!("{}", crate::answer::OutputInfo::new(output).text(name));
        }
    }
}

/// The first Ctrl-C ends the run and keeps its profile, the second kills it.
fn controls() -> Controls {
    let controls = Controls::default();
    let (stop, cancel) = (controls.stop.clone(), controls.cancel.clone());
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            cancel.cancel();
        }
    });
    #[cfg(unix)]
    {
        let cancel = controls.cancel.clone();
        tokio::spawn(async move {
            use tokio::signal::unix::{SignalKind, signal};
            if let Ok(mut terminate) = signal(SignalKind::terminate()) {
                terminate.recv().await;
                cancel.cancel();
            }
        });
    }
    controls
}

fn current_dir() -> PathBuf {
    std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."))
}
