//! Logs of this crate, for programs that have no subscriber of their own.

/// Writes logs to standard error; `filter` is a level or a filter of the `tracing` ecosystem,
/// such as `debug` or `scalene_mcp=trace`. One that cannot be read means `warn`.
///
/// Does nothing when a subscriber is installed already.
///
/// ```
/// scalene_mcp::configure_logging("debug");
/// tracing::info!("to standard error");
/// ```
pub fn configure_logging(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // Standard output belongs to the program, and to the protocol in the server.
    let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colours)
        .try_init();
}
