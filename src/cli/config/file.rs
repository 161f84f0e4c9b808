//! Reading a client's file, and writing it in one step with a backup beside it.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};

use super::edit::Refusal;

/// Links that are followed before they count as a circle.
const MOST_LINKS: usize = 40;

/// More is no settings file.
const MOST_BYTES: u64 = 64 << 20;

/// A mark that some editors put before the text; no part of it.
const BOM: &str = "\u{feff}";

/// A client's file as it was when it was read.
pub(super) struct Document {
    /// The file itself, links followed.
    path: PathBuf,
    linked: bool,
    /// All of it; `None` where there is no file.
    whole: Option<String>,
}

impl Document {
    /// Reads it.
    pub(super) fn read(path: &Path) -> Result<Self, Refusal> {
        let real = followed(path).map_err(|why| unreadable(&why))?;
        let linked = real != path;
        let whole = match File::open(&real) {
            Ok(file) => Some(text(file)?),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&error)),
        };
        Ok(Self { path: real, linked, whole })
    }

    pub(super) fn exists(&self) -> bool {
        self.whole.is_some()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Its text; empty where there is none.
    pub(super) fn text(&self) -> &str {
        let whole = self.whole.as_deref().unwrap_or_default();
        whole.strip_prefix(BOM).unwrap_or(whole)
    }

    /// The texts that it had before, newest first.
    pub(super) fn earlier(&self) -> Vec<String> {
        let backups = self.backups().take_while(|path| path.exists()).collect::<Vec<_>>();
        let texts = backups.iter().rev().filter_map(|path| std::fs::read_to_string(path).ok());
        texts.map(|text| text.strip_prefix(BOM).unwrap_or(&text).to_owned()).collect()
    }

    fn backups(&self) -> impl Iterator<Item = PathBuf> {
        let name = self.path.file_name().unwrap_or_default().to_owned();
        let path = self.path.clone();
        (0_u32..).map(move |index| {
            let mut name = name.clone();
            name.push(".bak");
            if index > 0 {
                name.push(format!(".{index}"));
            }
            path.with_file_name(name)
        })
    }

    /// Puts `text` in its place, and returns the backup of what was there. `private`: a new file
    /// is for its owner only.
    pub(super) fn replace(&self, text: &str, private: bool) -> Result<Option<PathBuf>, Refusal> {
        let dir = self.path.parent().unwrap_or(Path::new("."));
        std::fs::create_dir_all(dir).map_err(|why| unwritable(&why))?;
        let known = self.unchanged()?;
        let backup = known.as_ref().map(|known| self.back_up(known)).transpose()?;
        let whole = self.whole.as_deref().unwrap_or_default();
        let bom = if whole.starts_with(BOM) { BOM } else { "" };
        let mut new = fresh(dir, private).map_err(|why| unwritable(&why))?;
        let written = new
            .write_all(format!("{bom}{text}").as_bytes())
            .and_then(|()| known.as_ref().map_or(Ok(()), |known| like(new.as_file(), known)))
            .and_then(|()| new.as_file().sync_all());
        written.map_err(|why| unwritable(&why))?;
        self.unchanged()?;
        new.persist(&self.path).map_err(|error| unwritable(&error.error))?;
        Ok(backup)
    }

    /// Removes a file that this program has made; one behind a link stays, empty.
    pub(super) fn delete(&self) -> Result<(), Refusal> {
        self.unchanged()?;
        std::fs::remove_file(&self.path).map_err(|why| unwritable(&why))
    }

    pub(super) fn linked(&self) -> bool {
        self.linked
    }

    /// What is known of the file, if it is still what was read and may be written.
    fn unchanged(&self) -> Result<Option<Metadata>, Refusal> {
        let now = match File::open(&self.path) {
            Ok(file) => Some((file.metadata().map_err(|why| unreadable(&why))?, text(file)?)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(unreadable(&error)),
        };
        if now.as_ref().map(|(_, text)| text) != self.whole.as_ref() {
            return Err(Refusal::new("was changed by another program meanwhile", "run this again"));
        }
        if now.as_ref().is_some_and(|(known, _)| known.permissions().readonly()) {
            return Err(Refusal::new(
                "is read-only",
                "make it writable, or put the snippet in by hand; the file was not touched",
            ));
        }
        Ok(now.map(|(known, _)| known))
    }

    /// Copies the file beside itself, under the first name that is free. A backup with the same
    /// content is enough.
    fn back_up(&self, known: &Metadata) -> Result<PathBuf, Refusal> {
        let whole = self.whole.as_deref().unwrap_or_default();
        for path in self.backups() {
            if std::fs::read(&path).is_ok_and(|content| content == whole.as_bytes()) {
                return Ok(path);
            }
            match OpenOptions::new().write(true).create_new(true).open(&path) {
                Ok(mut file) => {
                    let made = like(&file, known)
                        .and_then(|()| file.write_all(whole.as_bytes()))
                        .and_then(|()| file.sync_all());
                    return made.map(|()| path).map_err(|why| unwritable(&why));
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                Err(error) => return Err(unwritable(&error)),
            }
        }
        Err(Refusal::new("has no free name for a backup", "remove old backups beside it"))
    }
}

/// The file at the end of links, whether or not it is there.
fn followed(path: &Path) -> std::io::Result<PathBuf> {
    let mut path = std::path::absolute(path)?;
    for _ in 0..MOST_LINKS {
        match std::fs::read_link(&path) {
            Ok(target) => path = path.parent().unwrap_or(Path::new("/")).join(target),
            Err(_) => return Ok(path),
        }
    }
    Err(std::io::Error::other("its links lead in a circle"))
}

fn text(file: File) -> Result<String, Refusal> {
    let mut bytes = Vec::new();
    file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|why| unreadable(&why))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > MOST_BYTES) {
        return Err(Refusal::shape("is larger than 64 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.utf8_error().valid_up_to();
        let text = String::from_utf8_lossy(error.as_bytes()).into_owned();
        Refusal::invalid("it is not UTF-8").at(&text, good)
    })
}

/// A file without a name in the folder, for its owner only or as the user's umask says.
fn fresh(dir: &Path, private: bool) -> std::io::Result<tempfile::NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".scalene-mcp-");
    #[cfg(unix)]
    if !private {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    #[cfg(not(unix))]
    let _ = private;
    builder.tempfile_in(dir)
}

