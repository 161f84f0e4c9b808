//! What is tried: program by program, each way of ending with the answer that it must bring.

use super::ground::Way::{self, Cancelled, Eof, Itself, Killed, Terminated, Timeout};

/// How a program is profiled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Entry {
    /// As a script.
    Script,
    /// As a script with these parameters in JSON, and the word that the table has for them.
    With(&'static str, &'static str),
    /// Calls of this function of it.
    Function(&'static str),
    /// The tests of this class of it.
    Tests(&'static str),
    /// As a process of somebody else's, that must be unharmed in the end.
    Process,
}

impl Entry {
    /// What the table says of it.
    pub(crate) fn words(self) -> String {
        match self {
            Self::Script => String::new(),
            Self::With(word, _) => format!(" {word}"),
            Self::Function(name) | Self::Tests(name) => format!(".{name}"),
            Self::Process => " process".to_owned(),
        }
    }

    /// Its way in, in a word, by which rows are chosen.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Script => "script",
            Self::With(word, _) => word,
            Self::Function(_) => "function",
            Self::Tests(_) => "tests",
            Self::Process => "process",
        }
    }
}

/// A program and the ways in which it is ended.
pub(crate) struct Case {
    /// File name in `fixtures/torture`, without its ending.
    pub(crate) name: &'static str,
    pub(crate) entry: Entry,
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
    Case {
        name,
        entry: Entry::Script,
        python: "",
        times: 1,
        memory: false,
        max_memory_mb: None,
        ways,
    }
}

const fn with_memory(case: &Case) -> Case {
    Case { memory: true, ..*case }
}

const fn by(entry: Entry, name: &'static str, ways: &'static [(Way, &'static str)]) -> Case {
    Case { entry, ..case(name, ways) }
}

const SAMPLER: Entry = Entry::With("sampler", r#"{"engine": "sampler"}"#);
/// Two seconds of it.
const PART: Entry = Entry::With("part", r#"{"duration_sec": 2, "delay_sec": 0.5}"#);
/// A client that never ends.
const DRIVEN: Entry = Entry::With(
    "driven",
    r#"{"ready": "output:up", "drive": ["python3", "-c", "while True: sum(range(100))"]}"#,
);
/// A client that ends, and leaves a server that does not.
const SERVED: Entry = Entry::With(
    "served",
    r#"{"ready": "output:up", "drive": ["python3", "-c", "sum(range(30_000_000))"]}"#,
);
const WHOLE_PART: &str = "complete: stopped at the end of the part|partial: killed";
const LOOKED_AT: &[(Way, &str)] =
    &[(Itself, "complete: "), (Cancelled, NONE), (Eof, NONE), (Terminated, NONE), (Killed, NONE)];

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
    by(SAMPLER, "loop", ENDLESS),
    by(SAMPLER, "in_c", STUBBORN),
    by(SAMPLER, "deaf_forks", STUBBORN),
    by(SAMPLER, "daemon", &[(Itself, "complete: exit 0"), (Cancelled, NONE), (Killed, NONE)]),
    by(SAMPLER, "pool_spawn", ENDLESS),
    by(SAMPLER, "threads", ENDLESS),
    by(SAMPLER, "bomb", ENDLESS),
    by(SAMPLER, "gone", &[(Itself, "complete: exit 0"), (Terminated, NONE), (Killed, NONE)]),
    by(SAMPLER, "exits", &[(Itself, "too_short")]),
    by(SAMPLER, "crashes", &[(Itself, "partial: killed by SIGSEGV")]),
    by(Entry::Function("endless"), "calls", ENDLESS),
    by(Entry::Function("deaf"), "calls", STUBBORN),
    by(Entry::Function("forks"), "calls", &[(Itself, "complete: exit 0"), (Killed, NONE)]),
    by(
        Entry::Function("quits"),
        "calls",
        &[(Itself, "call_failed: the calls ended their process")],
    ),
    by(
        Entry::Function("crashes"),
        "calls",
        &[(Itself, "call_failed: the calls ended their process")],
    ),
    by(Entry::Function("shouts"), "calls", &[(Itself, "complete: exit 0"), (Killed, NONE)]),
    by(Entry::Tests("Endless"), "test_calls", ENDLESS),
    by(Entry::Tests("Daemon"), "test_calls", &[(Itself, "complete: exit 0"), (Killed, NONE)]),
    by(Entry::Tests("Quits"), "test_calls", &[(Itself, "complete: exit 3")]),
    by(Entry::Tests("Crashes"), "test_calls", &[(Itself, "partial: killed by SIGSEGV")]),
    by(PART, "loop", &[(Itself, WHOLE_PART), (Cancelled, NONE), (Eof, NONE), (Killed, NONE)]),
    by(PART, "in_c", &[(Itself, WHOLE_PART)]),
    by(PART, "sleep", &[(Itself, WHOLE_PART)]),
    by(PART, "deaf_forks", &[(Itself, WHOLE_PART), (Cancelled, NONE), (Killed, NONE)]),
    by(PART, "pool_fork", &[(Itself, WHOLE_PART), (Eof, NONE)]),
    by(DRIVEN, "serves", ENDLESS),
    by(SERVED, "serves", &[(Itself, "complete: ")]),
    by(Entry::Process, "loop", LOOKED_AT),
    by(Entry::Process, "in_c", LOOKED_AT),
    by(Entry::Process, "sleep", LOOKED_AT),
    by(Entry::Process, "threads", LOOKED_AT),
    by(Entry::Process, "pool_fork", LOOKED_AT),
    by(Entry::Process, "deaf_forks", LOOKED_AT),
    by(Entry::Process, "stops_itself", LOOKED_AT),
    by(Entry::Process, "bomb", LOOKED_AT),
    by(Entry::Process, "crashes", &[(Itself, "complete: |partial: ")]),
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
