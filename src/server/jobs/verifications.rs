//! Verifications in the background: they take the turn of profiled runs, and are kept for later calls.

use std::collections::VecDeque;
use std::sync::{Arc, PoisonError};

use tokio::sync::watch;

use super::{Job, Jobs, Phase};
use crate::profile::ProfileId;
use crate::recording::RecordError;
use crate::server::fault;
use crate::verify::{Verification, Verifier, VerifyRequest};

/// Verifications that are kept, unfinished ones apart.
const KEPT: usize = 50;

/// A verification in the background.
pub(in crate::server) type Verifying = Job<Arc<Verification>>;

/// Those that are known, oldest first.
pub(super) type Known = VecDeque<Arc<Verifying>>;

impl Jobs {
    /// Starts a verification and answers at once.
    pub(in crate::server) fn start_verification(
        self: &Arc<Self>,
        request: VerifyRequest,
    ) -> Arc<Verifying> {
        let mut known = self.verifications();
        let id = ProfileId::draw_as('v', |id| known.iter().any(|job| job.id == id));
        let (job, report) = self.job(id.to_string(), request.label());
        known.push_back(Arc::clone(&job));
        let finished = |job: &Arc<Verifying>| job.phase().is_over();
        while known.iter().filter(|job| finished(job)).count() > KEPT
            && let Some(oldest) = known.iter().position(finished)
        {
            known.remove(oldest);
        }
        drop(known);
        let (jobs, running) = (Arc::clone(self), Arc::clone(&job));
        self.tasks.spawn(async move {
            let work = tokio::spawn({
                let report = report.clone();
                async move {
                    fault::at("verification");
                    jobs.verify(&running, &request, &report).await
                }
            });
            report.send_replace(work.await.map_or(Phase::Lost, Phase::Done));
        });
        job
    }

    async fn verify(
        &self,
        job: &Verifying,
        request: &VerifyRequest,
        report: &watch::Sender<Phase<Arc<Verification>>>,
    ) -> Result<Arc<Verification>, Arc<RecordError>> {
        let _turn = self.turn(job, report).await?;
        let mut on_event = |progress| _ = report.send_replace(Phase::of(progress));
        let verifier = Verifier::new(self.recorder.clone());
        let verified = verifier.verify(request, &job.controls, &mut on_event).await;
        verified.map(Arc::new).map_err(Arc::new)
    }

    /// The verification with this id; `latest` names the newest.
    pub(in crate::server) fn verification(&self, id: &str) -> Option<Arc<Verifying>> {
        let known = self.verifications();
        match id.trim() {
            "latest" => known.back().cloned(),
            id => known.iter().find(|job| job.id == id).cloned(),
        }
    }

    /// Ids that are known, newest first.
    pub(in crate::server) fn verification_ids(&self) -> Vec<String> {
        self.verifications().iter().rev().map(|job| job.id.clone()).collect()
    }

    fn verifications(&self) -> std::sync::MutexGuard<'_, Known> {
        self.verifications.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Verifications that have not ended and were started before this number.
    pub(super) fn verifications_before(&self, number: u64) -> usize {
        let earlier = |job: &&Arc<Verifying>| job.number < number && !job.phase().is_over();
        self.verifications().iter().filter(earlier).count()
    }
}
