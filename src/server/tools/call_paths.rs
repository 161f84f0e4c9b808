//! `get_call_paths`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, file_details, rows, stored};
use crate::analysis::{CallDirection, CallsFrom, called_file, called_functions};
use crate::answer::CallPathsAnswer;
use crate::profile::{LineNo, Profile, place};
use crate::server::Server;
use crate::server::error::ToolError;

pub(super) struct CallPaths;

/// Parameters of `get_call_paths`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// Or `latest`.
    profile_id: String,
    /// Name, or its last part.
    function: Option<String>,
    /// File, with `line`.
    file_path: Option<String>,
    /// Line in `file_path`.
    #[schemars(range(min = 1))]
    line: Option<u32>,
    /// Default: callers.
    direction: Option<Direction>,
    /// Steps to follow.
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 50))]
    depth: u32,
    /// Most rows.
    #[serde(default = "default_limit")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Direction {
    Callers,
    Callees,
}

const fn default_depth() -> u32 {
    12
}

const fn default_limit() -> u32 {
    20
}

impl ToolSpec for CallPaths {
    const NAME: &'static str = "get_call_paths";
    const TITLE: &'static str = "Call paths";
    const DESCRIPTION: &'static str = "Shows call paths as a tree with total, own and waiting time, of the run, a function or a line.";
    const CORE: bool = false;

    type Params = Params;
    type Output = CallPathsAnswer;

    async fn call(
        server: &Server,
        params: Params,
        mut call: Call,
    ) -> Result<CallPathsAnswer, ToolError> {
        let limit = rows(params.limit, 100)?;
        let depth = params.depth as usize;
        if !(1..=50).contains(&depth) {
            return Err(ToolError::invalid_argument(
                format!("depth: {depth} is outside 1 to 50"),
                "correct it and call again",
            ));
        }
        let profile = stored(server, &params.profile_id, &mut call).await?;
        if profile.calls.is_none() {
            return Err(ToolError::new(
                "no_call_paths",
                format!("profile `{}` holds no sampled calls", profile.id),
                "profile the program here, for half a second or more; a warning of the profile says where sampling \
                 was not possible",
            ));
        }
        let (from, words) = from(&profile, &params)?;
        let direction = match (params.direction, from) {
            (Some(Direction::Callees), _) | (None, CallsFrom::Start) => CallDirection::Callees,
            (Some(Direction::Callers), CallsFrom::Start) => {
                return Err(ToolError::invalid_argument(
                    "direction `callers` needs a function, or file_path and line",
                    "pass one of them",
                ));
            }
            (Some(Direction::Callers) | None, _) => CallDirection::Callers,
        };
        CallPathsAnswer::new(&profile, (from, &words), direction, depth, limit)
            .ok_or_else(|| unseen(&profile, &words))
    }
}

fn from<'a>(
    profile: &'a Profile,
    params: &'a Params,
) -> Result<(CallsFrom<'a>, String), ToolError> {
    match (&params.function, &params.file_path, params.line) {
        (None, None, None) => Ok((CallsFrom::Start, "the run".to_owned())),
        (Some(name), None, None) => Ok((CallsFrom::Function(name), name.clone())),
        (None, Some(path), Some(line)) => {
            // Scalene may have no sample in a file that calls another all the time.
            let file = match called_file(profile, path) {
                Some(file) => file,
                None => &file_details::file(profile, path)?.path,
            };
            let number = LineNo::new(line).ok_or_else(|| {
                ToolError::invalid_argument(
                    "line: 0 is no line, the first is 1",
                    "correct it and call again",
                )
            })?;
            let words = place(&profile.display_path(file), line, None);
            Ok((CallsFrom::Line(file, number), words))
        }
        _ => Err(ToolError::invalid_argument(
            "pass `function`, or `file_path` and `line`, or none of them",
            "correct it and call again",
        )),
    }
}

/// Functions listed in an error.
const SUGGESTIONS: usize = 8;

fn unseen(profile: &Profile, wanted: &str) -> ToolError {
    let known = called_functions(profile);
    let names: Vec<&str> = known.iter().take(SUGGESTIONS).map(|(name, _)| name.as_str()).collect();
    ToolError::new(
        "not_sampled",
        format!("no sample was taken in `{wanted}` (heaviest: {})", names.join(", ")),
        "pass one of those; what runs for a few milliseconds only is not sampled",
    )
}
