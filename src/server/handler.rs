//! The protocol side: what the server says of itself, and how a call reaches its tool.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures::FutureExt;
use rmcp::model::{
    CacheScope, CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock,
    Implementation, ListResourceTemplatesResult, ListResourcesResult, ListToolsResult,
    PaginatedRequestParams, ReadResourceRequestParams, ReadResourceResponse, ServerCapabilities,
    ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};

use super::tools::Call;
use super::{Output, Server, fault, resources};

/// The workflow, for clients that show it to the model. At most 2 KB.
const INSTRUCTIONS: &str = "\
Finds out why Python code is slow or uses much memory, with the Scalene profiler. \
Start with profile_script (a file, or `-m package.module`) or profile_code (a snippet); one call \
installs nothing into the project and returns the hot lines with their source, memory, the program's \
exit code and output, and a profile_id. Then analyze_profile says what to change and what that gives at \
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

/// The list of tools never changes while the server runs.
const LIST_TTL_MS: u64 = 3_600_000;

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().enable_resources().build();
        let implementation = Implementation::new("scalene-mcp", env!("CARGO_PKG_VERSION"))
            .with_title("Scalene profiler")
            .with_description("Profiles Python code: time, memory and GPU by line");
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
        let name = request.name.to_string();
        let arguments = request.arguments.unwrap_or_default();
        let call = Call::new(&context);
        let answered =
            AssertUnwindSafe(self.tools.call(self, &name, arguments, call)).catch_unwind().await;
        match answered {
            Ok(Some(Ok(result))) => Ok(in_form(result, self.options.output).into()),
            Ok(Some(Err(error))) => Ok(error.into_result().into()),
            Ok(None) => Err(ErrorData::invalid_params(self.tools.unknown(&name), None)),
            Err(_) => Ok(super::error::ToolError::internal(&name).into_result().into()),
        }
    }

    async fn list_resources(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourcesResult, ErrorData> {
        no_cursor(request)?;
        Ok(ListResourcesResult::with_all_items(resources::list(&self.store)))
    }

    async fn list_resource_templates(
        &self,
        request: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListResourceTemplatesResult, ErrorData> {
        no_cursor(request)?;
        Ok(ListResourceTemplatesResult::with_all_items(resources::templates()))
    }

    async fn read_resource(
        &self,
        request: ReadResourceRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<ReadResourceResponse, ErrorData> {
        let store = Arc::clone(&self.store);
        let read = move || {
            fault::at("resources/read");
            resources::read(&store, &request.uri)
        };
        // A whole profile may be large.
        let failed = |_| ErrorData::internal_error("the resource could not be made; a bug", None);
        tokio::task::spawn_blocking(read).await.map_err(failed)?.map(Into::into)
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

/// Every list fits one page, so that no cursor can be one of ours.
fn no_cursor(request: Option<PaginatedRequestParams>) -> Result<(), ErrorData> {
    match request.and_then(|request| request.cursor) {
        Some(cursor) => Err(ErrorData::invalid_params(format!("unknown cursor `{cursor}`"), None)),
        None => Ok(()),
    }
}
