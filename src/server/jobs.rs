//! Runs in the background: started by one call, waited for by any.

mod job;
mod verifications;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::ToolError;
use super::fault;
use super::progress::Progress;
use crate::answer::count;
use crate::process::Controls;
use crate::profile::{Profile, ProfileId};
use crate::recording::{Guard, ProcessRequest, Proving, RecordError, Recorder, RunRequest};
use crate::store::Store;

pub(super) use job::{Job, Phase};
pub(super) use verifications::Verifying;

/// Failed runs whose reason is kept for a later call.
const FAILURES_KEPT: usize = 20;
/// How often a waiting client hears of a run.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// All runs that are not finished, and the last failures.
pub(super) struct Jobs {
    recorder: Recorder,
    store: Arc<Store>,
    turn: Semaphore,
    started: AtomicU64,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    known: Mutex<Known>,
    verifications: Mutex<verifications::Known>,
}

/// What makes a profile.
pub(super) enum Work {
    /// A program that is run.
    Run(Box<RunRequest>),
    /// A process that somebody else started.
    Process(ProcessRequest),
}

impl Work {
    fn label(&self) -> String {
        match self {
            Self::Run(request) => request.label(),
            Self::Process(request) => request.label(),
        }
    }
}

impl From<RunRequest> for Work {
    fn from(request: RunRequest) -> Self {
        Self::Run(Box::new(request))
    }
}

impl From<ProcessRequest> for Work {
    fn from(request: ProcessRequest) -> Self {
        Self::Process(request)
    }
}

#[derive(Default)]
struct Known {
    jobs: HashMap<String, Arc<Job>>,
    /// Failed ones, oldest first.
    failed: VecDeque<String>,
    /// How to repeat the runs behind stored profiles.
    requests: HashMap<String, RunRequest>,
}

impl Jobs {
    pub(super) fn new(recorder: Recorder, store: Arc<Store>, shutdown: CancellationToken) -> Self {
        Self {
            recorder,
            store,
            turn: Semaphore::new(1),
            started: AtomicU64::new(0),
            shutdown,
            tasks: TaskTracker::new(),
            known: Mutex::default(),
            verifications: Mutex::default(),
        }
    }

    /// Runs programs, and looks at processes.
    pub(super) fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What callers may ask for.
    pub(super) fn guard(&self) -> &Guard {
        self.recorder.guard()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a run, or a look at a process, and answers at once.
    pub(super) fn start(self: &Arc<Self>, work: impl Into<Work>) -> Arc<Job> {
        let work = work.into();
        let mut known = self.known();
        let id = self.store.draw_id(|id| known.jobs.contains_key(id));
        let (job, report) = self.job(id.to_string(), work.label());
        known.jobs.insert(id.to_string(), Arc::clone(&job));
        drop(known);
        let (jobs, running) = (Arc::clone(self), Arc::clone(&job));
        self.tasks.spawn(async move {
            let task = tokio::spawn({
                let (jobs, report, id) = (Arc::clone(&jobs), report.clone(), id.clone());
                async move {
                    fault::at("run");
                    let recorded = jobs.run(id, &running, &work, &report).await;
                    if let (Ok(profile), Work::Run(request)) = (&recorded, work) {
                        jobs.remember(profile.id.as_str(), *request);
                    }
                    recorded
                }
            });
            let phase = task.await.map_or(Phase::Lost, Phase::Done);
            jobs.forget(&id, &phase);
            report.send_replace(phase);
        });
        job
    }

    fn job<T>(&self, id: String, label: String) -> (Arc<Job<T>>, watch::Sender<Phase<T>>) {
        let (report, phase) = watch::channel(Phase::Queued);
        let controls = Controls { cancel: self.shutdown.child_token(), ..Controls::default() };
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        let repeat = [AtomicUsize::new(0), AtomicUsize::new(0)];
        (Arc::new(Job { id, label, number, controls, phase, repeat }), report)
    }

    /// Keeps how a run is repeated, as long as its profile is stored.
    fn remember(&self, id: &str, request: RunRequest) {
        let mut known = self.known();
        known.requests.retain(|id, _| self.store.is_in_memory(id));
        known.requests.insert(id.to_owned(), request);
    }

    /// The run behind a profile; `None` for one that was loaded.
    pub(super) fn request(&self, id: &ProfileId) -> Option<RunRequest> {
        self.known().requests.get(id.as_str()).cloned()
    }

    /// Starts a second run of a profile's program, with all allocations recorded, and answers at
    /// once. It is no run of the list: only the call that starts it waits for it.
    pub(super) fn start_proof(
        self: &Arc<Self>,
        profile: &Arc<Profile>,
        proving: Proving,
    ) -> Arc<Job> {
        let (job, report) = self.job(profile.id.to_string(), proving.request.label());
        let (jobs, profile, running) = (Arc::clone(self), Arc::clone(profile), Arc::clone(&job));
        self.tasks.spawn(async move {
            let work = tokio::spawn({
                let report = report.clone();
                async move { jobs.prove(&running, &profile, &proving, &report).await }
            });
            report.send_replace(work.await.map_or(Phase::Lost, Phase::Done));
        });
        job
    }

    async fn prove(
        &self,
        job: &Job,
        profile: &Profile,
        proving: &Proving,
        report: &watch::Sender<Phase>,
    ) -> Result<Arc<Profile>, Arc<RecordError>> {
        let _turn = self.turn(job, report).await?;
        let mut on_event = |event| report.send_modify(|phase| *phase = phase.next(event));
        let recorder = self.recorder.allowing(&proving.request);
        let proven = recorder.prove(profile, proving, &job.controls, &mut on_event).await;
        self.keep(proven.map_err(Arc::new)?, Store::replace).await
    }

    async fn run(
        &self,
        id: ProfileId,
        job: &Job,
        work: &Work,
        report: &watch::Sender<Phase>,
    ) -> Result<Arc<Profile>, Arc<RecordError>> {
        let turn = self.turn(job, report).await?;
        let mut on_event = |event| {
            job.count(&event);
            report.send_modify(|phase| *phase = phase.next(event));
        };
        let controls = &job.controls;
        let recorded = match work {
            Work::Run(request) => {
                let recorder = self.recorder.allowing(request);
                recorder.record(id, request, controls, &mut on_event).await
            }
            Work::Process(request) => {
                self.recorder.record_process(id, request, controls, &mut on_event).await
            }
        };
        drop(turn);
        self.keep(recorded.map_err(Arc::new)?, Store::insert).await
    }

    /// Puts a profile into the store, which may write it to a disk.
    async fn keep(
        &self,
        profile: Profile,
        how: fn(&Store, Profile) -> Arc<Profile>,
    ) -> Result<Arc<Profile>, Arc<RecordError>> {
        let store = Arc::clone(&self.store);
        let kept = tokio::task::spawn_blocking(move || how(&store, profile)).await;
        kept.map_err(|_| Arc::new(RecordError::Cancelled))
    }

    /// Waits until no other run disturbs the measurement.
    async fn turn<T>(
        &self,
        job: &Job<T>,
        report: &watch::Sender<Phase<T>>,
    ) -> Result<Option<SemaphorePermit<'_>>, Arc<RecordError>> {
        let turn = tokio::select! {
            turn = self.turn.acquire() => turn.ok(),
            () = job.controls.cancel.cancelled() => return Err(Arc::new(RecordError::Cancelled)),
        };
        report.send_replace(Phase::Preparing("looking for Python".to_owned()));
        Ok(turn)
    }

