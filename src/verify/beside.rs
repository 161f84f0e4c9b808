//! What lies in a project and does not belong to the version that is copied out of it.
//!
//! Data are copied, so that what the copy writes stays in it. Code is not: a module that is newer than the version
//! would be imported in place of its own.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::io;
use std::path::{Path, PathBuf};

/// Most files that are copied.
const MOST_COPIED: usize = 1_000;
/// Most bytes that are copied.
const MOST_BYTES: u64 = 64 << 20;
/// Most entries that are looked at.
const MOST_ENTRIES: usize = 200_000;
/// Names that are listed of each kind.
const LISTED: usize = 3;
/// Endings of what Python imports.
const CODE: [&str; 5] = ["py", "pyw", "pyc", "so", "pyd"];
/// What no program reads.
const SKIPPED: [&str; 5] = [".git", "__pycache__", ".mypy_cache", ".pytest_cache", ".ruff_cache"];

/// What was done with the files beside the version.
#[derive(Debug, Default)]
pub(super) struct Laid {
    /// Data files that were copied.
    pub(super) copied: usize,
    bytes: u64,
    /// Data too large or too many to be copied.
    pub(super) linked: Vec<PathBuf>,
    /// Environments, linked.
    pub(super) environments: Vec<PathBuf>,
    /// Code of the version that was taken from the disk.
    pub(super) taken: BTreeSet<PathBuf>,
    /// Code that is not of the version, and folders that could not be looked through.
    pub(super) left_out: Vec<PathBuf>,
    looked_at: usize,
}

impl Laid {
    /// One line on it; `None` where there was nothing.
    pub(super) fn note(&self, side: &str, version: &str, why_left_out: &str) -> Option<String> {
        let part = |what: &str, paths: &[PathBuf]| {
            (!paths.is_empty()).then(|| format!("{what}: {}", listed(paths.iter(), LISTED)))
        };
        let taken: Vec<PathBuf> = self.taken.iter().cloned().collect();
        let parts = [
            part(&format!("left out, since {why_left_out}"), &self.left_out),
            part(&format!("linked, writes of the {side} to these reach the project"), &self.linked),
            part("linked environments", &self.environments),
            part("code from disk, unchanged since the run", &taken),
            (self.copied > 0).then(|| format!("data files copied: {}", self.copied)),
        ];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("{side} copy ({version}): {}", parts.join("; ")))
    }
}

/// Some of these paths by their names.
pub(super) fn listed<'a>(paths: impl ExactSizeIterator<Item = &'a PathBuf>, most: usize) -> String {
    let all = paths.len();
    let mut names: Vec<String> = paths.take(most).map(|path| path.display().to_string()).collect();
    if all > most {
        names.push(format!("{} more", all - most));
    }
    names.join(", ")
}

/// A project, and the copy of a version of it.
pub(super) struct Beside<'a> {
    top: PathBuf,
    to: PathBuf,
    /// The program's own script, below the top: code whatever its name.
    script: Option<PathBuf>,
    /// Whether code on disk, by its path below the top, is that of the version.
    is_of_version: &'a dyn Fn(&Path) -> bool,
    laid: Laid,
}

/// What a folder holds, all folders in it included.
#[derive(Default)]
struct Census {
    data: usize,
    code: usize,
    /// Links to folders.
    odd: usize,
}

impl<'a> Beside<'a> {
    pub(super) fn new(
        top: &Path,
        to: &Path,
        script: Option<&Path>,
        is_of_version: &'a dyn Fn(&Path) -> bool,
    ) -> io::Result<Self> {
        let script = script.and_then(|script| script.strip_prefix(top).ok()).map(Path::to_owned);
        let (top, to) = (top.canonicalize()?, to.canonicalize()?);
        Ok(Self { top, to, script, is_of_version, laid: Laid::default() })
    }

    pub(super) fn laid(self) -> Laid {
        self.laid
    }

    /// Lays everything that the copy lacks.
    pub(super) fn lay_all(&mut self) -> io::Result<()> {
        for name in entries(&self.top)? {
            self.lay(Path::new(&name));
        }
        Ok(())
    }

