//! What came of comparing two versions of a program by running them.

mod next;
mod text;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::json;

use super::next::NextCall;
use super::profile::{ProfileAnswer, StatusInfo};
use super::running::{SoFar as NothingYet, running};
use super::text::one_line;
use crate::profile::{Mebibytes, round_for_display};
use crate::statistics::{Ratio, Shift, Side, Verdict as Timing};
use crate::verify::{Difference, Ended, Failure, SideFigures, SoFar, Verification};

/// The first place at which two outputs differ.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DifferenceInfo {
    /// Line of the output, from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// That line as the baseline writes it; absent where its output has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// That line as the candidate writes it; under `nondeterministic_output` as a second run of the baseline does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// Arguments of the runs that differ, where several lists were tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub args: Option<Vec<String>>,
    /// A `float_tolerance` with which the two would be equal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub float_tolerance: Option<f64>,
    /// Lines that are the same in two runs of the baseline; the candidate has them, too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines_repeated: Option<usize>,
    /// Lines of the baseline's output, where it differs from itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lines: Option<usize>,
    /// What to know besides.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
}

/// A run that did not end as it should.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FailureInfo {
    /// `baseline` or `candidate`.
    pub side: String,
    /// How it ended.
    pub what: String,
    /// Arguments of that run.
    pub args: Vec<String>,
    /// Which run of that side it was, warm-up included.
    pub run: usize,
    /// The end of what it wrote to stderr.
    pub stderr: String,
}

/// How quiet the machine was.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct NoiseInfo {
    /// One-minute load average before the first run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_before: Option<f64>,
    /// The same after the last run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_after: Option<f64>,
    /// Spread of the baseline's wall times in percent: 1.4826 × median absolute deviation / median.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_spread_pct: Option<f64>,
    /// The same of the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_spread_pct: Option<f64>,
    /// Change of the baseline from the first half of its runs to the second, in percent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_drift_pct: Option<f64>,
    /// The same of the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_drift_pct: Option<f64>,
    /// Whether either drift is more than chance (rank-sum test, 1 %).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drifts: Option<bool>,
    /// Logical cores.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cores: Option<usize>,
}

/// Where both sides ran.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WhereInfo {
    /// Interpreter of both sides.
    pub python: String,
    /// Its version.
    pub python_version: String,
    /// Operating system and machine.
    pub platform: String,
    /// How the programs were confined, if they were: `writes` or `strict`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sandbox: Option<String>,
    /// Working directory of the candidate.
    pub cwd: String,
}

/// Whether a candidate is faster than a baseline and does the same work. Ratios are candidate over baseline,
/// below 1 is less; `low` and `high` bound their 95 % intervals. Medians are over the timed runs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct VerifyAnswer {
    /// Names this verification in later calls.
    pub verification_id: String,
    /// `complete`, or `running`.
    pub status: StatusInfo,
    /// `faster`, `slower`, `no_difference`, `undecided`, `different_output`, `nondeterministic_output`,
    /// `baseline_failed`, `candidate_failed`, `unstable` or `timeout`; absent while it runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// The verdict in a sentence.
    pub summary: String,
    /// What was compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<String>,
    /// What was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate: Option<String>,
    /// What timing alone says where the verdict is about something else: `faster`, `slower`, `no_difference` or
    /// `undecided`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timing_verdict: Option<String>,
    /// Wall time, candidate over baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ratio: Option<f64>,
    /// Lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ratio_low: Option<f64>,
    /// Upper end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_ratio_high: Option<f64>,
    /// 1 / `wall_ratio`: above 1 is faster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speedup: Option<f64>,
    /// CPU time (user and system, children included), candidate over baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ratio: Option<f64>,
    /// Lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ratio_low: Option<f64>,
    /// Upper end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_ratio_high: Option<f64>,
    /// Peak resident memory of the largest process, candidate over baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_ratio: Option<f64>,
    /// Lower end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_ratio_low: Option<f64>,
    /// Upper end of its interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub peak_memory_ratio_high: Option<f64>,
    /// Median wall time of the baseline, start of the interpreter included.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_sec: Option<f64>,
    /// The same of the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_sec: Option<f64>,
    /// Median CPU time of the baseline.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_cpu_sec: Option<f64>,
    /// The same of the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_cpu_sec: Option<f64>,
    /// Median peak of resident memory of the baseline, MiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline_peak_mb: Option<f64>,
    /// The same of the candidate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub candidate_peak_mb: Option<f64>,
    /// Wall time of `python -c pass`: what no change of the program saves.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub python_start_sec: Option<f64>,
    /// Timed runs of each side.
    pub runs: usize,
    /// Further runs of each side after which the verdict would be clear; absent where it is, and where none would do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub more_runs_to_decide: Option<usize>,
    /// Why no more runs were made: `clear`, `narrow`, `most`, `budget`, `stopped` or `found`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended: Option<String>,
    /// Seconds that all runs took together, so far.
    pub spent_sec: f64,
    /// What showed that both do the same work, and for how many lists of arguments.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_work: Option<String>,
    /// The first difference of the outputs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<DifferenceInfo>,
    /// The run that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<FailureInfo>,
    /// How quiet the machine was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub noise: Option<NoiseInfo>,
    /// What the order of the runs was drawn from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Where both ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub environment: Option<WhereInfo>,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// Calls worth making next.
    pub next: Vec<NextCall>,
}

