//! What the caller asked for, and the surroundings that the answer may depend on.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// Which interpreter is wanted, and for a program in which place.
#[derive(Debug, Clone)]
pub struct Request {
    /// The call's `python` parameter: a path to an interpreter or an environment folder,
    /// a command name, or a version such as `3.12`. Blank counts as absent.
    pub explicit: Option<String>,
    /// The server's own setting of the same form, with its name for messages.
    pub configured: Option<(String, &'static str)>,
    /// The folder of the program.
    pub near: PathBuf,
    /// The program's working directory; relative paths above are meant from here.
    pub cwd: PathBuf,
    /// Several environment folders that fit equally well are an error that names them.
    pub choose: bool,
}

/// A snapshot of everything outside the request that discovery reads.
#[derive(Debug, Clone)]
pub struct Env {
    vars: HashMap<OsString, OsString>,
    home: Option<PathBuf>,
    root: PathBuf,
}

impl Env {
    /// The environment of this process.
    pub fn current() -> Self {
        let home = etcetera::home_dir().ok();
        Self { vars: std::env::vars_os().collect(), home, root: PathBuf::from("/") }
    }

    /// An environment made up for a test: `root` stands for the top of the file system.
    pub fn new(
        vars: impl IntoIterator<Item = (OsString, OsString)>,
        home: Option<PathBuf>,
        root: PathBuf,
    ) -> Self {
        Self { vars: vars.into_iter().collect(), home, root }
    }

    /// A variable; an empty one counts as unset.
    pub fn get(&self, name: &str) -> Option<&OsStr> {
        self.vars.get(OsStr::new(name)).map(OsString::as_os_str).filter(|value| !value.is_empty())
    }

    /// A variable that holds a path.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// The user's home directory.
    pub fn home(&self) -> Option<&Path> {
        self.home.as_deref()
    }

    /// A path below the home directory.
    pub(super) fn in_home(&self, below: &str) -> Option<PathBuf> {
        self.home.as_ref().map(|home| home.join(below))
    }

    /// A path below the top of the file system, given without its leading slash.
    pub(super) fn in_root(&self, below: &str) -> PathBuf {
        self.root.join(below)
    }

    /// The absolute folders of PATH, in order, each once. Relative ones depend on where the server
    /// was started, which has nothing to do with the program.
    pub(super) fn search_path(&self) -> Vec<PathBuf> {
        let value = self.get("PATH").unwrap_or_default();
        let mut dirs: Vec<PathBuf> = Vec::new();
        for dir in std::env::split_paths(value).filter(|dir| dir.is_absolute()) {
            if !dirs.contains(&dir) {
                dirs.push(dir);
            }
        }
        dirs
    }
}
