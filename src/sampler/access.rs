//! Whether a process may be looked at, and what forbids it: asked before anything is tried, so that the
//! answer names the reason and not a number of the system's.

/// Why a process cannot be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// There is none with this id, or it has ended.
    Gone,
    /// It runs in a PID namespace of its own, a container: its threads have other ids inside.
    Elsewhere,
    /// Another program holds it, a debugger or tracer with this id.
    Traced {
        /// The thread that holds it.
        by: u32,
    },
    /// It belongs to another user.
    OtherUser {
        /// The user id of this process.
        own: u32,
        /// That of the other.
        its: u32,
    },
    /// The kernel's Yama module; the value of `kernel.yama.ptrace_scope`.
    Yama {
        /// 1: descendants only; 2: with `CAP_SYS_PTRACE` only; 3: nobody.
        scope: u8,
    },
    /// This process lacks `CAP_SYS_PTRACE` and runs in a container.
    Container,
    /// It has forbidden it itself, as programs with more rights than their user do.
    Sealed,
    /// Only root may look at other processes (macOS).
    NeedsRoot,
    /// The system refuses and says this.
    System(String),
}

#[cfg(target_os = "linux")]
pub use linux::{is_python, refusal};
#[cfg(not(target_os = "linux"))]
pub use other::{is_python, refusal};

