//! `load_profile`.

use std::path::Path;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, ToolSpec, aside};
use crate::answer::ProfileAnswer;
use crate::recording::{ImportError, import_file};
use crate::server::Server;
use crate::server::error::ToolError;
use crate::server::fault;

pub(super) struct LoadProfile;

/// Parameters of `load_profile`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Params {
    /// JSON file of Scalene 1.5 to 2.4.
    path: String,
}

impl ToolSpec for LoadProfile {
    const NAME: &'static str = "load_profile";
    const TITLE: &'static str = "Load a profile";
    const DESCRIPTION: &'static str =
        "Reads a JSON profile that Scalene wrote elsewhere (CI, another machine). Nothing is run.";
    const CORE: bool = false;

    const WAITS: bool = true;

    type Params = Params;
    type Output = ProfileAnswer;

    async fn call(server: &Server, params: Params, _: Call) -> Result<ProfileAnswer, ToolError> {
        let path = server.jobs.guard().admit("path", Path::new(&params.path));
        let path = path.map_err(|error| ToolError::from(&error))?;
        let id = server.store.draw_id(|id| server.jobs.get(id).is_some());
        // Up to 256 MiB to read: not on a thread that serves others.
        let store = Arc::clone(&server.store);
        let read = move || -> Result<_, ImportError> {
            fault::at(Self::NAME);
            let profile = store.insert(import_file(&path, id)?);
            Ok(ProfileAnswer::new(&profile))
        };
        Ok(aside(Self::NAME, read).await??)
    }
}

impl From<ImportError> for ToolError {
    fn from(error: ImportError) -> Self {
        Self::new(error.code(), error.to_string(), error.hint())
    }
}
