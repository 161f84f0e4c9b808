//! Profiles by id, bounded in number and size: in memory, and in a folder where one was named.
//!
//! With a folder, memory holds what was used last; the folder has all of it, and that of other servers. The lock
//! is a plain mutex: it is held for look-ups in memory only, never across an await or a file.

mod changes;
mod disk;
mod document;
mod summary;

use std::collections::{HashMap, VecDeque};
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

pub use self::changes::Change;
use self::changes::Changes;
use self::disk::Disk;
pub use self::summary::Summary;
use crate::profile::{Profile, ProfileId};

/// Name of the newest profile.
const LATEST: &str = "latest";
/// Name of the one before it.
const PREVIOUS: &str = "previous";
/// Known ids listed in an error.
const SUGGESTIONS: usize = 5;

/// Characters of an id in a store that others may share.
const SHORTEST_SHARED: usize = 8;

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
    /// It is in the folder and cannot be read.
    #[error("profile `{wanted}` cannot be read from `{file}`: {why}")]
    Unreadable {
        /// What was asked for.
        wanted: String,
        /// Where it should be.
        file: String,
        /// Why not.
        why: String,
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
    /// When it was stored, in milliseconds since 1970; no two the same.
    saved: u64,
    /// It came from this process, not only through the folder.
    own: bool,
    used: u64,
}

#[derive(Debug, Default)]
struct Inner {
    entries: HashMap<String, Entry>,
    /// Oldest first.
    dropped: VecDeque<String>,
    /// Ids that this process stored and that may be in the folder only; oldest first.
    own: VecDeque<String>,
    /// Counts look-ups: a clock that never stands still.
    clock: u64,
    /// When the last one was stored.
    saved: u64,
}

/// The store. Cheap to share behind an [`Arc`].
#[derive(Debug, Default)]
pub struct Store {
    bounds: Bounds,
    inner: Mutex<Inner>,
    disk: Option<Disk>,
    changes: Changes,
}