    /// Lays a file or a folder. What cannot be laid is missing in the copy, which the program then says.
    pub(super) fn lay(&mut self, path: &Path) {
        let (from, to) = (self.top.join(path), self.to.join(path));
        let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
        // The version may have a link where the project has a folder: nothing is written through it.
        let is_in_copy = to.parent().and_then(|folder| folder.canonicalize().ok())
            == path.parent().map(|folder| self.to.join(folder).components().collect());
        let Ok(meta) = from.symlink_metadata() else { return };
        if SKIPPED.contains(&name) || !is_in_copy {
            return;
        }
        let there = to.symlink_metadata().ok();
        if meta.is_dir() && there.as_ref().is_none_or(Metadata::is_dir) {
            return self.folder(path, there.is_some());
        }
        if there.is_some() {
            return;
        }
        if self.is_code(path) {
            self.code(path);
        } else if meta.is_symlink() {
            self.link_again(path);
        } else if meta.is_file() {
            self.data(path, meta.len());
        } else {
            let _ = link(&from, &to);
        }
    }

    fn is_code(&self, path: &Path) -> bool {
        let ending = path.extension().and_then(OsStr::to_str).map(str::to_ascii_lowercase);
        ending.is_some_and(|ending| CODE.contains(&&*ending))
            || self.script.as_deref() == Some(path)
    }

    fn folder(&mut self, path: &Path, is_there: bool) {
        let (from, to) = (self.top.join(path), self.to.join(path));
        if is_environment(&from) {
            if !is_there && link(&from, &to).is_ok() {
                self.laid.environments.push(path.to_owned());
            }
            return;
        }
        let mut census = Census::default();
        if !self.count(path, &mut census) {
            self.laid.left_out.push(path.to_owned());
            return;
        }
        let room = MOST_COPIED.saturating_sub(self.laid.copied);
        if !is_there && census.code + census.odd == 0 && census.data > room {
            self.link_data(path);
            return;
        }
        // An empty folder may be where the program writes to; one of nothing but new code would be a package.
        let is_wanted = census.data + census.odd > 0 || census.code == 0 || self.holds_own(path);
        if !is_there && is_wanted && std::fs::create_dir(&to).is_err() {
            return;
        }
        if is_there || is_wanted {
            for name in entries(&from).unwrap_or_default() {
                self.lay(&path.join(name));
            }
        } else {
            self.laid.left_out.push(path.to_owned());
        }
    }

    /// Whether code in this folder is of the version.
    fn holds_own(&self, path: &Path) -> bool {
        entries(&self.top.join(path)).unwrap_or_default().into_iter().any(|name| {
            let inner = path.join(name);
            let is_folder = self.top.join(&inner).symlink_metadata().is_ok_and(|it| it.is_dir());
            if is_folder {
                self.holds_own(&inner)
            } else {
                self.is_code(&inner) && (self.is_of_version)(&inner)
            }
        })
    }

    /// Counts what a folder holds; `false` where that is too much to look at.
    fn count(&mut self, path: &Path, census: &mut Census) -> bool {
        let Ok(names) = entries(&self.top.join(path)) else { return true };
        self.laid.looked_at += names.len();
        self.laid.looked_at <= MOST_ENTRIES
            && names.into_iter().all(|name| {
                let inner = path.join(name);
                let from = self.top.join(&inner);
                let Ok(meta) = from.symlink_metadata() else { return true };
                if meta.is_dir() && !is_environment(&from) {
                    return self.count(&inner, census);
                }
                if from.is_dir() {
                    census.odd += 1;
                } else if self.is_code(&inner) {
                    census.code += 1;
                } else {
                    census.data += 1;
                }
                true
            })
    }

    fn code(&mut self, path: &Path) {
        let (from, to) = (self.top.join(path), self.to.join(path));
        if !(self.is_of_version)(path) {
            self.laid.left_out.push(path.to_owned());
            return;
        }
        // Python looks for modules beside a script itself, not beside a link to it.
        let is_text = path.extension().is_none_or(|ending| ending == "py" || ending == "pyw");
        let done = if is_text && self.is_own(&from) {
            std::fs::copy(&from, &to).map(|_| ())
        } else {
            link(&from, &to)
        };
        if done.is_ok() {
            self.laid.taken.insert(path.to_owned());
        }
    }

    fn data(&mut self, path: &Path, bytes: u64) {
        let fits = self.laid.copied < MOST_COPIED && self.laid.bytes + bytes <= MOST_BYTES;
        if !fits {
            self.link_data(path);
        } else if std::fs::copy(self.top.join(path), self.to.join(path)).is_ok() {
            self.laid.copied += 1;
            self.laid.bytes += bytes;
        }
    }

    fn link_data(&mut self, path: &Path) {
        if link(&self.top.join(path), &self.to.join(path)).is_ok() {
            self.laid.linked.push(path.to_owned());
        }
    }