#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::io::ErrorKind;
    use std::path::Path;
    use std::time::Duration;

    use super::Refusal;

    /// Bit of `CAP_SYS_PTRACE` in a mask of capabilities.
    const SYS_PTRACE: u32 = 19;
    /// How often it is looked who holds a process: another sampler does for moments only.
    const LOOKS: u32 = 5;
    /// Time between two looks.
    const BETWEEN: Duration = Duration::from_millis(15);

    /// What of `/proc/PID/status` matters.
    #[derive(Debug, Default, PartialEq, Eq)]
    struct Status {
        ended: bool,
        /// Its id in each PID namespace, ours first.
        ids: usize,
        tracer: u32,
        user: u32,
        capabilities: u64,
    }

    fn status(of: &str) -> Option<Status> {
        Some(parse(&fs::read_to_string(format!("/proc/{of}/status")).ok()?))
    }

    fn parse(text: &str) -> Status {
        let mut status = Status::default();
        for (name, value) in text.lines().filter_map(|line| line.split_once(':')) {
            let mut words = value.split_whitespace();
            match name {
                "State" => status.ended = words.next().is_some_and(|state| "ZX".contains(state)),
                "NSpid" => status.ids = words.count(),
                "TracerPid" => status.tracer = number(words.next()),
                // Real, effective, saved, file system: the effective one counts.
                "Uid" => status.user = number(words.nth(1)),
                "CapEff" => {
                    let mask = words.next().and_then(|mask| u64::from_str_radix(mask, 16).ok());
                    status.capabilities = mask.unwrap_or_default();
                }
                _ => {}
            }
        }
        status
    }

    fn number(word: Option<&str>) -> u32 {
        word.and_then(|word| word.parse().ok()).unwrap_or_default()
    }

    /// Why a process cannot be looked at; `None` where nothing speaks against it.
    pub fn refusal(pid: u32) -> Option<Refusal> {
        let Some(it) = status(&pid.to_string()).filter(|it| !it.ended) else {
            return Some(Refusal::Gone);
        };
        if it.ids > 1 {
            return Some(Refusal::Elsewhere);
        }
        // To open its memory takes the same right as to stop it.
        match fs::File::open(format!("/proc/{pid}/mem")) {
            Ok(_) => held(pid).map(|by| Refusal::Traced { by }),
            Err(why) => match why.kind() {
                ErrorKind::NotFound => Some(Refusal::Gone),
                ErrorKind::PermissionDenied => Some(forbidden(&it)),
                _ => Some(Refusal::System(why.to_string())),
            },
        }
    }

    /// Who holds a process all the time.
    fn held(pid: u32) -> Option<u32> {
        let mut by = 0;
        for look in 0..LOOKS {
            if look > 0 {
                std::thread::sleep(BETWEEN);
            }
            by = status(&pid.to_string())?.tracer;
            if by == 0 {
                return None;
            }
        }
        Some(by)
    }

    fn forbidden(it: &Status) -> Refusal {
        let own = status("self").unwrap_or_default();
        let may = own.capabilities & (1 << SYS_PTRACE) != 0;
        let scope = fs::read_to_string("/proc/sys/kernel/yama/ptrace_scope").unwrap_or_default();
        why(&own, it, may, scope.trim().parse().unwrap_or(0), in_container())
    }

    fn why(own: &Status, it: &Status, may: bool, scope: u8, container: bool) -> Refusal {
        if !may && own.user != it.user && own.user != 0 {
            Refusal::OtherUser { own: own.user, its: it.user }
        } else if scope >= 3 || (scope >= 1 && !may) {
            Refusal::Yama { scope }
        } else if container && !may {
            Refusal::Container
        } else {
            Refusal::Sealed
        }
    }

    fn in_container() -> bool {
        let marked =
            ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists());
        marked || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
    }

    /// Whether a process runs Python, by its program file and libraries.
    pub fn is_python(pid: u32) -> bool {
        let program = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let maps = || fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
        name.starts_with("python") || maps().lines().any(|line| line.contains("/libpython"))
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        const TEXT: &str = "Name:\tpython3\nState:\tS (sleeping)\nTracerPid:\t7\nUid:\t0\t1000\t0\t0\n\
                            NSpid:\t812\t1\nCapEff:\t0000000000080000\n";

        #[test]
        fn a_status_says_who_and_where() {
            let expected = Status {
                ended: false,
                ids: 2,
                tracer: 7,
                user: 1000,
                capabilities: 1 << SYS_PTRACE,
            };
            assert_eq!(parse(TEXT), expected);
            assert!(parse(&TEXT.replace("S (sleeping)", "Z (zombie)")).ended);
        }

        #[test]
        fn each_reason_is_told_apart() {
            let of = |user| Status { user, ..Status::default() };
            let own = of(1000);
            assert_eq!(
                why(&own, &of(1001), false, 1, true),
                Refusal::OtherUser { own: 1000, its: 1001 }
            );
            assert_eq!(why(&own, &own, false, 1, true), Refusal::Yama { scope: 1 });
            assert_eq!(why(&own, &own, false, 0, true), Refusal::Container);
            assert_eq!(why(&of(0), &of(5), false, 0, true), Refusal::Container);
            assert_eq!(why(&of(0), &of(5), true, 3, false), Refusal::Yama { scope: 3 });
            assert_eq!(why(&own, &own, false, 0, false), Refusal::Sealed);
            assert_eq!(why(&own, &of(0), true, 2, false), Refusal::Sealed);
        }

        #[test]
        fn this_process_may_look_at_itself_and_at_no_other_that_is_not() {
            assert_eq!(refusal(std::process::id()), None);
            assert_eq!(refusal(u32::MAX - 1), Some(Refusal::Gone));
            assert!(!is_python(std::process::id()));
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    use super::Refusal;

    /// Why a process cannot be looked at; `None` where nothing is known to speak against it.
    pub fn refusal(pid: u32) -> Option<Refusal> {
        #[cfg(unix)]
        if let Some(id) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw)
            && rustix::process::test_kill_process(id) == Err(rustix::io::Errno::SRCH)
        {
            return Some(Refusal::Gone);
        }
        let _ = pid;
        #[cfg(target_os = "macos")]
        if !rustix::process::geteuid().is_root() {
            return Some(Refusal::NeedsRoot);
        }
        None
    }

    /// Whether a process runs Python: not known before it is read.
    pub fn is_python(_: u32) -> bool {
        true
    }
}
