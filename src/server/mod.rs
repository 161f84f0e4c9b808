//! The MCP server: the only place that knows the protocol crate.
//!
//! A call goes `handler` (protocol) → `tools` (parameters of one tool) → the domain
//! (`jobs` and [`crate::recording`], or [`crate::analysis`]) → [`crate::answer`].

mod arguments;
mod asking;
mod completion;
mod error;
mod fault;
mod handler;
mod jobs;
mod large;
mod message;
mod options;
mod progress;
mod prompts;
mod resources;
mod roots;
mod schema;
mod stdio;
mod tasks;
mod tools;
mod transport;

use std::sync::{Arc, LazyLock};

use rmcp::ErrorData;
use tokio_util::sync::CancellationToken;

use crate::recording::{Recorder, Settings};
use crate::store::Store;
use jobs::Jobs;

pub use options::{Options, Output, Toolset};
pub use stdio::serve;

type Tools = LazyLock<tools::Registry, Box<dyn FnOnce() -> tools::Registry + Send>>;

/// Everything that calls share.
#[derive(Clone)]
pub(crate) struct Server {
    store: Arc<Store>,
    jobs: Arc<Jobs>,
    /// Of sessions with a handshake; others bring their own.
    listeners: Arc<resources::Listeners>,
    shutdown: CancellationToken,
    /// Made beside the first exchange of messages: its schemas take longer than all the rest of the start.
    tools: Arc<Tools>,
    options: Arc<Options>,
    /// Environments that somebody has chosen.
    choices: Arc<asking::Choices>,
    /// Calls that clients follow as tasks.
    tasks: tasks::Tasks,
}

impl Server {
    pub(crate) fn new(
        settings: Settings,
        store: Store,
        options: Options,
        shutdown: CancellationToken,
    ) -> Self {
        let store = Arc::new(store);
        let recorder = Recorder::new(settings);
        let jobs = Jobs::new(recorder, Arc::clone(&store), shutdown.clone());
        let options = Arc::new(options);
        let own = Arc::clone(&options);
        let make: Box<dyn FnOnce() -> tools::Registry + Send> =
            Box::new(move || tools::Registry::new(&own));
        let tools = Arc::new(LazyLock::new(make));
        let early = Arc::clone(&tools);
        std::thread::spawn(move || _ = LazyLock::force(&early));
        Self {
            store,
            jobs: Arc::new(jobs),
            listeners: Arc::default(),
            shutdown,
            tools,
            options,
            choices: Arc::default(),
            tasks: tasks::Tasks::default(),
        }
    }
}

fn unknown_cursor(cursor: &str) -> ErrorData {
    ErrorData::invalid_params(format!("unknown cursor `{cursor}`"), None)
}
