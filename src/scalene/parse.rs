//! Bytes of a Scalene document to the parts of a [`crate::profile::Profile`].

use std::borrow::Cow;

use serde_json::Value;
use serde_json::error::Category;

use super::convert::{self, Parsed};
use super::json::RawProfile;
use super::repair;
use super::split::Split;

/// Why a document is no profile.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// `{}`: Scalene sampled nothing, or nothing in the files it was to look at.
    #[error("the profile is empty: Scalene recorded no sample")]
    Empty,
    /// The document ends in the middle, as when its writer was killed.
    #[error("the profile is cut off after {bytes} bytes")]
    Truncated {
        /// Size of what is there.
        bytes: usize,
    },
    /// Not JSON.
    #[error("the profile is not JSON: line {line}, column {column}: {source}")]
    Syntax {
        /// Line of the error, from 1.
        line: usize,
        /// Column of the error, from 1.
        column: usize,
        /// What the reader says.
        #[source]
        source: serde_json::Error,
    },
    /// JSON, but of something else.
    #[error("the document is JSON but no Scalene profile: {0}")]
    NotAProfile(&'static str),
}

/// Reads a document written by any supported Scalene.
///
/// Values that make no sense cost themselves, not the profile: they are named in
/// [`Parsed::warnings`].
///
/// # Errors
/// [`ParseError`] when there is no profile in it at all.
pub fn parse(bytes: &[u8]) -> Result<Parsed, ParseError> {
    // Editors and shells on Windows put a byte-order mark in front.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(split) = Split::of_large(bytes)
        && let Some(raw) = split.read()
    {
        return finish(raw, Vec::new(), &split.frame);
    }
    // Checking first is several times as fast as reading leniently at once.
    let text = str::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed);
    match serde_json::from_str::<RawProfile<'_>>(&text) {
        Ok(raw) => finish(raw, Vec::new(), &text),
        Err(_) => parse_repaired(&text),
    }
}

fn parse_repaired(text: &str) -> Result<Parsed, ParseError> {
    let text = repair::without_lone_surrogates(&repair::without_non_numbers(text));
    let mut value: Value = serde_json::from_str(&text).map_err(|source| syntax(&text, source))?;
    if !value.is_object() {
        return Err(ParseError::NotAProfile("it is not an object"));
    }
    let dropped = repair::drop_misfits(&mut value);
    let text = value.to_string();
    let raw = serde_json::from_str(&text).map_err(|source| syntax(&text, source))?;
    let warnings =
        dropped.iter().map(|what| format!("unreadable in the profile, left out: {what}"));
    finish(raw, warnings.collect(), &text)
}

fn syntax(text: &str, source: serde_json::Error) -> ParseError {
    match source.classify() {
        Category::Eof => ParseError::Truncated { bytes: text.len() },
        _ => ParseError::Syntax { line: source.line(), column: source.column(), source },
    }
}

fn finish(raw: RawProfile<'_>, warnings: Vec<String>, text: &str) -> Result<Parsed, ParseError> {
    let text = text.trim_start();
    match (&raw.files, &raw.program, raw.elapsed_time_sec) {
        _ if !text.starts_with('{') => Err(ParseError::NotAProfile("it is not an object")),
        (None, None, super::json::Num::Absent)
            if text.get(1..).is_some_and(|rest| rest.trim() == "}") =>
        {
            Err(ParseError::Empty)
        }
        (None, None, super::json::Num::Absent) => {
            Err(ParseError::NotAProfile("it has none of Scalene's keys"))
        }
        (None, _, _) => Err(ParseError::NotAProfile("it has no `files`")),
        _ => Ok(convert::convert(raw, warnings)),
    }
}
