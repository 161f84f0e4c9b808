//! Do both sides do the same work? By what they print, by a command, or by the value of an expression.

use std::path::PathBuf;

use super::compare::{self, Difference};
use super::git::on_path;
use super::request::VerifyRequest;
use super::result::{Failure, Finding, Verdict};
use super::trial::{Interrupt, Runner, Trial};
use crate::process::{EndedBy, Exit, Whole};
use crate::recording::{Aid, RecordError, Target, Turn};
use crate::statistics::Side;

/// Runs an expression after the program, in its globals.
const VALUE: &str = include_str!("value.py");
/// The file that the value is written to.
const VALUE_FILE: &str = "value";
/// Longest value, bytes.
const LONGEST_VALUE: u64 = 4 << 20;

/// What decides.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Oracle {
    /// Equal stdout.
    Stdout,
    /// A command ends with 0.
    Command(Vec<String>),
    /// An expression has the same value.
    Value(String),
    /// Nothing but the exit code.
    ExitCode,
}

/// Both sides with one list of arguments.
pub(super) struct Rehearsed {
    pub(super) baseline: Trial,
    pub(super) candidate: Trial,
    /// The baseline does not agree with itself.
    pub(super) unsteady: Option<Difference>,
}

/// What came of running both.
type Outcome<T> = Result<Result<T, Finding>, Interrupt>;

impl Oracle {
    pub(super) fn new(request: &VerifyRequest) -> Result<Self, RecordError> {
        let Some(check) = request.check.as_deref().map(str::trim) else {
            return Ok(if request.compare_output { Self::Stdout } else { Self::ExitCode });
        };
        let invalid = |problem: &str| RecordError::InvalidArgument {
            parameter: "check",
            problem: problem.to_owned(),
        };
        if let Some(expression) = check.strip_prefix('=') {
            let expression = expression.trim();
            return match expression {
                "" => Err(invalid("there is no expression after `=`")),
                _ => Ok(Self::Value(expression.to_owned())),
            };
        }
        match shlex::split(check) {
            Some(words) if !words.is_empty() => Ok(Self::Command(words)),
            Some(_) => Err(invalid("it is empty")),
            None => Err(invalid("its quotes do not match")),
        }
    }

    /// What showed the work to be the same, in words.
    pub(super) fn words(&self, tolerance: Option<f64>) -> String {
        let within =
            tolerance.map_or_else(String::new, |it| format!(", floats within {it} of each other"));
        match self {
            Self::Stdout => format!("equal exit code and stdout{within}"),
            Self::Command(words) => format!("check `{}` passed for both", words.join(" ")),
            Self::ExitCode => "equal exit code; what they print was not compared".to_owned(),
            Self::Value(expression) => format!("equal value of `{expression}`{within}"),
        }
    }

    /// Runs both sides once with these arguments, and compares them.
    pub(super) async fn rehearse(
        &self,
        runner: &mut Runner<'_>,
        args: &[String],
        tolerance: Option<f64>,
        hash_seed: u32,
    ) -> Outcome<Rehearsed> {
        let baseline = runner.run(Side::Baseline, args, hash_seed).await?;
        let Some(code) = baseline.regular_code() else {
            return Ok(Err(failed(runner, Side::Baseline, &baseline, args, None).await?));
        };
        let candidate = runner.run(Side::Candidate, args, hash_seed).await?;
        if candidate.regular_code() != Some(code) {
            return Ok(Err(other_end(runner, (&baseline, code), &candidate, args).await?));
        }
        let pair = Rehearsed { baseline, candidate, unsteady: None };
        match self {
            Self::Stdout => by_stdout(runner, pair, args, tolerance, (code, hash_seed)).await,
            Self::ExitCode => Ok(Ok(pair)),
            Self::Command(words) => by_command(runner, words, pair, args).await,
            Self::Value(expression) => {
                by_value(runner, expression, pair, args, tolerance, hash_seed).await
            }
        }
    }
}

/// A run that failed is repeated: failing now and then is another thing than failing.
async fn failed(
    runner: &mut Runner<'_>,
    side: Side,
    trial: &Trial,
    args: &[String],
    code: Option<i32>,
) -> Result<Finding, Interrupt> {
    let failure = runner.failure(side, trial, args);
    if trial.ended_by == EndedBy::Timeout {
        return Ok(Finding::failed(Verdict::Timeout, failure));
    }
    let again = runner.run(side, args, 0).await?.regular_code();
    let recovered = match code {
        Some(code) => again == Some(code),
        None => again.is_some(),
    };
    let verdict = match side {
        _ if recovered => Verdict::Unstable,
        Side::Baseline => Verdict::BaselineFailed,
        Side::Candidate => Verdict::CandidateFailed,
    };
    Ok(Finding::failed(verdict, failure))
}

