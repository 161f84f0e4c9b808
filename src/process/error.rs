//! Why a process could not be started.

use std::path::PathBuf;

/// A child process that never ran.
#[derive(Debug, thiserror::Error)]
pub enum SpawnError {
    /// The executable does not exist (or its interpreter line names one that does not).
    #[error("`{program}` does not exist", program = .0.display())]
    NotFound(PathBuf),
    /// The executable exists but may not be run.
    #[error("`{program}` is not executable", program = .0.display())]
    NotExecutable(PathBuf),
    /// The working directory does not exist or is not a directory.
    #[error("working directory `{dir}` does not exist or is not a directory", dir = .0.display())]
    BadWorkingDir(PathBuf),
    /// Anything else the operating system refused.
    #[error("the system could not start `{program}`", program = program.display())]
    Os {
        /// What was to be run.
        program: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}
