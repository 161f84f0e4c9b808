//! What to do next when there is no profile.

use super::error::RecordError;
use crate::profile::Outcome;

const SAMPLER_HINT: &str =
    "docs/troubleshooting.md says what reading stacks needs (ptrace); engine=scalene works without";

impl RecordError {
    /// What to do next.
    pub fn hint(&self) -> String {
        match self {
            Self::Call { failure, near, ran, .. } => {
                ran.refused.clone().unwrap_or_else(|| failure.hint(near))
            }
            Self::ProgramFailed(ran) => ran.refused.clone().unwrap_or_else(|| self.usual_hint()),
            _ => self.before_the_work().unwrap_or_else(|| self.usual_hint()),
        }
    }

    fn usual_hint(&self) -> String {
        let text = match self {
            Self::Call { failure, near, .. } => return failure.hint(near),
            Self::InvalidArgument { .. } => "correct the argument and call again",
            Self::BadWorkingDir(_) => "pass an existing folder as `cwd`, or leave it out",
            Self::SandboxRefused { .. }
            | Self::SandboxUnavailable { .. }
            | Self::OutsideRoots { .. } => self.sandbox_hint(),
            Self::ScriptNotFound { similar, .. } if similar.is_empty() => {
                "pass the absolute path of the script, or set `cwd`"
            }
            Self::ScriptNotFound { similar, .. } => {
                return format!(
                    "pass an absolute path; Python files there: {}",
                    similar.join(", ")
                );
            }
            Self::NotAScript { .. } => {
                "pass the path of a Python file, or `-m package.module` as script_path"
            }
            Self::Unreadable { .. } => "make the file readable for the user that runs the server",
            Self::Python(error) => return error.hint(),
            Self::Setup(error) => return error.hint(),
            Self::Attach(error) => return error.hint(),
            Self::SamplerFailed { .. } => SAMPLER_HINT,
            Self::ScaleneMissing { python, .. } => {
                return format!(
                    "run `scalene-mcp setup --python {}` (a private overlay, the project is not touched), or \
                     start the server without --no-install, or install Scalene into that environment",
                    python.display()
                );
            }
            Self::NoScaleneFor(_) => "pass another interpreter (3.9 or newer) as `python`",
            Self::UnsupportedScalene(_) => {
                "upgrade Scalene in that environment, or uninstall it there: a private copy is then used"
            }
            Self::Workspace { .. } => {
                "free space or permissions there, or set TMPDIR for the server"
            }
            Self::Spawn(_) => "check the interpreter with `scalene-mcp doctor`",
            Self::ModuleNotFound { .. } => {
                "set `cwd` to the folder that holds the package, or check the name"
            }
            Self::ScaleneFailed { .. } => {
                "check the set-up with `scalene-mcp doctor`; memory=false often helps"
            }
            Self::ProgramFailed(ran)
                if ran.exception.as_deref().is_none_or(|e| e == "SystemExit") =>
            {
                "it ended by itself before a sample was taken: `args`, `cwd`, `env` and `stdin` set up the run"
            }
            Self::ProgramFailed(_) => {
                "fix the failure shown below; `args`, `cwd`, `env` and `stdin` set up the run"
            }
            Self::Crashed(_) => {
                "if memory was profiled, call again with memory=false (Scalene's allocator is then left out); if it still crashes, run the program without profiling"
            }
            Self::Timeout { .. } => "raise `timeout`, or profile smaller input",
            Self::MemoryLimit { .. } => {
                "raise `max_memory_mb` (Python with Scalene takes about 100 MiB), or profile smaller input"
            }
            Self::DiskLimit(_) => {
                "profile smaller input, or have the program write elsewhere than to its temporary directory"
            }
            Self::TooShort(_) => {
                "profile more work: larger input, or repeat the work in a loop (a second or more gives about 100 samples)"
            }
            Self::FilteredOut { only, .. } if only.is_empty() => {
                "narrow profile_exclude, or leave it out"
            }
            Self::FilteredOut { .. } => "widen profile_only, or leave it out",
            Self::NothingSampled { .. } => {
                "its time is in libraries or outside the project (profile_all=true, or `cwd` at the project's root), in waits (not seen with use_virtual_time=true), or in one long native call, which takes no sample: repeat it in a loop"
            }
            Self::NotTracked(_) => "profile a shorter run, or go by the profile alone",
            Self::Cancelled => "call again when needed",
            Self::Stopped(_) => "let it run longer; at its `timeout` it keeps its profile",
            _ => "call again; if it stays so, check the set-up with `scalene-mcp doctor`",
        };
        text.to_owned()
    }

    /// Of a part of a run that never began, and of tests that could not be run.
    fn before_the_work(&self) -> Option<String> {
        let text = match self {
            Self::NotReady { ran, .. }
                if matches!(
                    ran.outcome,
                    Outcome::Covered | Outcome::Stopped | Outcome::TimedOut
                ) =>
            {
                "check `ready` against what the program does (its output is below): port:NUMBER, output:TEXT, or seconds"
            }
            Self::NotReady { .. } => {
                "its output is below; give it the `args`, `env` and `cwd` with which it goes on, or shorten delay_sec"
            }
            Self::NoTests { near, .. } if !near.is_empty() => {
                return Some(format!(
                    "call again with one of these as `selector`: {}",
                    near.join(", ")
                ));
            }
            Self::NoTests { .. } => {
                "check `selector`, `keyword` and `cwd`: paths and node ids of pytest, or dotted names of unittest"
            }
            Self::NoPytest { .. } => {
                "install pytest into that environment, or pass another one as `python`; dotted names (tests.test_x) run \
                 with unittest"
            }
            Self::CollectionFailed { .. } => {
                "fix the import shown, or set `cwd` to the folder from which the tests are usually run"
            }
            _ => return None,
        };
        Some(text.to_owned())
    }

    fn sandbox_hint(&self) -> &'static str {
        match self {
            Self::SandboxUnavailable { .. } => {
                "ask the user: it runs with sandbox=off where the server allows that; docs/sandbox.md says what a sandbox needs"
            }
            Self::OutsideRoots { roots, .. } if roots.is_empty() => {
                "leave `writable` out; the server allows it only with --root DIR, inside that folder"
            }
            Self::OutsideRoots { .. } => {
                "pass a path inside one of these folders; more are allowed by starting the server with --root DIR"
            }
            _ => "pass one of these as `sandbox`, or leave it out",
        }
    }
}