/// The candidate does not end as the baseline does, whose exit code is known.
async fn other_end(
    runner: &mut Runner<'_>,
    (baseline, code): (&Trial, i32),
    candidate: &Trial,
    args: &[String],
) -> Result<Finding, Interrupt> {
    let both = |other: i32| format!("exit code {code} of the baseline, {other} of the candidate");
    match candidate.regular_code() {
        // The one that ends with 0 is not the one that fails.
        Some(0) => {
            let mut found = failed(runner, Side::Baseline, baseline, args, Some(0)).await?;
            if let Some(failure) = found.failure.as_mut() {
                failure.what = both(0);
            }
            Ok(found)
        }
        Some(other) if code != 0 => {
            let again = runner.run(Side::Candidate, args, 0).await?;
            if !again.ended_with(other) {
                let failure = runner.failure(Side::Candidate, &again, args);
                return Ok(Finding::failed(Verdict::Unstable, failure));
            }
            Ok(Finding::differs(Verdict::DifferentOutput, Difference::told(both(other))))
        }
        other => {
            let mut found = failed(runner, Side::Candidate, candidate, args, Some(code)).await?;
            if let (Some(other), Some(failure)) = (other, found.failure.as_mut()) {
                failure.what = both(other);
            }
            Ok(found)
        }
    }
}

async fn by_stdout(
    runner: &mut Runner<'_>,
    mut pair: Rehearsed,
    args: &[String],
    tolerance: Option<f64>,
    (code, hash_seed): (i32, u32),
) -> Outcome<Rehearsed> {
    let found = compare::difference(&pair.baseline.stdout, &pair.candidate.stdout, tolerance);
    let Some(found) = found else { return Ok(Ok(pair)) };
    let again = runner.run(Side::Baseline, args, hash_seed.wrapping_add(1)).await?;
    if !again.ended_with(code) {
        let failure = runner.failure(Side::Baseline, &again, args);
        return Ok(Err(Finding::failed(Verdict::Unstable, failure)));
    }
    let outputs = [&pair.baseline.stdout, &again.stdout, &pair.candidate.stdout];
    match classify(outputs, tolerance) {
        Kind::Different(line) => Ok(Err(Finding::differs(
            Verdict::DifferentOutput,
            line.map_or(found, |line| steady_line(outputs, line)),
        ))),
        Kind::Unsteady(own) => {
            pair.unsteady = Some(own);
            Ok(Ok(pair))
        }
    }
}

/// What a difference between the sides is.
pub(super) enum Kind {
    /// Of the candidate; the line, where other lines of the baseline vary.
    Different(Option<usize>),
    /// The baseline has one with itself.
    Unsteady(Difference),
}

/// `outputs`: the baseline's, the baseline's again, the candidate's.
pub(super) fn classify(outputs: [&Whole; 3], tolerance: Option<f64>) -> Kind {
    let [one, again, candidate] = outputs;
    let Some(mut own) = compare::difference(one, again, tolerance) else {
        return Kind::Different(None);
    };
    // It would hold for all numbers, and what varies by itself may vary by more the next time.
    own.tolerance = None;
    match compare::repeated(one, again, candidate, tolerance) {
        Some((_, _, Some(line))) => Kind::Different(Some(line)),
        Some((steady, all, None)) => {
            own.repeated = Some((steady, all));
            Kind::Unsteady(own)
        }
        None => Kind::Unsteady(own),
    }
}

pub(super) fn steady_line([one, _, candidate]: [&Whole; 3], line: usize) -> Difference {
    let remark = "other lines differ between two runs of the baseline itself, this one does not";
    Difference { remark: Some(remark.to_owned()), ..compare::at_line(one, candidate, line) }
}

async fn by_command(
    runner: &mut Runner<'_>,
    words: &[String],
    pair: Rehearsed,
    args: &[String],
) -> Outcome<Rehearsed> {
    runner.step("checking the output");
    for (side, trial) in [(Side::Baseline, &pair.baseline), (Side::Candidate, &pair.candidate)] {
        let Err(said) = checked(runner, words, side, trial).await? else { continue };
        return Ok(Err(match side {
            Side::Baseline => {
                let run = runner.failure(side, trial, args);
                let what = format!("the check rejects the baseline's own output: {said}");
                Finding::failed(
                    Verdict::BaselineFailed,
                    Failure { what, stderr: String::new(), ..run },
                )
            }
            Side::Candidate => Finding::differs(
                Verdict::DifferentOutput,
                Difference::told(format!("the check rejects the candidate's output: {said}")),
            ),
        }));
    }
    Ok(Ok(pair))
}

