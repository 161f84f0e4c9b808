//! Progress notifications: only when asked for, always increasing, never waited for long.

use std::time::{Duration, Instant};

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};

/// A client that does not take a notification within this time does not get it.
const PATIENCE: Duration = Duration::from_millis(200);

/// Tells a client how a call is getting on.
pub(super) struct Progress {
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
    started: Instant,
    last: f64,
}

impl Progress {
    pub(super) fn new(context: &RequestContext<RoleServer>) -> Self {
        Self {
            peer: context.peer.clone(),
            token: context.meta.get_progress_token(),
            started: Instant::now(),
            last: 0.0,
        }
    }

    /// Sends a message; the progress value is the age of the call in seconds.
    pub(super) async fn report(&mut self, message: String) {
        let Some(token) = self.token.clone() else { return };
        self.last = self.started.elapsed().as_secs_f64().max(self.last + 0.001);
        let notification = ProgressNotificationParam::new(token, self.last).with_message(message);
        // A peer that is gone no longer drains notifications, and this would wait for ever.
        let _ = tokio::time::timeout(PATIENCE, self.peer.notify_progress(notification)).await;
    }
}