    /// What a job is doing, in words.
    pub(super) fn describe<T: Clone>(&self, job: &Job<T>) -> String {
        let phase = job.phase();
        if !matches!(phase, Phase::Queued) {
            return job.nth(&phase.describe());
        }
        let profiled = self.unfinished().iter().filter(|other| other.number < job.number).count();
        let ahead = profiled + self.verifications_before(job.number);
        // What is ahead may have ended this moment, or be a second run, which is in no list.
        format!("queued behind {}", count(ahead.max(1) as u64, "run"))
    }

    /// A finished profile is in the store; a failure is kept for whoever asks for it.
    fn forget(&self, id: &ProfileId, phase: &Phase) {
        let mut known = self.known();
        if matches!(phase, Phase::Done(Ok(_))) {
            known.jobs.remove(id.as_str());
            return;
        }
        known.failed.push_back(id.to_string());
        if known.failed.len() > FAILURES_KEPT
            && let Some(oldest) = known.failed.pop_front()
        {
            known.jobs.remove(&oldest);
        }
    }

    /// The unfinished or failed run with this id.
    pub(super) fn get(&self, id: &str) -> Option<Arc<Job>> {
        self.known().jobs.get(id.trim()).cloned()
    }

    /// Runs that have not ended, in the order of their starts.
    pub(super) fn unfinished(&self) -> Vec<Arc<Job>> {
        let known = self.known();
        let mut jobs: Vec<_> =
            known.jobs.values().filter(|job| !job.phase().is_over()).cloned().collect();
        jobs.sort_by_key(|job| job.number);
        jobs
    }

    /// Waits for a run's end, but not longer than `patience`. A client that takes its call
    /// back ends the run if the call `owns` it.
    pub(super) async fn wait<T: Clone>(
        &self,
        job: &Job<T>,
        patience: Duration,
        call: &CancellationToken,
        owns: bool,
        progress: &mut Progress,
    ) -> Result<Phase<T>, ToolError> {
        let mut phase = job.phase.clone();
        let deadline = tokio::time::Instant::now() + patience;
        let mut reports = tokio::time::interval(REPORT_EVERY);
        loop {
            let now = phase.borrow_and_update().clone();
            if now.is_over() {
                return Ok(now);
            }
            tokio::select! {
                changed = phase.changed() => {
                    if changed.is_err() {
                        return Ok(Phase::Lost);
                    }
                    let now = phase.borrow().clone();
                    if let Phase::Preparing(step) = now {
                        progress.report(step).await;
                    }
                }
                _ = reports.tick() => progress.report(self.describe(job)).await,
                () = tokio::time::sleep_until(deadline) => return Ok(phase.borrow().clone()),
                () = call.cancelled() => {
                    if owns {
                        job.cancel();
                    }
                    return Err(ToolError::from(&RecordError::Cancelled));
                }
            }
        }
    }

    /// Waits until every run has ended and cleaned up; the shutdown token has ended them.
    pub(super) async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
