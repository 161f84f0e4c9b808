//! Which two versions, on which input, how surely.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::profile::Profile;
use crate::recording::{RecordError, RunRequest, Target};

/// Budget unless told otherwise.
const BUDGET: Duration = Duration::from_secs(40);
/// Smallest effect that counts unless told otherwise.
const MIN_EFFECT: f64 = 0.03;
/// Most lists of arguments.
const MOST_VARIANTS: usize = 16;

/// Where a version of a program comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Origin {
    /// A file, or `-m module`, as it is now.
    Path(String),
    /// Code given as text.
    Code(String),
    /// The script of the request as it was at this revision of its git repository.
    Revision(String),
    /// The script of the request with the sources that a profile keeps.
    Profile(Arc<Profile>),
}

/// One verification.
#[derive(Debug, Clone, PartialEq)]
pub struct VerifyRequest {
    /// What is compared with.
    pub baseline: Origin,
    /// What is judged.
    pub candidate: Origin,
    /// The script that a revision or a profile is of, or `-m module`.
    pub script: Option<String>,
    /// How both run: arguments, interpreter, variables, limits. Its target and what it measures do not count.
    pub run: RunRequest,
    /// Further lists of arguments with which both must do the same work; those of the run are timed.
    pub args_variants: Vec<Vec<String>>,
    /// Time for all runs together; a first pair is timed unless the runs before it have spent it.
    pub budget: Duration,
    /// Smallest relative change that counts: 0.03 is 3 %.
    pub min_effect: f64,
    /// What decides whether the work is the same, in place of the comparison of stdout: a command line, which gets
    /// that stdout as its stdin and ends with 0, or `=EXPRESSION`, whose value must be the same.
    pub check: Option<String>,
    /// Whether what they print has to be the same, where no check decides.
    pub compare_output: bool,
    /// How far two floating-point numbers in otherwise equal text may lie apart, relative to the larger, and
    /// absolute below 1.
    pub float_tolerance: Option<f64>,
    /// Makes the order of runs repeatable; drawn where absent.
    pub seed: Option<u64>,
    /// The parameters of the call, to repeat it.
    pub parameters: Map<String, Value>,
}

impl VerifyRequest {
    /// Two versions, everything else at its default.
    pub fn new(baseline: Origin, candidate: Origin) -> Self {
        Self {
            baseline,
            candidate,
            script: None,
            run: RunRequest::new(Target::Script(String::new())),
            args_variants: Vec::new(),
            budget: BUDGET,
            min_effect: MIN_EFFECT,
            check: None,
            compare_output: true,
            float_tolerance: None,
            seed: None,
            parameters: Map::new(),
        }
    }

    pub(super) fn check(&self) -> Result<(), RecordError> {
        let invalid = |parameter: &'static str, problem: String| {
            Err(RecordError::InvalidArgument { parameter, problem })
        };
        if !(0.001..=10.0).contains(&self.min_effect) {
            return invalid("min_effect", format!("{} is outside 0.001 to 10", self.min_effect));
        }
        if let Some(tolerance) = self.float_tolerance
            && !(0.0..=1.0).contains(&tolerance)
        {
            return invalid("float_tolerance", format!("{tolerance} is outside 0 to 1"));
        }
        if self.args_variants.len() > MOST_VARIANTS {
            return invalid("args_variants", format!("more than {MOST_VARIANTS} lists"));
        }
        if self.args_variants.iter().flatten().any(|arg| arg.contains('\0')) {
            return invalid("args_variants", "an argument holds a NUL byte".to_owned());
        }
        if self.budget.is_zero() {
            return invalid("budget_sec", "0 seconds leave no time to run".to_owned());
        }
        Ok(())
    }

    /// A name for people.
    pub fn label(&self) -> String {
        format!("{} against {}", self.name(&self.candidate, false), self.name(&self.baseline, true))
    }

    pub(super) fn name(&self, origin: &Origin, is_baseline: bool) -> String {
        let script = self.script.as_deref().unwrap_or("the script");
        match origin {
            Origin::Path(path) => path.clone(),
            Origin::Code(_) if is_baseline => "baseline_code".to_owned(),
            Origin::Code(_) => "candidate_code".to_owned(),
            Origin::Revision(revision) => format!("{script} at {revision}"),
            Origin::Profile(profile) => format!("{script} as in profile {}", profile.id),
        }
    }

    /// The lists of arguments to be tried; the first one is timed.
    pub(super) fn variants(&self) -> Vec<Vec<String>> {
        let mut all = vec![self.run.args.clone()];
        for list in self.args_variants.iter().cloned() {
            if !all.contains(&list) {
                all.push(list);
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_of_the_run_come_first_and_none_twice() {
        let mut request =
            VerifyRequest::new(Origin::Code("1".to_owned()), Origin::Code("2".to_owned()));
        assert_eq!(request.variants(), [Vec::<String>::new()]);
        let list = |arg: &str| vec![arg.to_owned()];
        request.args_variants = vec![list("1"), list("2")];
        assert_eq!(request.variants(), [vec![], list("1"), list("2")]);
        request.run.args = list("2");
        assert_eq!(request.variants(), [list("2"), list("1")]);
    }
}
