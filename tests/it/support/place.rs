//! Directories and files that tests work in.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A directory of a test's own, removed at its end.
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::Builder::new().prefix("smt-").tempdir().unwrap() }
    }

    /// Its path, symlinks resolved.
    pub(crate) fn path(&self) -> PathBuf {
        self.dir.path().canonicalize().unwrap()
    }

    /// Writes a file below it, with the folders on the way.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }
}

/// A program of `fixtures/programs`.
pub(crate) fn program(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/programs").join(name)
}

/// Python source that keeps a function busy for `seconds` of CPU time: the same work on a machine that is busy with
/// other things.
pub(crate) fn busy(seconds: f64) -> String {
    format!(
        "import time\ndef busy(until):\n    n = 0\n    while time.process_time() < until:\n        \
         n += sum(range(1000))\n    return n\nbusy(time.process_time() + {seconds})\n"
    )
}

/// A process that a test started, which ends with it, whatever comes of that.
pub(crate) struct Started(pub(crate) std::process::Child);

impl Started {
    pub(crate) fn new(command: &mut std::process::Command) -> Self {
        Self(command.spawn().unwrap())
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
