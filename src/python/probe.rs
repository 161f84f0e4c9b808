//! Asks an interpreter what it is, by running one embedded script.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use super::cache;
use super::error::{ProbeFailure, PythonError, Unsupported};
use super::interpreter::{Interpreter, Scalene, Source, Version};
use crate::process::{self, Controls, EndedBy, Finished, Limits, Spec};

/// The script; its first lines say how it answers.
const SCRIPT: &str = include_str!("probe.py");
/// What the answer's line begins with.
const MARKER: &str = "@scalene-mcp-probe@";
/// A healthy interpreter answers in a tenth of a second, one on a cold network disk in a few.
const TIMEOUT: Duration = Duration::from_secs(10);
/// How much of stderr goes into an error.
const SAID_CHARS: usize = 400;

/// What the script prints. Field by field the names of `probe.py`.
#[derive(Deserialize)]
#[serde(tag = "result", rename_all = "lowercase")]
enum Answer {
    Ok(Box<Facts>),
    Unsupported { version: [u32; 3], version_text: String, implementation: String },
    Error { reason: String },
}

#[derive(Deserialize)]
struct Facts {
    version: [u32; 3],
    version_text: String,
    implementation: String,
    executable: Option<PathBuf>,
    base_executable: Option<PathBuf>,
    prefix: PathBuf,
    base_prefix: PathBuf,
    platform: String,
    machine: String,
    pointer_bits: u8,
    is_virtual_env: bool,
    free_threaded: bool,
    cpu_count: Option<u32>,
    site_packages: Vec<PathBuf>,
    library_paths: Vec<PathBuf>,
    scalene: ScaleneState,
}

#[derive(Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
enum ScaleneState {
    Found { version: String, package_dir: PathBuf, preload_library: Option<PathBuf> },
    Missing,
    Broken { reason: String },
}

/// Runs `executable` and returns its description of itself.
///
/// The interpreter runs isolated (`-I`): neither the working directory nor PYTHONPATH
/// can put a foreign module in the way. Scalene is nevertheless looked for where a
/// program would find it: PYTHONPATH and the user's own packages included.
///
/// # Errors
/// [`PythonError::Broken`] when it does not run or answer, [`PythonError::Unsupported`]
/// when Scalene does not support it, [`PythonError::Cancelled`].
pub async fn probe(
    executable: &Path,
    source: Source,
    controls: &Controls,
) -> Result<Interpreter, PythonError> {
    if let Some(known) = cache::recall(executable) {
        return Ok(Interpreter { source, ..known });
    }
    match ask(executable, controls).await {
        Ok(Answer::Ok(facts)) => {
            let interpreter = accept(executable, source, *facts)?;
            cache::remember(executable, &interpreter);
            Ok(interpreter)
        }
        Ok(Answer::Unsupported { version, version_text, implementation }) => {
            let problem = if implementation == "CPython" {
                Unsupported::TooOld(Some(version_of(version, version_text)))
            } else {
                Unsupported::NotCPython(implementation)
            };
            Err(unsupported(executable, source, problem))
        }
        Ok(Answer::Error { reason }) => {
            Err(broken(executable, source, ProbeFailure::Raised { reason }))
        }
        Err(Silence::Failed(failure)) => Err(broken(executable, source, failure)),
        Err(Silence::Python2) => Err(unsupported(executable, source, Unsupported::TooOld(None))),
        Err(Silence::Cancelled) => Err(PythonError::Cancelled),
    }
}

/// No answer, and what that means.
enum Silence {
    Failed(ProbeFailure),
    Python2,
    Cancelled,
}

async fn ask(executable: &Path, controls: &Controls) -> Result<Answer, Silence> {
    let spec = Spec {
        program: executable.to_path_buf(),
        args: ["-I", "-B", "-c", SCRIPT].map(Into::into).to_vec(),
        // Left by a Python that started this server, it would make another one take
        // its own prefix from there (macOS).
        env_remove: vec!["__PYVENV_LAUNCHER__".into()],
        ..Spec::default()
    };
    let limits = Limits { timeout: Some(TIMEOUT), grace: Duration::ZERO, ..Limits::default() };
    let finished = process::run(&spec, limits, controls, &mut |_| {})
        .await
        .map_err(|error| Silence::Failed(ProbeFailure::Spawn(error)))?;
    match finished.ended_by {
        EndedBy::Itself => read(&finished),
        EndedBy::Timeout => {
            Err(Silence::Failed(ProbeFailure::Timeout { seconds: TIMEOUT.as_secs() }))
        }
        EndedBy::Stop | EndedBy::Cancel | EndedBy::Memory(_) | EndedBy::Disk(_) => {
            Err(Silence::Cancelled)
        }
    }
}

fn read(finished: &Finished) -> Result<Answer, Silence> {
    let answer = finished.stdout.end().lines().rev().find_map(|line| line.strip_prefix(MARKER));
    if let Some(json) = answer {
        return serde_json::from_str(json)
            .map_err(|error| Silence::Failed(ProbeFailure::BadAnswer(error)));
    }
    if finished.stderr.head.contains("Unknown option: -I") {
        return Err(Silence::Python2);
    }
    let text = [&finished.stderr, &finished.stdout]
        .map(|stream| stream.end().trim())
        .into_iter()
        .find(|text| !text.is_empty())
        .unwrap_or_default();
    let skip = text.chars().count().saturating_sub(SAID_CHARS);
    let stderr = text.chars().skip(skip).collect();
    Err(Silence::Failed(ProbeFailure::NoAnswer { exit: finished.exit, stderr }))
}

fn accept(asked: &Path, source: Source, facts: Facts) -> Result<Interpreter, PythonError> {
    let version = version_of(facts.version, facts.version_text);
    if facts.version == [3, 11, 0] {
        return Err(unsupported(asked, source, Unsupported::Exactly3110));
    }
    // A shim (pyenv, asdf, `py`) is no interpreter; what it started says who it is.
    let executable =
        facts.executable.filter(|path| path.is_absolute()).unwrap_or_else(|| asked.to_path_buf());
    Ok(Interpreter {
        base_executable: facts.base_executable.unwrap_or_else(|| executable.clone()),
        executable,
        source,
        version,
        implementation: facts.implementation,
        prefix: facts.prefix,
        base_prefix: facts.base_prefix,
        site_packages: facts.site_packages,
        library_paths: facts.library_paths,
        platform: facts.platform,
        machine: facts.machine,
        free_threaded: facts.free_threaded,
        pointer_bits: facts.pointer_bits,
        is_virtual_env: facts.is_virtual_env,
        cpu_count: facts.cpu_count,
        scalene: match facts.scalene {
            ScaleneState::Found { version, package_dir, preload_library } => {
                Scalene::Found { version, package_dir, preload_library }
            }
            ScaleneState::Missing => Scalene::Missing,
            ScaleneState::Broken { reason } => Scalene::Broken { reason },
        },
    })
}

fn version_of([major, minor, micro]: [u32; 3], full: String) -> Version {
    Version { major, minor, micro, full }
}

fn broken(executable: &Path, origin: Source, failure: ProbeFailure) -> PythonError {
    PythonError::Broken {
        executable: executable.to_path_buf(),
        origin: Box::new(origin),
        failure,
        others: Vec::new(),
    }
}

fn unsupported(executable: &Path, origin: Source, problem: Unsupported) -> PythonError {
    PythonError::Unsupported {
        executable: executable.to_path_buf(),
        origin: Box::new(origin),
        problem,
        others: Vec::new(),
    }
}
