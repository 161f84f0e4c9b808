//! Which process is meant, what it runs, and why it cannot be looked at.

use std::path::{Path, PathBuf};

use super::secrets;
use crate::process::{Running, descends, running};
use crate::sampler::{Refusal, is_python, refusal};

/// How a process is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// By its id.
    Pid(u32),
    /// By a part of its command line; exactly one Python process must have it.
    Match(String),
}

/// A process as an error lists it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its id.
    pub pid: u32,
    /// Its command line, without what looks like a credential.
    pub command: String,
}

/// Why a process cannot be profiled.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    /// There is none with this id.
    #[error("there is no process {0}: it has ended, or runs where this server does not see it")]
    NoProcess(u32),
    /// No Python process has this in its command line.
    #[error("match: no Python process has `{text}` in its command line{}", listed(others))]
    NoMatch {
        /// What was looked for.
        text: String,
        /// Python processes that there are.
        others: Vec<Candidate>,
    },
    /// Several have it.
    #[error(
        "match: {number} Python processes have `{text}` in their command lines{}",
        listed(candidates)
    )]
    Several {
        /// What was looked for.
        text: String,
        /// How many there are.
        number: usize,
        /// The first of them.
        candidates: Vec<Candidate>,
    },
    /// It is this server, or something that it runs.
    #[error("process {0} is this server, or runs for it")]
    Ours(u32),
    /// It runs no Python that can be read.
    #[error("process {pid} is no Python process: {why}")]
    NotPython {
        /// Its id.
        pid: u32,
        /// What speaks against it.
        why: String,
    },
    /// The system forbids it, or something else is in the way.
    #[error("process {pid} cannot be looked at: {}", reason(refusal))]
    Refused {
        /// Its id.
        pid: u32,
        /// Why.
        refusal: Refusal,
    },
    /// It is Python, and its memory makes no sense to the reader.
    #[error("the stacks of process {pid} could not be read: {why}")]
    Unreadable {
        /// Its id.
        pid: u32,
        /// What the reader said.
        why: String,
    },
    /// It ended before anything was seen.
    #[error("process {0} ended before anything was sampled")]
    Ended(u32),
}

/// Processes that an error lists.
const LISTED: usize = 5;
/// Longest command line that is shown, in characters.
const LONGEST: usize = 120;

fn listed(candidates: &[Candidate]) -> String {
    let each = candidates.iter().map(|one| format!("{} `{}`", one.pid, one.command));
    let list = each.collect::<Vec<_>>().join(", ");
    if list.is_empty() { list } else { format!(": {list}") }
}

fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Gone => "it has ended".to_owned(),
        Refusal::Elsewhere => "it runs in a PID namespace of its own, as in a container".to_owned(),
        Refusal::Traced { by } => {
            format!("thread {by} of another program (a debugger, strace) holds it")
        }
        Refusal::OtherUser { own, its } => {
            format!("it belongs to the user with id {its}, this server runs as {own}")
        }
        Refusal::Yama { scope } => format!(
            "/proc/sys/kernel/yama/ptrace_scope is {scope}, which forbids it for processes that this server did not start"
        ),
        Refusal::Container => "this server runs in a container without CAP_SYS_PTRACE".to_owned(),
        Refusal::Sealed => {
            "it has more rights than this server, or has forbidden it (not dumpable)".to_owned()
        }
        Refusal::NeedsRoot => "macOS lets only root look at other processes".to_owned(),
        Refusal::System(why) => why.clone(),
    }
}

fn remedy(refusal: &Refusal) -> &'static str {
    match refusal {
        Refusal::Gone => "name a process that runs",
        Refusal::Elsewhere => {
            "run scalene-mcp inside that container (docker exec -i NAME scalene-mcp), and name the process by its id there"
        }
        Refusal::Traced { .. } => "detach the debugger first",
        Refusal::OtherUser { .. } => {
            "run the server as that user, or with CAP_SYS_PTRACE (sudo setcap cap_sys_ptrace=ep on the scalene-mcp binary)"
        }
        Refusal::Yama { scope: 3.. } => {
            "3 cannot be changed before the next boot: remove kernel.yama.ptrace_scope=3 from /etc/sysctl.d, boot, then try again"
        }
        Refusal::Yama { scope: 2 } => {
            "give the server the right: sudo setcap cap_sys_ptrace=ep on the scalene-mcp binary, or run it as root"
        }
        Refusal::Yama { .. } => {
            "sudo sysctl kernel.yama.ptrace_scope=0 (until the next boot), or sudo setcap cap_sys_ptrace=ep on the scalene-mcp \
             binary; or start the program by profile_script, which needs neither"
        }
        Refusal::Container => {
            "start the container with that right: docker run --cap-add=SYS_PTRACE, in Kubernetes \
             securityContext.capabilities.add: [\"SYS_PTRACE\"]"
        }
        Refusal::Sealed => "run the server as root, or start the program by profile_script",
        Refusal::NeedsRoot => "run the server as root: sudo scalene-mcp",
        Refusal::System(_) => "docs/troubleshooting.md says what reading stacks needs",
    }
}

