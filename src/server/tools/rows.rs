//! Parameters of the tools that list the first rows of a profile.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;

use super::{Call, limit, stored};
use crate::profile::Profile;
use crate::server::Server;
use crate::server::error::ToolError;

/// A profile, and how many rows of it; so many unless something else is asked for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rows<const USUAL: u32> {
    /// Or `latest`.
    profile_id: String,
    /// Most rows.
    #[serde(default = "usual::<USUAL>")]
    #[schemars(range(min = 1, max = 100))]
    limit: u32,
}

const fn usual<const USUAL: u32>() -> u32 {
    USUAL
}

impl<const USUAL: u32> Rows<USUAL> {
    /// The profile that is meant, and the number of rows.
    pub(super) async fn of(
        self,
        server: &Server,
        mut call: Call,
    ) -> Result<(Arc<Profile>, usize), ToolError> {
        let limit = limit(self.limit)?;
        Ok((stored(server, &self.profile_id, &mut call).await?, limit))
    }
}
