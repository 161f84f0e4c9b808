//! The system calls that a confined program may not make.
//!
//! Landlock knows files, and from Linux 6.12 on signals. What changes files, processes or the machine
//! in another way is refused here. A refused call fails with EPERM.

use std::collections::BTreeMap;

use libc::c_long;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen as Width, SeccompCmpOp as Op,
    SeccompCondition, SeccompFilter, SeccompRule, TargetArch, sock_filter,
};

use super::Mode;

/// Numbers that the C library's crate does not name; the same on every architecture.
const FCHMODAT2: c_long = 452;
const SETXATTRAT: c_long = 463;
const REMOVEXATTRAT: c_long = 466;
const OPEN_TREE_ATTR: c_long = 467;
const FILE_SETATTR: c_long = 469;
/// The first number that was unknown when this was written. What a newer kernel adds is refused as if
/// it were not there, and so are the numbers of the x32 interface, which begin at 2^30.
const FIRST_UNKNOWN: u32 = 470;

/// Refused in every mode.
const ALWAYS: &[c_long] = &[
    // Other processes: their memory, files and namespaces.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
    libc::SYS_setns,
    libc::SYS_unshare,
    // Mounts, and files by other ways than a path.
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    OPEN_TREE_ATTR,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    libc::SYS_open_by_handle_at,
    libc::SYS_fanotify_init,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    // Modes, owners, times and attributes: Landlock does not look at them.
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    FCHMODAT2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_utimensat,
    libc::SYS_setxattr,
    libc::SYS_lsetxattr,
    libc::SYS_fsetxattr,
    SETXATTRAT,
    libc::SYS_removexattr,
    libc::SYS_lremovexattr,
    libc::SYS_fremovexattr,
    REMOVEXATTRAT,
    FILE_SETATTR,
    // Calls made by the kernel on behalf of the program, which no filter sees.
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    // Memory and messages shared with programs outside.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // The kernel itself.
    libc::SYS_keyctl,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_kexec_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_reboot,
    libc::SYS_acct,
    libc::SYS_syslog,
    libc::SYS_vhangup,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
];

/// Older forms that 64-bit ARM never had.
#[cfg(target_arch = "x86_64")]
const OLDER: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
    libc::SYS_iopl,
    libc::SYS_ioperm,
    libc::SYS_modify_ldt,
];
#[cfg(not(target_arch = "x86_64"))]
const OLDER: &[c_long] = &[];

/// A namespace of its own would give a process rights that it has not outside.
const NAMESPACES: &[i32] = &[
    libc::CLONE_NEWNS,
    libc::CLONE_NEWCGROUP,
    libc::CLONE_NEWUTS,
    libc::CLONE_NEWIPC,
    libc::CLONE_NEWUSER,
    libc::CLONE_NEWPID,
    libc::CLONE_NEWNET,
];

/// `ioctl`s that type into a terminal, or change a file's flags through a descriptor for reading.
const IOCTLS: &[u64] = &[0x5412, 0x541C, 0x4008_6602, 0x4004_6602, 0x401C_5820];

/// The processes above the program, for kernels whose Landlock does not know signals.
pub(super) type Ancestors = Vec<u32>;

type Rules = BTreeMap<c_long, Vec<SeccompRule>>;

/// An argument of a call, held against a value of 32 bits.
fn arg(index: u8, op: Op, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(index, Width::Dword, op, value)
}

fn add<const N: usize>(
    rules: &mut Rules,
    call: c_long,
    conditions: [Result<SeccompCondition, BackendError>; N],
) -> Result<(), BackendError> {
    let conditions = conditions.into_iter().collect::<Result<Vec<_>, _>>()?;
    rules.entry(call).or_default().push(SeccompRule::new(conditions)?);
    Ok(())
}

/// Filters for a mode, in the order in which they are installed.
pub(super) fn filters(
    mode: Mode,
    ancestors: Option<&Ancestors>,
) -> Result<Vec<BpfProgram>, BackendError> {
    let mut rules: Rules = ALWAYS.iter().chain(OLDER).map(|call| (*call, Vec::new())).collect();
    for flag in NAMESPACES {
        let flag = u64::from(flag.unsigned_abs());
        add(&mut rules, libc::SYS_clone, [arg(0, Op::MaskedEq(flag), flag)])?;
    }
    for request in IOCTLS {
        add(&mut rules, libc::SYS_ioctl, [arg(1, Op::Eq, *request)])?;
    }
    of_other_processes(&mut rules)?;
    sockets(&mut rules, mode)?;
    if let Some(ancestors) = ancestors {
        signals(&mut rules, ancestors)?;
    }
    // Its flags are behind a pointer. The C library goes back to `clone` when it is missing.
    let missing: Rules = [(libc::SYS_clone3, Vec::new())].into();
    Ok(vec![unknown(), compile(missing, libc::ENOSYS)?, compile(rules, libc::EPERM)?])
}

