//! One child process of a set-up: its surroundings, its limit, its report, its failure.

use std::time::Duration;

use super::error::OverlayError;
use crate::process::{self, Controls, EndedBy, Finished, Limits, Spec, Tick};

/// Any other step.
pub(super) const STEP_LIMIT: Duration = Duration::from_secs(60);
/// How much of what an installer wrote goes into an error.
const SAID_CHARS: usize = 600;
/// Between two reports of one step.
const REPORT_EVERY: Duration = Duration::from_secs(2);

/// Variables of pip and uv that say *where from*; all others say *where to* or *how*, and
/// could send packages elsewhere (`PIP_TARGET`, `PIP_USER`, `UV_SYSTEM_PYTHON`).
const KEPT: &[&str] = &[
    "PIP_INDEX_URL",
    "PIP_EXTRA_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_NO_INDEX",
    "PIP_CERT",
    "PIP_CLIENT_CERT",
    "PIP_PROXY",
    "PIP_TRUSTED_HOST",
    "PIP_CONFIG_FILE",
    "PIP_CACHE_DIR",
    "PIP_NO_CACHE_DIR",
    "PIP_KEYRING_PROVIDER",
    "PIP_USE_FEATURE",
    "UV_INDEX",
    "UV_INDEX_URL",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_NO_INDEX",
    "UV_OFFLINE",
    "UV_CACHE_DIR",
    "UV_NO_CACHE",
    "UV_NATIVE_TLS",
    "UV_SYSTEM_CERTS",
    "UV_INSECURE_HOST",
    "UV_KEYRING_PROVIDER",
    "UV_CONFIG_FILE",
    "UV_INDEX_STRATEGY",
    "UV_LINK_MODE",
];

/// How an installer failed, with the end of what it wrote.
pub(super) enum Failure {
    /// The index could not be reached.
    Network(String),
    /// No set of packages fits.
    NoSolution(String),
    /// Anything else.
    Other(String),
}

/// What runs a step: the caller's wish to stop, and its ear.
pub(super) struct Session<'a> {
    pub(super) controls: &'a Controls,
    pub(super) on_progress: &'a mut (dyn FnMut(&str) + Send),
}

/// Runs one step, reports it, and tells cancelled and late from ended.
pub(super) async fn run(
    spec: &Spec,
    step: &str,
    limit: Duration,
    session: &mut Session<'_>,
) -> Result<Finished, OverlayError> {
    let grace = Duration::from_secs(1);
    let limits = Limits { timeout: Some(limit), grace, ..Limits::default() };
    let on_progress = &mut *session.on_progress;
    let mut next = Duration::ZERO;
    let mut on_tick = |tick: Tick| {
        if tick.elapsed >= next {
            next = tick.elapsed + REPORT_EVERY;
            match tick.elapsed.as_secs() {
                0 => on_progress(step),
                seconds => on_progress(&format!("{step} ({seconds} s)")),
            }
        }
    };
    let finished = process::run(spec, limits, session.controls, &mut on_tick).await;
    let finished =
        finished.map_err(|error| OverlayError::Start { step: step.to_owned(), error })?;
    match finished.ended_by {
        EndedBy::Itself => Ok(finished),
        EndedBy::Timeout => {
            Err(OverlayError::Timeout { step: step.to_owned(), seconds: limit.as_secs() })
        }
        EndedBy::Stop | EndedBy::Cancel | EndedBy::Memory(_) | EndedBy::Disk(_) => {
            Err(OverlayError::Cancelled)
        }
    }
}

/// Takes the user's settings for other installs away, and keeps bytecode out of every
/// folder that is not ours.
pub(super) fn clean(mut spec: Spec) -> Spec {
    let foreign = |name: &str| {
        let installer = name.starts_with("PIP_") || name.starts_with("UV_");
        installer && !KEPT.contains(&name)
            || name.starts_with("PYTHON")
            || ["VIRTUAL_ENV", "CONDA_PREFIX", "__PYVENV_LAUNCHER__"].contains(&name)
    };
    let names = std::env::vars_os().map(|(name, _)| name);
    spec.env_remove.extend(names.filter(|name| name.to_str().is_some_and(foreign)));
    let set = [
        ("PYTHONDONTWRITEBYTECODE", "1"),
        ("PIP_USER", "0"),
        ("PIP_REQUIRE_VIRTUALENV", "0"),
        ("PIP_DISABLE_PIP_VERSION_CHECK", "1"),
        ("PIP_NO_INPUT", "1"),
        ("PIP_ROOT_USER_ACTION", "ignore"),
        ("UV_NO_PROGRESS", "1"),
        ("UV_HTTP_TIMEOUT", "15"),
        ("NO_COLOR", "1"),
    ];
    spec.env.extend(set.map(|(name, value)| (name.into(), value.into())));
    // A company's index is often configured for pip only.
    let for_uv = ["UV_DEFAULT_INDEX", "UV_INDEX_URL"].map(std::env::var_os);
    if let (Some(index), [None, None]) = (std::env::var_os("PIP_INDEX_URL"), for_uv) {
        spec.env.push(("UV_DEFAULT_INDEX".into(), index));
    }
    spec
}

/// What a step said about its failure: its error lines, or else the end of what it wrote.
pub(super) fn said(finished: &Finished) -> String {
    let streams = [&finished.stderr, &finished.stdout].map(|stream| stream.end().trim());
    let text = streams.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
    let is_error = |line: &&str| line.to_lowercase().starts_with("error");
    let lines: Vec<&str> = text.lines().skip_while(|line| !is_error(line)).collect();
    let text = if lines.is_empty() { text.to_owned() } else { lines.join("\n") };
    shortened(&text)
}

/// The end of a text.
fn shortened(text: &str) -> String {
    let skip = text.chars().count().saturating_sub(SAID_CHARS);
    text.chars().skip(skip).collect()
}

pub(super) fn classified(finished: &Finished) -> Failure {
    const NETWORK: &[&str] = &[
        "name resolution",
        "name or service not known",
        "nodename nor servname",
        "getaddrinfo",
        "failed to establish a new connection",
        "connection refused",
        "dns error",
        "timed out",
        "error sending request",
        "network is unreachable",
        "no route to host",
        "connection error",
        "failed to fetch",
        "cannot connect to proxy",
        "certificate verify failed",
        "invalid peer certificate",
        "network was disabled",
        "network connectivity is disabled",
    ];
    const NO_SOLUTION: &[&str] = &[
        "no matching distribution",
        "resolutionimpossible",
        "no solution found",
        "could not find a version",
        "conflict",
    ];
    let text = format!("{}\n{}", finished.stderr.head, finished.stderr.end()).to_lowercase();
    let mentions = |words: &[&str]| words.iter().any(|word| text.contains(word));
    // First, since an unreachable index also has "no matching distribution".
    if mentions(NETWORK) {
        // pip's error lines say only "no matching distribution"; why is in a warning.
        let streams = [&finished.stderr, &finished.stdout];
        let lines = streams.iter().flat_map(|stream| stream.end().lines().rev());
        let reason = lines.map(str::trim).find(|line| {
            let line = line.to_lowercase();
            NETWORK.iter().any(|word| line.contains(word))
        });
        Failure::Network(reason.map_or_else(|| said(finished), shortened))
    } else if mentions(NO_SOLUTION) {
        Failure::NoSolution(said(finished))
    } else {
        Failure::Other(said(finished))
    }
}
