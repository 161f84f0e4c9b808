//! Large documents, file by file on all cores.
//!
//! Scalene indents its documents, and JSON allows no line break inside a string: a line break and
//! what it is followed by say where the entry of a file begins. That is only a guess about what the
//! text means, so every piece must turn out to be one whole entry, and what is left without them
//! a whole document. If not, the document is read in one go like any other.

use std::borrow::Cow;
use std::thread;

use memchr::memmem;
use serde::Deserialize;
use serde_json::Deserializer;

use super::files::Files;
use super::json::{RawFile, RawProfile};

/// Smaller documents are read before threads have started.
const LARGE: usize = 4_000_000;
/// More workers wait for memory and not for each other's work.
const MOST_WORKERS: usize = 8;

/// What comes before the first file, between two, and after the last. Brackets make them fast to
/// find: everything else is in every line.
const OPENING: &[u8] = b"\n    \"files\": {";
const SEPARATOR: &[u8] = b"},\n        \"";
const CLOSING: &[u8] = b"\n    }";

/// A large document cut at its files.
pub(super) struct Split<'a> {
    /// The document without its files.
    pub(super) frame: String,
    entries: &'a [u8],
}

impl<'a> Split<'a> {
    pub(super) fn of_large(bytes: &'a [u8]) -> Option<Self> {
        if bytes.len() < LARGE {
            return None;
        }
        Self::new(bytes)
    }

    fn new(bytes: &'a [u8]) -> Option<Self> {
        let opening = memmem::find(bytes, OPENING)? + OPENING.len();
        let (head, rest) = bytes.split_at(opening);
        // From the end: no object follows the files.
        let (entries, tail) = rest.split_at(memmem::rfind(rest, CLOSING)?);
        Some(Self { frame: String::from_utf8([head, tail].concat()).ok()?, entries })
    }

    /// The document; `None` if the cuts were not between files.
    pub(super) fn read(&self) -> Option<RawProfile<'_>> {
        // A second object of this name would leave open which one was cut.
        if self.frame.matches("\"files\"").count() != 1 {
            return None;
        }
        let mut raw: RawProfile<'_> = serde_json::from_str(&self.frame).ok()?;
        raw.files.as_ref()?;
        let workers = thread::available_parallelism().map_or(1, usize::from).min(MOST_WORKERS);
        let parts = parts(self.entries, workers);
        let read = thread::scope(|scope| {
            let started: Vec<_> = parts.iter().map(|part| scope.spawn(|| files(part))).collect();
            started.into_iter().map(|worker| worker.join().ok().flatten()).collect::<Vec<_>>()
        });
        let mut all = Files::default();
        for files in read {
            all.append(files?);
        }
        raw.files = Some(all.in_order());
        Some(raw)
    }
}

/// About equal parts of whole entries.
fn parts(entries: &[u8], count: usize) -> Vec<&[u8]> {
    let mut parts = Vec::with_capacity(count);
    let mut rest = entries;
    for left in (1..count).rev() {
        let about = rest.len() / (left + 1);
        let at = rest.get(about..).and_then(|bytes| memmem::find(bytes, SEPARATOR));
        let Some((part, after)) = at.and_then(|at| rest.split_at_checked(about + at + 1)) else {
            break;
        };
        parts.push(part);
        rest = after.strip_prefix(b",").unwrap_or(after);
    }
    parts.push(rest);
    parts
}

fn files(part: &[u8]) -> Option<Files> {
    let mut files = Files::default();
    let text = str::from_utf8(part).ok()?;
    // A separator is the end of one entry, a comma, and the start of the next.
    let ends = memmem::find_iter(part, SEPARATOR).map(|at| at + 1).chain([text.len()]);
    let mut start = 0;
    for end in ends {
        let entry = text.get(start..end)?;
        start = end + 1;
        let (path, file) = entry_of(entry)?;
        files.take(path.into_owned(), file);
    }
    Some(files)
}

/// `"path": {…}` and nothing else.
fn entry_of(text: &str) -> Option<(Cow<'_, str>, RawFile<'_>)> {
    let mut paths = Deserializer::from_str(text).into_iter::<PathText<'_>>();
    let PathText(path) = paths.next()?.ok()?;
    let file = text.get(paths.byte_offset()..)?.trim_start().strip_prefix(':')?;
    Some((path, serde_json::from_str(file).ok()?))
}

/// Borrows where it can; [`Cow`] by itself never does.
#[derive(Deserialize)]
struct PathText<'a>(#[serde(borrow)] Cow<'a, str>);

#[cfg(test)]
#[path = "split_tests.rs"]
mod tests;
