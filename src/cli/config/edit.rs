//! What is done to the text of a client's file, whatever it is written in.

use super::clients::{Entry, Format, Launch};
use super::{json, toml};

/// Why a file is left as it is.
#[derive(Debug)]
pub(super) struct Refusal {
    /// Line and column, from 1, where there is a place.
    pub(super) at: Option<(usize, usize)>,
    pub(super) what: String,
    pub(super) next: String,
}

impl Refusal {
    pub(super) fn new(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { at: None, what: what.into(), next: next.into() }
    }

    /// The same, at a byte of a text.
    pub(super) fn at(mut self, text: &str, byte: usize) -> Self {
        let before = text.get(..byte).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let start = before.rfind('\n').map_or(0, |index| index + 1);
        let column = before.get(start..).unwrap_or_default().chars().count() + 1;
        self.at = Some((line, column));
        self
    }

    /// A file that its own client could not read.
    pub(super) fn invalid(why: impl std::fmt::Display) -> Self {
        Self::new(
            format!("is not valid: {why}"),
            "repair that place, then run this again; the file was not touched",
        )
    }

    /// A part of the file that is something else than expected.
    pub(super) fn shape(what: impl Into<String>) -> Self {
        Self::new(what, "put the snippet in by hand; the file was not touched")
    }
}

/// What stands under the server's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    Nothing,
    /// An entry that starts a program.
    Program(Launch),
    /// Something else: a remote server, or what no client would take.
    Other,
}

/// What an edit comes to.
#[derive(Debug)]
pub(super) enum Edit {
    /// Nothing is to be done.
    Nothing,
    /// The text afterwards.
    Text(String),
}

/// What stands under `name` in `section`.
pub(super) fn find(
    format: Format,
    text: &str,
    section: &str,
    name: &str,
) -> Result<Found, Refusal> {
    match format {
        Format::Json(dialect) => json::find(text, dialect, section, name),
        Format::Toml => toml::find(text, section, name),
    }
}

/// Puts the entry in; all else stays, byte for byte.
pub(super) fn merge(
    format: Format,
    text: &str,
    section: &str,
    entry: &Entry,
) -> Result<Edit, Refusal> {
    let found = find(format, text, section, &entry.name)?;
    if found == Found::Program(entry.launch.clone()) {
        return Ok(Edit::Nothing);
    }
    own(&found, entry)?;
    let merged = match format {
        Format::Json(dialect) => json::merge(text, dialect, section, entry)?,
        Format::Toml => toml::merge(text, section, entry)?,
    };
    checked(format, text, merged, section, entry, &Found::Program(entry.launch.clone()))
}

/// Takes the entry out; all else stays.
pub(super) fn remove(
    format: Format,
    text: &str,
    section: &str,
    entry: &Entry,
) -> Result<Edit, Refusal> {
    let found = find(format, text, section, &entry.name)?;
    if found == Found::Nothing {
        return Ok(Edit::Nothing);
    }
    own(&found, entry)?;
    let removed = match format {
        Format::Json(dialect) => json::remove(text, dialect, section, &entry.name)?,
        Format::Toml => toml::remove(text, section, &entry.name)?,
    };
    checked(format, text, removed, section, entry, &Found::Nothing)
}

/// The snippet that a person would put into an empty file.
pub(super) fn snippet(format: Format, section: &str, entry: &Entry) -> Result<String, Refusal> {
    match format {
        Format::Json(dialect) => json::merge("", dialect, section, entry),
        Format::Toml => toml::merge("", section, entry),
    }
}

/// Refuses to overwrite a server that is not this one.
fn own(found: &Found, entry: &Entry) -> Result<(), Refusal> {
    let file = |word: &str| word.rsplit(['/', '\\']).next().unwrap_or_default().to_owned();
    let own = file(&entry.launch.command);
    let ours = |word: &String| file(word).starts_with("scalene-mcp") || file(word) == own;
    let fine = match found {
        Found::Nothing => true,
        Found::Program(launch) => ours(&launch.command) || launch.args.iter().any(ours),
        Found::Other => false,
    };
    if fine {
        return Ok(());
    }
    Err(Refusal::new(
        format!("has an entry `{}` that is another server's", entry.name),
        "name this one otherwise with --name; the file was not touched",
    ))
}

/// Holds what an edit made against what it had to leave alone.
fn checked(
    format: Format,
    before: &str,
    after: String,
    section: &str,
    entry: &Entry,
    expected: &Found,
) -> Result<Edit, Refusal> {
    let others = |text: &str| match format {
        Format::Json(dialect) => json::others(text, dialect, section, &entry.name),
        Format::Toml => toml::others(text, section, &entry.name),
    };
    let same = others(&after).is_ok_and(|after| others(before).is_ok_and(|before| before == after));
    let there = find(format, &after, section, &entry.name).is_ok_and(|found| found == *expected);
    if same && there {
        return Ok(Edit::Text(after));
    }
    Err(Refusal::shape("is written in a way that this program cannot edit safely"))
}

#[cfg(test)]
#[path = "edit_tests.rs"]
mod tests;
