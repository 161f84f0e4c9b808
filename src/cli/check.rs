//! `scalene-mcp check`: a gate for changes, by the statistics of `verify_speedup`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::limits::Limits;
use super::live::Live;
use super::report::{Report, limited};
use crate::answer::amount;
use crate::recording::{RecordError, Recorder, Settings};
use crate::store::Store;
use crate::verify::{Origin, Progress, Verifier, VerifyRequest};

/// Exit code of wrong usage and of what could not be run.
pub(super) const FAILURE: u8 = 3;
/// How a revision is named.
const REVISION: &str = "git:";

/// Options of `check`.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  scalene-mcp check --baseline git:origin/main -- bench.py --n 1000
  scalene-mcp check --baseline old.py --max-slowdown 3% --max-memory 10% -- new.py
  scalene-mcp check --budget perf-budget.toml -- bench.py

Exit codes: 0 pass, 1 regression, different output or a candidate that fails, 2 could not tell (a baseline that fails, too),
3 wrong usage or failure.")]
pub(super) struct CheckOptions {
    /// What to compare with: a file, git:REV for the script at a revision, or the id of a profile in the --store
    /// folder; not needed where `--budget` has limits of its own
    #[arg(long, value_name = "FILE|git:REV|ID")]
    pub(super) baseline: Option<String>,

    /// Most wall time above the baseline's, as 5% or 0.05 [default: 5%]
    #[arg(long, value_name = "PART", value_parser = super::limits::part)]
    pub(super) max_slowdown: Option<f64>,

    /// Most peak memory above the baseline's, as 10% or 0.1 [default: no limit]
    #[arg(long, value_name = "PART", value_parser = super::limits::part)]
    pub(super) max_memory: Option<f64>,

    /// File with the limits of scripts (docs/verification.md)
    #[arg(long, value_name = "FILE")]
    pub(super) budget: Option<PathBuf>,

    /// Seconds for all runs together
    #[arg(long, value_name = "SECONDS", default_value_t = 120.0)]
    pub(super) budget_sec: f64,

    /// Seconds for one run
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    pub(super) timeout: f64,

    /// Command that reads the program's output, or `=EXPRESSION` over its globals: what shows that the work is the same
    #[arg(long, value_name = "CHECK")]
    pub(super) check: Option<String>,

    /// How far floating-point numbers in the output may lie apart
    #[arg(long, value_name = "PART")]
    pub(super) float_tolerance: Option<f64>,

    /// Do not compare what the two print
    #[arg(long, conflicts_with_all = ["check", "float_tolerance"])]
    pub(super) any_output: bool,

    /// Makes the order of the runs repeatable
    #[arg(long, value_name = "NUMBER")]
    pub(super) seed: Option<u64>,

    /// Working directory of the program [default: the current one]
    #[arg(long, value_name = "DIR")]
    pub(super) cwd: Option<PathBuf>,

    /// Print the result as JSON instead of a report
    #[arg(long)]
    pub(super) json: bool,

    /// The script, or `-m MODULE`, and its arguments
    #[arg(last = true, required = true, value_name = "SCRIPT")]
    pub(super) program: Vec<String>,
}

pub(super) async fn run(mut settings: Settings, store: &Store, options: CheckOptions) -> ExitCode {
    let json = options.json;
    let python = settings.python.take();
    let alone = options.baseline.is_none();
    let (request, limits) = match prepare(options, python.map(|(python, _)| python), store) {
        Ok(prepared) => prepared,
        Err(error) => {
            super::tell(&error);
            return ExitCode::from(FAILURE);
        }
    };
    let live = Live::new();
    let mut on_event = |progress| match progress {
        Progress::Step(step) => live.step(&step),
        Progress::Pairs(so_far) => live.step(&format!(
            "{} pairs of runs in {} of {} s",
            so_far.pairs,
            amount(so_far.elapsed),
            amount(so_far.budget)
        )),
    };
    let verifier = Verifier::new(Recorder::new(settings));
    let verified = verifier.verify(&request, &super::controls(), &mut on_event).await;
    live.clear();
    match verified {
        Ok(found) => Report { found: &found, limits: &limits, alone }.print(json),
        Err(error) => {
            super::tell(&error);
            ExitCode::from(FAILURE)
        }
    }
}