impl AttachError {
    /// The stable code of the failure.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoProcess(_) | Self::NoMatch { .. } => "process_not_found",
            Self::Several { .. } => "several_processes",
            Self::Ours(_) => "own_process",
            Self::NotPython { .. } => "not_python",
            Self::Refused { .. } => "attach_refused",
            Self::Unreadable { .. } => "process_unreadable",
            Self::Ended(_) => "process_ended",
        }
    }

    /// What to do next.
    pub fn hint(&self) -> String {
        let text = match self {
            Self::NoProcess(_) => {
                "name a process that runs, by `pid` or by a part of its command line as `match`; in a container its id is another one"
            }
            Self::NoMatch { .. } => "pass a part of one of these command lines, or a `pid`",
            Self::Several { candidates, .. } => {
                let pid = candidates.first().map_or(0, |one| one.pid);
                return format!(
                    "pass the `pid` of one of them, as {{\"pid\":{pid}}}, or a longer `match`"
                );
            }
            Self::Ours(_) => {
                "name another process; what the server itself runs has its profile already: get_profile, list_profiles"
            }
            Self::NotPython { .. } => {
                "name the process of the interpreter, not a shell or launcher around it"
            }
            Self::Refused { refusal, .. } => remedy(refusal),
            Self::Unreadable { .. } => {
                "CPython 3.8 to 3.14 can be read; of one that has just begun, try again in a second"
            }
            Self::Ended(_) => "profile it from its start with profile_script",
        };
        text.to_owned()
    }
}

/// Finds the process that is meant, and makes sure that it may be looked at.
///
/// # Errors
/// [`AttachError`].
pub(super) fn find(which: &Which) -> Result<Running, AttachError> {
    let all = running();
    let own = std::process::id();
    let ours = |pid: u32| pid == own || descends(pid, own, &all);
    let found = match which {
        Which::Pid(pid) => {
            let found = all.iter().find(|process| process.pid == *pid);
            found.ok_or(AttachError::NoProcess(*pid))?
        }
        Which::Match(text) => matching(text, &all, &ours)?,
    };
    let pid = found.pid;
    if ours(pid) {
        return Err(AttachError::Ours(pid));
    }
    match refusal(pid) {
        Some(Refusal::Gone) => Err(AttachError::NoProcess(pid)),
        Some(refusal) => Err(AttachError::Refused { pid, refusal }),
        None => Ok(found.clone()),
    }
}

/// The one Python process whose command line holds a text; of a process and its descendants, that one.
fn matching<'a>(
    text: &str,
    all: &'a [Running],
    ours: &dyn Fn(u32) -> bool,
) -> Result<&'a Running, AttachError> {
    let pythons = || all.iter().filter(|process| !ours(process.pid) && runs_python(process));
    let fits = |process: &&Running| process.command.join(" ").contains(text);
    let found: Vec<&Running> = pythons().filter(fits).collect();
    let above_all = |one: &&&Running| {
        found.iter().all(|other| other.pid == one.pid || descends(other.pid, one.pid, all))
    };
    if let Some(first) = found.iter().find(above_all) {
        return Ok(first);
    }
    let candidates = |list: Vec<&Running>| list.into_iter().take(LISTED).map(candidate).collect();
    let text = text.to_owned();
    if found.is_empty() {
        return Err(AttachError::NoMatch { text, others: candidates(pythons().collect()) });
    }
    Err(AttachError::Several { text, number: found.len(), candidates: candidates(found) })
}

fn runs_python(process: &Running) -> bool {
    let name = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let first = process.command.first().map(|word| name(Path::new(word))).unwrap_or_default();
    first.starts_with("python") || is_python(process.pid)
}

