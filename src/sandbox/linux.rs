//! Linux: the rules are laid on the calling thread, which then becomes the program.

use std::convert::Infallible;
use std::ffi::{CString, OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use landlock::{
    ABI, Access, AccessFs, BitFlags, CompatLevel, Compatible, LandlockStatus, PathBeneath, PathFd,
    RestrictSelf, Ruleset, RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetStatus, Scope,
};
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use super::calls::{self, Ancestors};
use super::{Mode, Policy, Unavailable};

/// The oldest Landlock that refuses every way of writing: before it, a file could be cut short.
const OLDEST: ABI = ABI::V3;
/// The oldest one that refuses signals.
const SIGNALS: ABI = ABI::V6;
/// The newest one whose rights are handled here.
const NEWEST: ABI = ABI::V9;

/// What a program may read in strict mode, wherever it is: libraries, settings without secrets, itself.
const SYSTEM: &[&str] = &[
    "/usr",
    "/bin",
    "/sbin",
    "/lib",
    "/lib32",
    "/lib64",
    "/nix/store",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
    "/etc/alternatives",
    "/etc/localtime",
    "/etc/timezone",
    "/etc/locale.conf",
    "/etc/locale.alias",
    "/etc/passwd",
    "/etc/group",
    "/etc/nsswitch.conf",
    "/etc/hosts",
    "/etc/host.conf",
    "/etc/resolv.conf",
    "/etc/services",
    "/etc/protocols",
    "/etc/mime.types",
    "/etc/os-release",
    "/etc/ssl/certs",
    "/etc/ssl/openssl.cnf",
    "/etc/ca-certificates",
    "/etc/pki/tls/certs",
    "/etc/pki/ca-trust/extracted",
    "/etc/fonts",
    "/sys/devices/system",
    "/sys/fs/cgroup",
    "/sys/kernel/mm/transparent_hugepage",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/stat",
    "/proc/loadavg",
    "/proc/uptime",
    "/proc/version",
    "/proc/filesystems",
    "/proc/sys/kernel",
    "/proc/sys/vm",
    "/dev/random",
    "/dev/urandom",
];
/// Devices that keep nothing.
const SINKS: &[&str] = &["/dev/null", "/dev/zero", "/dev/full"];
/// Where POSIX semaphores and shared memory are files: no lock of multiprocessing works without.
const SHARED_MEMORY: &str = "/dev/shm";

fn because(what: &str, why: &dyn std::fmt::Display) -> Unavailable {
    Unavailable(format!("{what}: {why}"))
}

/// The kernel's Landlock, or none.
fn landlock(at_most: Option<i32>) -> Result<ABI, Unavailable> {
    // A builder without any restriction only says what there is.
    let status = RestrictSelf::default()
        .apply()
        .map_err(|why| because("Landlock cannot be asked for", &why))?
        .landlock;
    let found = match status {
        LandlockStatus::Available { effective_abi, .. } => effective_abi,
        LandlockStatus::NotEnabled => {
            return Err(Unavailable(
                "the kernel has Landlock, but it is not enabled (boot parameter `lsm=`)".to_owned(),
            ));
        }
        LandlockStatus::NotImplemented => {
            return Err(Unavailable(
                "the kernel has no Landlock, or a container forbids it".to_owned(),
            ));
        }
    };
    let found = at_most.map_or(found, |most| found.min(ABI::from(most)));
    if found < OLDEST {
        return Err(Unavailable(format!(
            "the kernel has version {found} of Landlock, version {OLDEST} is needed (Linux 6.2)"
        )));
    }
    Ok(found)
}

/// Whether programs can be confined here: lays the strictest rules on the calling thread, which is
/// of no use afterwards.
///
/// # Errors
/// [`Unavailable`] says what is missing.
pub fn check() -> Result<(), Unavailable> {
    confine(&Policy { mode: Mode::Strict, ..Policy::default() })
}

/// Confines the calling thread and turns the process into the program. Returns only when that
/// failed; the program has not run then.
///
/// The process must have no other thread.
pub fn become_confined(policy: &Policy, program: &Path, args: &[OsString]) -> Unavailable {
    let plan = || -> Result<Infallible, Unavailable> {
        let text = |text: &OsStr| {
            CString::new(text.as_bytes()).map_err(|why| because("an argument", &why))
        };
        let path = text(program.as_os_str())?;
        let argv = std::iter::once(program.as_os_str()).chain(args.iter().map(OsString::as_os_str));
        let argv = argv.map(text).collect::<Result<Vec<_>, _>>()?;
        let inherited = std::env::vars_os().map(|(mut name, value)| {
            name.push("=");
            name.push(value);
            name
        });
        let env = inherited.chain(policy.loader_env.iter().cloned());
        let env = env.map(|one| text(&one)).collect::<Result<Vec<_>, _>>()?;
        confine(policy)?;
        nix::unistd::execve(&path, &argv, &env)
            .map_err(|why| because(&format!("`{}` cannot be started", program.display()), &why))
    };
    match plan() {
        Err(why) => why,
        Ok(never) => match never {},
    }
}

fn confine(policy: &Policy) -> Result<(), Unavailable> {
    let abi = landlock(policy.landlock_at_most)?;
    let own_files = make_own_files(&policy.own_files)?;
    let ancestors = (abi < SIGNALS).then(ancestors);
    let filters = calls::filters(policy.mode, ancestors.as_ref())
        .map_err(|why| because("the filter of system calls", &why))?;
    give_up_capabilities().map_err(|why| because("capabilities cannot be given up", &why))?;
    restrict_files(policy, &own_files, abi)?;
    for filter in &filters {
        seccompiler::apply_filter(filter)
            .map_err(|why| because("the kernel takes no filter of system calls", &why))?;
    }
    Ok(())
}

/// Files that the program expects under names with its process id, which is ours.
fn make_own_files(stems: &[PathBuf]) -> Result<Vec<PathBuf>, Unavailable> {
    let pid = std::process::id();
    let make = |stem: &PathBuf| {
        let mut name = stem.clone().into_os_string();
        name.push(pid.to_string());
        let path = PathBuf::from(name);
        // One that an earlier process with this number left behind.
        let _ = fs::remove_file(&path);
        let made = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map(|_| path.clone()).map_err(|why| because(&format!("`{}`", path.display()), &why))
    };
    stems.iter().map(make).collect()
}

fn restrict_files(policy: &Policy, own_files: &[PathBuf], abi: ABI) -> Result<(), Unavailable> {
    let strict = policy.mode == Mode::Strict;
    let handled = if strict { AccessFs::from_all } else { AccessFs::from_write };
    let failed = |why: &dyn std::fmt::Display| because("Landlock", why);
    let newest = NEWEST.min(abi);
    let mut ruleset = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(handled(newest))
        .map_err(|why| failed(&why))?;
    if abi >= SIGNALS {
        ruleset = ruleset.scope(Scope::from_all(SIGNALS)).map_err(|why| failed(&why))?;
    }
    let mut rules = Rules { created: ruleset.create().map_err(|why| failed(&why))? };

    let all = handled(newest) & !(AccessFs::MakeChar | AccessFs::MakeBlock);
    let read = handled(newest) & AccessFs::from_read(newest);
    let shared = handled(newest)
        & (AccessFs::ReadFile
            | AccessFs::WriteFile
            | AccessFs::Truncate
            | AccessFs::MakeReg
            | AccessFs::RemoveFile);
    for path in &policy.write {
        rules = rules.allow(path, all)?;
    }
    for path in own_files {
        rules = rules.allow(path, shared)?;
    }
    for path in SINKS {
        rules = rules.allow_if_there(Path::new(path), all)?;
    }
    rules = rules.allow_if_there(Path::new(SHARED_MEMORY), shared)?;
    if strict {
        let system = SYSTEM.iter().map(Path::new);
        for path in system.chain(policy.read.iter().map(PathBuf::as_path)) {
            rules = rules.allow_if_there(path, read)?;
        }
    }
    let status = rules.created.restrict_self().map_err(|why| failed(&why))?;
    if status.ruleset != RulesetStatus::FullyEnforced || !status.no_new_privs {
        return Err(Unavailable("Landlock enforces only a part of the rules".to_owned()));
    }
    Ok(())
}

struct Rules {
    created: RulesetCreated,
}

impl Rules {
    fn allow(self, path: &Path, access: BitFlags<AccessFs>) -> Result<Self, Unavailable> {
        let failed = |why: &dyn std::fmt::Display| because(&format!("`{}`", path.display()), why);
        let is_dir = path.metadata().map_err(|why| failed(&why))?.is_dir();
        let access = if is_dir { access } else { access & AccessFs::from_file(NEWEST) };
        let opened = PathFd::new(path).map_err(|why| failed(&why))?;
        let created = self.created.add_rule(PathBeneath::new(opened, access));
        Ok(Self { created: created.map_err(|why| failed(&why))? })
    }

    fn allow_if_there(self, path: &Path, access: BitFlags<AccessFs>) -> Result<Self, Unavailable> {
        if access.is_empty() || !path.exists() { Ok(self) } else { self.allow(path, access) }
    }
}

/// A server that runs as root keeps of it only the right to open files that belong to others. The
/// bounding set goes too: root would get all of it back when the program starts.
fn give_up_capabilities() -> rustix::io::Result<()> {
    let kept = CapabilitySet::DAC_OVERRIDE | CapabilitySet::FOWNER;
    let own = thread::capabilities(None)?;
    if own.permitted.contains(CapabilitySet::SETPCAP) {
        for bit in 0..64 {
            let one = CapabilitySet::from_bits_retain(1 << bit);
            // Those that this kernel does not know are not in the set.
            if !kept.contains(one) && thread::capability_is_in_bounding_set(one).unwrap_or(false) {
                thread::remove_capability_from_bounding_set(one)?;
            }
        }
    }
    thread::clear_ambient_capability_set()?;
    let sets = CapabilitySets {
        effective: own.effective & kept,
        permitted: own.permitted & kept,
        inheritable: CapabilitySet::empty(),
    };
    thread::set_capabilities(None, sets)
}

/// The processes above this one: the server, and what started it.
fn ancestors() -> Ancestors {
    let mut found = vec![1];
    let mut pid = std::process::id();
    for _ in 0..64 {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
        let parent = after_name.split_whitespace().nth(1).and_then(|word| word.parse().ok());
        let Some(parent) = parent.filter(|parent| *parent > 1) else { break };
        found.push(parent);
        pid = parent;
    }
    found
}
