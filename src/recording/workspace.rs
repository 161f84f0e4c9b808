//! The private directory of a run, and everything in it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::error::RecordError;
use crate::process::Hold;
use crate::scalene::{BLOCKS, BLOCKS_MODULE, LAUNCHER, LaunchState, NO_BLOCKS};

/// Name under which a snippet appears in answers.
pub(super) const SNIPPET: &str = "<snippet>";
/// Longest system temporary directory that is used: sockets of multiprocessing live below
/// it, and their paths end at about 100 bytes.
const LONGEST_TMP: usize = 32;

/// Largest state that is read.
const MAX_STATE_BYTES: u64 = 16 << 20;
/// Where the paths begin of what Scalene's allocator leaves outside the private directory when its process is
/// killed: files named after the process, one of them 256 MiB long.
pub(super) const PID_FILES: &str = "/tmp/scalene-";

/// A directory that holds all files of a run and goes with it.
///
/// What the program writes lies in two folders of it, `t` (its `TMPDIR`) and `o`, so that a confined
/// program can be kept from the rest: the launcher and its requests are used again.
#[derive(Debug)]
pub(super) struct Workspace {
    dir: TempDir,
    /// Removes it should we be killed. Goes after it.
    hold: Option<Hold>,
}

impl Workspace {
    pub(super) fn create() -> Result<Self, RecordError> {
        let base = base_dir();
        let failed = |source| RecordError::Workspace { dir: base.clone(), source };
        let dir = tempfile::Builder::new().prefix("scm-").tempdir_in(&base).map_err(failed)?;
        let workspace = Self { dir, hold: None };
        for folder in workspace.written() {
            std::fs::create_dir(folder).map_err(failed)?;
        }
        workspace.write("launch.py", LAUNCHER.as_bytes())?;
        let idle = workspace.idle_modules().join(BLOCKS_MODULE).with_extension("py");
        for (path, text) in [(workspace.blocks_module(), BLOCKS), (idle, NO_BLOCKS)] {
            std::fs::create_dir_all(path.parent().unwrap_or(&base)).map_err(failed)?;
            std::fs::write(path, text).map_err(failed)?;
        }
        Ok(workspace)
    }

    /// From now on it goes even when this process is killed.
    pub(super) fn hold(&mut self, hold: Hold) {
        self.hold = Some(hold);
    }

    /// The directory itself.
    pub(super) fn root(&self) -> PathBuf {
        self.dir.path().to_owned()
    }

    /// `TMPDIR` of the program.
    pub(super) fn tmp(&self) -> PathBuf {
        self.dir.path().join("t")
    }

    pub(super) fn launcher(&self) -> PathBuf {
        self.dir.path().join("launch.py")
    }

    /// The module that marks blocks, alone in its folder.
    pub(super) fn blocks_module(&self) -> PathBuf {
        self.dir.path().join("b").join(BLOCKS_MODULE).with_extension("py")
    }

    /// A folder with a module of that name that does nothing, for runs in which nothing is measured.
    pub(super) fn idle_modules(&self) -> PathBuf {
        self.dir.path().join("n")
    }

    pub(super) fn request(&self) -> PathBuf {
        self.dir.path().join("request.json")
    }

    pub(super) fn state(&self) -> PathBuf {
        self.output("state.json")
    }

    /// What the launcher makes when the program's own code begins.
    pub(super) fn begun(&self) -> PathBuf {
        let mut path = self.state().into_os_string();
        path.push(".begun");
        path.into()
    }

    pub(super) fn profile(&self) -> PathBuf {
        self.output("profile.json")
    }

    /// A file that the run writes, by its name.
    pub(super) fn output(&self, name: &str) -> PathBuf {
        self.dir.path().join("o").join(name)
    }

    /// The folders that the program writes to.
    pub(super) fn written(&self) -> [PathBuf; 2] {
        [self.tmp(), self.dir.path().join("o")]
    }

    /// A file or folder of the run by its name.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(super) fn snippet(&self) -> PathBuf {
        self.dir.path().join("snippet.py")
    }

    /// A folder of its own in it, made if need be.
    pub(super) fn folder(&self, name: &str) -> Result<PathBuf, RecordError> {
        let dir = self.dir.path().join(name);
        let failed = |source| RecordError::Workspace { dir: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(failed)?;
        Ok(dir)
    }

    /// Empties `TMPDIR`: what one run leaves there must not help the next.
    pub(super) fn renew_tmp(&self) -> Result<(), RecordError> {
        let dir = self.tmp();
        // What cannot be removed stays; the folder itself has to be there.
        let _ = std::fs::remove_dir_all(&dir);
        let failed = |source| RecordError::Workspace { dir: dir.clone(), source };
        std::fs::create_dir_all(&dir).map_err(failed)
    }

    /// A folder for the counting pass: the counter, its list, and a `TMPDIR` of its own.
    pub(super) fn counting(&self) -> Result<PathBuf, RecordError> {
        let dir = self.dir.path().join("c");
        let failed = |source| RecordError::Workspace { dir: dir.clone(), source };
        std::fs::create_dir_all(dir.join("t")).map_err(failed)?;
        Ok(dir)
    }

    pub(super) fn write(&self, name: &str, content: &[u8]) -> Result<(), RecordError> {
        let failed = |source| RecordError::Workspace { dir: self.dir.path().to_owned(), source };
        std::fs::write(self.dir.path().join(name), content).map_err(failed)
    }

    pub(super) fn write_request(&self, request: &impl serde::Serialize) -> Result<(), RecordError> {
        let failed = |source: serde_json::Error| RecordError::Workspace {
            dir: self.dir.path().to_owned(),
            source: source.into(),
        };
        let json = serde_json::to_vec(request).map_err(failed)?;
        self.write("request.json", &json)
    }

    /// What the launcher reported; nothing, if it reported nothing.
    pub(super) fn read_state(&self) -> LaunchState {
        read(&self.state(), MAX_STATE_BYTES)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }
}

/// A file that a program left, and its size. What is no file is not followed and not waited for: a
/// program may leave a link or a pipe in its place.
pub(super) fn regular(path: &Path) -> Option<(File, u64)> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK);
    }
    let file = options.open(path).ok()?;
    let found = file.metadata().ok()?;
    found.is_file().then_some((file, found.len()))
}

/// The bytes of a file that a caller named, links followed, unless there are more than `most`.
pub(super) fn read_linked(path: &Path, most: u64) -> Option<Vec<u8>> {
    read(&path.canonicalize().ok()?, most)
}

/// The bytes of a file that a program left, unless there are more than `most`.
pub(super) fn read(path: &Path, most: u64) -> Option<Vec<u8>> {
    let (file, size) = regular(path)?;
    let mut bytes = Vec::with_capacity(usize::try_from(size.min(most)).ok()?);
    file.take(most + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= most).then_some(bytes)
}

fn base_dir() -> PathBuf {
    let usual = std::env::temp_dir();
    if cfg!(unix) && usual.as_os_str().len() > LONGEST_TMP {
        return PathBuf::from("/tmp");
    }
    usual
}
