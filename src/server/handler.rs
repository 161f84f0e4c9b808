//! The protocol side: what the server says of itself, and how a call reaches its tool.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, CancelTaskParams,
    CompleteRequestParams, CompleteResult, ContentBlock, GetPromptRequestParams, GetPromptResponse,
    GetTaskParams, GetTaskResult, Icon, Implementation, JsonObject, ListPromptsResult,
    ListResourceTemplatesResult, ListResourcesResult, ListToolsResult, PaginatedRequestParams,
    ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities, ServerConfig,
    SubscribeRequestParams, SubscriptionFilter, Tool, UnsubscribeRequestParams, UpdateTaskParams,
};
use rmcp::service::{NotificationContext, RequestContext, SubscriptionContext};
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::asking::{Asked, Asking};
use super::error::ToolError;
use super::resources::Listeners;
use super::tools::Call;
use super::{Output, Server, completion, fault, prompts, resources, unknown_cursor};

/// The workflow, for clients that show it to the model. At most 2 KB.
const INSTRUCTIONS: &str = "\
Finds out why Python code is slow or uses much memory, with the Scalene profiler. \
Start with profile_script (a file, or `-m package.module`) or profile_code (a snippet); one call \
installs nothing into the project and returns the hot lines with their source, memory, the program's \
exit code and output, and a profile_id. profile_function calls one function, profile_tests runs tests, profile_process looks at a \
process that already runs. Then analyze_profile says what to change and what that gives at \
most. Drill down with get_file_details, get_function_summary, get_cpu_hotspots, get_memory_hotspots, \
get_memory_leaks. After a change verify_speedup runs old and new in turns and says whether it is faster and does the same work; compare_profiles shows where. load_profile reads a JSON that \
Scalene wrote elsewhere. `latest` and `previous` name the newest profiles. A run longer than wait_sec answers with status `running`: call get_profile with its id. \
Times are shares of sampled time times wall time under the profiler; system time is mostly waiting. \
Memory is growth since the start in MiB, not resident size. Believe shares only with enough samples: \
answers say when there are too few. Errors say what failed and the next call to make.";

/// The same where nothing is run.
const READ_ONLY: &str = "\
Explains profiles of Python programs that Scalene wrote; nothing is run here. list_profiles shows what is stored, \
load_profile reads a JSON that Scalene wrote. Then analyze_profile says what to change and what that gives at \
most. Drill down with get_file_details, get_function_summary, get_cpu_hotspots, get_memory_hotspots, \
get_memory_leaks; compare_profiles holds two against each other. `latest` and `previous` name the newest. \
Times are shares of sampled time times wall time under the profiler; system time is mostly waiting. \
Memory is growth since the start in MiB, not resident size. Believe shares only with enough samples: \
answers say when there are too few. Errors say what failed and the next call to make.";

/// Three bars, the rows of a profile.
const ICON: &str = "data:image/svg+xml,%3Csvg%20xmlns='http://www.w3.org/2000/svg'%20viewBox='0%200%2032%2032'%3E\
%3Cpath%20fill='%23c33'%20d='M4,5h24v6H4z'/%3E%3Cpath%20fill='%23e90'%20d='M4,13h15v6H4z'/%3E\
%3Cpath%20fill='%23888'%20d='M4,21h8v6H4z'/%3E%3C/svg%3E";

