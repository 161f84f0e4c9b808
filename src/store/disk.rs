//! Profiles in a folder, one file each, shared by any number of servers.
//!
//! A file is written beside its place, brought to the disk, and moved there in one step: a reader sees all of it or
//! nothing, and who is killed in the middle leaves a file that the next one removes. No file is written
//! twice but by [`Disk::replace`], so that there is nothing to lock.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use super::document::{self, Unreadable};
use super::summary::Summary;
use crate::profile::{Profile, ProfileId};

/// Ending of a stored profile's file; before it stands the id.
const ENDING: &str = ".profile";
/// How the name of a file begins that is being written.
const UNFINISHED: &str = ".new-";
/// Age from which such a file has been given up.
const GIVEN_UP: Duration = Duration::from_secs(600);

/// How much a folder keeps; the oldest go first.
const MOST_FILES: usize = 1_000;
const MOST_BYTES: u64 = 2 << 30;

/// A folder of profiles.
#[derive(Debug)]
pub(super) struct Disk {
    dir: PathBuf,
    /// What first lines say, by id, as long as the file is the same.
    known: Mutex<HashMap<String, Known>>,
}

#[derive(Debug, Clone)]
struct Known {
    stamp: (Option<SystemTime>, u64),
    /// Why not, in words, where it cannot be read.
    summary: Result<Summary, String>,
}

impl Disk {
    /// Opens a folder, made where there is none; only its owner may look into it.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(dir)?;
        let dir = dir.canonicalize()?;
        // A folder that cannot be written is better refused now than at the end of a long run.
        tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&dir)?;
        let disk = Self { dir, known: Mutex::default() };
        disk.remove_unfinished();
        Ok(disk)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the profile with an id is, or would be.
    pub(super) fn path(&self, id: &str) -> PathBuf {
        self.dir.join(format!("{id}{ENDING}"))
    }

    /// Whether there is a file for an id, readable or not.
    pub(super) fn has(&self, id: &str) -> bool {
        self.path(id).exists()
    }

    /// Stores a new profile. Never in the place of another one.
    pub(super) fn insert(&self, summary: &Summary, profile: &Profile) -> io::Result<()> {
        let file = self.write(summary, profile)?;
        file.persist_noclobber(self.path(profile.id.as_str())).map_err(|refused| refused.error)?;
        self.settle();
        self.remove_unfinished();
        self.shrink(profile.id.as_str());
        Ok(())
    }

    /// Stores a profile in the place of the one with its id; not where that one is gone.
    pub(super) fn replace(&self, summary: &Summary, profile: &Profile) -> io::Result<()> {
        let place = self.path(profile.id.as_str());
        if place.exists() {
            self.write(summary, profile)?.persist(place).map_err(|refused| refused.error)?;
            self.settle();
        }
        Ok(())
    }

    fn write(&self, summary: &Summary, profile: &Profile) -> io::Result<tempfile::NamedTempFile> {
        let mut file = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(&self.dir)?;
        document::write(BufWriter::new(file.as_file_mut()), summary, profile)?;
        file.as_file().sync_all()?;
        Ok(file)
    }

    /// The new name is on the disk, too, where folders can be brought there.
    fn settle(&self) {
        #[cfg(unix)]
        if let Err(why) = File::open(&self.dir).and_then(|dir| dir.sync_all()) {
            tracing::debug!(%why, "the store's folder was not synced");
        }
    }

    /// Reads a profile; `None` where there is no file.
    pub(super) fn read(&self, id: &str) -> Option<Result<(Summary, Profile), Unreadable>> {
        // What is no id names no file.
        ProfileId::try_from(id.to_owned()).ok()?;
        match File::open(self.path(id)) {
            Ok(file) => {
                Some(document::read(BufReader::new(file)).and_then(|(summary, profile)| {
                    if summary.id.as_str() == id {
                        Ok((summary, profile))
                    } else {
                        Err(Unreadable::Damaged(format!("it holds profile {}", summary.id)))
                    }
                }))
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => None,
            Err(why) => Some(Err(why.into())),
        }
    }

    /// All that is there, newest first, and what could not be read, in words.
    pub(super) fn list(&self) -> (Vec<Summary>, Vec<String>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let mut now = HashMap::new();
        for (id, file) in self.files() {
            let stamp = (file.modified().ok(), file.len());
            let entry = known.remove(&id).filter(|entry| entry.stamp == stamp);
            let entry = entry.unwrap_or_else(|| Known { stamp, summary: self.summary(&id) });
            now.insert(id, entry);
        }
        known.clone_from(&now);
        drop(known);
        let (mut found, mut unreadable) = (Vec::new(), Vec::new());
        for (id, entry) in now {
            match entry.summary {
                Ok(summary) => found.push(summary),
                Err(why) => unreadable.push(format!("stored profile `{id}` is left out: {why}")),
            }
        }
        found.sort_by(|a, b| (b.saved_at_ms, &b.id).cmp(&(a.saved_at_ms, &a.id)));
        unreadable.sort();
        (found, unreadable)
    }

    fn summary(&self, id: &str) -> Result<Summary, String> {
        let opened = File::open(self.path(id)).map_err(Unreadable::from);
        let read = opened.and_then(|file| document::read_summary(&mut BufReader::new(file)));
        match read {
            Ok(summary) if summary.id.as_str() == id => Ok(summary),
            Ok(summary) => Err(format!("it holds profile {}", summary.id)),
            Err(why) => Err(why.to_string()),
        }
    }

    /// Ids and what the system knows of their files.
    fn files(&self) -> Vec<(String, fs::Metadata)> {
        let Ok(entries) = fs::read_dir(&self.dir) else { return Vec::new() };
        let file = |entry: fs::DirEntry| {
            let name = entry.file_name().into_string().ok()?;
            let id = name.strip_suffix(ENDING)?;
            ProfileId::try_from(id.to_owned()).ok()?;
            let metadata = entry.metadata().ok().filter(fs::Metadata::is_file)?;
            Some((id.to_owned(), metadata))
        };
        entries.flatten().filter_map(file).collect()
    }

    /// Removes the oldest files beyond what is kept.
    fn shrink(&self, keep: &str) {
        let mut files = self.files();
        files.sort_by_key(|(_, file)| file.modified().ok());
        let mut bytes: u64 = files.iter().map(|(_, file)| file.len()).sum();
        let mut count = files.len();
        for (id, file) in files.iter().filter(|(id, _)| id != keep) {
            if count <= MOST_FILES && bytes <= MOST_BYTES {
                return;
            }
            if fs::remove_file(self.path(id)).is_ok() {
                (count, bytes) = (count - 1, bytes - file.len());
            }
        }
    }

    fn remove_unfinished(&self) {
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let age = entry.metadata().ok().and_then(|file| file.modified().ok()?.elapsed().ok());
            if unfinished && age.is_some_and(|age| age > GIVEN_UP) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }
}
