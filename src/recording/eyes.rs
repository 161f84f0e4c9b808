//! When the stacks of a run are looked at: all of the time, or while the part of it lasts that is profiled.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::process::Tick;
use crate::sampler::{Look, Sampler};

/// The sampler of a run, which looks only while a part of the run is profiled.
pub(super) struct Eyes {
    look: Look,
    shut: AtomicBool,
    pid: AtomicU32,
    sampler: Mutex<Option<Sampler>>,
}

impl Eyes {
    /// `shut` until [`Eyes::open`].
    pub(super) fn new(look: Look, shut: bool) -> Self {
        Self {
            look,
            shut: AtomicBool::new(shut),
            pid: AtomicU32::new(0),
            sampler: Mutex::new(None),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Sampler>> {
        self.sampler.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A sign of life of the program; what is seen of it, if it is looked at.
    pub(super) fn at<T>(&self, tick: Tick, look: impl FnOnce(&Sampler) -> Option<T>) -> Option<T> {
        self.pid.store(tick.pid, Ordering::Relaxed);
        if self.shut.load(Ordering::Relaxed) {
            return None;
        }
        look(self.lock().get_or_insert_with(|| Sampler::look(tick.pid, self.look.clone())))
    }

    /// From now on it is looked at.
    pub(super) fn open(&self) {
        let pid = self.pid.load(Ordering::Relaxed);
        self.shut.store(false, Ordering::Relaxed);
        if pid > 0 {
            self.lock().get_or_insert_with(|| Sampler::look(pid, self.look.clone()));
        }
    }

    /// From now on it is not.
    pub(super) fn close(&self) {
        self.shut.store(true, Ordering::Relaxed);
        self.lock().iter_mut().for_each(Sampler::end);
    }

    /// The program, once it has given a sign of life.
    pub(super) fn pid(&self) -> Option<u32> {
        Some(self.pid.load(Ordering::Relaxed)).filter(|pid| *pid > 0)
    }

    /// What looked, if anything did.
    pub(super) fn into_sampler(self) -> Option<Sampler> {
        self.sampler.into_inner().unwrap_or_else(PoisonError::into_inner)
    }
}