/// Gives a file the mode of another, and its owner where that is allowed.
fn like(file: &File, known: &Metadata) -> std::io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{MetadataExt, fchown};
        let own = file.metadata()?;
        if (own.uid(), own.gid()) != (known.uid(), known.gid()) {
            // Only the superuser may; others own what they write.
            let _ = fchown(file, Some(known.uid()), Some(known.gid()));
        }
    }
    file.set_permissions(known.permissions())
}

fn unreadable(why: &std::io::Error) -> Refusal {
    Refusal::new(format!("cannot be read: {why}"), "check the path and its permissions")
}

fn unwritable(why: &std::io::Error) -> Refusal {
    Refusal::new(
        format!("cannot be written: {why}"),
        "check the permissions of the file and its folder, or put the snippet in by hand; the file was not touched",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_another_program_writes_meanwhile_is_not_lost() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.json");
        for (at_first, then) in
            [(Some("{}"), Some("{\"a\": 1}")), (Some("{}"), None), (None, Some("{}"))]
        {
            let set = |content: Option<&str>| match content {
                Some(content) => std::fs::write(&path, content).unwrap(),
                None => std::fs::remove_file(&path).unwrap_or_default(),
            };
            set(at_first);
            let document = Document::read(&path).unwrap();
            set(then);
            let refusal = document.replace("{\"b\": 2}", true).unwrap_err();
            assert!(refusal.what.contains("meanwhile"), "{}", refusal.what);
            assert_eq!(std::fs::read_to_string(&path).ok().as_deref(), then);
        }
        let names: Vec<_> = std::fs::read_dir(place.path()).unwrap().collect();
        assert_eq!(names.len(), 1, "{names:?}");
    }

    #[test]
    fn the_mark_before_the_text_stays() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.json");
        std::fs::write(&path, "\u{feff}{}").unwrap();
        let document = Document::read(&path).unwrap();
        assert_eq!(document.text(), "{}");
        let backup = document.replace("{ }", true).unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "\u{feff}{ }");
        assert_eq!(std::fs::read_to_string(&backup).unwrap(), "\u{feff}{}");
        assert_eq!(Document::read(&path).unwrap().earlier(), ["{}"]);
    }

    #[test]
    fn what_is_no_text_is_refused_with_its_place() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("a.json");
        std::fs::write(&path, b"{\n \"a\": \"\xff\"}").unwrap();
        let refusal = Document::read(&path).err().unwrap();
        assert_eq!(refusal.at, Some((2, 8)), "{}", refusal.what);
        assert!(Document::read(place.path()).is_err());
    }
}
