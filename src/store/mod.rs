//! Profiles in memory, by id, bounded in number and size.
//!
//! The lock is a plain mutex: it is held for look-ups only, never across an await.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::profile::{Profile, ProfileId};

/// Name of the newest profile.
const LATEST: &str = "latest";
/// Name of the one before it.
const PREVIOUS: &str = "previous";
/// Known ids listed in an error.
const SUGGESTIONS: usize = 5;

/// Ids of dropped profiles that are remembered, to say what became of them.
const REMEMBERED: usize = 1_000;

/// How much is kept; the least recently used profile goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most profiles.
    pub profiles: usize,
    /// Most bytes, as [`Profile::approximate_bytes`] counts them. One profile is always kept.
    pub bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { profiles: 50, bytes: 128 << 20 }
    }
}

impl std::fmt::Display for Bounds {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "at most {} profiles and {} MiB are kept", self.profiles, self.bytes >> 20)
    }
}

/// No profile answers to a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LookupError {
    /// Nothing is stored at all.
    #[error("no profile is stored yet, so there is no `{0}`")]
    NothingStored(String),
    /// No id begins like this.
    #[error("profile `{wanted}` not found (known: {known})", known = known.join(", "))]
    Unknown {
        /// What was asked for.
        wanted: String,
        /// Up to five known ids, newest first.
        known: Vec<String>,
    },
    /// It was stored, and others needed its room.
    #[error(
        "profile `{wanted}` is no longer stored: {bounds}, and the least recently used go first"
    )]
    Dropped {
        /// What was asked for.
        wanted: String,
        /// How much is kept.
        bounds: Bounds,
    },
    /// Several ids begin like this.
    #[error("`{wanted}` is the beginning of several profiles: {}", matches.join(", "))]
    Ambiguous {
        /// What was asked for.
        wanted: String,
        /// Up to five of them.
        matches: Vec<String>,
    },
}

#[derive(Debug)]
struct Entry {
    profile: Arc<Profile>,
    bytes: usize,
    inserted: u64,
    used: u64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<String, Entry>,
    /// Oldest first.
    dropped: VecDeque<String>,
    /// Counts inserts and look-ups: a clock that never stands still.
    clock: u64,
}

/// The store. Cheap to share behind an [`Arc`].
#[derive(Debug, Default)]
pub struct Store {
    bounds: Bounds,
    inner: Mutex<Inner>,
}

impl Store {
    /// An empty store.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether an id is taken.
    pub fn contains(&self, id: &str) -> bool {
        self.lock().entries.contains_key(id)
    }

    /// Keeps a profile and drops the least recently used ones that are too many.
    pub fn insert(&self, profile: Profile) -> Arc<Profile> {
        let profile = Arc::new(profile);
        let mut inner = self.lock();
        inner.clock += 1;
        let now = inner.clock;
        let entry = Entry {
            bytes: profile.approximate_bytes(),
            profile: Arc::clone(&profile),
            inserted: now,
            used: now,
        };
        inner.entries.insert(profile.id.to_string(), entry);
        inner.shrink(self.bounds, profile.id.as_str());
        profile
    }

    /// Puts a profile in the place of the one with its id, which stays where it is in the order;
    /// nothing where that one is gone.
    pub fn replace(&self, profile: Profile) -> Arc<Profile> {
        let profile = Arc::new(profile);
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.get_mut(profile.id.as_str()) {
            entry.bytes = profile.approximate_bytes();
            entry.profile = Arc::clone(&profile);
            inner.shrink(self.bounds, profile.id.as_str());
        }
        profile
    }

    /// The profile that an id, a unique beginning of one, `latest` or `previous` names.
    ///
    /// # Errors
    /// [`LookupError`] with the ids that are known.
    pub fn get(&self, wanted: &str) -> Result<Arc<Profile>, LookupError> {
        let mut inner = self.lock();
        let id = inner.resolve(wanted.trim()).map_err(|error| {
            let gone = inner.dropped.iter().any(|id| id == wanted.trim());
            let wanted = wanted.to_owned();
            if gone { LookupError::Dropped { wanted, bounds: self.bounds } } else { error }
        })?;
        inner.clock += 1;
        let now = inner.clock;
        let unknown = || LookupError::Unknown { wanted: wanted.to_owned(), known: Vec::new() };
        let entry = inner.entries.get_mut(&id).ok_or_else(unknown)?;
        entry.used = now;
        Ok(Arc::clone(&entry.profile))
    }

    /// All profiles, newest first.
    pub fn list(&self) -> Vec<Arc<Profile>> {
        self.lock().newest_first().into_iter().map(|entry| Arc::clone(&entry.profile)).collect()
    }

    /// Draws an id that no profile has and `taken` does not know.
    pub fn draw_id(&self, taken: impl Fn(&str) -> bool) -> ProfileId {
        ProfileId::draw(|id| self.contains(id) || taken(id))
    }
}

impl Inner {
    fn newest_first(&self) -> Vec<&Entry> {
        let mut entries: Vec<_> = self.entries.values().collect();
        entries.sort_by_key(|entry| std::cmp::Reverse(entry.inserted));
        entries
    }

    fn resolve(&self, wanted: &str) -> Result<String, LookupError> {
        if self.entries.contains_key(wanted) {
            return Ok(wanted.to_owned());
        }
        let ids: Vec<String> =
            self.newest_first().into_iter().map(|entry| entry.profile.id.to_string()).collect();
        if ids.is_empty() {
            return Err(LookupError::NothingStored(wanted.to_owned()));
        }
        let unknown = || LookupError::Unknown {
            wanted: wanted.to_owned(),
            known: ids.iter().take(SUGGESTIONS).cloned().collect(),
        };
        match wanted {
            LATEST => ids.first().cloned().ok_or_else(unknown),
            PREVIOUS => ids.get(1).cloned().ok_or_else(unknown),
            "" => Err(unknown()),
            prefix => {
                let matches: Vec<_> =
                    ids.iter().filter(|id| id.starts_with(prefix)).cloned().collect();
                match matches.as_slice() {
                    [] => Err(unknown()),
                    [one] => Ok(one.clone()),
                    several => Err(LookupError::Ambiguous {
                        wanted: prefix.to_owned(),
                        matches: several.iter().take(SUGGESTIONS).cloned().collect(),
                    }),
                }
            }
        }
    }

    fn shrink(&mut self, bounds: Bounds, keep: &str) {
        loop {
            let bytes: usize = self.entries.values().map(|entry| entry.bytes).sum();
            if self.entries.len() <= bounds.profiles.max(1) && bytes <= bounds.bytes {
                return;
            }
            let oldest = self
                .entries
                .iter()
                .filter(|(id, _)| *id != keep)
                .min_by_key(|(_, entry)| entry.used)
                .map(|(id, _)| id.clone());
            let Some(oldest) = oldest else { return };
            self.entries.remove(&oldest);
            self.dropped.push_back(oldest);
            if self.dropped.len() > REMEMBERED {
                self.dropped.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests;
