//! The tools: one file each, listed here, looked up by name.

mod analyze_profile;
mod blocks;
mod bottlenecks;
mod call_paths;
mod compare_profiles;
mod confirm;
mod cpu_hotspots;
mod file_details;
mod function_summary;
mod get_profile;
mod gpu_hotspots;
mod list_profiles;
mod load_profile;
mod memory_hotspots;
mod memory_leaks;
mod profile_code;
mod profile_function;
mod profile_process;
mod profile_script;
mod profile_tests;
mod rows;
pub(super) mod run;
mod stop_profile;
mod verify_speedup;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rmcp::RoleServer;
use rmcp::model::{
    CallToolResult, ContentBlock, JsonObject, ProtocolVersion, Tool, ToolAnnotations,
};
use rmcp::service::RequestContext;
use rmcp::task_manager::TaskContext;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

pub(super) use file_details::file;

use super::asking::{Answers, Asking};
use super::error::ToolError;
use super::jobs::Phase;
use super::options::{Options, Output};
use super::progress::Progress;
use super::roots::Roots;
use super::{Server, arguments, fault, resources, schema};
use crate::answer::Answer;
use crate::profile::Profile;

/// What a call brings besides its arguments.
pub(super) struct Call {
    /// Fired when the client takes the call back.
    taken_back: CancellationToken,
    /// The client knows links in results.
    links: bool,
    progress: Progress,
    roots: Roots,
    /// What a person has answered, and whether one can be asked.
    answers: Answers,
    can_ask: bool,
    /// Nobody gives up waiting: the answer is that of the end.
    to_the_end: bool,
}

impl Call {
    pub(super) fn new(context: &RequestContext<RoleServer>) -> Self {
        let version = context.protocol_version();
        let links = version.is_some_and(|version| version >= ProtocolVersion::V_2025_06_18);
        Self {
            taken_back: context.ct.clone(),
            links,
            progress: Progress::new(context),
            roots: Roots::new(context),
            answers: Answers::default(),
            can_ask: false,
            to_the_end: false,
        }
    }

    /// With what a person has answered.
    pub(super) fn asking(mut self, asking: &Asking) -> Self {
        (self.answers, self.can_ask) = (asking.answers().clone(), asking.can());
        self
    }

    /// As a task, which is taken back otherwise than a call, and whose progress is its state.
    pub(super) fn of_task(mut self, taken_back: CancellationToken, task: TaskContext) -> Self {
        (self.taken_back, self.to_the_end) = (taken_back, true);
        self.progress = Progress::of_task(task, self.progress);
        self
    }
}

/// A tool: its words, its parameters, its answer, and what it does.
trait ToolSpec: Send + Sync + 'static {
    const NAME: &'static str;
    const TITLE: &'static str;
    /// At most 600 bytes, the decisive sentence first.
    const DESCRIPTION: &'static str;
    /// Runs programs: neither read-only nor confined to this machine.
    const RUNS_CODE: bool = false;
    /// It runs programs only if that is asked for, or cannot be helped.
    const IF_ASKED: bool = false;
    /// It belongs to the documented API, or is needed for runs that take long.
    const CORE: bool = true;
    /// Parameters that are not in the list of tools, which is read before the first question: those of `profile_script`,
    /// and what is seldom needed. They are accepted all the same, and docs/tools.md has them.
    const UNLISTED: &'static [&'static str] = &[];
    /// Waits for something, a run or a thread. The others only compute, on a thread of their own.
    const WAITS: bool = Self::RUNS_CODE;

    type Params: DeserializeOwned + JsonSchema + Send + 'static;
    type Output: Answer + 'static;

    fn call(
        server: &Server,
        params: Self::Params,
        call: Call,
    ) -> impl Future<Output = Result<Self::Output, ToolError>> + Send;
}

type Answered<'a> = Pin<Box<dyn Future<Output = Result<CallToolResult, ToolError>> + Send + 'a>>;

struct Entry {
    tool: Tool,
    /// Of all parameters, those that are not listed as well.
    params: Arc<JsonObject>,
    run: for<'a> fn(&'a Server, Arc<JsonObject>, JsonObject, Call) -> Answered<'a>,
}

/// All tools, sorted by name.
pub(super) struct Registry {
    entries: Vec<Entry>,
}

/// A tool before it is made: its schemas take a while.
struct Kind {
    name: &'static str,
    core: bool,
    /// It runs programs, whatever is asked of it.
    always_runs: bool,
    make: fn(&Options) -> Entry,
}

const fn kind<T: ToolSpec>() -> Kind {
    Kind {
        name: T::NAME,
        core: T::CORE,
        always_runs: T::RUNS_CODE && !T::IF_ASKED,
        make: entry::<T>,
    }
}

