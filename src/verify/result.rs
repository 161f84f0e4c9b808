//! What a verification finds out.

use std::path::PathBuf;

use serde_json::{Map, Value};

use super::compare::Difference;
use crate::statistics::{Drift, Interval, Ratio, Side, Verdict as Timing};

/// What is concluded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The candidate takes less wall time, and does the same work.
    Faster,
    /// The candidate takes more wall time.
    Slower,
    /// No difference that matters.
    NoDifference,
    /// The runs cannot tell.
    Undecided,
    /// The two do different work: never a speed-up.
    DifferentOutput,
    /// The baseline does not agree with itself: whether the work is the same cannot be told.
    NondeterministicOutput,
    /// The baseline fails.
    BaselineFailed,
    /// The candidate fails.
    CandidateFailed,
    /// One side fails on some of its runs.
    Unstable,
    /// One side did not end within its time limit.
    Timeout,
}

impl Verdict {
    /// The word for it in answers.
    pub fn word(self) -> &'static str {
        match self {
            Self::Faster => "faster",
            Self::Slower => "slower",
            Self::NoDifference => "no_difference",
            Self::Undecided => "undecided",
            Self::DifferentOutput => "different_output",
            Self::NondeterministicOutput => "nondeterministic_output",
            Self::BaselineFailed => "baseline_failed",
            Self::CandidateFailed => "candidate_failed",
            Self::Unstable => "unstable",
            Self::Timeout => "timeout",
        }
    }

    pub(super) fn of_timing(timing: Timing) -> Self {
        match timing {
            Timing::Faster => Self::Faster,
            Timing::Slower => Self::Slower,
            Timing::NoDifference => Self::NoDifference,
            Timing::Undecided => Self::Undecided,
        }
    }
}

/// A run that did not end as it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Whose.
    pub side: Side,
    /// How it ended, in words.
    pub what: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Runs of that side until then, this one included.
    pub run: usize,
    /// The end of what it wrote to stderr.
    pub stderr: String,
}

/// What speaks against a comparison, or makes timing meaningless.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    /// What follows.
    pub verdict: Verdict,
    /// The first difference in what they print.
    pub difference: Option<Difference>,
    /// The arguments with which it shows, where there are several lists.
    pub args: Option<Vec<String>>,
    /// The run that failed.
    pub failure: Option<Failure>,
}

impl Finding {
    pub(super) fn failed(verdict: Verdict, failure: Failure) -> Self {
        Self { verdict, difference: None, args: None, failure: Some(failure) }
    }

    pub(super) fn differs(verdict: Verdict, difference: Difference) -> Self {
        Self { verdict, difference: Some(difference), args: None, failure: None }
    }
}

/// Why no more runs were made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The verdict was clear.
    Clear,
    /// The interval was narrow enough.
    Narrow,
    /// As many runs as are ever made.
    Most,
    /// The time was spent.
    Budget,
    /// Somebody stopped it.
    Stopped,
    /// Something was found that more runs would not change.
    Found,
}

/// One side in figures; medians over the timed runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SideFigures {
    /// What ran.
    pub name: String,
    /// Timed runs.
    pub runs: usize,
    /// Wall time from start to end of the process, seconds.
    pub wall: Option<f64>,
    /// Mean wall time with its interval, seconds.
    pub wall_mean: Option<Interval>,
    /// CPU time, user and system, of the process and its children, seconds.
    pub cpu: Option<f64>,
    /// Mean CPU time with its interval, seconds.
    pub cpu_mean: Option<Interval>,
    /// Mean of the highest resident size with its interval, bytes.
    pub peak_mean: Option<Interval>,
    /// Highest resident size of its largest process, bytes.
    pub peak: Option<f64>,
    /// Scaled median absolute deviation of the wall times over their median.
    pub spread: Option<f64>,
}

/// What the machine was like meanwhile.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Noise {
    /// One-minute load average before the first run.
    pub load_before: Option<f64>,
    /// The same after the last.
    pub load_after: Option<f64>,
    /// Second half of the runs against the first.
    pub drift: Option<Drift>,
    /// Logical cores.
    pub cores: Option<usize>,
}

/// What a verification found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Verification {
    /// What is concluded.
    pub verdict: Verdict,
    /// What timing alone says, where there are timed runs.
    pub timing: Option<Timing>,
    /// What was found besides times.
    pub finding: Option<Finding>,
    /// Wall time, candidate over baseline.
    pub wall: Option<Ratio>,
    /// CPU time, candidate over baseline.
    pub cpu: Option<Ratio>,
    /// Peak resident memory, candidate over baseline.
    pub peak: Option<Ratio>,
    /// The baseline.
    pub baseline: SideFigures,
    /// The candidate.
    pub candidate: SideFigures,
    /// Further runs of each side after which the verdict would be clear, as far as can be told.
    pub more_runs: Option<usize>,
    /// Wall time of `python -c pass`, seconds: what no change of the program can save.
    pub startup: Option<f64>,
    /// Wall time of the first run of each side, which is not timed, seconds.
    pub first_runs: Option<[f64; 2]>,
    /// Why no more runs were made.
    pub ended: Ended,
    /// Lists of arguments with which both did the same work.
    pub variants: usize,
    /// The list that was timed.
    pub timed_args: Vec<String>,
    /// What the same work was shown by, in words.
    pub compared: String,
    /// Seconds from the first run to the last.
    pub spent: f64,
    /// The budget in seconds.
    pub budget: f64,
    /// The machine.
    pub noise: Noise,
    /// What the order of the runs was drawn from.
    pub seed: u64,
    /// Smallest effect that counted.
    pub min_effect: f64,
    /// The interpreter of both sides.
    pub python: PathBuf,
    /// Its version.
    pub python_version: String,
    /// Operating system and machine.
    pub platform: String,
    /// How the programs were confined, if they were.
    pub sandbox: Option<&'static str>,
    /// Working directory of the candidate.
    pub cwd: PathBuf,
    /// What else is to be known.
    pub notes: Vec<String>,
    /// The parameters of the call, to repeat it.
    pub parameters: Map<String, Value>,
}

/// How far a verification is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SoFar {
    /// Timed pairs.
    pub pairs: usize,
    /// Wall time, candidate over baseline, once there are enough.
    pub ratio: Option<Ratio>,
    /// Seconds since the first run.
    pub elapsed: f64,
    /// Seconds it may take.
    pub budget: f64,
}

/// A sign of life of a verification.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Something before the timed runs, in words.
    Step(String),
    /// A pair of runs is done.
    Pairs(SoFar),
}
