//! One run of a program, by its way.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use scalene_mcp::ScaleneProfiler;
use scalene_mcp::analysis::leaks::{leaks, undecided};
use scalene_mcp::process::Controls;
use scalene_mcp::profile::Profile;
use scalene_mcp::recording::{
    EngineChoice, ProcessRequest, Proving, Readiness, Recorder, RunRequest, Settings, Target,
    Tests, Which,
};
use serde_json::json;
use tokio::time::Instant;

use crate::programs::Program;
use crate::support::place::Place;
use crate::support::pythons;
use crate::way::Way;

/// Longest time of a second run that records all allocations, with the reading of its record.
const PROVEN_WITHIN: Duration = Duration::from_secs(45);
/// How long a process is looked at.
const LOOK: Duration = Duration::from_secs(3);

/// A run in a folder of its own, since programs write files.
pub(crate) async fn profile(
    program: &Program,
    sources: &[(String, String)],
    environment: &Path,
) -> Result<Profile, String> {
    let place = Place::new();
    let own = program.file();
    for (file, text) in sources.iter().filter(|(file, _)| *file == own || file.starts_with('_')) {
        let notebook = *file == own && program.way == Way::Notebook;
        if notebook {
            place.write(&program.notebook(), &as_notebook(&program.cells(text)));
        } else {
            place.write(file, text);
        }
    }
    let settings = Settings { cache_dir: pythons::cache_dir(), ..Settings::default() };
    let profiler = ScaleneProfiler::with_settings(settings.clone());
    let told = |error: scalene_mcp::Error| error.to_string().replace('\n', " ");
    if program.way == Way::Process {
        let serving = Serving::start(program, &place, environment)?;
        let mut request = ProcessRequest::new(Which::Pid(serving.pid));
        request.duration = LOOK;
        return profiler.profile_process(&request).await.map_err(told);
    }
    let mut request = request(program);
    request.python = Some(environment.display().to_string());
    request.cwd = Some(place.path());
    let profile = profiler.profile(&request).await.map_err(told)?;
    if !program.memory() || !leaks(&profile).as_ref().is_some_and(undecided) {
        return Ok(profile);
    }
    // As `get_memory_leaks` does by default.
    let proving = Proving { request, deadline: Instant::now() + PROVEN_WITHIN };
    let proven =
        Recorder::new(settings).prove(&profile, &proving, &Controls::default(), &mut |_| {}).await;
    Ok(proven.unwrap_or(profile))
}

/// The run of a program that is started by us.
fn request(program: &Program) -> RunRequest {
    let script = || RunRequest::new(Target::Script(program.file()));
    let mut request = match &program.way {
        Way::Function(call) => RunRequest::new(Target::Function(call.clone())),
        Way::Tests { unittest } => {
            let selector = if *unittest { program.name.clone() } else { program.file() };
            RunRequest::of_tests(Tests { selector: vec![selector], ..Tests::default() })
        }
        Way::Notebook => RunRequest::new(Target::Script(program.notebook())),
        _ => script(),
    };
    request.measure.memory = program.memory();
    match &program.way {
        Way::Sampler => request.engine = EngineChoice::Sampler,
        Way::Window(window) => {
            request.window = window.clone();
            if window.delay.is_zero() {
                request.window.ready = program.steady.clone().map(Readiness::Output);
            }
        }
        Way::Blocks { marked: false } => {
            for spec in program.blocks.iter().map(crate::way::BlockClaim::spec) {
                if !request.blocks.contains(&spec) {
                    request.blocks.push(spec);
                }
            }
        }
        _ => {}
    }
    request
}

fn as_notebook(cells: &[(u32, String)]) -> String {
    let cell = |(_, text): &(u32, String)| json!({"cell_type": "code", "metadata": {}, "outputs": [], "source": text});
    let cells: Vec<_> = cells.iter().map(cell).collect();
    json!({"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}).to_string()
}

/// Starts a program, says its id, and leaves it to the system: no child of this process, which is never looked at.
const START: &str = "\"$0\" \"$1\" & echo $!";

/// A program that was started by plain Python, with its children, until it is dropped.
struct Serving {
    pid: u32,
    group: Pid,
}

impl Serving {
    /// Starts it, and waits until it is past its start.
    fn start(program: &Program, place: &Place, environment: &Path) -> Result<Self, String> {
        let mut shell = pythons::command("sh");
        shell.args(["-c", START]).arg(environment.join("bin/python")).arg(program.file());
        shell.current_dir(place.path()).process_group(0);
        let mut shell = shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(shell.stdout.take().unwrap()).lines().map_while(Result::ok);
        let pid = lines.next().unwrap().parse().unwrap();
        let serving = Self { pid, group: Pid::from_child(&shell) };
        shell.wait().unwrap();
        let steady = program.steady.as_deref().unwrap();
        let reached = lines.any(|line| line == steady);
        reached.then_some(serving).ok_or_else(|| format!("it never said `{steady}`"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = kill_process_group(self.group, Signal::KILL);
    }
}