/// All that there are.
const KINDS: [Kind; 21] = [
    kind::<analyze_profile::AnalyzeProfile>(),
    kind::<blocks::Blocks>(),
    kind::<bottlenecks::Bottlenecks>(),
    kind::<call_paths::CallPaths>(),
    kind::<compare_profiles::CompareProfiles>(),
    kind::<cpu_hotspots::CpuHotspots>(),
    kind::<file_details::FileDetails>(),
    kind::<function_summary::FunctionSummary>(),
    kind::<get_profile::GetProfile>(),
    kind::<gpu_hotspots::GpuHotspots>(),
    kind::<list_profiles::ListProfiles>(),
    kind::<load_profile::LoadProfile>(),
    kind::<memory_hotspots::MemoryHotspots>(),
    kind::<memory_leaks::MemoryLeaks>(),
    kind::<profile_code::ProfileCode>(),
    kind::<profile_function::ProfileFunction>(),
    kind::<profile_process::ProfileProcess>(),
    kind::<profile_script::ProfileScript>(),
    kind::<profile_tests::ProfileTests>(),
    kind::<stop_profile::StopProfile>(),
    kind::<verify_speedup::VerifySpeedup>(),
];

/// Names of all tools.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    KINDS.iter().map(|kind| kind.name)
}

impl Registry {
    /// The tools that are offered.
    pub(super) fn new(options: &Options) -> Self {
        let offered = KINDS.iter().filter(|kind| {
            options.tools.has(kind.name, kind.core) && !(options.read_only && kind.always_runs)
        });
        let mut entries: Vec<Entry> = offered.map(|kind| (kind.make)(options)).collect();
        entries.sort_by(|a, b| a.tool.name.cmp(&b.tool.name));
        Self { entries }
    }

    pub(super) fn list(&self) -> Vec<Tool> {
        self.entries.iter().map(|entry| entry.tool.clone()).collect()
    }

    pub(super) fn find(&self, name: &str) -> Option<Tool> {
        self.entry(name).map(|entry| entry.tool.clone())
    }

    /// Whether a tool is offered.
    pub(super) fn has(&self, name: &str) -> bool {
        self.entry(name).is_some()
    }

    /// Whether a tool that is offered runs programs, whatever is asked of it.
    pub(super) fn runs(&self, name: &str) -> bool {
        self.has(name) && KINDS.iter().any(|kind| kind.name == name && kind.always_runs)
    }

    fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.tool.name == name)
    }

    /// Runs a tool; `None` when there is none of this name.
    pub(super) async fn call(
        &self,
        server: &Server,
        name: &str,
        arguments: JsonObject,
        call: Call,
    ) -> Option<Result<CallToolResult, ToolError>> {
        let entry = self.entry(name)?;
        Some((entry.run)(server, Arc::clone(&entry.params), arguments, call).await)
    }

    /// What to say of a name that no tool on offer has.
    pub(super) fn unknown(&self, name: &str, options: &Options) -> String {
        if let Some(kind) = KINDS.iter().find(|kind| kind.name == name) {
            let why = if options.read_only && kind.always_runs {
                "it runs programs, and this server was started with --read-only: profile elsewhere and use load_profile"
            } else {
                "this server was started with a --tools that leaves it out"
            };
            return format!("tool `{name}` is not offered: {why}");
        }
        let names: Vec<&str> = self.entries.iter().map(|entry| &*entry.tool.name).collect();
        let near = names
            .iter()
            .map(|known| (strsim::jaro_winkler(known, name), known))
            .filter(|(likeness, _)| *likeness > 0.75)
            .max_by(|a, b| a.0.total_cmp(&b.0));
        let meant =
            near.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"));
        format!("unknown tool `{name}`{meant} (tools: {})", names.join(", "))
    }
}

fn entry<T: ToolSpec>(options: &Options) -> Entry {
    let runs = T::RUNS_CODE && !options.read_only;
    let annotations = ToolAnnotations::new()
        .read_only(!runs)
        .destructive(runs)
        .idempotent(!runs)
        .open_world(runs);
    let params = schema::of_input::<T::Params>();
    let listed = schema::without(&params, T::UNLISTED);
    let mut tool = Tool::new(T::NAME, T::DESCRIPTION, listed)
        .with_title(T::TITLE)
        .with_annotations(annotations);
    if options.output != Output::Text {
        tool = tool.with_raw_output_schema(schema::of_output::<T::Output>());
    }
    Entry {
        tool,
        params,
        run: |server, schema, arguments, call| Box::pin(run::<T>(server, schema, arguments, call)),
    }
}

async fn run<T: ToolSpec>(
    server: &Server,
    schema: Arc<JsonObject>,
    arguments: JsonObject,
    call: Call,
) -> Result<CallToolResult, ToolError> {
    // Who waits for a run must not keep a thread from those who need one.
    let waits = T::WAITS || arguments.iter().any(|argument| is_of_a_run(server, argument));
    let (params, links) = (arguments::read(T::NAME, &schema, arguments)?, call.links);
    if waits {
        return result::<T>(server, T::call(server, params, call).await, links);
    }
    let (server, runtime) = (server.clone(), Handle::current());
    let work = move || {
        fault::at(T::NAME);
        result::<T>(&server, runtime.block_on(T::call(&server, params, call)), links)
    };
    aside(T::NAME, work).await?
}

