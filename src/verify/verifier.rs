//! The story of a verification.

use std::time::Instant;

use super::oracle::{Oracle, Rehearsed};
use super::request::VerifyRequest;
use super::result::{Ended, Finding, Noise, Progress, SideFigures, Verdict, Verification};
use super::sides::{self, Sides};
use super::timing::{Couple, Plan, Timed, hash_seed, pairs, wall};
use super::trial::{Interrupt, Runner, Trial};
use crate::process::Controls;
use crate::recording::{RecordError, Recorder, Turn};
use crate::statistics::{Interval, Rule, Side, drift, median, spread};

/// Runs of an empty program, of which the quickest counts.
const STARTUPS: usize = 3;

/// Compares two versions of a program by running both.
#[derive(Debug, Clone)]
pub struct Verifier {
    recorder: Recorder,
}

/// What is known before the first run.
struct Before {
    load: Option<f64>,
    begun: Instant,
    seed: u64,
    variants: Vec<Vec<String>>,
}

impl Verifier {
    /// A verifier that finds interpreters and confines programs as this recorder does.
    pub fn new(recorder: Recorder) -> Self {
        Self { recorder }
    }

    /// Finds out whether the candidate does the same work in less time.
    ///
    /// [`Controls::stop`] ends it with what there is.
    ///
    /// # Errors
    /// [`RecordError`] when nothing can be run. A program that fails is a verdict.
    pub async fn verify(
        &self,
        request: &VerifyRequest,
        controls: &Controls,
        on_event: &mut (dyn FnMut(Progress) + Send),
    ) -> Result<Verification, RecordError> {
        request.check()?;
        let oracle = Oracle::new(request)?;
        let sides = sides::settle(&self.recorder, request, controls, on_event).await?;
        let before = Before {
            load: load(),
            begun: Instant::now(),
            seed: request.seed.unwrap_or_else(drawn),
            variants: request.variants(),
        };
        let mut runner = Runner { sides, controls, on_event, runs: [0, 0] };
        let rehearsal = rehearsal(&mut runner, request, &oracle, &before).await;
        let (startup, reference) = match rehearsal {
            Ok(found) => found,
            Err(Interrupt::Failed(error)) => return Err(error),
            Err(Interrupt::Stopped) => {
                let timed = Timed { couples: Vec::new(), finding: None, ended: Ended::Stopped };
                return Ok(concluded(request, &oracle, &before, &runner.sides, None, timed, None));
            }
        };
        let reference = match reference {
            Ok(reference) => reference,
            Err(finding) => {
                let finding = Some(finding);
                let timed = Timed { couples: Vec::new(), finding, ended: Ended::Found };
                let sides = &runner.sides;
                return Ok(concluded(request, &oracle, &before, sides, startup, timed, None));
            }
        };
        let args = before.variants.first().cloned().unwrap_or_default();
        let mut plan = Plan {
            request,
            oracle: &oracle,
            rule: rule(request),
            args: &args,
            reference,
            seed: before.seed,
            begun: before.begun,
        };
        let first = [plan.reference.baseline.wall, plan.reference.candidate.wall];
        let timed = plan.time(&mut runner).await?;
        let startup = match (startup, startup_again(&mut runner).await) {
            (Some(before), Some(after)) => Some(before.min(after)),
            (before, _) => before,
        };
        let Rehearsed { unsteady, baseline, .. } = plan.reference;
        let unsteady = unsteady.map(|own| Finding::differs(Verdict::NondeterministicOutput, own));
        let mut found =
            concluded(request, &oracle, &before, &runner.sides, startup, timed, unsteady);
        found.first_runs = Some(first);
        if let Some(code) = baseline.regular_code().filter(|code| *code != 0) {
            found.notes.push(format!("both sides end with exit code {code}"));
        }
        Ok(found)
    }
}

fn rule(request: &VerifyRequest) -> Rule {
    Rule { min_effect: request.min_effect, ..Rule::default() }
}

/// Runs each side once with each list of arguments: they warm caches up, and are compared.
async fn rehearsal(
    runner: &mut Runner<'_>,
    request: &VerifyRequest,
    oracle: &Oracle,
    before: &Before,
) -> Result<(Option<f64>, Result<Rehearsed, Finding>), Interrupt> {
    runner.step("warming up");
    let startup = startup(runner).await?;
    let mut first: Option<Rehearsed> = None;
    let all = before.variants.len();
    for (number, args) in before.variants.iter().enumerate() {
        if all > 1 {
            runner.step(&format!("comparing the output for arguments {} of {all}", number + 1));
        }
        let seed = hash_seed(before.seed, 0);
        let found = oracle.rehearse(runner, args, request.float_tolerance, seed).await?;
        let found = match found {
            Ok(found) => found,
            Err(finding) => {
                let args = (all > 1).then(|| args.clone());
                return Ok((startup, Err(Finding { args, ..finding })));
            }
        };
        match &mut first {
            None => first = Some(found),
            Some(first) if first.unsteady.is_none() => first.unsteady = found.unsteady,
            Some(_) => {}
        }
    }
    // There is always a first list.
    Ok((startup, Ok(first.ok_or(Interrupt::Stopped)?)))
}

