//! Progress notifications: only when asked for, always increasing, never waited for long.

use std::time::{Duration, Instant};

use rmcp::RoleServer;
use rmcp::model::{ProgressNotificationParam, ProgressToken};
use rmcp::service::{Peer, RequestContext};
use rmcp::task_manager::TaskContext;

/// A client that does not take a notification within this time does not get it.
const PATIENCE: Duration = Duration::from_millis(200);

/// Time within which the same message is not sent again.
const AGAIN: Duration = Duration::from_millis(500);

/// Tells a client how a call is getting on.
pub(super) struct Progress {
    peer: Peer<RoleServer>,
    token: Option<ProgressToken>,
    task: Option<TaskContext>,
    started: Instant,
    last: f64,
    said: Option<(String, Instant)>,
}

impl Progress {
    pub(super) fn new(context: &RequestContext<RoleServer>) -> Self {
        Self {
            peer: context.peer.clone(),
            token: context.meta.get_progress_token(),
            task: None,
            started: Instant::now(),
            last: 0.0,
            said: None,
        }
    }

    /// That of a task, whose call has been answered: it is a part of the task's state.
    pub(super) fn of_task(task: TaskContext, call: Self) -> Self {
        Self { token: None, task: Some(task), ..call }
    }

    /// Sends a message; the progress value is the age of the call in seconds.
    pub(super) async fn report(&mut self, message: String) {
        if let Some(task) = &self.task {
            task.set_status_message(message);
            return;
        }
        let Some(token) = self.token.clone() else { return };
        // A step is told when it begins and once a second; the two may coincide.
        let again =
            self.said.as_ref().is_some_and(|(said, at)| *said == message && at.elapsed() < AGAIN);
        if again {
            return;
        }
        self.said = Some((message.clone(), Instant::now()));
        self.last = self.started.elapsed().as_secs_f64().max(self.last + 0.001);
        let notification = ProgressNotificationParam::new(token, self.last).with_message(message);
        // A peer that is gone no longer drains notifications, and this would wait for ever.
        let _ = tokio::time::timeout(PATIENCE, self.peer.notify_progress(notification)).await;
    }
}
