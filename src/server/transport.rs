//! Messages on two pipes, a line each.
//!
//! In place of the protocol crate's own transport, which leaves what is no JSON and what is too
//! long without an answer, lets a second request under an id in use take the answer of the first,
//! and ends the session at a notification before the first request.

use std::collections::HashSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rmcp::RoleServer;
use rmcp::model::{
    ClientNotification, ErrorData, JsonRpcMessage, RequestId, ServerJsonRpcMessage, ServerResult,
};
use rmcp::service::{RxJsonRpcMessage, TxJsonRpcMessage};
use rmcp::transport::Transport;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::large::IdFinder;
use super::message::{self, Line};

/// Longest message. A profile's document comes as a path, a program's source is far smaller.
const LONGEST_LINE: usize = 16 << 20;
/// A buffer that a long message made larger than this is given back.
const KEPT_BUFFER: usize = 1 << 20;

/// What reading and writing share.
#[derive(Default)]
struct Session {
    /// Requests that have no answer yet.
    unanswered: Mutex<HashSet<RequestId>>,
    /// Whether a client has introduced itself.
    open: AtomicBool,
}

impl Session {
    fn unanswered(&self) -> std::sync::MutexGuard<'_, HashSet<RequestId>> {
        self.unanswered.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sent(&self, message: &TxJsonRpcMessage<RoleServer>) {
        match message {
            JsonRpcMessage::Response(response) => {
                self.unanswered().remove(&response.id);
                if matches!(response.result, ServerResult::InitializeResult(_)) {
                    self.open.store(true, Ordering::Release);
                }
            }
            JsonRpcMessage::Error(error) => {
                if let Some(id) = &error.id {
                    self.unanswered().remove(id);
                }
            }
            JsonRpcMessage::Request(_) | JsonRpcMessage::Notification(_) => {}
        }
    }
}

/// Tells the transport that the session is open; notifications are passed on from then on.
#[derive(Clone)]
pub(super) struct Opened(Arc<Session>);

impl Opened {
    pub(super) fn tell(&self) {
        self.0.open.store(true, Ordering::Release);
    }
}

/// The output and what was not yet written to it: a write that is given up half way leaves the rest
/// of its line to the next.
struct Output<W> {
    pipe: W,
    pending: Vec<u8>,
    /// Bytes of `pending` that are written.
    written: usize,
}

impl<W: AsyncWrite + Unpin> Output<W> {
    fn put(&mut self, message: &ServerJsonRpcMessage) -> io::Result<()> {
        // A broken value must not leave half a line.
        let line = serde_json::to_vec(message)?;
        self.pending.extend_from_slice(&line);
        self.pending.push(b'\n');
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        while let Some(rest) = self.pending.get(self.written..).filter(|rest| !rest.is_empty()) {
            match self.pipe.write(rest).await? {
                0 => return Err(io::ErrorKind::WriteZero.into()),
                count => self.written += count,
            }
        }
        self.written = 0;
        self.pending.clear();
        self.pending.shrink_to(KEPT_BUFFER);
        self.pipe.flush().await
    }
}

/// The error that answers the last line, as far as it got.
enum Refusal {
    None,
    Unsaid(Box<ServerJsonRpcMessage>),
    /// With the output, but perhaps not written.
    Put,
}

/// The transport.
pub(super) struct Lines<R, W> {
    input: BufReader<R>,
    line: Vec<u8>,
    /// Set while the rest of a line that is too long passes.
    passing: Option<IdFinder>,
    output: Arc<tokio::sync::Mutex<Option<Output<W>>>>,
    refusal: Refusal,
    session: Arc<Session>,
}

impl<R: AsyncRead + Unpin + Send, W: AsyncWrite + Unpin + Send> Lines<R, W> {
    pub(super) fn new(input: R, output: W) -> Self {
        let output = Output { pipe: output, pending: Vec::new(), written: 0 };
        Self {
            input: BufReader::with_capacity(64 << 10, input),
            line: Vec::new(),
            passing: None,
            output: Arc::new(tokio::sync::Mutex::new(Some(output))),
            refusal: Refusal::None,
            session: Arc::default(),
        }
    }

    pub(super) fn opened(&self) -> Opened {
        Opened(Arc::clone(&self.session))
    }