fn candidate(process: &Running) -> Candidate {
    let command = secrets::without(&process.command).join(" ");
    let short: String = command.chars().take(LONGEST).collect();
    let command = if short.len() < command.len() { format!("{short}…") } else { short };
    Candidate { pid: process.pid, command }
}

/// A process as people read it.
pub(super) fn label(process: &Running) -> String {
    let Candidate { pid, command } = candidate(process);
    format!("{command} (pid {pid})")
}

/// What a process runs, by its command line.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Runs {
    /// The script as typed, `-m module`, `-c`, or the whole command where it says none of these.
    pub(super) name: String,
    pub(super) args: Vec<String>,
    /// The script, where it is one.
    pub(super) script: Option<PathBuf>,
    /// The code, where it was handed over as text.
    pub(super) code: Option<String>,
}

/// Reads a command line as Python does.
pub(super) fn runs(command: &[String]) -> Runs {
    let is_python = |word: &String| {
        Path::new(word).file_name().is_some_and(|name| name.to_string_lossy().starts_with("python"))
    };
    let mut words = command.iter();
    let Some(first) = words.next() else { return Runs::default() };
    if !is_python(first) {
        // A program may have given itself another name.
        return Runs { name: first.clone(), args: words.cloned().collect(), ..Runs::default() };
    }
    while let Some(word) = words.next() {
        let letters = word.strip_prefix('-').filter(|letters| !letters.is_empty());
        let Some(letters) = letters.filter(|letters| !letters.starts_with('-')) else {
            if word == "--check-hash-based-pycs" {
                words.next();
            }
            if word.starts_with("--") {
                continue;
            }
            let args = words.cloned().collect();
            let script = Some(PathBuf::from(word));
            return Runs { name: word.clone(), args, script, code: None };
        };
        // Of several letters in one word, one that takes a value takes the rest, or the next word.
        let Some(at) = letters.find(['c', 'm', 'X', 'W']) else { continue };
        let rest = letters.get(at + 1..).unwrap_or_default();
        let value = if rest.is_empty() { words.next().cloned() } else { Some(rest.to_owned()) };
        let value = value.unwrap_or_default();
        match letters.get(at..=at) {
            Some("m") => {
                let (name, args) = (format!("-m {value}"), words.cloned().collect());
                return Runs { name, args, ..Runs::default() };
            }
            Some("c") => {
                let (name, args) = ("-c".to_owned(), words.cloned().collect());
                return Runs { name, args, script: None, code: Some(value) };
            }
            _ => {}
        }
    }
    Runs { name: first.clone(), ..Runs::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Runs {
        runs(&text.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_command_line_says_what_runs() {
        let script = of("/v/bin/python3.12 -X dev -Wignore -u app.py --port 80");
        assert_eq!(
            (script.name.as_str(), script.args.join(" ")),
            ("app.py", "--port 80".to_owned())
        );
        assert_eq!(script.script, Some(PathBuf::from("app.py")));
        assert_eq!(of("python -m http.server 80").name, "-m http.server");
        assert_eq!(of("python -Imhttp.server").name, "-m http.server");
        let code = of("python3 -uc print(1) -m");
        assert_eq!(
            (code.code.as_deref(), code.args.join(" ")),
            (Some("print(1)"), "-m".to_owned())
        );
        assert_eq!(of("gunicorn: master [app]").name, "gunicorn:");
        assert_eq!(of("python3").name, "python3");
        assert_eq!(of("python -").script, Some(PathBuf::from("-")));
    }

    #[test]
    fn every_reason_has_a_remedy_of_its_own() {
        let all = [
            Refusal::Elsewhere,
            Refusal::Traced { by: 7 },
            Refusal::OtherUser { own: 1, its: 2 },
            Refusal::Yama { scope: 1 },
            Refusal::Yama { scope: 2 },
            Refusal::Yama { scope: 3 },
            Refusal::Container,
            Refusal::Sealed,
            Refusal::NeedsRoot,
        ];
        let told: std::collections::HashSet<_> = all.iter().map(remedy).collect();
        assert_eq!(told.len(), all.len());
        let yama = AttachError::Refused { pid: 9, refusal: Refusal::Yama { scope: 1 } };
        assert!(yama.to_string().contains("ptrace_scope is 1"), "{yama}");
        assert!(yama.hint().contains("sysctl kernel.yama.ptrace_scope=0"));
    }
}
