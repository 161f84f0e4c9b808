//! A project with the code as it was when a profile was recorded, as far as that is known.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::beside::{Beside, listed};
use crate::profile::Profile;
use crate::recording::{Ground, Moved, Program, RecordError};

/// The start of a run is known to the second.
const TOLERATED: Duration = Duration::from_secs(1);
/// Names of restored files that are listed.
const LISTED: usize = 6;

/// A copy of the project with the code that ran, and what it consists of: sources that the profile keeps, and
/// files that have not changed since the run began. All other code is left out.
pub(super) fn restored(
    ground: &Ground,
    original: &Program,
    profile: &Profile,
    folder: &str,
) -> Result<(Moved, Vec<String>), RecordError> {
    let root = original.root();
    let id = &profile.id;
    let kept = kept(profile, root);
    if kept.is_empty() {
        return Err(invalid(format!("profile {id} keeps no source below `{}`", root.display())));
    }
    let to = ground.folder(folder)?;
    let failed = |error: std::io::Error| {
        invalid(format!("the sources of profile {id} cannot be laid out: {error}"))
    };
    for (path, text) in &kept {
        let path = to.join(path);
        path.parent().map_or(Ok(()), std::fs::create_dir_all).map_err(failed)?;
        std::fs::write(path, text).map_err(failed)?;
    }
    let begun = began(profile);
    let is_as_it_ran = |path: &Path| begun.is_some_and(|begun| unchanged(&root.join(path), begun));
    let mut beside = Beside::new(root, &to, original.script(), &is_as_it_ran).map_err(failed)?;
    beside.lay_all().map_err(failed)?;
    let laid = beside.laid();
    let moved = Moved { from: root.to_owned(), to };
    must_be_known(original, profile, &moved)?;
    let mut code: BTreeMap<PathBuf, String> = kept.clone();
    for path in &laid.taken {
        let text = std::fs::read_to_string(moved.to.join(path)).unwrap_or_default();
        code.insert(path.clone(), text);
    }
    if let Some(path) = unknown_import(&code, &moved) {
        return Err(not_kept(profile, &path, "which its code imports, "));
    }
    let now = |path: &PathBuf| std::fs::read_to_string(root.join(path)).ok();
    let changed: Vec<&PathBuf> = kept
        .iter()
        .filter(|(path, text)| now(path).as_ref() != Some(text))
        .map(|(p, _)| p)
        .collect();
    let differ = if changed.is_empty() {
        "none of them has changed since".to_owned()
    } else {
        format!("changed since: {}", listed(changed.into_iter(), LISTED))
    };
    let names = listed(kept.keys(), LISTED);
    let note = format!("restored for the baseline from profile {id}: {names} ({differ})");
    let beside =
        laid.note("baseline", &id.to_string(), "it changed after the run and the profile lacks it");
    Ok((moved, std::iter::once(note).chain(beside).collect()))
}

fn invalid(problem: String) -> RecordError {
    RecordError::InvalidArgument { parameter: "baseline_profile_id", problem }
}

fn not_kept(profile: &Profile, path: &Path, what: &str) -> RecordError {
    invalid(format!(
        "`{}`, {what}has changed since profile {} was recorded, and the profile does not keep it (no samples): what ran \
         is not known; name a commit as `baseline_rev`, or profile the old version again",
        path.display(),
        profile.id
    ))
}

/// The sources that the profile keeps, by their paths below the root.
fn kept(profile: &Profile, root: &Path) -> BTreeMap<PathBuf, String> {
    let mut files = BTreeMap::new();
    for file in &profile.files {
        let Ok(below) = Path::new(&file.path).strip_prefix(root) else { continue };
        let is_plain = below.components().all(|part| matches!(part, Component::Normal(_)));
        if is_plain && !file.source.text().is_empty() {
            files.insert(below.to_owned(), file.source.text().to_owned());
        }
    }
    files
}

/// When the run began; unknown for a profile that was recorded elsewhere, whose files are others.
fn began(profile: &Profile) -> Option<SystemTime> {
    profile.run.environment.as_ref()?;
    let started = profile.run.started_at.as_deref()?.parse::<jiff::Timestamp>().ok()?;
    Some(SystemTime::from(started) + TOLERATED)
}