/// Limits and priorities of processes other than the caller.
fn of_other_processes(rules: &mut Rules) -> Result<(), BackendError> {
    for call in [
        libc::SYS_prlimit64,
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setscheduler,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setattr,
    ] {
        add(rules, call, [arg(0, Op::Ne, 0)])?;
    }
    for call in [libc::SYS_setpriority, libc::SYS_ioprio_set] {
        add(rules, call, [arg(1, Op::Ne, 0)])?;
    }
    // A whole group or user at once.
    add(rules, libc::SYS_setpriority, [arg(0, Op::Ne, 0)])?;
    add(rules, libc::SYS_ioprio_set, [arg(0, Op::Ne, 1)])
}

fn sockets(rules: &mut Rules, mode: Mode) -> Result<(), BackendError> {
    let family = |family: i32| u64::from(family.unsigned_abs());
    if mode == Mode::Strict {
        rules.insert(libc::SYS_socket, Vec::new());
    } else {
        let (v4, v6) = (family(libc::AF_INET), family(libc::AF_INET6));
        // Looking up a name asks the kernel for its addresses: netlink, protocol 0.
        let netlink = family(libc::AF_NETLINK);
        add(
            rules,
            libc::SYS_socket,
            [arg(0, Op::Ne, v4), arg(0, Op::Ne, v6), arg(0, Op::Ne, netlink)],
        )?;
        add(rules, libc::SYS_socket, [arg(0, Op::Eq, netlink), arg(2, Op::Ne, 0)])?;
    }
    // A pair of connected streams leads nowhere else. Datagrams could still be sent to any name.
    for kind in [libc::SOCK_DGRAM, libc::SOCK_RAW] {
        add(
            rules,
            libc::SYS_socketpair,
            [arg(1, Op::MaskedEq(0xF), u64::from(kind.unsigned_abs()))],
        )?;
    }
    add(rules, libc::SYS_socketpair, [arg(0, Op::Ne, family(libc::AF_UNIX))])
}

/// No signal to the processes above the program, nor to groups and to all.
fn signals(rules: &mut Rules, ancestors: &Ancestors) -> Result<(), BackendError> {
    let calls = [
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_tgkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_rt_tgsigqueueinfo,
    ];
    for call in calls {
        for pid in ancestors {
            add(rules, call, [arg(0, Op::Eq, u64::from(*pid))])?;
        }
    }
    add(rules, libc::SYS_kill, [arg(0, Op::Gt, 0x7FFF_FFFF)])?;
    rules.insert(libc::SYS_pidfd_send_signal, Vec::new());
    for command in [libc::F_SETOWN, 15 /* F_SETOWN_EX */] {
        add(rules, libc::SYS_fcntl, [arg(1, Op::Eq, u64::from(command.unsigned_abs()))])?;
    }
    Ok(())
}

fn compile(rules: Rules, errno: i32) -> Result<BpfProgram, BackendError> {
    let arch: TargetArch = std::env::consts::ARCH.try_into()?;
    let refuse = SeccompAction::Errno(errno.unsigned_abs());
    // The program is killed when it calls by the numbers of another architecture.
    SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch)?.try_into()
}

/// Calls by numbers that are not known are not there.
fn unknown() -> BpfProgram {
    const LOAD_NUMBER: u16 = 0x20;
    const JUMP_IF_AT_LEAST: u16 = 0x35;
    const RETURN: u16 = 0x06;
    const ALLOW: u32 = 0x7FFF_0000;
    const ERRNO: u32 = 0x0005_0000;
    let step = |code, jt, k| sock_filter { code, jt, jf: 0, k };
    vec![
        step(LOAD_NUMBER, 0, 0),
        step(JUMP_IF_AT_LEAST, 1, FIRST_UNKNOWN),
        step(RETURN, 0, ALLOW),
        step(RETURN, 0, ERRNO | libc::ENOSYS.unsigned_abs()),
    ]
}
