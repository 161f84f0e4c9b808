//! `get_file_details`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, stored};
use crate::analysis::{FileLookup, find_file};
use crate::answer::{FileAnswer, FileQuery};
use crate::profile::{FileProfile, Profile};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct FileDetails;

/// Parameters of `get_file_details`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// File, or the end of its path.
    file_path: String,
    /// First line to show.
    #[schemars(range(min = 1))]
    start_line: Option<u32>,
    /// Last line to show.
    #[schemars(range(min = 1))]
    end_line: Option<u32>,
    /// Most lines.
    #[schemars(range(min = 1, max = 150))]
    limit: Option<u32>,
}

impl ToolSpec for FileDetails {
    const NAME: &'static str = "get_file_details";
    const TITLE: &'static str = "Annotated source";
    const DESCRIPTION: &'static str = "Shows a profiled file's source with time and memory beside each line: those that matter, or a \
        range.";

    type Params = Params;
    type Output = FileAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<FileAnswer, ToolError> {
        let profile = stored(server, &params.profile_id, &mut call).await?;
        let limit =
            params.limit.map(|limit| super::rows(limit, FileQuery::MOST_LINES)).transpose()?;
        let query = FileQuery { start: params.start_line, end: params.end_line, limit };
        check(query)?;
        let file = file(&profile, &params.file_path)?;
        let last = file.source.line_count();
        if let Some(start) = query.start.filter(|start| *start as usize > last) {
            return Err(ToolError::invalid_argument(
                format!("start_line {start} is after the file's last line {last}"),
                "pass a smaller start_line, or none for the lines that matter",
            ));
        }
        Ok(FileAnswer::new(&profile, file, query))
    }
}

/// The file that is meant.
pub(in crate::server) fn file<'a>(
    profile: &'a Profile,
    path: &str,
) -> Result<&'a FileProfile, ToolError> {
    match find_file(profile, path) {
        FileLookup::Found(file) => Ok(file),
        FileLookup::Ambiguous(paths) => Err(ToolError::invalid_argument(
            format!("file_path `{path}` fits several files: {}", paths.join(", ")),
            "pass more of the path",
        )),
        FileLookup::Missing => Err(not_profiled(profile, path)),
    }
}

fn check(query: FileQuery) -> Result<(), ToolError> {
    for (name, line) in [("start_line", query.start), ("end_line", query.end)] {
        if line == Some(0) {
            return Err(ToolError::invalid_argument(
                format!("{name}: 0 is no line, the first is 1"),
                "correct it and call again",
            ));
        }
    }
    match (query.start, query.end) {
        (Some(start), Some(end)) if start > end => Err(ToolError::invalid_argument(
            format!("start_line {start} is after end_line {end}"),
            "swap them and call again",
        )),
        _ => Ok(()),
    }
}

/// Files listed in an error.
const SUGGESTIONS: usize = 5;

fn not_profiled(profile: &Profile, wanted: &str) -> ToolError {
    let mut files: Vec<_> = profile.files.iter().collect();
    files.sort_by(|a, b| b.cpu_share.get().total_cmp(&a.cpu_share.get()));
    let known: Vec<_> = files
        .iter()
        .take(SUGGESTIONS)
        .map(|file| profile.display_path(&file.path).into_owned())
        .collect();
    let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
    ToolError::new(
        "file_not_in_profile",
        format!("profile `{}` has no file `{wanted}` (files with samples: {known})", profile.id),
        "pass one of those; a file with less than 1 % of the time and 1 MiB allocated is not in a profile",
    )
}
