//! The file of a stored profile: one line of JSON that says what it is, then the profile as gzipped JSON.
//!
//! The line can be read without the rest. A reader refuses versions above its own; fields that
//! a version adds must be optional, so that older files stay readable.

use std::io::{self, BufRead, Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};

use super::summary::Summary;
use crate::profile::{Blocks, Profile};

/// What the first line says of the format.
const FORMAT: &str = "scalene-mcp profile";
/// Version that is written, and the highest that is read.
const VERSION: u32 = 1;
/// Longest first line.
const MOST_HEADER: u64 = 1 << 20;
/// Largest profile as JSON: larger ones are not read.
const MOST_JSON: u64 = 512 << 20;

/// Why a file is no profile that can be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreadable {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("it is no stored profile")]
    Foreign,
    #[error(
        "it was written by a newer scalene-mcp (format {found}, this one reads up to {VERSION})"
    )]
    Newer { found: u32 },
    #[error("it is damaged: {0}")]
    Damaged(String),
}

#[derive(Deserialize)]
struct Version {
    format: String,
    version: u32,
}

#[derive(Serialize)]
struct Header<'a> {
    format: &'static str,
    version: u32,
    profile: &'a Summary,
}

#[derive(Deserialize)]
struct Described {
    profile: Summary,
}

/// Writes a profile.
pub(super) fn write(mut to: impl Write, summary: &Summary, profile: &Profile) -> io::Result<()> {
    let header = Header { format: FORMAT, version: VERSION, profile: summary };
    serde_json::to_writer(&mut to, &header)?;
    to.write_all(b"\n")?;
    let mut packed = io::BufWriter::new(GzEncoder::new(to, Compression::fast()));
    serde_json::to_writer(&mut packed, profile)?;
    packed.into_inner().map_err(io::IntoInnerError::into_error)?.finish()?.flush()
}

/// Reads what the first line says.
pub(super) fn read_summary(from: &mut impl BufRead) -> Result<Summary, Unreadable> {
    let mut line = Vec::new();
    from.by_ref().take(MOST_HEADER).read_until(b'\n', &mut line)?;
    let version: Version = serde_json::from_slice(&line).map_err(|_| Unreadable::Foreign)?;
    if version.format != FORMAT {
        return Err(Unreadable::Foreign);
    }
    if version.version > VERSION {
        return Err(Unreadable::Newer { found: version.version });
    }
    let described: Described = serde_json::from_slice(&line).map_err(damaged)?;
    Ok(described.profile)
}

/// Reads all of it.
pub(super) fn read(mut from: impl BufRead) -> Result<(Summary, Profile), Unreadable> {
    let summary = read_summary(&mut from)?;
    let mut text = Vec::new();
    GzDecoder::new(from).take(MOST_JSON).read_to_end(&mut text).map_err(damaged)?;
    let profile: Profile = serde_json::from_slice(&text).map_err(damaged)?;
    let sound = profile.calls.as_ref().is_none_or(|calls| calls.tree.is_sound());
    let nested = profile.blocks.as_ref().is_none_or(Blocks::is_sound);
    if profile.id != summary.id || !sound || !nested {
        return Err(Unreadable::Damaged("its parts do not belong together".to_owned()));
    }
    Ok((summary, profile))
}

fn damaged(why: impl std::fmt::Display) -> Unreadable {
    Unreadable::Damaged(why.to_string())
}
