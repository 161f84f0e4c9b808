//! A project with some of its files as they were: those are written, everything else is a link.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// Most entries that are linked.
const MOST_ENTRIES: usize = 20_000;

/// Makes a copy of `root` in the empty folder `to`, in which `files`, by their paths below the root, have
/// these texts. Only folders on the way to such a file are made anew.
pub(super) fn mirror(root: &Path, to: &Path, files: &BTreeMap<PathBuf, String>) -> io::Result<()> {
    let mut room = MOST_ENTRIES;
    fill(root, to, Path::new(""), files, &mut room)?;
    for (path, text) in files {
        let path = to.join(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)?;
    }
    Ok(())
}

fn fill(
    root: &Path,
    to: &Path,
    below: &Path,
    files: &BTreeMap<PathBuf, String>,
    room: &mut usize,
) -> io::Result<()> {
    std::fs::create_dir_all(to.join(below))?;
    for entry in root.join(below).read_dir()? {
        let entry = entry?;
        let path = below.join(entry.file_name());
        *room = room.checked_sub(1).ok_or_else(|| io::Error::other("too many files"))?;
        if files.contains_key(&path) || entry.file_name() == "__pycache__" {
            continue;
        }
        let on_the_way = files.keys().any(|file| file.starts_with(&path));
        if on_the_way && entry.path().is_dir() {
            fill(root, to, &path, files, room)?;
        } else {
            link(&root.join(&path), &to.join(&path))?;
        }
    }
    Ok(())
}

/// The same file or folder under another path.
#[cfg(unix)]
pub(super) fn link(original: &Path, link: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(original, link)
}

/// The same file or folder under another path.
#[cfg(windows)]
pub(super) fn link(original: &Path, link: &Path) -> io::Result<()> {
    if original.is_dir() {
        std::os::windows::fs::symlink_dir(original, link)
    } else {
        std::os::windows::fs::symlink_file(original, link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restored_files_have_the_old_text_and_the_rest_is_as_it_is() {
        let place = tempfile::tempdir().unwrap();
        let (root, to) = (place.path().join("project"), place.path().join("copy"));
        for (name, text) in
            [("app.py", "new"), ("shop/a.py", "new"), ("shop/b.py", "b"), ("data/x.csv", "x")]
        {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let files = [("app.py", "old"), ("shop/a.py", "old"), ("gone/c.py", "c")];
        let files = files.map(|(path, text)| (PathBuf::from(path), text.to_owned()));
        mirror(&root, &to, &BTreeMap::from(files)).unwrap();
        let read = |name: &str| std::fs::read_to_string(to.join(name)).unwrap();
        let names = ["app.py", "shop/a.py", "shop/b.py", "data/x.csv", "gone/c.py"];
        assert_eq!(names.map(read), ["old", "old", "b", "x", "c"]);
        assert_eq!(std::fs::read_to_string(root.join("app.py")).unwrap(), "new");
    }
}