/// Whether the check passes; else what it said.
async fn checked(
    runner: &mut Runner<'_>,
    words: &[String],
    side: Side,
    trial: &Trial,
) -> Result<Result<(), String>, Interrupt> {
    let program = runner.sides.program(side).clone();
    let (name, rest) = words.split_first().map_or(("", words), |(first, rest)| (&**first, rest));
    let executable = if ["python", "python3"].contains(&name) {
        Some(runner.sides.ground.interpreter().executable.clone())
    } else if name.contains(['/', '\\']) {
        Some(program.cwd().join(name))
    } else {
        on_path(name)
    };
    let executable: PathBuf = executable.ok_or_else(|| RecordError::InvalidArgument {
        parameter: "check",
        problem: format!("`{name}` is no command on the PATH of the server"),
    })?;
    let side_name = if side == Side::Baseline { "baseline" } else { "candidate" };
    let aid = Aid {
        program: executable,
        args: rest.iter().map(Into::into).collect(),
        env: vec![("SCALENE_MCP_SIDE".into(), side_name.into())],
        stdin: Some(trial.stdout.bytes.clone()),
        within: program.request().timeout,
        as_program: true,
        ..Aid::default()
    };
    let controls = runner.controls;
    let finished = runner.sides.ground.aid(&program, aid, controls).await?;
    let how = match (finished.ended_by, finished.exit) {
        (EndedBy::Itself, Exit::Code(0)) => return Ok(Ok(())),
        (EndedBy::Stop, _) => return Err(Interrupt::Stopped),
        (EndedBy::Itself, Exit::Code(code)) => format!("exit code {code}"),
        _ => "it did not end by itself".to_owned(),
    };
    let lines = [finished.stderr.end(), finished.stdout.end()];
    let said = lines.into_iter().find_map(|text| text.trim().lines().last());
    Ok(Err(compare::shown(said).map_or_else(|| how.clone(), |said| format!("{how}, {said}"))))
}

async fn by_value(
    runner: &mut Runner<'_>,
    expression: &str,
    mut pair: Rehearsed,
    args: &[String],
    tolerance: Option<f64>,
    hash_seed: u32,
) -> Outcome<Rehearsed> {
    runner.step("evaluating the check");
    let mut values = Vec::new();
    for (side, seed) in [(Side::Baseline, hash_seed), (Side::Candidate, hash_seed)] {
        match value(runner, expression, side, args, seed).await? {
            Ok(value) => values.push(value),
            Err(failure) => {
                let verdict = match side {
                    Side::Baseline => Verdict::BaselineFailed,
                    Side::Candidate => Verdict::CandidateFailed,
                };
                return Ok(Err(Finding::failed(verdict, failure)));
            }
        }
    }
    let [one, other] = values.as_slice() else { return Ok(Ok(pair)) };
    let Some(found) = compare::difference(one, other, tolerance) else { return Ok(Ok(pair)) };
    let seed = hash_seed.wrapping_add(1);
    let again = match value(runner, expression, Side::Baseline, args, seed).await? {
        Ok(again) => again,
        Err(failure) => return Ok(Err(Finding::failed(Verdict::Unstable, failure))),
    };
    match compare::difference(one, &again, tolerance) {
        Some(own) => {
            pair.unsteady = Some(Difference { tolerance: None, ..own });
            Ok(Ok(pair))
        }
        None => Ok(Err(Finding::differs(Verdict::DifferentOutput, found))),
    }
}

/// The value of an expression after the program has run, as Python writes it.
async fn value(
    runner: &mut Runner<'_>,
    expression: &str,
    side: Side,
    args: &[String],
    hash_seed: u32,
) -> Result<Result<Whole, Failure>, Interrupt> {
    let program = runner.sides.program(side).clone();
    let (kind, target) = match &program.request().target {
        Target::Module(name) => ("module", name.trim().to_owned()),
        Target::Snippet(code) => ("code", code.clone()),
        Target::Script(typed) => {
            let script = program.script().map(|path| path.to_string_lossy().into_owned());
            ("script", script.unwrap_or_else(|| typed.clone()))
        }
        Target::Function(call) => ("module", call.target.clone()),
    };
    let out = runner.sides.ground.output(VALUE_FILE);
    let mut all =
        vec![expression.to_owned(), out.to_string_lossy().into_owned(), kind.to_owned(), target];
    all.extend_from_slice(args);
    let turn = Turn { code: Some(VALUE), args: Some(&all), ..Turn::default() };
    let trial = runner.turn(side, turn, hash_seed).await?;
    let written = runner.sides.ground.take_output(VALUE_FILE, LONGEST_VALUE);
    Ok(written.map(Whole::of).ok_or_else(|| {
        let failure = runner.failure(side, &trial, args);
        let what = format!("`{expression}` has no value: {}", failure.what);
        Failure { what, ..failure }
    }))
}