/// Seconds that the interpreter takes to start and end.
async fn startup(runner: &mut Runner<'_>) -> Result<Option<f64>, Interrupt> {
    let mut least: Option<f64> = None;
    for _ in 0..STARTUPS {
        let turn = Turn { code: Some("pass"), args: Some(&[]), ..Turn::default() };
        let trial = runner.turn(Side::Candidate, turn, 0).await?;
        if trial.ended_with(0) {
            least = Some(least.map_or(trial.wall, |least| least.min(trial.wall)));
        }
    }
    Ok(least)
}

/// The same after the timed runs: the machine may be quieter by then.
async fn startup_again(runner: &mut Runner<'_>) -> Option<f64> {
    startup(runner).await.ok().flatten()
}

fn concluded(
    request: &VerifyRequest,
    oracle: &Oracle,
    before: &Before,
    sides: &Sides,
    startup: Option<f64>,
    timed: Timed,
    unsteady: Option<Finding>,
) -> Verification {
    let rule = rule(request);
    let walls = wall(&timed.couples);
    let ratio = rule.ratio(&walls);
    let timing = (!walls.is_empty()).then(|| rule.verdict(ratio.as_ref()));
    let of = |figure: fn(&Trial) -> Option<f64>| {
        pairs(&timed.couples, figure).and_then(|pairs| rule.ratio(&pairs))
    };
    let finding = timed.finding.or(unsteady);
    let verdict = match (&finding, timing) {
        (Some(finding), _) => finding.verdict,
        (None, Some(timing)) => Verdict::of_timing(timing),
        (None, None) => Verdict::Undecided,
    };
    let interpreter = sides.ground.interpreter();
    let [baseline, candidate] = &sides.names;
    Verification {
        verdict,
        timing,
        finding,
        more_runs: rule.more_pairs(&walls),
        cpu: of(|trial| trial.cpu),
        peak: of(|trial| trial.peak),
        baseline: figures(baseline, &timed.couples, |couple| &couple.baseline),
        candidate: figures(candidate, &timed.couples, |couple| &couple.candidate),
        wall: ratio,
        startup,
        first_runs: None,
        ended: timed.ended,
        variants: before.variants.len(),
        timed_args: request.run.args.clone(),
        compared: oracle.words(request.float_tolerance),
        spent: before.begun.elapsed().as_secs_f64(),
        budget: request.budget.as_secs_f64(),
        noise: Noise {
            load_before: before.load,
            load_after: load(),
            drift: drift(&walls),
            cores: std::thread::available_parallelism().ok().map(Into::into),
        },
        seed: before.seed,
        min_effect: request.min_effect,
        python: interpreter.executable.clone(),
        python_version: interpreter.version.to_string(),
        platform: format!("{} {}", interpreter.platform, interpreter.machine),
        sandbox: sides.candidate.sandbox(),
        cwd: sides.candidate.cwd().to_owned(),
        notes: sides.notes.clone(),
        parameters: request.parameters.clone(),
    }
}

fn figures(name: &str, couples: &[Couple], side: impl Fn(&Couple) -> &Trial) -> SideFigures {
    let all = |figure: fn(&Trial) -> Option<f64>| {
        couples.iter().map(|couple| figure(side(couple))).collect::<Option<Vec<f64>>>()
    };
    let middle = |figure| all(figure).as_deref().and_then(median);
    let mean = |figure| all(figure).as_deref().and_then(Interval::of);
    SideFigures {
        name: name.to_owned(),
        runs: couples.len(),
        wall: middle(|trial| Some(trial.wall)),
        wall_mean: mean(|trial| Some(trial.wall)),
        cpu: middle(|trial| trial.cpu),
        cpu_mean: mean(|trial| trial.cpu),
        peak_mean: mean(|trial| trial.peak),
        peak: middle(|trial| trial.peak),
        spread: all(|trial| Some(trial.wall)).as_deref().and_then(spread),
    }
}

fn load() -> Option<f64> {
    sysinfo::System::load_average().ok().map(|load| load.one)
}

fn drawn() -> u64 {
    // Short enough to be typed again, and exact in a client's floating-point numbers.
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    high >> 32
}
