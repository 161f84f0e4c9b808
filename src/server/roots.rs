//! Folders that a client works in, where it tells them.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::ProtocolVersion;
use rmcp::service::{Peer, RequestContext};

use crate::recording::{Guard, RunRequest, Target};

/// A client that does not answer within this time has none.
const PATIENCE: Duration = Duration::from_secs(2);
/// Folders that are looked at.
const MOST: usize = 20;

/// Asks a client for its folders.
pub(super) struct Roots {
    /// Absent where the client has not said that it can be asked.
    peer: Option<Peer<RoleServer>>,
}

impl Roots {
    /// The newest revision lets a server ask only by failing the call first, and calls roots obsolete: there the
    /// parameters `script_path` and `cwd` say it all.
    pub(super) fn new(context: &RequestContext<RoleServer>) -> Self {
        let told = context.client_capabilities().is_some_and(|all| all.roots.is_some());
        let version = context.protocol_version();
        let can = told && version.is_some_and(|version| version < ProtocolVersion::V_2026_07_28);
        Self { peer: can.then(|| context.peer.clone()) }
    }

    /// Gives a run that names no folder the one that the client works in: the first in which its script is; for
    /// a module or a snippet the first.
    pub(super) async fn settle(&self, request: &mut RunRequest, guard: &Guard) {
        if request.cwd.is_some() {
            return;
        }
        let script = match &request.target {
            Target::Script(typed) if Path::new(typed).is_absolute() || typed.starts_with('~') => {
                return;
            }
            Target::Script(typed) => Some(typed.clone()),
            Target::Module(_) | Target::Snippet(_) => None,
        };
        let has = |root: &PathBuf| script.as_ref().is_none_or(|script| root.join(script).is_file());
        let allowed = |root: &PathBuf| guard.admit("cwd", root).is_ok();
        request.cwd = self.ask().await.into_iter().find(|root| has(root) && allowed(root));
    }

    async fn ask(&self) -> Vec<PathBuf> {
        let Some(peer) = &self.peer else { return Vec::new() };
        #[expect(deprecated, reason = "obsolete in the newest revision only")]
        let uris = async {
            let listed = peer.list_roots().await.ok()?;
            Some(listed.roots.into_iter().map(|root| root.uri).collect::<Vec<_>>())
        };
        let uris = tokio::time::timeout(PATIENCE, uris).await.ok().flatten().unwrap_or_default();
        let folders = uris.iter().filter_map(|uri| folder(uri));
        folders.filter(|folder| folder.is_dir()).take(MOST).collect()
    }
}

/// The path of a `file:` URI.
fn folder(uri: &str) -> Option<PathBuf> {
    url::Url::parse(uri).ok().filter(|uri| uri.scheme() == "file")?.to_file_path().ok()
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_from_uris() {
        assert_eq!(folder("file:///a%20b/c"), Some(PathBuf::from("/a b/c")));
        for other in ["https://example.org/a", "/a/b", "file://", "nonsense"] {
            assert_eq!(folder(other).filter(|path| path != Path::new("/")), None, "{other}");
        }
    }
}
