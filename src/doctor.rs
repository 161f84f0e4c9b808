//! Is everything there that profiling needs? Tries it, and says what to do where not.

use std::path::Path;
use std::time::Duration;

use serde::Serialize;

use crate::answer::amount;
use crate::process::Controls;
use crate::profile::{Profile, ProfileId, Witness};
use crate::recording::{RecordError, Recorder, RunRequest, Target};
use crate::sandbox::Mode;

/// How a check went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// As it should be.
    Ok,
    /// Something does not work.
    Failed,
    /// Could not be tried, because an earlier check failed.
    Skipped,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// How it went.
    pub status: CheckStatus,
    /// What was found.
    pub detail: String,
    /// What to do; empty when nothing is to be done.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub fix: String,
}

impl Check {
    fn ok(name: &str, detail: String) -> Self {
        Self { name: name.to_owned(), status: CheckStatus::Ok, detail, fix: String::new() }
    }

    fn failed(name: &str, error: &RecordError) -> Self {
        let detail = format!("{}: {error}", error.code());
        Self { name: name.to_owned(), status: CheckStatus::Failed, detail, fix: error.hint() }
    }

    fn wrong(name: &str, detail: String, fix: &str) -> Self {
        Self { name: name.to_owned(), status: CheckStatus::Failed, detail, fix: fix.to_owned() }
    }

    fn skipped(name: &str, because: &str) -> Self {
        let detail = format!("not tried: {because}");
        Self { name: name.to_owned(), status: CheckStatus::Skipped, detail, fix: String::new() }
    }
}

const CPU: &str = "CPU profile";
const STACKS: &str = "stacks";
const MEMORY: &str = "memory profile";
const SANDBOX: &str = "sandbox";

/// Busy for about a second, with all of it in one function.
const CPU_PROGRAM: &str = "\
import time
def busy(until):
    n = 0
    while time.perf_counter() < until:
        n += sum(range(50))
    return n
busy(time.perf_counter() + 1.0)
";

/// Keeps 64 MiB in one line, then works for a moment.
const MEMORY_PROGRAM: &str = "\
import time
kept = [bytearray(1 << 20) for _ in range(64)]
end = time.perf_counter() + 0.3
while time.perf_counter() < end:
    sum(range(1000))
";

/// Runs all checks for programs in `near`.
pub async fn examine(
    recorder: &Recorder,
    python: Option<String>,
    near: &Path,
    controls: &Controls,
    mut on_check: impl FnMut(&Check),
) -> Vec<Check> {
    let mut checks = Vec::new();
    let mut add = |check: Check| {
        on_check(&check);
        checks.push(check);
    };
    let found = match recorder.find_python(python.clone(), near, controls).await {
        Ok(found) => found,
        Err(error) => {
            add(Check::failed("Python", &error));
            for name in ["Scalene", CPU, MEMORY, SANDBOX] {
                add(Check::skipped(name, "there is no Python to try it with"));
            }
            return checks;
        }
    };
    add(Check::ok(
        "Python",
        format!("{} at {}, from {}", found.version, found.executable.display(), found.source),
    ));
    match recorder.set_up(python.clone(), near, controls, &mut |_| {}).await {
        Ok(ready) => {
            let place = ready.overlay.map_or_else(
                || "in the project's environment".to_owned(),
                |dir| format!("in the private overlay {}", dir.display()),
            );
            add(Check::ok("Scalene", format!("{} {place}", ready.scalene_version)));
        }
        Err(error) => {
            add(Check::failed("Scalene", &error));
            for name in [CPU, MEMORY, SANDBOX] {
                add(Check::skipped(name, "there is no Scalene to try it with"));
            }
            return checks;
        }
    }
    let run = async |program: &str, memory: bool, sandbox: Option<Mode>| {
        let mut request = RunRequest::new(Target::Snippet(program.to_owned()));
        request.python.clone_from(&python);
        request.cwd = Some(near.to_owned());
        request.timeout = Duration::from_secs(30);
        request.measure.memory = memory;
        request.sandbox = sandbox;
        recorder.record(ProfileId::draw(|_| false), &request, controls, &mut |_| {}).await
    };
    match run(CPU_PROGRAM, false, None).await {
        Ok(profile) => [cpu(&profile), stacks(&profile)].into_iter().for_each(&mut add),
        Err(error) => add(Check::failed(CPU, &error)),
    }
    add(run(MEMORY_PROGRAM, true, None)
        .await
        .map_or_else(|error| Check::failed(MEMORY, &error), |p| memory(&p)));
    // Nothing needs it unless it is asked for, so that its lack is no failure.
    add(match run(CPU_PROGRAM, false, Some(Mode::Strict)).await {
        Ok(_) => Check::ok(SANDBOX, "a program was profiled under `strict`".to_owned()),
        Err(error) => Check { detail: error.to_string(), ..Check::skipped(SANDBOX, "") },
    });
    checks
}

fn cpu(profile: &Profile) -> Check {
    let functions = crate::analysis::functions(profile);
    let samples = profile.cpu_samples().unwrap_or(0);
    let found = functions.first().map_or("nothing", |function| function.name);
    let elapsed = profile.elapsed.map_or(0.0, crate::profile::Seconds::get);
    let detail = format!("{samples} samples in {} s, hottest function `{found}`", amount(elapsed));
    if found == "busy" && samples >= 10 {
        Check::ok(CPU, detail)
    } else {
        Check::wrong(
            CPU,
            format!("expected many samples in `busy`, got {detail}"),
            "close programs that keep the machine busy and try again; timers of virtual machines may be too coarse",
        )
    }
}

/// Whether the stacks could be read beside Scalene. Profiling works without, less exactly.
fn stacks(profile: &Profile) -> Check {
    if let (Some(calls), Witness::Stacks { .. }) = (&profile.calls, profile.timed_by) {
        let sampling = &calls.sampling;
        let detail = format!("{} reads, {} without sense", sampling.reads, sampling.failures);
        return Check::ok(STACKS, detail);
    }
    let told = profile.run.warnings.iter().find(|warning| warning.starts_with("stacks could not"));
    let why = told.map_or("too few could be read; the machine may be busy", String::as_str);
    Check {
        detail: format!("lines are timed by Scalene alone: {why}"),
        ..Check::skipped(STACKS, "")
    }
}

fn memory(profile: &Profile) -> Check {
    let peak = profile.footprint.as_ref().map(|footprint| footprint.peak.get());
    match peak {
        Some(mib) if (50.0..100.0).contains(&mib) => {
            Check::ok(MEMORY, format!("64 MiB allocated, {} MiB seen", amount(mib)))
        }
        Some(mib) => Check::wrong(
            MEMORY,
            format!("64 MiB allocated, {} MiB seen", amount(mib)),
            "another allocator may be preloaded (LD_PRELOAD, DYLD_INSERT_LIBRARIES); profile with memory=false",
        ),
        None => Check::wrong(
            MEMORY,
            "Scalene did not profile memory".to_owned(),
            "profile with memory=false; on macOS, a Python from Homebrew, uv or pyenv allows memory profiling",
        ),
    }
}