/// The list of tools never changes while the server runs.
const LIST_TTL_MS: u64 = 3_600_000;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder()
            .enable_tools()
            .enable_prompts()
            .enable_completions()
            .enable_resources()
            .enable_resources_subscribe()
            .enable_resources_list_changed()
            .enable_tasks()
            .build();
        let implementation = Implementation::new("scalene-mcp", env!("CARGO_PKG_VERSION"))
            .with_title("Scalene profiler")
            .with_description("Profiles Python code: time, memory and GPU by line")
            .with_icons(vec![Icon::new(ICON).with_mime_type("image/svg+xml")]);
        ServerConfig::new(capabilities)
            .with_server_info(implementation)
            .with_instructions(if self.options.read_only { READ_ONLY } else { INSTRUCTIONS })
    }

    async fn list_tools(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        no_cursor(request)?;
        let list = ListToolsResult::with_all_items(self.tools.list());
        Ok(list.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.tools.find(name)
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let mut asking = Asking::new(&context, &request, &self.choices);
        let name = request.name.to_string();
        let arguments = request.arguments.unwrap_or_default();
        if let Some(task) = self.begin_task(&name, &arguments, &context) {
            return Ok(CallToolResponse::Task(task));
        }
        loop {
            let call = Call::new(&context).asking(&asking);
            let error = match self.attempt(&name, arguments.clone(), call).await {
                Ok(Err(error)) => error,
                Ok(Ok(result)) => return Ok(in_form(result, self.options.output).into()),
                Err(unknown) => return Err(unknown),
            };
            match asking.ask(&error, &self.choices, &context).await {
                Asked::Answered => {}
                Asked::Passed(question) => return Ok(question.into()),
                Asked::Nothing => return Ok(error.into_result().into()),
            }
        }
    }

    async fn get_task(
        &self,
        request: GetTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetTaskResult, ErrorData> {
        self.tasks.manager.get_task(&request.task_id).map(GetTaskResult::new)
    }

    async fn update_task(
        &self,
        request: UpdateTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.manager.update_task(&request.task_id, request.input_responses)
    }

    async fn cancel_task(
        &self,
        request: CancelTaskParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.tasks.manager.cancel_task(&request.task_id)
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        let (store, cursor) = (Arc::clone(&self.store), request.and_then(|page| page.cursor));
        aside("resources/list", move || resources::page(&store, cursor.as_deref())).await
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        no_cursor(request)?;
        let list = ListResourceTemplatesResult::with_all_items(resources::templates());
        Ok(list.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let server = self.clone();
        let read = move || resources::read(&server, &request.uri).map(Into::into);
        aside("resources/read", read).await
    }

    async fn subscribe(
        &self,
        request: SubscribeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.listeners.begin(self, &context.peer);
        let server = self.clone();
        let add = move || server.listeners.subscribe(&server, &request.uri);
        aside("resources/subscribe", add).await
    }

    async fn unsubscribe(
        &self,
        request: UnsubscribeRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<(), ErrorData> {
        self.listeners.unsubscribe(&request.uri);
        Ok(())
    }

    async fn on_initialized(&self, context: NotificationContext<RoleServer>) {
        // Who made no handshake hears of changes by asking for them.
        if context.peer.peer_info().is_some() {
            self.listeners.begin(self, &context.peer);
        }
    }

    fn accepted_subscription_filter(
        &self,
        asked: &SubscriptionFilter,
    ) -> Option<SubscriptionFilter> {
        Some(resources::accepted(self, asked))
    }

    async fn listen(&self, context: SubscriptionContext) -> Result<(), ErrorData> {
        let listeners = Listeners::default();
        for uri in context.accepted().resource_subscriptions.iter().flatten() {
            // What is gone meanwhile has no news.
            let _ = listeners.subscribe(self, uri);
        }
        tokio::select! {
            () = listeners.stream(self, context.sink().clone()) => {}
            () = context.cancelled() => {}
        }
        Ok(())
    }

    async fn list_prompts(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListPromptsResult, ErrorData> {
        no_cursor(request)?;
        let list = ListPromptsResult::with_all_items(prompts::list(self));
        Ok(list.with_ttl_ms(LIST_TTL_MS).with_cache_scope(CacheScope::Public))
    }

    async fn get_prompt(
        &self,
        request: GetPromptRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<GetPromptResponse, ErrorData> {
        let server = self.clone();
        aside("prompts/get", move || prompts::get(&server, request).map(Into::into)).await
    }

    async fn complete(
        &self,
        request: CompleteRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CompleteResult, ErrorData> {
        let server = self.clone();
        aside("completion/complete", move || completion::complete(&server, &request)).await
    }
}

impl Server {
    /// Calls a tool. A panic in there is this call's failure; a tool that there is not is the protocol's.
    async fn attempt(
        &self,
        name: &str,
        arguments: JsonObject,
        call: Call,
    ) -> Result<Result<CallToolResult, ToolError>, ErrorData> {
        let calling = AssertUnwindSafe(self.tools.call(self, name, arguments, call));
        match calling.catch_unwind().await {
            Ok(Some(answer)) => Ok(answer),
            Ok(None) => {
                Err(ErrorData::invalid_params(self.tools.unknown(name, &self.options), None))
            }
            Err(_) => Ok(Err(ToolError::internal(name))),
        }
    }

    /// The same as the result that a client gets.
    pub(super) async fn answer(
        &self,
        name: &str,
        arguments: JsonObject,
        call: Call,
    ) -> Result<CallToolResult, ErrorData> {
        let answer = self.attempt(name, arguments, call).await?;
        let form = |result| in_form(result, self.options.output);
        Ok(answer.map_or_else(ToolError::into_result, form))
    }
}

/// An answer in the form that was chosen at the start.
fn in_form(mut result: CallToolResult, output: Output) -> CallToolResult {
    match (output, result.structured_content.take()) {
        (Output::Both, structured) => result.structured_content = structured,
        (Output::Structured, Some(structured)) => {
            result.content = vec![ContentBlock::text(structured.to_string())];
            result.structured_content = Some(structured);
        }
        (Output::Structured, None) | (Output::Text, _) => {}
    }
    result
}

/// Works on a thread that serves nobody else: profiles may be large, and stored in files.
async fn aside<T: Send + 'static>(
    method: &'static str,
    work: impl FnOnce() -> Result<T, ErrorData> + Send + 'static,
) -> Result<T, ErrorData> {
    let work = move || {
        fault::at(method);
        work()
    };
    let failed = |_| ErrorData::internal_error(format!("{method} failed by a bug"), None);
    tokio::task::spawn_blocking(work).await.map_err(failed)?
}

/// A list that fits one page, so that no cursor can be one of ours.
fn no_cursor(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    request.and_then(|request| request.cursor).map_or(Ok(()), |cursor| Err(unknown_cursor(&cursor)))
}
