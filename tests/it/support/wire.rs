//! The protocol as it is on the pipes, where a client library would hide things.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longest wait for anything; only a server that hangs needs it.
const PATIENCE: Duration = Duration::from_secs(90);

/// What the server says when a profile is stored.
pub(crate) const LIST_CHANGED: &str = "notifications/resources/list_changed";

/// A server whose lines are written and read one by one.
pub(crate) struct Wire {
    child: Child,
    input: Option<ChildStdin>,
    output: Option<Lines<BufReader<ChildStdout>>>,
}

impl Wire {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.kill_on_drop(true).spawn().unwrap();
        let output = child.stdout.take().map(|pipe| BufReader::new(pipe).lines());
        Self { input: child.stdin.take(), output, child }
    }

    /// Starts a server and shakes hands in this version of the protocol.
    pub(crate) async fn open(command: Command, version: &str) -> Self {
        let mut wire = Self::start(command);
        wire.send(initialize(version)).await;
        wire.answer(0).await;
        wire.send(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        wire
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id().expect("the server has not been waited for")
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.raw(format!("{message}\n").as_bytes()).await;
    }

    /// Writes bytes as they are, whether or not they are a message.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        self.input.as_mut().expect("the input is open").write_all(bytes).await.unwrap();
    }

    /// Writes much at once, reading what is answered meanwhile: a server whose answers nobody takes
    /// reads no further.
    pub(crate) async fn flood(&mut self, bytes: &[u8]) -> Vec<Value> {
        let input = self.input.as_mut().expect("the input is open");
        let output = self.output.as_mut().expect("the output is open");
        let mut answers = Vec::new();
        let mut writing = std::pin::pin!(input.write_all(bytes));
        loop {
            tokio::select! {
                written = &mut writing => {
                    written.unwrap();
                    return answers;
                }
                line = output.next_line() => {
                    answers.push(read_message(&line.unwrap().expect("the output goes on")));
                }
            }
        }
    }

    pub(crate) async fn request(&mut self, id: u32, method: &str, params: Value) {
        self.send(json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params})).await;
    }

    /// The next message, or nothing at the end of output. Anything else than JSON-RPC fails.
    pub(crate) async fn message(&mut self) -> Option<Value> {
        let output = self.output.as_mut().expect("the output is open");
        let line = tokio::time::timeout(PATIENCE, output.next_line()).await;
        let line = line.expect("the server is silent").unwrap()?;
        Some(read_message(&line))
    }

    /// Reads up to the answer to a request; other messages are returned with it, but for those that every
    /// session gets when a profile is stored.
    pub(crate) async fn answer_after(&mut self, id: u32) -> (Vec<Value>, Value) {
        let mut before = Vec::new();
        loop {
            let message = self.message().await.expect("the output ended before the answer");
            if message["id"] == id {
                return (before, message);
            }
            if message["method"] != LIST_CHANGED {
                before.push(message);
            }
        }
    }

    pub(crate) async fn answer(&mut self, id: u32) -> Value {
        self.answer_after(id).await.1
    }

    /// The result of a request that must succeed.
    pub(crate) async fn result(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.request(id, method, params).await;
        let answer = self.answer(id).await;
        assert_eq!(answer.get("error"), None, "{method} failed");
        answer["result"].clone()
    }

    /// The error of a request that must fail.
    pub(crate) async fn error(&mut self, id: u32, method: &str, params: Value) -> Value {
        self.request(id, method, params).await;
        let answer = self.answer(id).await;
        assert_eq!(answer.get("result"), None, "{method} did not fail");
        answer["error"].clone()
    }

    pub(crate) fn close_input(&mut self) {
        self.input = None;
    }

    /// What the server sees of a client that dies.
    pub(crate) fn vanish(&mut self) {
        self.input = None;
        self.output = None;
    }

    /// Ends the server without its doing.
    pub(crate) fn kill(&mut self) {
        self.child.start_kill().unwrap();
    }

    /// Waits for the server's end; absent when a signal ended it.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        let status = tokio::time::timeout(Duration::from_secs(15), self.child.wait()).await;
        status.expect("the server does not end").unwrap().code()
    }
}

fn read_message(line: &str) -> Value {
    let message: Value =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("not JSON ({error}): {line}"));
    assert_eq!(message["jsonrpc"], "2.0", "not JSON-RPC: {line}");
    message
}

/// The first request of a client; its id is 0.
pub(crate) fn initialize(version: &str) -> Value {
    let client = json!({"name": "test", "version": "0"});
    let params = json!({"protocolVersion": version, "capabilities": {}, "clientInfo": client});
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params})
}