/// Whether a file has been there with this text since that time.
fn unchanged(path: &Path, since: SystemTime) -> bool {
    let modified = path.metadata().and_then(|meta| meta.modified());
    modified.is_ok_and(|time| time <= since)
        && path.symlink_metadata().is_ok_and(|it| placed(&it) <= since)
}

/// When it came to its name: one that is moved keeps the time of its text.
#[cfg(unix)]
fn placed(meta: &std::fs::Metadata) -> SystemTime {
    use std::os::unix::fs::MetadataExt;
    let seconds = Duration::from_secs(meta.ctime().try_into().unwrap_or_default());
    SystemTime::UNIX_EPOCH + seconds
}

/// When it came to its name, as far as that is known.
#[cfg(not(unix))]
fn placed(meta: &std::fs::Metadata) -> SystemTime {
    meta.created().unwrap_or(SystemTime::UNIX_EPOCH)
}

/// The script that ran is the one thing that has to be there.
fn must_be_known(original: &Program, profile: &Profile, moved: &Moved) -> Result<(), RecordError> {
    let Some(script) = original.script() else { return Ok(()) };
    if moved.map(script).is_some_and(|path| path.is_file()) {
        return Ok(());
    }
    Err(not_kept(profile, script, ""))
}

/// A module of the project that this code imports and the copy lacks.
fn unknown_import(code: &BTreeMap<PathBuf, String>, moved: &Moved) -> Option<PathBuf> {
    let lines = code.iter().flat_map(|(path, text)| text.lines().map(move |line| (path, line)));
    for (path, line) in lines {
        let folder = path.parent().unwrap_or(Path::new(""));
        for name in imported(line.trim()) {
            let inner: PathBuf = name.split('.').filter(|part| !part.is_empty()).collect();
            for folder in [folder, Path::new(""), Path::new("src")] {
                let module = folder.join(&inner);
                let forms = [module.with_extension("py"), module.join("__init__.py")];
                let is_there = |form: &PathBuf| moved.to.join(form).exists();
                let lost = forms.iter().find(|form| moved.from.join(form).is_file());
                if let Some(lost) = lost.filter(|_| !forms.iter().any(is_there)) {
                    return Some(lost.clone());
                }
            }
        }
    }
    None
}

/// Modules that an import statement may mean.
fn imported(line: &str) -> Vec<String> {
    let names = |list: &str| -> Vec<String> {
        let is_other = |c: char| !(c.is_alphanumeric() || c == '_' || c == '.');
        list.split(is_other).filter(|name| !name.is_empty()).map(str::to_owned).collect()
    };
    if let Some(list) = line.strip_prefix("import ") {
        return names(list);
    }
    let parts = line.strip_prefix("from ").and_then(|rest| rest.split_once(" import "));
    let Some((module, list)) = parts else { return Vec::new() };
    let module = module.trim();
    let inner = names(list).into_iter().map(|name| format!("{module}.{name}"));
    std::iter::once(module.to_owned()).chain(inner).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_import_of_what_the_copy_lacks_is_found() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("project"), place.path().join("copy"));
        for name in ["shop/a.py", "shop/__init__.py", "new.py", "util/__init__.py"] {
            let path = from.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "").unwrap();
        }
        std::fs::create_dir_all(to.join("shop")).unwrap();
        for name in ["shop/__init__.py", "util.py"] {
            std::fs::write(to.join(name), "").unwrap();
        }
        let moved = Moved { from, to };
        let of = |text: &str| {
            let code = BTreeMap::from([(PathBuf::from("app.py"), text.to_owned())]);
            unknown_import(&code, &moved)
        };
        assert_eq!(of("import os, new"), Some("new.py".into()));
        assert_eq!(of("from shop.a import x"), Some("shop/a.py".into()));
        assert_eq!(of("from shop import (a, b)"), Some("shop/a.py".into()));
        assert_eq!(of("import util, shop\nnew = 1"), None);
    }

    #[test]
    fn a_file_that_was_moved_here_later_is_not_what_ran() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.py");
        std::fs::write(&path, "").unwrap();
        let now = SystemTime::now();
        assert!(unchanged(&path, now + TOLERATED));
        assert!(!unchanged(&path, now - Duration::from_secs(5)));
    }
}