impl Store {
    /// An empty store in memory.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, ..Self::default() }
    }

    /// A store that keeps its profiles in a folder as well, with those that are there already. The
    /// folder is made where there is none. Several processes may use it at the same time.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub fn open(dir: &Path, bounds: Bounds) -> io::Result<Self> {
        Ok(Self { bounds, disk: Some(Disk::open(dir)?), ..Self::default() })
    }

    /// The folder, where there is one.
    pub fn dir(&self) -> Option<&Path> {
        self.disk.as_ref().map(Disk::dir)
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What changes from now on, by this process; other processes on the same folder are not heard of.
    pub fn changes(&self) -> tokio::sync::broadcast::Receiver<Change> {
        self.changes.listen()
    }

    /// Whether an id is taken.
    pub fn contains(&self, id: &str) -> bool {
        self.is_in_memory(id) || self.disk.as_ref().is_some_and(|disk| disk.has(id))
    }

    /// Whether a profile can be had without reading a file.
    pub fn is_in_memory(&self, id: &str) -> bool {
        self.lock().entries.contains_key(id)
    }

    /// Keeps a profile and drops the least recently used ones that are too many. One that cannot be written
    /// to the folder is kept in memory, with a warning of its own.
    pub fn insert(&self, mut profile: Profile) -> Arc<Profile> {
        let saved = self.lock().next_moment();
        if let Some(disk) = &self.disk
            && let Err(why) = disk.insert(&Summary::of(&profile, saved), &profile)
        {
            let dir = disk.dir().display();
            profile.run.warnings.push(format!(
                "this profile was not written to the store `{dir}` ({why}): it is gone when the server ends"
            ));
        }
        let profile = Arc::new(profile);
        let mut inner = self.lock();
        inner.own.push_back(profile.id.to_string());
        if inner.own.len() > REMEMBERED {
            inner.own.pop_front();
        }
        inner.put(&profile, saved, true, self.bounds);
        drop(inner);
        self.changes.tell(Change::Added(profile.id.clone()));
        profile
    }

    /// Puts a profile in the place of the one with its id, which stays where it is in the order;
    /// nothing where that one is gone.
    pub fn replace(&self, mut profile: Profile) -> Arc<Profile> {
        let saved = self.lock().entries.get(profile.id.as_str()).map(|entry| entry.saved);
        if let (Some(disk), Some(saved)) = (&self.disk, saved)
            && let Err(why) = disk.replace(&Summary::of(&profile, saved), &profile)
        {
            let dir = disk.dir().display();
            profile.run.warnings.push(format!("what was added is not in the store `{dir}`: {why}"));
        }
        let profile = Arc::new(profile);
        let mut inner = self.lock();
        if let Some(entry) = inner.entries.get_mut(profile.id.as_str()) {
            entry.bytes = profile.approximate_bytes();
            entry.profile = Arc::clone(&profile);
            inner.shrink(self.bounds, profile.id.as_str());
            self.changes.tell(Change::Altered(profile.id.clone()));
        }
        profile
    }

    /// The profile that an id, a unique beginning of one, `latest` or `previous` names. `latest` is the newest
    /// of this process; of the folder's, where this process has stored none.
    ///
    /// # Errors
    /// [`LookupError`] with the ids that are known.
    pub fn get(&self, wanted: &str) -> Result<Arc<Profile>, LookupError> {
        let name = wanted.trim();
        if let Some(profile) = self.lock().used(name) {
            return Ok(profile);
        }
        let id = resolve(name, &self.ids()).map_err(|error| {
            let gone = self.lock().dropped.iter().any(|id| id == name);
            let wanted = wanted.to_owned();
            if gone { LookupError::Dropped { wanted, bounds: self.bounds } } else { error }
        })?;
        if let Some(profile) = self.lock().used(&id) {
            return Ok(profile);
        }
        let unknown = || LookupError::Unknown { wanted: wanted.to_owned(), known: Vec::new() };
        let disk = self.disk.as_ref().ok_or_else(unknown)?;
        let (summary, profile) =
            disk.read(&id).ok_or_else(unknown)?.map_err(|why| LookupError::Unreadable {
                wanted: wanted.to_owned(),
                file: disk.path(&id).display().to_string(),
                why: why.to_string(),
            })?;
        let profile = Arc::new(profile);
        let mut inner = self.lock();
        let own = inner.own.contains(&id);
        inner.put(&profile, summary.saved_at_ms, own, self.bounds);
        Ok(profile)
    }

    /// The id of the profile that a name means, as [`Store::get`] takes names.
    ///
    /// # Errors
    /// [`LookupError`] with the ids that are known.
    pub fn id_of(&self, wanted: &str) -> Result<String, LookupError> {
        resolve(wanted.trim(), &self.ids())
    }

    /// All profiles in brief, newest first, and what could not be read of the folder, in words.
    pub fn list(&self) -> (Vec<Summary>, Vec<String>) {
        let (stored, unreadable) = self.disk.as_ref().map(Disk::list).unwrap_or_default();
        let inner = self.lock();
        let in_memory =
            inner.entries.values().map(|entry| Summary::of(&entry.profile, entry.saved));
        let mut all: Vec<Summary> = in_memory.collect();
        all.extend(stored.into_iter().filter(|one| !inner.entries.contains_key(one.id.as_str())));
        all.sort_by(|a, b| (b.saved_at_ms, &b.id).cmp(&(a.saved_at_ms, &a.id)));
        (all, unreadable)
    }

    /// All ids: those of this process first, each newest first.
    fn ids(&self) -> Vec<String> {
        let all = self.list().0.into_iter().map(|summary| summary.id.to_string());
        let inner = self.lock();
        let is_own = |id: &String| {
            inner.entries.get(id).is_some_and(|entry| entry.own) || inner.own.contains(id)
        };
        let (own, others): (Vec<_>, Vec<_>) = all.partition(is_own);
        own.into_iter().chain(others).collect()
    }

    /// Draws an id that no profile has and `taken` does not know.
    pub fn draw_id(&self, taken: impl Fn(&str) -> bool) -> ProfileId {
        // Another process may draw at the same moment: a longer id makes that meeting rare.
        let shortest = if self.disk.is_some() { SHORTEST_SHARED } else { 0 };
        ProfileId::draw(|id| id.len() < shortest || self.contains(id) || taken(id))
    }
}

impl Inner {
    /// The moment of storing, later than all before it.
    fn next_moment(&mut self) -> u64 {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        self.saved = now.max(self.saved + 1);
        self.saved
    }

    /// A profile in memory, which counts as used now.
    fn used(&mut self, id: &str) -> Option<Arc<Profile>> {
        self.clock += 1;
        let now = self.clock;
        let entry = self.entries.get_mut(id)?;
        entry.used = now;
        Some(Arc::clone(&entry.profile))
    }

    fn put(&mut self, profile: &Arc<Profile>, saved: u64, own: bool, bounds: Bounds) {
        self.clock += 1;
        let bytes = profile.approximate_bytes();
        let entry = Entry { profile: Arc::clone(profile), bytes, saved, own, used: self.clock };
        self.entries.insert(profile.id.to_string(), entry);
        self.shrink(bounds, profile.id.as_str());
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

/// The id that a name means, of ids in the order in which `latest` counts.
fn resolve(wanted: &str, ids: &[String]) -> Result<String, LookupError> {
    if ids.is_empty() {
        return Err(LookupError::NothingStored(wanted.to_owned()));
    }
    if ids.iter().any(|id| id == wanted) {
        return Ok(wanted.to_owned());
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
            let matches: Vec<_> = ids.iter().filter(|id| id.starts_with(prefix)).cloned().collect();
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

#[cfg(test)]
mod tests;