fn prepare(
    options: CheckOptions,
    python: Option<String>,
    store: &Store,
) -> Result<(VerifyRequest, Limits), RecordError> {
    let invalid = |parameter: &'static str, problem: String| RecordError::InvalidArgument {
        parameter,
        problem,
    };
    let seconds = |parameter: &'static str, value: f64| {
        Duration::try_from_secs_f64(value).map_err(|error| invalid(parameter, error.to_string()))
    };
    let cwd = super::current_dir().join(options.cwd.unwrap_or_default());
    let (script, args) = program(&options.program)
        .ok_or_else(|| invalid("SCRIPT", "`-m` needs a module's name".to_owned()))?;
    let mut limits = Limits {
        max_slowdown: options.max_slowdown,
        max_memory: options.max_memory,
        ..Limits::default()
    };
    if let Some(file) = &options.budget {
        limits = limits
            .with_file(file, &script, &cwd)
            .map_err(|problem| invalid("--budget", problem))?;
    }
    let absolute = limits.max_seconds.or(limits.max_cpu_seconds).or(limits.max_memory_mb);
    let baseline = match &options.baseline {
        Some(named) => {
            limits = limits.with_slowdown();
            baseline(named, &cwd, store)?
        }
        None if limits.max_slowdown.or(limits.max_memory).is_some() => {
            return Err(invalid("--baseline", limited(&limits)));
        }
        // Limits of its own need nothing to compare with: it runs against itself.
        None if absolute.is_some() => Origin::Path(script.clone()),
        None => {
            return Err(invalid(
                "--baseline",
                "there is nothing to compare with, and --budget has no limit in seconds or MiB"
                    .to_owned(),
            ));
        }
    };
    let mut request = VerifyRequest::new(baseline, Origin::Path(script.clone()));
    request.script = Some(script);
    request.run.args = args;
    request.run.python = python;
    request.run.cwd = Some(cwd);
    request.run.timeout = seconds("--timeout", options.timeout)?;
    request.budget = seconds("--budget-sec", options.budget_sec)?;
    request.min_effect = limits.max_slowdown.unwrap_or(request.min_effect);
    request.check = options.check;
    // What runs against itself need not print the same each time.
    let compared = options.baseline.is_some() || request.check.is_some();
    request.compare_output = compared && !options.any_output;
    request.float_tolerance = options.float_tolerance.filter(|_| compared);
    request.seed = options.seed;
    Ok((request, limits))
}

/// The script, or `-m module`, and its arguments.
fn program(typed: &[String]) -> Option<(String, Vec<String>)> {
    match typed {
        [dash, module, args @ ..] if dash == "-m" => Some((format!("-m {module}"), args.to_vec())),
        [dash] if dash == "-m" => None,
        [script, args @ ..] => Some((script.clone(), args.to_vec())),
        [] => None,
    }
}

fn baseline(named: &str, cwd: &Path, store: &Store) -> Result<Origin, RecordError> {
    if let Some(revision) = named.strip_prefix(REVISION) {
        return Ok(Origin::Revision(revision.to_owned()));
    }
    if cwd.join(named).exists() {
        return Ok(Origin::Path(named.to_owned()));
    }
    let problem = match store.dir() {
        None => format!(
            "`{named}` is no file; a revision is named as {REVISION}REV, and the id of a profile needs --store"
        ),
        Some(_) => match store.get(named) {
            Ok(profile) => return Ok(Origin::Profile(profile)),
            Err(error) => {
                format!("`{named}` is no file, a revision is named as {REVISION}REV, and {error}")
            }
        },
    };
    Err(RecordError::InvalidArgument { parameter: "--baseline", problem })
}
