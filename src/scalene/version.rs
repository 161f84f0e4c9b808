//! Which Scalene is supported, and how it is spoken to.

use std::fmt;
use std::str::FromStr;

/// A released version, as `major.minor.patch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    /// First number.
    pub major: u32,
    /// Second number.
    pub minor: u32,
    /// Third number; 0 when missing.
    pub patch: u32,
}

impl Version {
    /// A version from its numbers.
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }
}

impl FromStr for Version {
    type Err = UnsupportedVersion;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = |part: &str| {
            let digits = part.find(|c: char| !c.is_ascii_digit()).unwrap_or(part.len());
            part.get(..digits)?.parse().ok()
        };
        let mut parts = text.trim().split('.').map(number);
        match (parts.next().flatten(), parts.next().flatten()) {
            (Some(major), Some(minor)) => {
                Ok(Self { major, minor, patch: parts.next().flatten().unwrap_or(0) })
            }
            _ => Err(UnsupportedVersion(text.to_owned())),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A version of Scalene that this program does not drive.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Scalene `{0}` is not supported (supported: {range})", range = Adapter::SUPPORTED)]
pub struct UnsupportedVersion(pub String);

/// How one range of versions is spoken to. Chosen once, by the probed version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adapter {
    /// 1.5.51 to 1.5.x: options without a subcommand.
    V1,
    /// 2.0 and 2.1: `run`, stacks off unless asked for.
    V2,
    /// 2.2: async profiling, on unless refused.
    V2Async,
    /// 2.3 and later: stacks on unless refused, finer allocation window.
    V2Stacks,
}

impl Adapter {
    /// The supported versions, for messages.
    pub const SUPPORTED: &str = "1.5.51 to 1.5.x, 2.0 and later";

    /// The adapter for a version. Unknown later 2.x versions are taken for the latest known.
    ///
    /// # Errors
    /// [`UnsupportedVersion`] below 1.5.51 and from 3.0 on.
    pub fn for_version(version: Version) -> Result<Self, UnsupportedVersion> {
        match version {
            v if v >= Version::new(3, 0, 0) => Err(UnsupportedVersion(v.to_string())),
            v if v >= Version::new(2, 3, 0) => Ok(Self::V2Stacks),
            v if v >= Version::new(2, 2, 0) => Ok(Self::V2Async),
            v if v >= Version::new(2, 0, 0) => Ok(Self::V2),
            v if v >= Version::new(1, 5, 51) => Ok(Self::V1),
            v => Err(UnsupportedVersion(v.to_string())),
        }
    }

    /// Whether `await` can be profiled.
    pub fn knows_async(self) -> bool {
        matches!(self, Self::V2Async | Self::V2Stacks)
    }

    /// Bytes between two allocation samples when nothing else is asked for.
    pub fn default_allocation_window(self) -> u64 {
        match self {
            Self::V2Stacks => 1_048_576,
            Self::V1 | Self::V2 | Self::V2Async => 10_485_767,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_version_has_its_adapter() {
        let adapter = |text: &str| Adapter::for_version(text.parse().unwrap());
        for (text, expected) in [
            ("1.5.51", Adapter::V1),
            ("1.5.55", Adapter::V1),
            ("2.0.1", Adapter::V2),
            ("2.1.4", Adapter::V2),
            ("2.2.1", Adapter::V2Async),
            ("2.3.0", Adapter::V2Stacks),
            ("2.4.0", Adapter::V2Stacks),
            ("2.9rc1", Adapter::V2Stacks),
        ] {
            assert_eq!(adapter(text), Ok(expected), "{text}");
        }
        for text in ["1.5.43", "1.4.0", "3.0.0"] {
            let message = adapter(text).unwrap_err().to_string();
            assert!(message.contains(text) && message.contains("1.5.51"), "{message}");
        }
        assert!("unknown".parse::<Version>().is_err());
    }
}
