//! What a confined program may do.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How far a program is confined; a later one is stronger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// Not at all.
    #[default]
    Off,
    /// It may write to its private directory and to listed paths only.
    Writes,
    /// Besides: no network, and it reads the project, the interpreter and the system only.
    Strict,
}

impl Mode {
    /// All of them, the weakest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Writes, Self::Strict];

    /// The word that stands for it in arguments.
    pub fn word(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Writes => "writes",
            Self::Strict => "strict",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|mode| mode.word() == text)
            .ok_or_else(|| format!("`{text}` is not one of off, writes, strict"))
    }
}

/// What one program may do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    /// Never [`Mode::Off`] where a program is confined.
    pub mode: Mode,
    /// Files and folders it may read, in [`Mode::Strict`]; those that do not exist are passed over.
    pub read: Vec<PathBuf>,
    /// Files and folders it may write and read; each must exist.
    pub write: Vec<PathBuf>,
    /// Variables of the dynamic loader, `NAME=VALUE`: meant for the program, not for the helper.
    pub loader_env: Vec<OsString>,
    /// Stems of files that the program opens in `/tmp`, each followed by its process id. They are
    /// made before it starts, and are all of `/tmp` that it may write.
    pub own_files: Vec<PathBuf>,
    /// Uses no newer Landlock than this one; to see what an older kernel would do.
    pub landlock_at_most: Option<i32>,
}

impl Policy {
    /// The arguments of `confine` that stand for it.
    pub fn arguments(&self) -> Vec<OsString> {
        let mut arguments: Vec<OsString> = vec!["--mode".into(), self.mode.word().into()];
        let mut each = |name: &str, values: &mut dyn Iterator<Item = OsString>| {
            for value in values {
                // One word, since a value may begin with a dash.
                let mut argument = OsString::from(name);
                argument.push("=");
                argument.push(value);
                arguments.push(argument);
            }
        };
        each("--read", &mut self.read.iter().map(Into::into));
        each("--write", &mut self.write.iter().map(Into::into));
        each("--loader-env", &mut self.loader_env.iter().cloned());
        each("--own-file", &mut self.own_files.iter().map(Into::into));
        arguments
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_are_ordered_and_have_words() {
        assert!(Mode::Off < Mode::Writes && Mode::Writes < Mode::Strict);
        for mode in Mode::ALL {
            assert_eq!(mode.word().parse(), Ok(mode));
        }
        assert!("Strict".parse::<Mode>().is_err());
    }
}