    /// The next line; `None` at the end of input. May be given up at any await and called again.
    async fn next_line(&mut self) -> Option<Line> {
        loop {
            let available = self.input.fill_buf().await.ok()?;
            if available.is_empty() {
                return None;
            }
            let end = memchr::memchr(b'\n', available);
            let piece = available.get(..end.unwrap_or(available.len())).unwrap_or_default();
            if let Some(finder) = &mut self.passing {
                finder.feed(piece);
            } else if self.line.len() + piece.len() > LONGEST_LINE {
                let mut finder = IdFinder::default();
                finder.feed(&self.line);
                finder.feed(piece);
                self.passing = Some(finder);
                self.line = Vec::new();
            } else {
                self.line.extend_from_slice(piece);
            }
            let taken = piece.len() + usize::from(end.is_some());
            self.input.consume(taken);
            if end.is_some() {
                return Some(self.ended());
            }
        }
    }

    /// What the line is that has just ended.
    fn ended(&mut self) -> Line {
        if let Some(finder) = self.passing.take() {
            let why = format!(
                "the message is longer than {} MiB; pass the path of a file in place of its text",
                LONGEST_LINE >> 20
            );
            return Line::Refused(ErrorData::invalid_request(why, None), finder.found());
        }
        let line = message::read(&self.line);
        self.line.clear();
        self.line.shrink_to(KEPT_BUFFER);
        line
    }

    /// The message, if it is to be passed on, or the error to answer with.
    fn admitted(
        &self,
        message: RxJsonRpcMessage<RoleServer>,
    ) -> Result<Option<RxJsonRpcMessage<RoleServer>>, ErrorData> {
        match &message {
            JsonRpcMessage::Request(request) => {
                if !self.session.unanswered().insert(request.id.clone()) {
                    return Err(in_use(&request.id));
                }
            }
            _ if !self.session.open.load(Ordering::Acquire) => return Ok(None),
            JsonRpcMessage::Notification(found) => {
                // A request that is taken back has no answer.
                if let ClientNotification::CancelledNotification(cancelled) = &found.notification
                    && let Some(id) = &cancelled.params.request_id
                {
                    self.session.unanswered().remove(id);
                }
            }
            JsonRpcMessage::Response(_) | JsonRpcMessage::Error(_) => {}
        }
        Ok(Some(message))
    }

    /// Answers with an error. Under an id that is in use it would be taken for the answer.
    fn refuse(&mut self, error: ErrorData, id: Option<RequestId>) {
        let id = id.filter(|id| !self.session.unanswered().contains(id));
        tracing::debug!(?id, message = %error.message, "refused");
        self.refusal = Refusal::Unsaid(Box::new(JsonRpcMessage::error(error, id)));
    }

    /// Writes the error of the last line. Nothing is lost where this is given up at an await.
    async fn write_refusal(&mut self) -> Option<()> {
        if matches!(self.refusal, Refusal::None) {
            return Some(());
        }
        let mut output = self.output.lock().await;
        let output = output.as_mut()?;
        if let Refusal::Unsaid(message) = &self.refusal {
            output.put(message).ok()?;
            self.refusal = Refusal::Put;
        }
        output.flush().await.ok()?;
        self.refusal = Refusal::None;
        Some(())
    }
}

fn in_use(id: &RequestId) -> ErrorData {
    ErrorData::invalid_request(
        format!("id {id} is that of a request which has no answer yet; it is not read"),
        None,
    )
}

impl<R, W> Transport<RoleServer> for Lines<R, W>
where
    R: AsyncRead + Unpin + Send,
    W: AsyncWrite + Unpin + Send + 'static,
{
    type Error = io::Error;

    fn send(
        &mut self,
        message: TxJsonRpcMessage<RoleServer>,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        let (output, session) = (Arc::clone(&self.output), Arc::clone(&self.session));
        async move {
            let mut output = output.lock().await;
            session.sent(&message);
            let output = output.as_mut().ok_or(io::ErrorKind::NotConnected)?;
            output.put(&message)?;
            output.flush().await
        }
    }

    async fn receive(&mut self) -> Option<RxJsonRpcMessage<RoleServer>> {
        loop {
            self.write_refusal().await?;
            let (error, id) = match self.next_line().await? {
                Line::Nothing => continue,
                Line::Refused(error, id) => (error, id),
                Line::Message(message) => match self.admitted(*message) {
                    Ok(Some(message)) => return Some(message),
                    Ok(None) => continue,
                    Err(error) => (error, None),
                },
            };
            self.refuse(error, id);
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        self.output.lock().await.take();
        Ok(())
    }
}
