//! Reading documents that Scalene wrote.

use std::path::Path;

use super::error::Error;
use crate::profile::{Profile, ProfileId};
use crate::recording::{import, import_file};

/// Reads profiles that Scalene wrote, of any version from 1.5 to 2.4.
///
/// ```
/// use scalene_mcp::ProfileParser;
///
/// let profile = ProfileParser::new().parse_file("fixtures/profiles/cpu_functions--2.4.0.json")?;
/// assert_eq!(profile.files.len(), 1);
/// assert_eq!(profile.elapsed.unwrap().to_string(), "1.26");
/// # Ok::<(), scalene_mcp::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct ProfileParser;

impl ProfileParser {
    /// A parser.
    pub fn new() -> Self {
        Self
    }

    /// Reads a file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidProfile`](super::ErrorKind::InvalidProfile) when the file cannot be
    /// read, is larger than 256 MiB, or holds no profile.
    pub fn parse_file(&self, path: impl AsRef<Path>) -> Result<Profile, Error> {
        Ok(import_file(path.as_ref(), ProfileId::draw(|_| false))?)
    }

    /// Reads a document.
    ///
    /// Values that make no sense cost themselves, not the profile; they are named in its
    /// warnings.
    ///
    /// ```
    /// use scalene_mcp::ProfileParser;
    ///
    /// let document = r#"{"elapsed_time_sec": 2.0, "files": {"a.py": {"lines": [
    ///     {"lineno": 1, "line": "x = 1", "n_cpu_percent_python": 75.0, "n_cpu_percent_c": "?"}
    /// ]}}}"#;
    /// let profile = ProfileParser::new().parse_json(document)?;
    /// let line = &profile.files[0].lines[0];
    /// assert_eq!(profile.seconds(line.cpu.python).unwrap().get(), 1.5);
    /// assert!(profile.run.warnings[0].contains("n_cpu_percent_c"));
    /// # Ok::<(), scalene_mcp::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidProfile`](super::ErrorKind::InvalidProfile) when there is no profile
    /// in it.
    pub fn parse_json(&self, document: impl AsRef<[u8]>) -> Result<Profile, Error> {
        Ok(import(document.as_ref(), ProfileId::draw(|_| false))?)
    }
}
