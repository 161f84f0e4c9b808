//! Whether a change made a program faster.

use super::error::Error;
use crate::process::Controls;
use crate::recording::{Recorder, Settings};
use crate::verify::{Origin, Verification, Verifier, VerifyRequest};

/// Runs two versions of a program in turns, without a profiler, and says whether the second does the same work
/// in less time.
///
/// ```
/// use std::time::Duration;
///
/// use scalene_mcp::SpeedupVerifier;
/// use scalene_mcp::verify::{Origin, Verdict, VerifyRequest};
///
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// let before = Origin::Code("print(sum(range(5_000_000)))".to_owned());
/// let after = Origin::Code("print(5_000_000 * 4_999_999 // 2 + 1)".to_owned());
/// let mut request = VerifyRequest::new(before, after);
/// request.budget = Duration::from_secs(10);
/// let found = SpeedupVerifier::new().verify(&request).await?;
/// assert_eq!(found.verdict, Verdict::DifferentOutput);
/// let line = found.finding.unwrap().difference.unwrap();
/// assert_eq!(line.other.as_deref(), Some("12499997500001"));
/// # Ok::<(), scalene_mcp::Error>(()) }).unwrap();
/// ```
///
/// CPU time and peak memory come from the keeper of a run, which only the binary has: here they are absent,
/// and wall time is taken by this process.
#[derive(Debug, Clone)]
pub struct SpeedupVerifier {
    verifier: Verifier,
}

impl Default for SpeedupVerifier {
    fn default() -> Self {
        Self::new()
    }
}

impl SpeedupVerifier {
    /// A verifier with the settings of the command line. Scalene is not needed.
    pub fn new() -> Self {
        Self::with_settings(Settings::default())
    }

    /// A verifier with these settings.
    pub fn with_settings(settings: Settings) -> Self {
        Self { verifier: Verifier::new(Recorder::new(settings)) }
    }

    /// Compares two files with everything at its default.
    ///
    /// # Errors
    /// [`Error`] when nothing can be run; a program that fails is a verdict.
    pub async fn verify_paths(
        &self,
        baseline: impl Into<String>,
        candidate: impl Into<String>,
    ) -> Result<Verification, Error> {
        let origins = [baseline.into(), candidate.into()].map(Origin::Path);
        let [baseline, candidate] = origins;
        self.verify(&VerifyRequest::new(baseline, candidate)).await
    }

    /// Compares what a request says: files, text, revisions or profiles, arguments, a check, a budget.
    ///
    /// # Errors
    /// As [`SpeedupVerifier::verify_paths`].
    pub async fn verify(&self, request: &VerifyRequest) -> Result<Verification, Error> {
        Ok(self.verifier.verify(request, &Controls::default(), &mut |_| {}).await?)
    }
}
