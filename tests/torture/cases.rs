//! What is tried: program by program, each way of ending with the answer that it must bring.

use super::ground::Way::{self, Cancelled, Eof, Itself, Killed, Terminated, Timeout};

/// A program and the ways in which it is ended.
pub(crate) struct Case {
    /// File name in `fixtures/torture`, without its ending.
    pub(crate) name: &'static str,
    /// Python that runs it; the one on PATH when empty.
    pub(crate) python: &'static str,
    /// How often each way is tried.
    pub(crate) times: u32,
    pub(crate) memory: bool,
    pub(crate) max_memory_mb: Option<u64>,
    /// Each way with what must stand in the answer; several alternatives are separated by `|`.
    pub(crate) ways: &'static [(Way, &'static str)],
}

/// Nobody is there to be answered.
const NONE: &str = "";
/// A program that does not end by itself, and gives way.
const ENDLESS: &[(Way, &str)] = &[
    (Timeout, "partial: stopped at the time limit"),
    (Cancelled, NONE),
    (Eof, NONE),
    (Terminated, NONE),
    (Killed, NONE),
];
/// The same, killed in the end: its stacks are kept.
const STUBBORN: &[(Way, &str)] = ENDLESS;

const fn case(name: &'static str, ways: &'static [(Way, &'static str)]) -> Case {
    Case { name, python: "", times: 1, memory: false, max_memory_mb: None, ways }
}

const fn with_memory(case: &Case) -> Case {
    Case { memory: true, ..*case }
}

/// All of them.
pub(crate) const CASES: &[Case] = &[
    case("loop", ENDLESS),
    with_memory(&case("loop", ENDLESS)),
    case("in_c", STUBBORN),
    case("regex", ENDLESS),
    case("sleep", ENDLESS),
    case("deaf", STUBBORN),
    case("deaf_forks", STUBBORN),
    case(
        "daemon",
        &[
            (Itself, "complete: exit 0"),
            (Timeout, "complete: exit 0"),
            (Cancelled, NONE),
            (Eof, NONE),
            (Terminated, NONE),
            (Killed, NONE),
        ],
    ),
    with_memory(&case("daemon", &[(Itself, "complete: exit 0"), (Killed, NONE)])),
    case("pool_fork", ENDLESS),
    case("pool_spawn", ENDLESS),
    case("pool_short", &[(Itself, "complete: exit 0")]),
    case("threads", ENDLESS),
    case("blocks", ENDLESS),
    case("sub_python", ENDLESS),
    case("bomb", ENDLESS),
    Case {
        max_memory_mb: Some(800),
        ..case(
            "eats",
            &[(Itself, "partial: stopped at the memory limit"), (Cancelled, NONE), (Killed, NONE)],
        )
    },
    with_memory(&Case {
        max_memory_mb: Some(800),
        ..case("eats", &[(Itself, "partial: stopped at the memory limit")])
    }),
    case("shouts", &[(Itself, "complete: exit 0"), (Eof, NONE), (Killed, NONE)]),
    case("fills", &[(Itself, "complete: exit 0"), (Killed, NONE)]),
    case("floods", &[(Itself, "partial: stopped at the disk limit|disk_limit"), (Killed, NONE)]),
    case("gone", &[(Itself, "complete: exit 0"), (Terminated, NONE), (Killed, NONE)]),
    case("closed", &[(Itself, "complete: exit 0"), (Killed, NONE)]),
    case("exits", &[(Itself, "too_short")]),
    case("crashes", &[(Itself, "partial: killed by SIGSEGV")]),
    case("overflows", &[(Itself, "partial: killed by SIGSEGV")]),
    case("stops_itself", ENDLESS),
    case("moves", &[(Itself, "complete: exit 0"), (Killed, NONE)]),
    case(
        "replaces",
        &[(Itself, "complete: exit 0|partial: stopped"), (Timeout, "complete: exit 0|partial")],
    ),
    case("shadowed", &[(Itself, "complete: exit 0")]),
    // CPython 3.12.0 and 3.12.1 crash when they collect what multiprocessing sends (python/cpython#111049); a
    // worker that dies of it leaves its pool waiting, without a profiler too.
    Case {
        times: 50,
        python: "3.12",
        ..case(
            "pool_short",
            &[(
                Itself,
                "complete: exit 0|partial: killed by SIGSEGV|partial: stopped at the time limit",
            )],
        )
    },
];
