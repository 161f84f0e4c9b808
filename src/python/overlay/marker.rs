//! The note inside a complete overlay that says what it was made of and for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};

use super::error::OverlayError;
use crate::python::Interpreter;

/// Its name. Written last, so that a folder without it is not complete.
const FILE: &str = "scalene-mcp-overlay.json";
/// What follows an overlay's name while it is being built.
pub(super) const BUILDING: &str = "building-";
/// Raised when overlays are built in another way, so that old ones are built again.
const FORMAT: u32 = 1;

/// What an overlay was made of.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Marker {
    pub(super) format: u32,
    pub(super) requirement: String,
    pub(super) base: Identity,
    /// Normalised names of everything installed in the overlay.
    pub(super) packages: Vec<String>,
    /// Those that the project has too, with its versions: they go before the overlay's.
    pub(super) shadowed: BTreeMap<String, String>,
    /// For people who look into the folder: what installed it.
    pub(super) installer: String,
}

/// The interpreter that an overlay belongs to, as far as a change would break it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Identity {
    /// The real file of the interpreter; replaced by an update in place.
    file: PathBuf,
    size: u64,
    modified_nanos: u128,
    version: String,
    prefix: PathBuf,
    site_packages: Vec<PathBuf>,
}

impl Identity {
    /// `None` when the interpreter's file is gone.
    pub(super) fn of(base: &Interpreter) -> Option<Self> {
        let file = base.base_executable.canonicalize().ok()?;
        let meta = file.metadata().ok()?;
        let modified = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(Self {
            file,
            size: meta.len(),
            modified_nanos: modified.as_nanos(),
            version: base.version.full.clone(),
            prefix: base.prefix.clone(),
            site_packages: base.site_packages.clone(),
        })
    }
}

impl Marker {
    pub(super) fn new(
        requirement: &str,
        base: Identity,
        packages: Vec<String>,
        shadowed: BTreeMap<String, String>,
        installer: String,
    ) -> Self {
        let requirement = requirement.to_owned();
        Self { format: FORMAT, requirement, base, packages, shadowed, installer }
    }

    /// The marker of a complete overlay in today's format.
    pub(super) fn read(dir: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(dir.join(FILE)).ok()?;
        serde_json::from_str(&text).ok().filter(|marker: &Self| marker.format == FORMAT)
    }

    /// Replaces the file in one step: another process may be reading it.
    pub(super) fn write(&self, dir: &Path) -> Result<(), OverlayError> {
        let path = dir.join(FILE);
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(dir)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.persist(&path)?;
            Ok(())
        };
        write().map_err(|source| OverlayError::cache(&path, source))
    }
}

/// Removes what killed builds left, of this overlay and of others: folders of a build
/// whose lock nobody holds, or that the caller holds.
pub(super) fn remove_leftovers(overlays: &Path, held: &Path) {
    for dir in folders(overlays) {
        let name = dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let Some((overlay, _)) = name.split_once(&format!(".{BUILDING}")) else { continue };
        let overlay = dir.with_file_name(overlay);
        if overlay == held || !super::lock::is_held(&super::sibling(&overlay, "lock")) {
            // A failure leaves it for the next time.
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}

fn folders(overlays: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(overlays).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
}

/// Removes overlays whose interpreter or environment is gone: each holds some 80 MB.
pub(super) fn prune(overlays: &Path, keep: &Path) {
    for dir in folders(overlays) {
        let gone = |base: &Identity| !base.file.exists() || !base.prefix.exists();
        if dir != keep && Marker::read(&dir).is_some_and(|marker| gone(&marker.base)) {
            // A failure leaves it for the next time.
            let _ = std::fs::remove_dir_all(&dir);
        }
    }
}
