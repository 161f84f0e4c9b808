//! Runs in the background: started by one call, waited for by any.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::error::ToolError;
use super::fault;
use super::progress::Progress;
use crate::answer::{amount, count};
use crate::process::{Controls, Tick};
use crate::profile::{Interim, Profile, ProfileId};
use crate::recording::{Event, Guard, Proving, RecordError, Recorder, RunRequest};
use crate::store::Store;

/// Failed runs whose reason is kept for a later call.
const FAILURES_KEPT: usize = 20;
/// How often a waiting client hears of a run.
const REPORT_EVERY: Duration = Duration::from_secs(1);

/// What a run is doing.
#[derive(Debug, Clone)]
pub(super) enum Phase {
    /// Another run has to end first: runs disturb each other's measurements.
    Queued,
    /// Finding Python, setting Scalene up; the step in words.
    Preparing(String),
    /// The program runs; with what is known of it so far.
    Running(Option<Tick>, Option<Arc<Interim>>),
    /// The profile is being read.
    Reading,
    /// The program runs once more, to this end.
    Again(&'static str),
    /// It is over.
    Done(Result<Arc<Profile>, Arc<RecordError>>),
    /// The task that ran it died; a bug.
    Lost,
}

impl Phase {
    /// What comes after this phase.
    fn next(&self, event: Event) -> Self {
        let seen = match self {
            Self::Running(_, seen) => seen.clone(),
            _ => None,
        };
        match event {
            Event::SettingUp(step) => Self::Preparing(step),
            Event::Starting => Self::Running(None, None),
            Event::Running(tick) => Self::Running(Some(tick), seen),
            Event::Seen(interim) => {
                let tick = if let Self::Running(tick, _) = self { *tick } else { None };
                Self::Running(tick, Some(Arc::new(interim)))
            }
            Event::Reading => Self::Reading,
            Event::Counting => Self::Again("counting calls"),
            Event::Plain => Self::Again("timing it without a profiler"),
        }
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Queued => "waiting for another run to end".to_owned(),
            Self::Preparing(step) => step.clone(),
            Self::Running(None, _) => "starting".to_owned(),
            Self::Running(Some(tick), _) => {
                format!("running for {} s", amount(tick.elapsed.as_secs_f64()))
            }
            Self::Reading => "reading the profile".to_owned(),
            Self::Again(why) => format!("{why} in one more run"),
            Self::Done(_) | Self::Lost => "finished".to_owned(),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Lost)
    }
}

/// One run.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) id: ProfileId,
    pub(super) label: String,
    /// In the order of their starts.
    number: u64,
    controls: Controls,
    phase: watch::Receiver<Phase>,
}

impl Job {
    pub(super) fn phase(&self) -> Phase {
        self.phase.borrow().clone()
    }

    /// Ends it: nobody waits for it any more.
    pub(super) fn cancel(&self) {
        self.controls.cancel.cancel();
    }

    /// Ends its program and keeps what was measured; a run whose program has not begun has nothing to keep.
    pub(super) fn stop(&self) {
        match self.phase() {
            Phase::Queued | Phase::Preparing(_) => self.cancel(),
            _ => {
                self.controls.stop.cancel();
            }
        }
    }
}

/// All runs that are not finished, and the last failures.
pub(super) struct Jobs {
    recorder: Recorder,
    store: Arc<Store>,
    turn: Semaphore,
    started: AtomicU64,
    shutdown: CancellationToken,
    tasks: TaskTracker,
    known: Mutex<Known>,
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
        }
    }

    /// What callers may ask for.
    pub(super) fn guard(&self) -> &Guard {
        self.recorder.guard()
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts a run and answers at once.
    pub(super) fn start(self: &Arc<Self>, request: RunRequest) -> Arc<Job> {
        let mut known = self.known();
        let id = self.store.draw_id(|id| known.jobs.contains_key(id));
        let (job, report) = self.job(id.clone(), request.label());
        known.jobs.insert(id.to_string(), Arc::clone(&job));
        drop(known);
        let (jobs, running) = (Arc::clone(self), Arc::clone(&job));
        self.tasks.spawn(async move {
            let work = tokio::spawn({
                let (jobs, report) = (Arc::clone(&jobs), report.clone());
                async move {
                    fault::at("run");
                    let recorded = jobs.run(&running, &request, &report).await;
                    if let Ok(profile) = &recorded {
                        jobs.remember(profile.id.as_str(), request);
                    }
                    recorded
                }
            });
            let phase = work.await.map_or(Phase::Lost, Phase::Done);
            jobs.forget(&id, &phase);
            report.send_replace(phase);
        });
        job
    }

    fn job(&self, id: ProfileId, label: String) -> (Arc<Job>, watch::Sender<Phase>) {
        let (report, phase) = watch::channel(Phase::Queued);
        let controls =
            Controls { stop: CancellationToken::new(), cancel: self.shutdown.child_token() };
        let number = self.started.fetch_add(1, Ordering::Relaxed);
        (Arc::new(Job { id, label, number, controls, phase }), report)
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
        let (job, report) = self.job(profile.id.clone(), proving.request.label());
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
        let proven = self.recorder.prove(profile, proving, &job.controls, &mut on_event).await;
        self.keep(proven.map_err(Arc::new)?, Store::replace).await
    }

    async fn run(
        &self,
        job: &Job,
        request: &RunRequest,
        report: &watch::Sender<Phase>,
    ) -> Result<Arc<Profile>, Arc<RecordError>> {
        let turn = self.turn(job, report).await?;
        let mut on_event = |event| report.send_modify(|phase| *phase = phase.next(event));
        let id = job.id.clone();
        let recorded = self.recorder.record(id, request, &job.controls, &mut on_event).await;
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
    async fn turn(
        &self,
        job: &Job,
        report: &watch::Sender<Phase>,
    ) -> Result<Option<SemaphorePermit<'_>>, Arc<RecordError>> {
        let turn = tokio::select! {
            turn = self.turn.acquire() => turn.ok(),
            () = job.controls.cancel.cancelled() => return Err(Arc::new(RecordError::Cancelled)),
        };
        report.send_replace(Phase::Preparing("looking for Python".to_owned()));
        Ok(turn)
    }

    /// What a job is doing, in words.
    pub(super) fn describe(&self, job: &Job) -> String {
        let phase = job.phase();
        if !matches!(phase, Phase::Queued) {
            return phase.describe();
        }
        let ahead = self.unfinished().iter().filter(|other| other.number < job.number).count();
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
    pub(super) async fn wait(
        &self,
        job: &Job,
        patience: Duration,
        call: &CancellationToken,
        owns: bool,
        progress: &mut Progress,
    ) -> Result<Phase, ToolError> {
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
