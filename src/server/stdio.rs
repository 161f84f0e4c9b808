//! The server on standard input and output, and its orderly end.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use rmcp::ServiceExt;
use tokio::io::{AsyncRead, ReadBuf};
use tokio_util::sync::CancellationToken;

use super::transport::Lines;
use super::{Options, Server};
use crate::recording::Settings;
use crate::store::Store;

/// How long running programs get to be killed and cleaned up after.
const CLEAN_UP: Duration = Duration::from_millis(1500);
/// How long answers that are ready get to be written.
const LAST_ANSWERS: Duration = Duration::from_millis(300);

/// Serves one client until it closes our input, or a signal asks us to end.
///
/// # Errors
/// When the session could not be opened for another reason than the client's leaving.
pub async fn serve(
    settings: Settings,
    store: Store,
    options: Options,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let shutdown = CancellationToken::new();
    let server = Server::new(settings, store, options, shutdown.clone());
    let jobs = std::sync::Arc::clone(&server.jobs);
    let (signals, told) = (signals()?, shutdown.clone());
    tokio::spawn(async move {
        received(signals).await;
        told.cancel();
    });
    let (input, output) = rmcp::transport::io::stdio();
    let input = EndOfInput { inner: input, ended: shutdown.clone() };
    let lines = Lines::new(input, output);
    let opening = lines.opened();
    let opened = tokio::select! {
        opened = server.serve(lines) => opened,
        // A client that leaves before its first request is no failure.
        () = shutdown.cancelled() => return Ok(()),
    };
    let mut session = match opened {
        Ok(session) => session,
        Err(_) if shutdown.is_cancelled() => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    opening.tell();
    shutdown.cancelled().await;
    tracing::info!("shutting down");
    if tokio::time::timeout(CLEAN_UP, jobs.drain()).await.is_err() {
        tracing::warn!("some runs could not be cleaned up in time");
    }
    let _ = session.close_with_timeout(LAST_ANSWERS).await;
    Ok(())
}

/// Signals that ask us to end. They are caught from here on, not only once somebody waits.
#[cfg(unix)]
fn signals() -> std::io::Result<[tokio::signal::unix::Signal; 3]> {
    use tokio::signal::unix::{SignalKind, signal};
    Ok([
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ])
}

#[cfg(unix)]
async fn received([mut terminate, mut interrupt, mut hangup]: [tokio::signal::unix::Signal; 3]) {
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        _ = hangup.recv() => {}
    }
}

#[cfg(not(unix))]
fn signals() -> std::io::Result<()> {
    Ok(())
}

#[cfg(not(unix))]
async fn received((): ()) {
    let _ = tokio::signal::ctrl_c().await;
}

/// Input that says when it is over. The protocol crate waits for running calls at the end
/// of input and only then cancels them; a client kills us before that.
struct EndOfInput<R> {
    inner: R,
    ended: CancellationToken,
}

impl<R: AsyncRead + Unpin> AsyncRead for EndOfInput<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let before = buffer.filled().len();
        let poll = Pin::new(&mut self.inner).poll_read(context, buffer);
        match &poll {
            Poll::Ready(Ok(())) if buffer.filled().len() == before => self.ended.cancel(),
            Poll::Ready(Err(_)) => self.ended.cancel(),
            Poll::Ready(Ok(())) | Poll::Pending => {}
        }
        poll
    }
}
