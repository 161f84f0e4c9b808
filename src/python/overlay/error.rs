//! Why a private environment could not be set up.

use std::path::{Path, PathBuf};

use super::step::Failure;
use crate::process::SpawnError;
use crate::python::PythonError;

/// Setting up an overlay failed. Nothing half-installed is left.
#[derive(Debug, thiserror::Error)]
pub enum OverlayError {
    /// The cache directory cannot be used.
    #[error("the cache folder `{path}` cannot be used ({source})", path = path.display())]
    Cache {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// `python -m venv` failed.
    #[error("`{executable} -m venv` failed: {said}", executable = executable.display())]
    CreateEnvironment {
        /// The interpreter.
        executable: PathBuf,
        /// The end of what it wrote.
        said: String,
    },
    /// Neither uv nor any pip is at hand.
    #[error("nothing can install `{requirement}` for `{executable}`: found neither uv nor a pip",
        executable = executable.display())]
    NoInstaller {
        /// The interpreter of the project.
        executable: PathBuf,
        /// What was to be installed.
        requirement: String,
    },
    /// The settings forbid it, or there is no build for this Python.
    #[error("{what} is not installed, and installing it is not allowed or not possible here")]
    NotAllowed {
        /// What was to be installed.
        what: String,
    },
    /// The package index cannot be reached.
    #[error("{installer} could not reach the package index to install `{requirement}`: {said}")]
    Network {
        /// Which program tried.
        installer: String,
        /// What was to be installed.
        requirement: String,
        /// The end of what it wrote.
        said: String,
    },
    /// The installer failed.
    #[error("{installer} could not install `{requirement}` for {python}: {said}")]
    Install {
        /// Which program tried.
        installer: String,
        /// What was to be installed.
        requirement: String,
        /// `Python 3.12.4 on linux x86_64`.
        python: String,
        /// The end of what it wrote.
        said: String,
    },
    /// A step did not end in time.
    #[error("{step} did not end within {seconds} s")]
    Timeout {
        /// What was running.
        step: String,
        /// The limit.
        seconds: u64,
    },
    /// Scalene cannot be imported together with the project's own packages.
    #[error("Scalene cannot work beside the project's own {packages}: {said}",
        packages = packages.join(", "))]
    Conflict {
        /// The interpreter of the project.
        executable: PathBuf,
        /// What was to be installed.
        requirement: String,
        /// The packages that took part, with versions where known.
        packages: Vec<String>,
        /// The exception.
        said: String,
    },
    /// Scalene was installed but cannot be imported, even without the project's packages.
    #[error("the installed `{requirement}` cannot be imported: {said}")]
    Import {
        /// What was installed.
        requirement: String,
        /// The exception.
        said: String,
    },
    /// It was built, and does not work where it now is.
    #[error("the private environment `{dir}` does not work", dir = dir.display())]
    Unusable {
        /// Its folder.
        dir: PathBuf,
    },
    /// A step could not be started.
    #[error("{step} could not be started ({error})")]
    Start {
        /// What was to run.
        step: String,
        /// Why it did not.
        #[source]
        error: SpawnError,
    },
    /// The new environment's python does not answer.
    #[error("the new private environment does not work ({0})")]
    Probe(#[source] PythonError),
    /// The call was cancelled.
    #[error("setting up Scalene was cancelled")]
    Cancelled,
}

impl OverlayError {
    pub(super) fn cache(path: &Path, source: std::io::Error) -> Self {
        Self::Cache { path: path.to_path_buf(), source }
    }

    pub(super) fn install(
        failure: Failure,
        installer: &str,
        requirement: &str,
        python: String,
    ) -> Self {
        let (installer, requirement) = (installer.to_owned(), requirement.to_owned());
        match failure {
            Failure::Network(said) => Self::Network { installer, requirement, said },
            Failure::NoSolution(said) | Failure::Other(said) => {
                Self::Install { installer, requirement, python, said }
            }
        }
    }

    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "scalene_conflict",
            Self::Cancelled => "cancelled",
            _ => "scalene_setup_failed",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Cache { .. } => {
                "make the folder writable, or set the cache directory to another one".to_owned()
            }
            Self::CreateEnvironment { .. } => {
                "install Python's `venv` module (on Debian and Ubuntu: `apt install python3-venv`) \
                 or pass another interpreter as `python`"
                    .to_owned()
            }
            Self::NoInstaller { executable, requirement } => format!(
                "install uv (https://docs.astral.sh/uv/) and call again, or put Scalene into the \
                 project: `{0} -m ensurepip` and `{0} -m pip install {requirement}`",
                executable.display()
            ),
            Self::Network { .. } => {
                "check the connection, proxy and index settings (`pip config list`), then call \
                 again; or pass as `python` an environment that has Scalene"
                    .to_owned()
            }
            Self::Install { requirement, .. } => format!(
                "where no ready-made package exists, Scalene is compiled and needs a C++ compiler; \
                 install one, or pass as `python` another interpreter or an environment in which \
                 `pip install {requirement}` worked"
            ),
            Self::Conflict { executable, requirement, packages, .. } => format!(
                "update {} in the project's environment (`{} -m pip install {requirement}` shows \
                 what has to change), or pass another environment as `python`",
                packages.join(", "),
                executable.display()
            ),
            Self::Import { .. } | Self::Unusable { .. } | Self::Start { .. } | Self::Probe(_) => {
                "run `scalene-mcp doctor`; it tells what is missing".to_owned()
            }
            Self::NotAllowed { what } => format!("install {what} into the project's environment"),
            Self::Timeout { .. } => "call again; a slow index or disk may be the reason".to_owned(),
            Self::Cancelled => "call again if the result is still wanted".to_owned(),
        }
    }
}
