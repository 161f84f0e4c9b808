//! `scalene-mcp check`: a gate for changes, by the statistics of `verify_speedup`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde::Serialize;

use super::args::CheckOptions;
use super::limits::{Held, Limits, Row};
use super::live::Live;
use crate::answer::{Answer, VerifyAnswer, amount};
use crate::recording::{RecordError, Recorder, Settings};
use crate::store::Store;
use crate::verify::{
    Ended, Origin, Progress, Side, Verdict, Verification, Verifier, VerifyRequest,
};

/// Exit code of wrong usage and of what could not be run.
pub(super) const FAILURE: u8 = 3;
/// How a revision is named.
const REVISION: &str = "git:";

/// The result for machines.
#[derive(Debug, Serialize)]
struct Outcome<'a> {
    verdict: Held,
    exit_code: u8,
    limits: &'a [Row],
    verification: &'a VerifyAnswer,
}

pub(super) async fn run(mut settings: Settings, store: &Store, options: CheckOptions) -> ExitCode {
    let json = options.json;
    let python = settings.python.take();
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
        Ok(found) => report(&found, &limits, json),
        Err(error) => {
            super::tell(&error);
            ExitCode::from(FAILURE)
        }
    }
}

fn report(found: &Verification, limits: &Limits, json: bool) -> ExitCode {
    let rows = limits.judge(found);
    let held = held(found, &rows);
    let code = match held {
        Held::Pass => 0,
        Held::Regression => 1,
        Held::Undecided => 2,
    };
    let mut answer = VerifyAnswer::new("check", found);
    answer.next.clear();
    if json {
        let outcome =
            Outcome { verdict: held, exit_code: code, limits: &rows, verification: &answer };
        match serde_json::to_string_pretty(&outcome) {
            Ok(text) => println!("{text}"),
            Err(error) => {
                eprintln!("scalene-mcp: the result could not be written: {error}");
                return ExitCode::from(FAILURE);
            }
        }
    } else {
        println!("{}", held.word());
        for row in &rows {
            print!("{}", row.text());
        }
        print!("{}", answer.text());
    }
    ExitCode::from(code)
}

/// What follows from all limits, and from what was found besides times.
fn held(found: &Verification, rows: &[Row]) -> Held {
    let failed = found.finding.as_ref().and_then(|finding| finding.failure.as_ref());
    let of_candidate = failed.is_some_and(|failure| failure.side == Side::Candidate);
    match found.verdict {
        Verdict::CandidateFailed => Held::Regression,
        Verdict::Timeout | Verdict::Unstable if of_candidate => Held::Regression,
        Verdict::Timeout
        | Verdict::Unstable
        | Verdict::BaselineFailed
        | Verdict::DifferentOutput
        | Verdict::NondeterministicOutput => Held::Undecided,
        _ if rows.iter().any(|row| row.held == Held::Regression) => Held::Regression,
        _ if found.ended == Ended::Stopped => Held::Undecided,
        _ if rows.iter().all(|row| row.held == Held::Pass) => Held::Pass,
        _ => Held::Undecided,
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
        // Limits of its own need nothing to compare with: it runs against itself.
        None if absolute.is_some() => {
            (limits.max_slowdown, limits.max_memory) = (None, None);
            Origin::Path(script.clone())
        }
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
    request.compare_output = !options.any_output;
    request.float_tolerance = options.float_tolerance;
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
