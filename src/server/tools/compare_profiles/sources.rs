//! Sources that a run imported and no sample fell into, so that its profile lacks them.
//!
//! A function that an edit made fast, or put into another file, is found there. Read from the disk, and
//! only what has not changed since the run began.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use crate::profile::{FileProfile, Percent, Profile, Source};

/// Files read for one profile.
const MOST_FILES: usize = 100;
/// Larger files are left out, in bytes.
const LARGEST: u64 = 1 << 20;
/// The start of a run is known to the second.
const TOLERATED: Duration = Duration::from_secs(1);

/// Files of the project that the profiled files import, directly or not.
pub(super) fn unsampled(profile: &Profile) -> Vec<FileProfile> {
    let started =
        profile.run.started_at.as_deref().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let Some(started) = started.filter(|_| profile.run.environment.is_some()) else {
        return Vec::new();
    };
    let Ok(root) = profile.run.project_root.canonicalize() else { return Vec::new() };
    let mut search = Search {
        profile,
        root,
        started: SystemTime::from(started) + TOLERATED,
        seen: profile.files.iter().map(|file| PathBuf::from(&file.path)).collect(),
        found: Vec::new(),
    };
    for file in &profile.files {
        search.imports_of(Path::new(&file.path), file.source.text());
    }
    let mut next = 0;
    while let Some(file) = search.found.get(next).cloned() {
        search.imports_of(Path::new(&file.path), file.source.text());
        next += 1;
    }
    search.found
}

struct Search<'a> {
    profile: &'a Profile,
    root: PathBuf,
    /// What was changed later is not what ran.
    started: SystemTime,
    seen: HashSet<PathBuf>,
    found: Vec<FileProfile>,
}

impl Search<'_> {
    fn imports_of(&mut self, path: &Path, text: &str) {
        let run = &self.profile.run;
        let own = path.parent().filter(|_| path.is_absolute());
        let absolute: Vec<PathBuf> = own
            .into_iter()
            .chain([run.cwd.as_path(), run.project_root.as_path()])
            .map(Path::to_owned)
            .chain([run.project_root.join("src")])
            .collect();
        for line in text.lines() {
            for name in imported(line) {
                let dots = name.len() - name.trim_start_matches('.').len();
                let below: PathBuf = name.split('.').filter(|part| !part.is_empty()).collect();
                if dots == 0 {
                    for folder in &absolute {
                        self.module(&folder.join(&below));
                    }
                } else if let Some(folder) = own.and_then(|own| own.ancestors().nth(dots - 1)) {
                    self.module(&folder.join(&below));
                }
            }
        }
    }

    /// A module without its ending: a file or a package.
    fn module(&mut self, path: &Path) {
        if path.file_name().is_some() {
            self.file(&path.with_extension("py"));
            self.file(&path.join("__init__.py"));
        }
    }

    fn file(&mut self, path: &Path) {
        if self.found.len() >= MOST_FILES || !self.seen.insert(path.to_owned()) {
            return;
        }
        let Ok(real) = path.canonicalize() else { return };
        let Ok(meta) = real.metadata() else { return };
        let installed = real.components().any(|part| part.as_os_str() == "site-packages");
        let as_it_ran = meta.modified().is_ok_and(|changed| changed <= self.started);
        let fits = meta.is_file() && meta.len() <= LARGEST;
        if !fits || !as_it_ran || installed || !real.starts_with(&self.root) {
            return;
        }
        let Ok(text) = std::fs::read_to_string(&real) else { return };
        let name = path.to_string_lossy().into_owned();
        self.found.push(FileProfile::new(name, Source::new(text), Vec::new(), Percent::ZERO));
    }
}

/// Modules that an import statement may mean: `a.b` of `import a.b`; `.a` and `.a.x` of `from .a import x`.
fn imported(line: &str) -> Vec<String> {
    let line = line.trim();
    let names = |list: &str| -> Vec<String> {
        let list = list.split('#').next().unwrap_or_default();
        let words = list.trim_matches(['(', ')', ' ']).split(',');
        let first = |word: &str| word.split_whitespace().next().map(str::to_owned);
        words.filter_map(first).collect()
    };
    if let Some(list) = line.strip_prefix("import ") {
        return names(list);
    }
    let Some((module, list)) =
        line.strip_prefix("from ").and_then(|rest| rest.split_once(" import"))
    else {
        return Vec::new();
    };
    let module = module.trim();
    let dot = if module.ends_with('.') { "" } else { "." };
    let inner = names(list).into_iter().map(|name| format!("{module}{dot}{name}"));
    std::iter::once(module.to_owned()).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_read() {
        assert_eq!(imported("import a.b as c, d  # why"), ["a.b", "d"]);
        assert_eq!(imported("    from .a import (x, y as z)"), [".a", ".a.x", ".a.y"]);
        assert_eq!(imported("from . import x"), [".", ".x"]);
        assert_eq!(imported("from a import ("), ["a"]);
        assert_eq!(imported("important = 1"), Vec::<String>::new());
        assert_eq!(imported("from here on"), Vec::<String>::new());
    }
}
