//! What the person who started the server allows its callers.

use std::path::{Component, Path, PathBuf};

use super::error::RecordError;
use super::request::RunRequest;
use crate::sandbox::Mode;

/// Limits that no request can widen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Guard {
    /// Sandbox of runs that ask for none.
    pub default: Mode,
    /// The weakest sandbox that a run may ask for.
    pub least: Mode,
    /// The binary `scalene-mcp`, which confines programs; without it nothing can be confined.
    pub helper: Option<PathBuf>,
    /// Folders that scripts, working directories and loaded profiles must lie in, links resolved;
    /// empty means anywhere.
    pub roots: Vec<PathBuf>,
    /// Variables that programs see although they look like credentials.
    pub pass_env: Vec<String>,
}

impl Guard {
    /// The sandbox of a run.
    pub(super) fn mode(&self, request: &RunRequest) -> Result<Mode, RecordError> {
        let asked = request.sandbox.unwrap_or(self.default.max(self.least));
        if asked < self.least {
            return Err(RecordError::SandboxRefused { asked, least: self.least });
        }
        Ok(asked)
    }

    /// Refuses an interpreter that a caller names, where a sandbox is prescribed: it is started outside
    /// the sandbox to say who it is, and may be a file that an earlier program wrote.
    pub(super) fn python(&self, request: &RunRequest, near: &Path) -> Result<(), RecordError> {
        let Some(named) = request.python.as_deref().map(str::trim) else { return Ok(()) };
        let is_version = named.chars().all(|c| c.is_ascii_digit() || c == '.');
        if self.least == Mode::Off || (is_version && !near.join(named).exists()) {
            return Ok(());
        }
        Err(RecordError::InvalidArgument {
            parameter: "python",
            problem: format!(
                "`{named}`: this server prescribes a sandbox, so that only a version can be named, as 3.12; `--python` of the server names an interpreter"
            ),
        })
    }

    /// The paths that a run may write besides its own, links resolved. Where a sandbox is
    /// prescribed, a caller may not open a way out of it.
    pub(super) fn writable(&self, request: &RunRequest) -> Result<Vec<PathBuf>, RecordError> {
        // Who says `off` knows.
        let unsaid = request.sandbox.is_none() && self.mode(request)? == Mode::Off;
        if unsaid && !request.writable.is_empty() {
            return Err(RecordError::InvalidArgument {
                parameter: "writable",
                problem: "the program is not confined, so that it may write anywhere: give `sandbox`, too"
                    .to_owned(),
            });
        }
        let own = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/"));
        let from = request.cwd.as_ref().map_or_else(|| own.clone(), |cwd| own.join(cwd));
        let each = request.writable.iter().map(|path| {
            let path = from.join(path);
            let real = self.admit("writable", &path)?;
            if self.least > Mode::Off && self.roots.is_empty() {
                return Err(RecordError::OutsideRoots {
                    what: "writable",
                    path,
                    roots: Vec::new(),
                });
            }
            if real.exists() {
                return Ok(real);
            }
            Err(RecordError::InvalidArgument {
                parameter: "writable",
                problem: format!("`{}` does not exist", path.display()),
            })
        });
        each.collect()
    }

    /// The real path of something that a caller named, if it lies in a root.
    ///
    /// # Errors
    /// [`RecordError::OutsideRoots`], whether it exists or not.
    pub fn admit(&self, what: &'static str, path: &Path) -> Result<PathBuf, RecordError> {
        let real = real_path(path);
        let inside = |real: &PathBuf| self.roots.iter().any(|root| real.starts_with(root));
        match real {
            Some(real) if self.roots.is_empty() || inside(&real) => Ok(real),
            None if self.roots.is_empty() => Ok(path.to_owned()),
            _ => Err(RecordError::OutsideRoots {
                what,
                path: path.to_owned(),
                roots: self.roots.clone(),
            }),
        }
    }
}

/// A path with links resolved, as far as it exists. `None` where what follows goes up again.
fn real_path(path: &Path) -> Option<PathBuf> {
    let path = std::path::absolute(path).ok()?;
    let mut missing = Vec::new();
    for folder in path.ancestors() {
        if let Ok(real) = folder.canonicalize() {
            return Some(missing.iter().rev().fold(real, |real, name| real.join(name)));
        }
        match folder.components().next_back() {
            Some(Component::Normal(name)) => missing.push(name.to_owned()),
            _ => return None,
        }
        // A link that leads nowhere may lead somewhere later.
        if folder.is_symlink() {
            return None;
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_compared_by_what_they_really_are() {
        let place = tempfile::tempdir().unwrap();
        let top = place.path().canonicalize().unwrap();
        for folder in ["in", "in/deep", "in-too", "out"] {
            std::fs::create_dir(top.join(folder)).unwrap();
        }
        let guard = Guard { roots: vec![top.join("in")], ..Guard::default() };
        for inside in ["in", "in/deep", "in/new", "in/new/newer.py", "out/../in/deep"] {
            assert!(guard.admit("cwd", &top.join(inside)).is_ok(), "{inside}");
        }
        for outside in ["", "out", "in-too", "in/../out", "in/new/../../out", "in/deep/../../new"] {
            assert!(guard.admit("cwd", &top.join(outside)).is_err(), "{outside}");
        }
        assert!(Guard::default().admit("cwd", &top.join("out")).is_ok());
        #[cfg(unix)]
        {
            std::os::unix::fs::symlink(top.join("out"), top.join("in/link")).unwrap();
            std::os::unix::fs::symlink(top.join("out/later"), top.join("in/later")).unwrap();
            for outside in ["in/link", "in/link/new.py", "in/later"] {
                assert!(guard.admit("cwd", &top.join(outside)).is_err(), "{outside}");
            }
        }
    }

    #[test]
    fn a_weaker_sandbox_than_prescribed_is_refused() {
        let guard = Guard { least: Mode::Writes, ..Guard::default() };
        let mut request = RunRequest::new(super::super::Target::Snippet("1".to_owned()));
        assert_eq!(guard.mode(&request).unwrap(), Mode::Writes);
        request.sandbox = Some(Mode::Strict);
        assert_eq!(guard.mode(&request).unwrap(), Mode::Strict);
        request.sandbox = Some(Mode::Off);
        assert_eq!(guard.mode(&request).unwrap_err().code(), "sandbox_refused");
    }
}
