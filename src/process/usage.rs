//! What a program used, by the kernel's own account.

use std::time::Duration;

use nix::sys::resource::{Usage, UsageWho, getrusage};
use nix::sys::time::TimeValLike;

use super::order::Used;

/// Unit of `ru_maxrss`.
const MAXRSS_BYTES: u64 = if cfg!(target_os = "macos") { 1 } else { 1024 };

/// What the children of this process have used so far that were waited for, and those that they waited for.
///
/// `confined`: the child began as this executable. Then its highest size tells nothing of what it became, where
/// it is not above our own.
pub(super) fn of_children(wall: Duration, confined: bool) -> Used {
    let children = getrusage(UsageWho::RUSAGE_CHILDREN).ok();
    let own = getrusage(UsageWho::RUSAGE_SELF).ok().filter(|_| confined);
    let peak = |usage: &Usage| u64::try_from(usage.max_rss()).ok().map(|size| size * MAXRSS_BYTES);
    let floor = own.as_ref().and_then(peak).unwrap_or_default();
    let cpu = |usage: &Usage| {
        let time = usage.user_time() + usage.system_time();
        u64::try_from(time.num_microseconds()).ok()
    };
    Used {
        wall_us: u64::try_from(wall.as_micros()).unwrap_or(u64::MAX),
        cpu_us: children.as_ref().and_then(cpu),
        peak_bytes: children.as_ref().and_then(peak).filter(|peak| *peak > floor),
    }
}