fn side(side: Side) -> &'static str {
    match side {
        Side::Baseline => "baseline",
        Side::Candidate => "candidate",
    }
}

fn timing(timing: Timing) -> &'static str {
    match timing {
        Timing::Faster => "faster",
        Timing::Slower => "slower",
        Timing::NoDifference => "no_difference",
        Timing::Undecided => "undecided",
    }
}

fn ended(ended: Ended) -> &'static str {
    match ended {
        Ended::Clear => "clear",
        Ended::Narrow => "narrow",
        Ended::Most => "most",
        Ended::Budget => "budget",
        Ended::Stopped => "stopped",
        Ended::Found => "found",
    }
}

/// Ratios near 1 need more digits than other figures.
fn ratio_digits(ratio: f64) -> f64 {
    (ratio * 1e4).round() / 1e4
}

/// The estimate and both ends of its interval.
fn parts(ratio: Option<&Ratio>) -> [Option<f64>; 3] {
    let part = |of: fn(&Ratio) -> f64| ratio.map(|ratio| ratio_digits(of(ratio)));
    [part(|r| r.ratio), part(|r| r.low), part(|r| r.high)]
}

fn mebibytes(bytes: Option<f64>) -> Option<f64> {
    Some(Mebibytes::from_mib(bytes? / f64::from(1 << 20))?.rounded())
}

impl VerifyAnswer {
    /// Cap of its text, bytes.
    pub const TEXT_CAP: usize = 2048;

    /// A finished verification.
    pub fn new(id: &str, found: &Verification) -> Self {
        let [wall_ratio, wall_ratio_low, wall_ratio_high] = parts(found.wall.as_ref());
        let [cpu_ratio, cpu_ratio_low, cpu_ratio_high] = parts(found.cpu.as_ref());
        let [peak_memory_ratio, peak_memory_ratio_low, peak_memory_ratio_high] =
            parts(found.peak.as_ref());
        let (one, other) = (&found.baseline, &found.candidate);
        let rounded = |value: Option<f64>| value.map(round_for_display);
        let finding = found.finding.as_ref();
        Self {
            verification_id: id.to_owned(),
            status: StatusInfo::Complete,
            verdict: Some(found.verdict.word().to_owned()),
            summary: text::summary(found),
            baseline: Some(one_line(&one.name, 120)),
            candidate: Some(one_line(&other.name, 120)),
            timing_verdict: { found.timing }
                .filter(|_| finding.is_some())
                .map(|it| timing(it).to_owned()),
            wall_ratio,
            wall_ratio_low,
            wall_ratio_high,
            speedup: found.wall.map(|ratio| round_for_display(1.0 / ratio.ratio)),
            cpu_ratio,
            cpu_ratio_low,
            cpu_ratio_high,
            peak_memory_ratio,
            peak_memory_ratio_low,
            peak_memory_ratio_high,
            baseline_sec: rounded(one.wall),
            candidate_sec: rounded(other.wall),
            baseline_cpu_sec: rounded(one.cpu),
            candidate_cpu_sec: rounded(other.cpu),
            baseline_peak_mb: mebibytes(one.peak),
            candidate_peak_mb: mebibytes(other.peak),
            python_start_sec: rounded(found.startup),
            runs: one.runs,
            more_runs_to_decide: found.more_runs.filter(|_| finding.is_none()),
            ended: Some(ended(found.ended).to_owned()),
            spent_sec: round_for_display(found.spent),
            same_work: finding.is_none().then(|| same_work(found)),
            difference: finding.and_then(|it| {
                let mut info = difference(it.difference.as_ref()?);
                info.args.clone_from(&it.args);
                Some(info)
            }),
            failure: finding.and_then(|it| it.failure.as_ref()).map(failure),
            noise: Some(noise(found)),
            seed: Some(found.seed),
            environment: Some(WhereInfo {
                python: found.python.display().to_string(),
                python_version: found.python_version.clone(),
                platform: found.platform.clone(),
                sandbox: found.sandbox.map(str::to_owned),
                cwd: found.cwd.display().to_string(),
            }),
            notes: found.notes.clone(),
            next: next::calls(found),
        }
    }

