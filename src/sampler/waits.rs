//! What a thread that is on no CPU waits for, as far as its system call says.

use std::fs;

use libc::c_long;

/// System calls that wait, and what for. The first argument is a file's number where `file` is true.
const CALLS: &[(c_long, &str, bool)] = &[
    (libc::SYS_read, "read", true),
    (libc::SYS_readv, "read", true),
    (libc::SYS_pread64, "read", true),
    (libc::SYS_write, "write", true),
    (libc::SYS_writev, "write", true),
    (libc::SYS_pwrite64, "write", true),
    (libc::SYS_recvfrom, "data from", true),
    (libc::SYS_recvmsg, "data from", true),
    (libc::SYS_sendto, "sending to", true),
    (libc::SYS_sendmsg, "sending to", true),
    (libc::SYS_connect, "connecting", true),
    (libc::SYS_accept, "a connection to", true),
    (libc::SYS_accept4, "a connection to", true),
    (libc::SYS_fsync, "the disk, for", true),
    (libc::SYS_fdatasync, "the disk, for", true),
    (libc::SYS_flock, "the file lock of", true),
    (libc::SYS_clock_nanosleep, "a sleep to end", false),
    (libc::SYS_nanosleep, "a sleep to end", false),
    (libc::SYS_epoll_pwait, "any of several files or sockets (epoll)", false),
    (libc::SYS_ppoll, "any of several files or sockets (poll)", false),
    (libc::SYS_wait4, "a child process to end", false),
    (libc::SYS_waitid, "a child process to end", false),
    (libc::SYS_futex, "a lock or another thread", false),
    (libc::SYS_rt_sigtimedwait, "a signal", false),
    (libc::SYS_openat, "a file to open", false),
];

/// Those of 64-bit x86 only.
#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[(c_long, &str, bool)] = &[
    (libc::SYS_epoll_wait, "any of several files or sockets (epoll)", false),
    (libc::SYS_poll, "any of several files or sockets (poll)", false),
    (libc::SYS_pause, "a signal", false),
    (libc::SYS_open, "a file to open", false),
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[(c_long, &str, bool)] = &[];

/// `select` with no files is a sleep: Python before 3.11 sleeps so.
#[cfg(target_arch = "x86_64")]
const SELECTS: &[c_long] = &[libc::SYS_select, libc::SYS_pselect6];
#[cfg(not(target_arch = "x86_64"))]
const SELECTS: &[c_long] = &[libc::SYS_pselect6];

/// What a thread waits for; `None` where it runs, or nothing is known.
pub(super) fn waits_for(pid: u32, tid: u32) -> Option<String> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{tid}/syscall")).ok()?;
    let (call, first) = parse(&text)?;
    if SELECTS.contains(&call) {
        let several = "any of several files or sockets (select)";
        return Some(if first == 0 { "a sleep to end" } else { several }.to_owned());
    }
    let known = CALLS.iter().chain(OLD_CALLS).find(|(number, ..)| *number == call);
    let Some((_, what, file)) = known else { return Some(format!("system call {call}")) };
    let file = file.then(|| fs::read_link(format!("/proc/{pid}/fd/{first}")).ok()).flatten();
    Some(file.map_or_else(|| (*what).to_owned(), |file| format!("{what} {}", file.display())))
}

/// The number of a system call and its first argument.
fn parse(text: &str) -> Option<(c_long, u64)> {
    let mut words = text.split_whitespace();
    let call = words.next()?.parse().ok().filter(|call| *call >= 0)?;
    let first = words.next()?.strip_prefix("0x")?;
    Some((call, u64::from_str_radix(first, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_the_kernel_is_read() {
        assert_eq!(parse("202 0x7f10 0x80 0x0 0x0 0x0 0x0 0x7ffd 0x7f01\n"), Some((202, 0x7f10)));
        assert_eq!(parse("running\n"), None);
        assert_eq!(parse("-1 0x7ffd 0x7f01\n"), None);
    }

    #[test]
    fn a_thread_of_this_process_waits_for_a_pipe() {
        let (reader, _writer) = std::io::pipe().unwrap();
        let (tell, told) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            use std::io::Read;
            tell.send(rustix::thread::gettid().as_raw_nonzero().get()).unwrap();
            let mut reader = reader;
            let _ = reader.read(&mut [0]);
        });
        let tid = u32::try_from(told.recv().unwrap()).unwrap();
        let started = std::time::Instant::now();
        loop {
            let found = waits_for(std::process::id(), tid).unwrap_or_default();
            if found.starts_with("read pipe:[") {
                break;
            }
            assert!(started.elapsed().as_secs() < 30, "waits for {found}");
            std::thread::yield_now();
        }
    }
}
