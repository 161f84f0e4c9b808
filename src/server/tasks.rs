//! Long calls as tasks, for clients that say they follow tasks (extension `io.modelcontextprotocol/tasks`).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rmcp::RoleServer;
use rmcp::model::{CreateTaskResult, JsonObject};
use rmcp::service::RequestContext;
use rmcp::task_manager::{TaskExit, TaskManager, TaskOptions};
use tokio_util::sync::CancellationToken;

use super::Server;
use super::tools::Call;

/// How long a task may take, and how long its result is kept; what may take longer is no task.
const TTL_MS: u64 = 6 * 3600 * 1000;
/// Longest time limit of a program that is followed as a task, seconds.
const LONGEST_SEC: f64 = 2.0 * 3600.0;
/// How often a client should look.
const POLL_MS: u64 = 1000;
/// Tasks of one server: their results are kept, 24 KB at most each.
const MOST: usize = 1000;

/// The tasks of a server.
#[derive(Clone, Default)]
pub(super) struct Tasks {
    pub(super) manager: TaskManager,
    begun: Arc<AtomicUsize>,
}

impl Server {
    /// Begins a call as a task, if the client follows tasks and the call runs a program.
    pub(super) fn begin_task(
        &self,
        name: &str,
        arguments: &JsonObject,
        context: &RequestContext<RoleServer>,
    ) -> Option<CreateTaskResult> {
        let follows = context.client_capabilities().is_some_and(|all| all.supports_tasks());
        let limit = arguments.get("timeout").or_else(|| arguments.get("duration_sec"));
        let timeout = limit.and_then(serde_json::Value::as_f64);
        let short = timeout.is_none_or(|timeout| timeout <= LONGEST_SEC);
        if !follows || !short || !self.tools.runs(name) {
            return None;
        }
        if self.tasks.begun.fetch_add(1, Ordering::Relaxed) >= MOST {
            return None;
        }
        let options = TaskOptions::new().with_ttl_ms(TTL_MS).with_poll_interval_ms(POLL_MS);
        let (server, name, arguments) = (self.clone(), name.to_owned(), arguments.clone());
        let taken_back = CancellationToken::new();
        let call = Call::new(context);
        let task = self.tasks.manager.spawn(options, move |task| {
            let call = call.of_task(taken_back.clone(), task.clone());
            Box::pin(async move {
                let mut work = Box::pin(server.answer(&name, arguments, call));
                tokio::select! {
                    result = &mut work => return result.map_err(TaskExit::Error),
                    () = task.cancelled() => taken_back.cancel(),
                    () = server.shutdown.cancelled() => taken_back.cancel(),
                }
                let _ = work.await;
                Err(TaskExit::Cancelled)
            })
        });
        Some(CreateTaskResult::new(task))
    }
}
