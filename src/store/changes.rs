//! What changes in the store, told to whoever listens.

use tokio::sync::broadcast;

use crate::profile::ProfileId;

/// Changes that a listener may lag behind; of more it is told that it missed some.
const REMEMBERED: usize = 64;

/// A change that this process made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A profile was added; others may have gone for it.
    Added(ProfileId),
    /// Something was added to a profile.
    Altered(ProfileId),
}

/// Tells changes; nobody need listen.
#[derive(Debug)]
pub(super) struct Changes(broadcast::Sender<Change>);

impl Default for Changes {
    fn default() -> Self {
        Self(broadcast::Sender::new(REMEMBERED))
    }
}

impl Changes {
    pub(super) fn tell(&self, change: Change) {
        // An error says that nobody listens.
        let _ = self.0.send(change);
    }

    pub(super) fn listen(&self) -> broadcast::Receiver<Change> {
        self.0.subscribe()
    }
}
