//! The timed runs, in pairs.

use std::time::Instant;

use super::compare::{self, Difference};
use super::oracle::{self, Kind, Oracle, Rehearsed};
use super::request::VerifyRequest;
use super::result::{Ended, Finding, Progress, SoFar, Verdict};
use super::trial::{Interrupt, Runner, Trial, index};
use crate::process::EndedBy;
use crate::recording::RecordError;
use crate::statistics::{Pair, Rule, Side, Step, Why, order};

/// Both runs of a pair.
#[derive(Debug, Clone)]
pub(super) struct Couple {
    pub(super) baseline: Trial,
    pub(super) candidate: Trial,
}

/// The timed runs, and why they ended.
pub(super) struct Timed {
    pub(super) couples: Vec<Couple>,
    pub(super) finding: Option<Finding>,
    pub(super) ended: Ended,
}

/// What holds for all pairs.
pub(super) struct Plan<'a> {
    pub(super) request: &'a VerifyRequest,
    pub(super) oracle: &'a Oracle,
    pub(super) rule: Rule,
    pub(super) args: &'a [String],
    /// The runs that were compared.
    pub(super) reference: Rehearsed,
    pub(super) seed: u64,
    /// When the first run began.
    pub(super) begun: Instant,
}

/// The seed of Python's hashes for a pair: the same for both of its runs.
pub(super) fn hash_seed(seed: u64, pair: u64) -> u32 {
    // Any odd number with well mixed bits will do.
    let mixed =
        (seed ^ pair.wrapping_mul(0x9E37_79B9_7F4A_7C15)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    u32::try_from(mixed >> 32).unwrap_or_default()
}

/// One figure of all pairs; `None` where a run lacks it.
pub(super) fn pairs(couples: &[Couple], of: impl Fn(&Trial) -> Option<f64>) -> Option<Vec<Pair>> {
    let each = couples.iter().map(|couple| {
        Some(Pair { baseline: of(&couple.baseline)?, candidate: of(&couple.candidate)? })
    });
    each.collect()
}

pub(super) fn wall(couples: &[Couple]) -> Vec<Pair> {
    pairs(couples, |trial| Some(trial.wall)).unwrap_or_default()
}

impl Plan<'_> {
    /// Times pairs until the rule is content, the budget is spent, or somebody stops it.
    pub(super) async fn time(&mut self, runner: &mut Runner<'_>) -> Result<Timed, RecordError> {
        let mut timed = Timed { couples: Vec::new(), finding: None, ended: Ended::Most };
        let budget = self.request.budget.as_secs_f64();
        let first = Instant::now();
        for (number, sides) in (2_u64..).zip(order(self.seed)) {
            let elapsed = self.begun.elapsed().as_secs_f64();
            #[expect(clippy::cast_precision_loss, reason = "a small number")]
            let per_pair = first.elapsed().as_secs_f64() / timed.couples.len().max(1) as f64;
            // Where the first runs have spent it all, one pair more would tell nothing.
            let is_spent = elapsed > budget;
            if is_spent || (!timed.couples.is_empty() && elapsed + per_pair > budget) {
                timed.ended = Ended::Budget;
                break;
            }
            let couple = match self.couple(runner, sides, number).await {
                Ok(Ok(couple)) => couple,
                Ok(Err(finding)) => {
                    (timed.finding, timed.ended) = (Some(finding), Ended::Found);
                    break;
                }
                Err(Interrupt::Stopped) => {
                    timed.ended = Ended::Stopped;
                    break;
                }
                Err(Interrupt::Failed(error)) => return Err(error),
            };
            if let Some(finding) = self.compare(&couple) {
                (timed.finding, timed.ended) = (Some(finding), Ended::Found);
                break;
            }
            timed.couples.push(Couple {
                baseline: couple.baseline.figures_only(),
                candidate: couple.candidate.figures_only(),
            });
            let walls = wall(&timed.couples);
            (runner.on_event)(Progress::Pairs(SoFar {
                pairs: walls.len(),
                ratio: self.rule.ratio(&walls),
                elapsed: self.begun.elapsed().as_secs_f64(),
                budget,
            }));
            if let Step::Stop(why) = self.rule.decide(&walls) {
                timed.ended = match why {
                    Why::Clear => Ended::Clear,
                    Why::Narrow => Ended::Narrow,
                    Why::Most => Ended::Most,
                };
                break;
            }
        }
        Ok(timed)
    }

    async fn couple(
        &self,
        runner: &mut Runner<'_>,
        sides: [Side; 2],
        number: u64,
    ) -> Result<Result<Couple, Finding>, Interrupt> {
        let seed = hash_seed(self.seed, number);
        let mut both = [None, None];
        for side in sides {
            let trial = runner.run(side, self.args, seed).await?;
            let reference = self.reference(side);
            if reference.regular_code().is_none_or(|code| !trial.ended_with(code)) {
                let verdict = match trial.ended_by {
                    EndedBy::Timeout => Verdict::Timeout,
                    _ => Verdict::Unstable,
                };
                let failure = runner.failure(side, &trial, self.args);
                return Ok(Err(Finding::failed(verdict, failure)));
            }
            if let Some(place) = both.get_mut(index(side)) {
                *place = Some(trial);
            }
        }
        match both {
            [Some(baseline), Some(candidate)] => Ok(Ok(Couple { baseline, candidate })),
            // Each pair has both sides.
            _ => Err(Interrupt::Stopped),
        }
    }

    fn reference(&self, side: Side) -> &Trial {
        match side {
            Side::Baseline => &self.reference.baseline,
            Side::Candidate => &self.reference.candidate,
        }
    }

    /// Timed runs are compared, too: what was the same once may have been so by chance.
    fn compare(&mut self, couple: &Couple) -> Option<Finding> {
        if *self.oracle != Oracle::Stdout || self.reference.unsteady.is_some() {
            return None;
        }
        let tolerance = self.request.float_tolerance;
        let [baseline, candidate] = [&couple.baseline.stdout, &couple.candidate.stdout];
        let found = compare::difference(baseline, candidate, tolerance)?;
        let reference = &self.reference.baseline.stdout;
        let outputs = [reference, baseline, candidate];
        match oracle::classify(outputs, tolerance) {
            Kind::Unsteady(own) => {
                self.reference.unsteady = Some(own);
                None
            }
            Kind::Different(Some(line)) => {
                let found = oracle::steady_line(outputs, line);
                Some(Finding::differs(Verdict::DifferentOutput, found))
            }
            Kind::Different(None) => {
                let remark = "the first runs printed the same: what the candidate prints varies";
                let remark = Some(found.remark.clone().unwrap_or_else(|| remark.to_owned()));
                let found = Difference { remark, ..found };
                Some(Finding::differs(Verdict::DifferentOutput, found))
            }
        }
    }
}
