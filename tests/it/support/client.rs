//! A real MCP client that speaks to the built binary over its standard streams.

use std::path::Path;
use std::sync::{Arc, Mutex};

use rmcp::model::{
    CallToolRequestParams, CallToolResult, ClientConfig, JsonObject, ProgressNotificationParam,
    ProtocolVersion, ResourceUpdatedNotificationParam,
};
use rmcp::service::{ClientLifecycleMode, ClientServiceExt, NotificationContext, RunningService};
use rmcp::transport::TokioChildProcess;
use rmcp::{ClientHandler, RoleClient, ServiceExt};
use serde_json::{Value, json};

use super::pythons;

/// The built binary.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_scalene-mcp");

/// What [`Listener`] keeps for a changed list of resources.
pub(crate) const LIST: &str = "the list";

/// Keeps the notifications that it gets.
#[derive(Clone, Default)]
pub(crate) struct Listener {
    pub(crate) progress: Arc<Mutex<Vec<(f64, String)>>>,
    /// URIs of resources that changed, and [`LIST`].
    pub(crate) changed: Arc<Mutex<Vec<String>>>,
}

impl ClientHandler for Listener {
    fn get_info(&self) -> ClientConfig {
        ClientConfig::default()
    }

    async fn on_progress(
        &self,
        params: ProgressNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        let message = params.message.unwrap_or_default();
        self.progress.lock().unwrap().push((params.progress, message));
    }

    async fn on_resource_updated(
        &self,
        params: ResourceUpdatedNotificationParam,
        _: NotificationContext<RoleClient>,
    ) {
        self.changed.lock().unwrap().push(params.uri);
    }

    async fn on_resource_list_changed(&self, _: NotificationContext<RoleClient>) {
        self.changed.lock().unwrap().push(LIST.to_owned());
    }
}

/// A session with a server of its own.
pub(crate) struct Session {
    pub(crate) service: RunningService<RoleClient, Listener>,
    pub(crate) listener: Listener,
    pub(crate) server_pid: u32,
}

/// A successful answer in both its forms.
pub(crate) struct Answer {
    pub(crate) structured: Value,
    pub(crate) text: String,
}

/// A command for the server with an environment that does not depend on who runs the tests:
/// no active environments, a cache of its own.
pub(crate) fn server_command(cwd: &Path, args: &[&str]) -> tokio::process::Command {
    #[expect(clippy::disallowed_methods, reason = "a client starts its server")]
    let mut command = tokio::process::Command::new(BINARY);
    command.args(args).current_dir(cwd).env("SCALENE_MCP_CACHE_DIR", pythons::cache_dir());
    // Refused calls are what many tests are about.
    command.env("SCALENE_MCP_LOG", "error");
    for name in [
        "VIRTUAL_ENV",
        "CONDA_PREFIX",
        "PYTHONPATH",
        "PYTHONUNBUFFERED",
        "SCALENE_MCP_PYTHON",
        "SCALENE_MCP_NO_INSTALL",
        "SCALENE_MCP_STORE",
    ] {
        command.env_remove(name);
    }
    command
}

impl Session {
    /// Starts a server in `cwd` and shakes hands with it.
    pub(crate) async fn open(cwd: &Path) -> Self {
        Self::open_with(server_command(cwd, &[])).await
    }

    pub(crate) async fn open_with(command: tokio::process::Command) -> Self {
        let transport = TokioChildProcess::new(command).unwrap();
        let server_pid = transport.id().unwrap();
        let listener = Listener::default();
        let service = listener.clone().serve(transport).await.unwrap();
        Self { service, listener, server_pid }
    }

    /// The same in the version of the protocol that has no handshake.
    pub(crate) async fn open_stateless(cwd: &Path) -> Self {
        let transport = TokioChildProcess::new(server_command(cwd, &[])).unwrap();
        let server_pid = transport.id().unwrap();
        let listener = Listener::default();
        let mode = ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        };
        let service = listener.clone().serve_with_lifecycle(transport, mode).await.unwrap();
        Self { service, listener, server_pid }
    }

    /// Calls a tool; what comes back may be a failure.
    pub(crate) async fn raw(&self, tool: &str, arguments: Value) -> CallToolResult {
        let Value::Object(arguments) = arguments else { panic!("arguments are an object") };
        let arguments: JsonObject = arguments;
        let params = CallToolRequestParams::new(tool.to_owned()).with_arguments(arguments);
        self.service.call_tool(params).await.unwrap()
    }

    /// Calls a tool that must succeed, and checks that the answer comes in both forms.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Answer {
        let result = self.raw(tool, arguments).await;
        let text = text(&result);
        assert_ne!(result.is_error, Some(true), "{tool} failed: {text}");
        let structured = result.structured_content.expect("an answer has a structured form");
        assert!(text.len() <= 24 * 1024, "{tool}: {} bytes of text", text.len());
        Answer { structured, text }
    }

    /// What lines of a file of the latest profile have of the time, in percent.
    pub(crate) async fn shares<const N: usize>(&self, file: &str, numbers: [u64; N]) -> [f64; N] {
        let arguments = json!({"profile_id": "latest", "file_path": file});
        let details = self.call("get_file_details", arguments).await.structured;
        let lines = details["lines"].as_array().unwrap();
        numbers.map(|number| {
            let found = lines.iter().filter(|line| line["line_number"] == number);
            found.map(|line| line["percent_of_total"].as_f64().unwrap_or(0.0)).sum()
        })
    }

    /// Calls a tool that must fail; returns the text of the failure.
    pub(crate) async fn failure(&self, tool: &str, arguments: Value) -> String {
        let result = self.raw(tool, arguments).await;
        let text = text(&result);
        assert_eq!(result.is_error, Some(true), "{tool} did not fail: {text}");
        assert_eq!(result.structured_content, None, "failures are text only");
        assert!(text.contains("\nNext: "), "a failure says what to do: {text}");
        text
    }

    /// Ends the session and waits for the server's end.
    pub(crate) async fn close(self) {
        self.service.cancel().await.unwrap();
    }
}

/// The text of a result.
pub(crate) fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.clone())).collect()
}