    /// A link in the project: to a file of the project, which is copied, or to anything else.
    fn link_again(&mut self, path: &Path) {
        let from = self.top.join(path);
        let Ok(meta) = from.metadata() else {
            let _ = link(&from, &self.to.join(path));
            return;
        };
        if meta.is_file() && self.is_own(&from) {
            return self.data(path, meta.len());
        }
        if meta.is_dir() && !is_environment(&from) {
            let mut census = Census::default();
            if !self.count(path, &mut census) || census.code + census.odd > 0 {
                self.laid.left_out.push(path.to_owned());
                return;
            }
        }
        self.link_data(path);
    }

    /// Whether a file lies in the project itself: a copy of any other might show a confined program what it may
    /// not read.
    fn is_own(&self, from: &Path) -> bool {
        from.canonicalize().is_ok_and(|real| real.starts_with(&self.top))
    }
}

fn entries(folder: &Path) -> io::Result<BTreeSet<PathBuf>> {
    folder.read_dir()?.map(|entry| Ok(PathBuf::from(entry?.file_name()))).collect()
}

/// Installed packages, which are the same for all versions.
fn is_environment(folder: &Path) -> bool {
    folder.join("pyvenv.cfg").is_file()
        || folder.join("conda-meta").is_dir()
        || folder.file_name().is_some_and(|name| name == "node_modules")
}

/// The same file or folder under another path.
#[cfg(unix)]
fn link(original: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

/// The same file or folder under another path.
#[cfg(windows)]
fn link(original: &Path, link: &Path) -> io::Result<()> {
    if original.is_dir() {
        std::os::windows::fs::symlink_dir(original, link)
    } else {
        std::os::windows::fs::symlink_file(original, link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(root: &Path, name: &str, text: &[u8]) {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn laid(top: &Path, to: &Path, own: &dyn Fn(&Path) -> bool) -> Laid {
        std::fs::create_dir_all(to).unwrap();
        let mut beside = Beside::new(top, to, None, own).unwrap();
        beside.lay_all().unwrap();
        beside.laid()
    }

    #[test]
    fn data_are_copied_code_is_left_out_and_environments_are_linked() {
        let place = tempfile::tempdir().unwrap();
        let (top, to) = (place.path().join("project"), place.path().join("copy"));
        for name in ["data/x.csv", "data/make.py", "util/__init__.py", "fast.so", ".git/config"] {
            write(&top, name, b"x");
        }
        write(&top, "venv/pyvenv.cfg", b"");
        write(&top, "venv/lib/module.py", b"");
        std::fs::create_dir_all(top.join("out")).unwrap();
        let found = laid(&top, &to, &|_| false);
        assert_eq!((found.copied, found.linked.len()), (1, 0));
        let left = ["data/make.py", "fast.so", "util"].map(PathBuf::from);
        assert_eq!(found.left_out, left);
        assert!(to.join("data/x.csv").symlink_metadata().unwrap().is_file());
        assert!(to.join("venv").is_symlink() && to.join("out").is_dir());
        assert!(!to.join("util").exists() && !to.join(".git").exists());
        let note = found.note("baseline", "HEAD", "git does not track it").unwrap();
        assert!(note.contains("left out, since git does not track it: data/make.py"), "{note}");
    }

    #[test]
    fn code_of_the_version_is_taken() {
        let place = tempfile::tempdir().unwrap();
        let (top, to) = (place.path().join("project"), place.path().join("copy"));
        for name in ["shop/a.py", "shop/b.py", "new/c.py"] {
            write(&top, name, b"x");
        }
        let found = laid(&top, &to, &|path| path.ends_with("a.py"));
        assert_eq!(found.left_out, ["new", "shop/b.py"].map(PathBuf::from));
        assert!(to.join("shop/a.py").is_file() && found.taken.contains(Path::new("shop/a.py")));
    }

    #[test]
    fn what_is_too_much_is_linked() {
        let place = tempfile::tempdir().unwrap();
        let (top, to) = (place.path().join("project"), place.path().join("copy"));
        for number in 0..=MOST_COPIED {
            write(&top, &format!("many/{number}.txt"), b"x");
        }
        write(&top, "state.txt", b"x");
        let large = std::fs::File::create(top.join("large.bin")).unwrap();
        large.set_len(MOST_BYTES + 1).unwrap();
        let found = laid(&top, &to, &|_| false);
        assert_eq!(found.linked, ["large.bin", "many"].map(PathBuf::from));
        assert_eq!(found.copied, 1);
        let note = found.note("baseline", "HEAD", "git does not track it").unwrap();
        assert!(note.contains("reach the project: large.bin, many"), "{note}");
    }
}