/// Whether an argument names a run that has not ended.
fn is_of_a_run(server: &Server, (name, value): (&String, &serde_json::Value)) -> bool {
    let id = value.as_str().filter(|_| name.starts_with("profile_id"));
    let newest = |id: &str| id.trim() == "latest" && !server.jobs.unfinished().is_empty();
    id.is_some_and(|id| server.jobs.get(id).is_some() || newest(id))
}

/// An answer in both its forms; one that is a profile links to all of it. It recommends nothing that is not offered.
fn result<T: ToolSpec>(
    server: &Server,
    answer: Result<T::Output, ToolError>,
    links: bool,
) -> Result<CallToolResult, ToolError> {
    let mut answer = answer?;
    answer.next_calls().retain(|next| server.tools.entry(&next.tool).is_some());
    let structured = serde_json::to_value(&answer).map_err(|_| ToolError::internal(T::NAME))?;
    let mut result = CallToolResult::structured(structured);
    result.content = vec![ContentBlock::text(answer.text())];
    let profile = answer.profile().filter(|_| links).map(resources::link);
    result.content.extend(profile.map(ContentBlock::resource_link));
    Ok(result)
}

/// Computes on a thread that serves nobody else; a panic there is this call's failure.
async fn aside<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, ToolError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| ToolError::internal(name))
}

/// How long an analysis waits for its profile: clients give up at 60 s.
const PROFILE_WITHIN: Duration = Duration::from_secs(45);

/// The stored profile that a name means; a run in progress is waited for.
async fn stored(
    server: &Server,
    profile_id: &str,
    call: &mut Call,
) -> Result<Arc<Profile>, ToolError> {
    let named = server.jobs.get(profile_id);
    // The run just started is what a caller means by `latest`.
    let newest = || server.jobs.unfinished().pop().filter(|_| profile_id.trim() == "latest");
    let Some(job) = named.or_else(newest) else { return Ok(server.store.get(profile_id)?) };
    let waited =
        server.jobs.wait(&job, PROFILE_WITHIN, &call.taken_back, false, &mut call.progress).await?;
    match waited {
        Phase::Done(Ok(profile)) => Ok(profile),
        Phase::Done(Err(error)) => Err(ToolError::from(&*error)),
        Phase::Lost => Err(ToolError::internal("profiling")),
        _ => Err(ToolError::new(
            "profile_running",
            format!(
                "the run `{}` is not finished after {} s of waiting for it: {}",
                job.id,
                PROFILE_WITHIN.as_secs(),
                server.jobs.describe(&job)
            ),
            format!(
                "get_profile {{\"profile_id\":\"{id}\"}} shows its hot lines so far and waits on; stop_profile \
                 {{\"profile_id\":\"{id}\"}} ends it and keeps them; list_profiles names older profiles",
                id = job.id
            ),
        )),
    }
}

/// Checks the number of rows asked for.
fn limit(limit: u32) -> Result<usize, ToolError> {
    rows(limit, 100)
}

fn rows(limit: u32, most: usize) -> Result<usize, ToolError> {
    match limit as usize {
        rows if (1..=most).contains(&rows) => Ok(rows),
        _ => Err(ToolError::invalid_argument(
            format!("limit: {limit} is outside 1 to {most}"),
            "correct it and call again",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Generated with the list of tools, and with what is not in it.
    const REFERENCE: &str = include_str!("../../../docs/tools.md");

    fn unlisted<T: ToolSpec>(of_script: &JsonObject) {
        let own = schema::of_input::<T::Params>();
        let listed = schema::without(&own, T::UNLISTED);
        for name in T::UNLISTED {
            let has = |schema: &JsonObject| {
                schema.get("properties").is_some_and(|all| all.get(*name).is_some())
            };
            assert!(has(&own) && !has(&listed), "{} {name}", T::NAME);
            let told = REFERENCE.contains(&format!("| `{name}` (not listed)"));
            assert!(has(of_script) || told, "{} {name}", T::NAME);
        }
        let borrows = T::DESCRIPTION.contains("options of profile_script");
        assert!(borrows || T::NAME == profile_script::ProfileScript::NAME, "{}", T::NAME);
    }

    #[test]
    fn what_a_tool_does_not_list_is_documented() {
        type Script = profile_script::ProfileScript;
        let of_script = schema::of_input::<<Script as ToolSpec>::Params>();
        let of_script = schema::without(&of_script, Script::UNLISTED);
        unlisted::<Script>(&of_script);
        unlisted::<profile_code::ProfileCode>(&of_script);
        unlisted::<profile_function::ProfileFunction>(&of_script);
        unlisted::<profile_tests::ProfileTests>(&of_script);
        unlisted::<verify_speedup::VerifySpeedup>(&of_script);
    }
}
