//! One error for the whole library, of four kinds.

use crate::recording::{ImportError, RecordError};
use crate::scalene::ParseError;

/// What went wrong, in the four kinds that a caller may want to tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// No interpreter, or no Scalene for it, or Scalene itself failed.
    Scalene,
    /// The program could not be profiled: missing, not Python, it failed before anything was
    /// sampled, or it was too short.
    Profile,
    /// The time limit passed before anything was sampled.
    Timeout,
    /// A document that holds no profile.
    InvalidProfile,
}

#[derive(Debug, thiserror::Error)]
enum Cause {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error(transparent)]
    Parse(#[from] ParseError),
}

/// Why there is no profile.
///
/// ```
/// use scalene_mcp::{ErrorKind, ProfileParser};
///
/// let error = ProfileParser::new().parse_json("{}").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::InvalidProfile);
/// assert_eq!(error.code(), "invalid_profile");
/// assert_eq!(error.to_string(), "the profile is empty: Scalene recorded no sample");
/// ```
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct Error(Cause);

impl<T: Into<Cause>> From<T> for Error {
    fn from(cause: T) -> Self {
        Self(cause.into())
    }
}

impl Error {
    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Cause::Import(_) | Cause::Parse(_) => ErrorKind::InvalidProfile,
            Cause::Record(error) => match error {
                RecordError::Timeout { .. } => ErrorKind::Timeout,
                RecordError::InvalidProfile { .. } => ErrorKind::InvalidProfile,
                RecordError::Python(_)
                | RecordError::ScaleneMissing { .. }
                | RecordError::Setup(_)
                | RecordError::NoScaleneFor(_)
                | RecordError::UnsupportedScalene(_)
                | RecordError::ScaleneFailed { .. } => ErrorKind::Scalene,
                _ => ErrorKind::Profile,
            },
        }
    }

    /// A stable name of the failure, the same that the server's answers carry.
    pub fn code(&self) -> &'static str {
        match &self.0 {
            Cause::Record(error) => error.code(),
            Cause::Import(error) => error.code(),
            Cause::Parse(_) => "invalid_profile",
        }
    }

    /// What to do about it; nothing where the document alone was wrong.
    pub fn hint(&self) -> Option<String> {
        match &self.0 {
            Cause::Record(error) => Some(error.hint()),
            Cause::Import(error) => Some(error.hint().to_owned()),
            Cause::Parse(_) => None,
        }
    }
}
