//! One run in the background, as those see it who wait for it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use crate::answer::amount;
use crate::process::{Captured, Controls, Tick};
use crate::profile::{Interim, Profile};
use crate::recording::{Event, RecordError};
use crate::verify::{Progress, SoFar};

/// What a run is doing; `T` is what it makes.
#[derive(Debug, Clone)]
pub(in crate::server) enum Phase<T = Arc<Profile>> {
    /// Another run has to end first: runs disturb each other's measurements.
    Queued,
    /// Finding Python, setting Scalene up; the step in words.
    Preparing(String),
    /// The calls of a function are timed.
    Timing,
    /// The program runs; with what is known of it so far.
    Running(Option<Tick>, Option<Arc<Interim>>),
    /// The profile is being read.
    Reading,
    /// The program runs once more, to this end.
    Again(&'static str),
    /// Two versions run in turns; with what is known so far.
    Comparing(SoFar),
    /// It is over.
    Done(Result<T, Arc<RecordError>>),
    /// The task that ran it died; a bug.
    Lost,
}

impl<T: Clone> Phase<T> {
    /// What comes after this phase of a profiled run.
    pub(super) fn next(&self, event: Event) -> Self {
        let seen = match self {
            Self::Running(_, seen) => seen.clone(),
            _ => None,
        };
        match event {
            Event::SettingUp(step) => Self::Preparing(step),
            Event::Timing => Self::Timing,
            Event::Starting => Self::Running(None, None),
            Event::Running(tick) => Self::Running(Some(tick), seen),
            Event::Seen(interim) => {
                let tick = if let Self::Running(tick, _) = self { *tick } else { None };
                Self::Running(tick, Some(Arc::new(interim)))
            }
            Event::Reading => Self::Reading,
            Event::Counting => Self::Again("counting calls"),
            Event::Plain => Self::Again("timing it without a profiler"),
            // The job counts them.
            Event::Repeat { .. } => self.clone(),
        }
    }

    /// The phase that a verification tells of.
    pub(super) fn of(progress: Progress) -> Self {
        match progress {
            Progress::Step(step) => Self::Preparing(step),
            Progress::Pairs(so_far) => Self::Comparing(so_far),
        }
    }

    pub(in crate::server) fn describe(&self) -> String {
        match self {
            Self::Queued => "waiting for another run to end".to_owned(),
            Self::Preparing(step) => step.clone(),
            Self::Timing => "timing the calls, without a profiler".to_owned(),
            Self::Running(None, _) => "starting".to_owned(),
            Self::Running(Some(tick), _) => {
                format!("running for {} s", amount(tick.elapsed.as_secs_f64()))
            }
            Self::Reading => "reading the profile".to_owned(),
            Self::Again(why) => format!("{why} in one more run"),
            Self::Comparing(so_far) => format!(
                "{} pairs of runs in {} of {} s",
                so_far.pairs,
                amount(so_far.elapsed),
                amount(so_far.budget)
            ),
            Self::Done(_) | Self::Lost => "finished".to_owned(),
        }
    }

    pub(in crate::server) fn is_over(&self) -> bool {
        matches!(self, Self::Done(_) | Self::Lost)
    }
}

/// One run; `T` is what it makes.
#[derive(Debug)]
pub(in crate::server) struct Job<T = Arc<Profile>> {
    pub(in crate::server) id: String,
    pub(in crate::server) label: String,
    /// In the order of their starts.
    pub(super) number: u64,
    pub(super) controls: Controls,
    pub(super) phase: watch::Receiver<Phase<T>>,
    /// Which of several runs it is at, and how many there are; 0 where there is one.
    pub(super) repeat: [AtomicUsize; 2],
}

impl<T: Clone> Job<T> {
    pub(in crate::server) fn phase(&self) -> Phase<T> {
        self.phase.borrow().clone()
    }

    /// Its phases, from now on.
    pub(in crate::server) fn phases(&self) -> watch::Receiver<Phase<T>> {
        self.phase.clone()
    }

    /// What its program has written to stdout and stderr until now; `None` while no program of the run is running.
    pub(in crate::server) fn written(&self) -> Option<[Captured; 2]> {
        match self.phase() {
            // What is written before is the installer's.
            Phase::Timing | Phase::Running(..) | Phase::Again(_) => {
                self.controls.written.captured()
            }
            _ => None,
        }
    }

    pub(super) fn count(&self, event: &Event) {
        if let Event::Repeat { number, of } = event {
            let [at, all] = &self.repeat;
            all.store(*of, Ordering::Relaxed);
            at.store(*number, Ordering::Relaxed);
        }
    }

    /// What it is doing, with the number of the run where there are several.
    pub(in crate::server) fn nth(&self, doing: &str) -> String {
        let [at, all] = self.repeat.each_ref().map(|number| number.load(Ordering::Relaxed));
        if at > 0 && !matches!(self.phase(), Phase::Queued) {
            format!("run {at} of {all}: {doing}")
        } else {
            doing.to_owned()
        }
    }

    /// Ends it: nobody waits for it any more.
    pub(in crate::server) fn cancel(&self) {
        self.controls.cancel.cancel();
    }

    /// Ends a verification with what it knows; one that waits for its turn knows nothing.
    pub(in crate::server) fn end_early(&self) {
        match self.phase() {
            Phase::Queued => self.cancel(),
            _ => self.controls.stop.cancel(),
        }
    }

    /// Ends its program and keeps what was measured; a run whose program has not begun has nothing to keep.
    pub(in crate::server) fn stop(&self) {
        match self.phase() {
            Phase::Queued | Phase::Preparing(_) => self.cancel(),
            _ => self.controls.stop.cancel(),
        }
    }
}