    /// A handle of a verification that goes on, and what is known so far.
    pub fn running(id: &str, label: &str, phase: &str, so_far: Option<&SoFar>) -> Self {
        let ratio = so_far.and_then(|so_far| so_far.ratio);
        let [wall_ratio, wall_ratio_low, wall_ratio_high] = parts(ratio.as_ref());
        let call = |tool, name: &'static str| NextCall::new(tool, [(name, json!(id))]);
        let label = one_line(label, 160);
        Self {
            verification_id: id.to_owned(),
            status: StatusInfo::Running,
            summary: match ratio {
                Some(ratio) => format!("{label}: {phase}; so far {}", text::change(&ratio)),
                None => format!("{label}: {phase}"),
            },
            wall_ratio,
            wall_ratio_low,
            wall_ratio_high,
            speedup: ratio.map(|ratio| round_for_display(1.0 / ratio.ratio)),
            runs: so_far.map_or(0, |so_far| so_far.pairs),
            spent_sec: so_far.map_or(0.0, |so_far| round_for_display(so_far.elapsed)),
            next: vec![
                call("verify_speedup", "verification_id"),
                call("stop_profile", "profile_id"),
            ],
            ..Self::empty()
        }
    }

    /// What `stop_profile` says of a verification: its answer has another form.
    pub fn stopped(&self, label: &str) -> ProfileAnswer {
        let ended = running(&self.verification_id, label, &self.summary, NothingYet::default());
        let id = json!(self.verification_id);
        ProfileAnswer {
            status: StatusInfo::Partial,
            next: vec![NextCall::new("verify_speedup", [("verification_id", id)])],
            ..ended
        }
    }

    /// What is left of a comparison of a script with itself: nothing that compares.
    #[must_use]
    pub fn without_comparison(self) -> Self {
        Self {
            verification_id: self.verification_id,
            status: self.status,
            summary: "no baseline: limits of the script alone".to_owned(),
            candidate: self.candidate,
            candidate_sec: self.candidate_sec,
            candidate_cpu_sec: self.candidate_cpu_sec,
            candidate_peak_mb: self.candidate_peak_mb,
            python_start_sec: self.python_start_sec,
            runs: self.runs,
            ended: self.ended,
            spent_sec: self.spent_sec,
            difference: self.difference,
            failure: self.failure,
            noise: self.noise,
            seed: self.seed,
            environment: self.environment,
            notes: self.notes,
            next: self.next,
            ..Self::empty()
        }
    }

    fn empty() -> Self {
        Self {
            verification_id: String::new(),
            status: StatusInfo::Running,
            verdict: None,
            summary: String::new(),
            baseline: None,
            candidate: None,
            timing_verdict: None,
            wall_ratio: None,
            wall_ratio_low: None,
            wall_ratio_high: None,
            speedup: None,
            cpu_ratio: None,
            cpu_ratio_low: None,
            cpu_ratio_high: None,
            peak_memory_ratio: None,
            peak_memory_ratio_low: None,
            peak_memory_ratio_high: None,
            baseline_sec: None,
            candidate_sec: None,
            baseline_cpu_sec: None,
            candidate_cpu_sec: None,
            baseline_peak_mb: None,
            candidate_peak_mb: None,
            python_start_sec: None,
            runs: 0,
            more_runs_to_decide: None,
            ended: None,
            spent_sec: 0.0,
            same_work: None,
            difference: None,
            failure: None,
            noise: None,
            seed: None,
            environment: None,
            notes: Vec::new(),
            next: Vec::new(),
        }
    }
}

fn same_work(found: &Verification) -> String {
    match found.variants {
        1 => found.compared.clone(),
        several => {
            let timed = match found.timed_args.as_slice() {
                [] => "none".to_owned(),
                args => one_line(&args.join(" "), 100),
            };
            format!("{}, for each of {several} lists of arguments (timed: {timed})", found.compared)
        }
    }
}

fn difference(found: &Difference) -> DifferenceInfo {
    DifferenceInfo {
        line: found.line,
        baseline: found.baseline.clone(),
        candidate: found.other.clone(),
        args: None,
        float_tolerance: found.tolerance,
        lines_repeated: found.repeated.map(|(repeated, _)| repeated),
        lines: found.repeated.map(|(_, all)| all),
        remark: found.remark.clone(),
    }
}

fn failure(found: &Failure) -> FailureInfo {
    FailureInfo {
        side: side(found.side).to_owned(),
        what: found.what.clone(),
        args: found.args.clone(),
        run: found.run,
        stderr: found.stderr.clone(),
    }
}

fn noise(found: &Verification) -> NoiseInfo {
    let (noise, rounded) = (&found.noise, |value: Option<f64>| value.map(round_for_display));
    let spread = |side: &SideFigures| rounded(side.spread.map(|spread| 100.0 * spread));
    let shift = |of: fn(&crate::statistics::Drift) -> Shift| {
        noise.drift.map(|drift| round_for_display(100.0 * (of(&drift).ratio - 1.0)))
    };
    NoiseInfo {
        load_before: rounded(noise.load_before),
        load_after: rounded(noise.load_after),
        baseline_spread_pct: spread(&found.baseline),
        candidate_spread_pct: spread(&found.candidate),
        baseline_drift_pct: shift(|drift| drift.baseline),
        candidate_drift_pct: shift(|drift| drift.candidate),
        drifts: noise.drift.map(|drift| drift.baseline.sure || drift.candidate.sure),
        cores: noise.cores,
    }
}
