//! Places that are hot without a known pattern.

use super::super::code::Id;
use super::super::thresholds::{
    ALLOCATED_MIB, CATCH_ALL_SHARE, EXPLAINED_PART, NATIVE_PART, WAITING_PART, WAITING_SHARE,
};
use super::figures::{Figures, Quantity, number};
use super::inputs::blocks;
use super::place::{Seen, Site};
use super::table::LARGE;
use super::{Kind, Knows, Limit, Look, Rule, Severity};

pub(super) const WAITING: Rule = Rule {
    id: "waiting",
    title: "a line that waits",
    kind: Kind::Waiting,
    detects: "a statement with a call that holds WAITING_SHARE or more, of which WAITING_PART or more is waiting",
    counts: "the statement",
    advice: "Overlap the wait with other work, shorten it, or wait for several things at once.",
    limits: &[
        Limit { of: Quantity::Share, least: WAITING_SHARE },
        Limit { of: Quantity::WaitingPart, least: WAITING_PART },
    ],
    thresholds: &[&WAITING_SHARE, &WAITING_PART],
    source: "Scalene's system time: wall time of a line during which the process did not use a CPU",
    at_most: Severity::Critical,
    knows: Knows::KindOfTime,
    look: Look::Code(waiting),
};

/// Statements of the file on which time was measured, each once.
fn measured(seen: &Seen<'_>, least: f64) -> Vec<Id> {
    let mut found: Vec<Id> = Vec::new();
    let hot: Vec<u32> = seen
        .file
        .lines
        .iter()
        .filter(|line| line.cpu.total().get() >= least)
        .map(|line| line.number.get())
        .collect();
    for id in seen.all() {
        let above = seen.parent(id).map(|above| seen.kind(above));
        let statement = matches!(above, Some("block" | "module")) && seen.kind(id) != "comment";
        if !statement {
            continue;
        }
        let (first, _) = seen.lines(id);
        let body = seen.children(id).find(|child| seen.kind(*child) == "block");
        let last =
            body.map_or(seen.lines(id).1, |body| seen.line(body).saturating_sub(1).max(first));
        let at = hot.partition_point(|line| *line < first);
        if hot.get(at).is_some_and(|line| *line <= last) {
            found.push(id);
        }
    }
    found
}

/// The calls in the head of a statement.
fn calls_of(seen: &Seen<'_>, statement: Id) -> Vec<Id> {
    let body = seen.children(statement).find(|child| seen.kind(*child) == "block");
    seen.calls_in(statement)
        .take_while(|call| body.is_none_or(|body| !seen.within(*call, body)))
        .collect()
}

fn head_lines(seen: &Seen<'_>, statement: Id) -> (u32, u32) {
    let (first, last) = seen.lines(statement);
    let body = seen.children(statement).find(|child| seen.kind(*child) == "block");
    (first, body.map_or(last, |body| seen.line(body).saturating_sub(1).max(first)))
}

/// Methods that wait for something outside the program, or for another part of it.
const WAITERS: &[&str] = &[
    "accept",
    "acquire",
    "communicate",
    "commit",
    "connect",
    "execute",
    "fetchall",
    "fetchone",
    "flush",
    "get",
    "join",
    "poll",
    "put",
    "read",
    "readline",
    "recv",
    "request",
    "result",
    "run",
    "run_until_complete",
    "select",
    "send",
    "sendall",
    "sleep",
    "wait",
    "wait_for",
];

/// Whether the function around a call runs in a pool or in threads already.
fn is_handed_to_workers(seen: &Seen<'_>, call: Id) -> bool {
    let Some(function) = seen.function(call) else { return false };
    let name = seen.child(function, "name").map_or("", |name| seen.text(name));
    seen.each("call").any(|other| {
        let hands = seen.method(other).is_some_and(|(_, method)| {
            matches!(
                method,
                "submit" | "map" | "imap" | "apply_async" | "run_in_executor" | "starmap"
            )
        });
        let thread = seen.callee(other).is_some_and(|path| path.ends_with("Thread"));
        let given = seen.args(other).first().copied().filter(|_| hands);
        let given = given.or_else(|| seen.keyword(other, "target").filter(|_| thread));
        given.is_some_and(|given| seen.text(given).rsplit('.').next() == Some(name))
    })
}

/// Whether a call is known to wait.
pub(super) fn waits(seen: &Seen<'_>, call: Id) -> bool {
    seen.callee(call).is_some_and(|path| blocks(&path) || path == "asyncio.run")
        || seen
            .method(call)
            .is_some_and(|(object, name)| WAITERS.contains(&name) && seen.kind(object) != "string")
}

fn waiting(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for statement in measured(seen, WAITING_SHARE.value) {
        let calls = calls_of(seen, statement);
        let (lines, any) = (head_lines(seen, statement), calls.first().copied());
        let known = calls.iter().copied().find(|call| waits(seen, *call));
        let Some(call) = known.or(any) else { continue };
        let function = seen.child(call, "function").map_or(String::new(), |f| seen.quoted(f));
        if known.is_some() && is_handed_to_workers(seen, call) {
            continue;
        }
        let idle = seen.callee(call).is_some_and(|path| path == "asyncio.run")
            || seen.method(call).is_some_and(|(_, name)| name == "run_until_complete");
        let blocks_loop = seen
            .function(statement)
            .is_some_and(|function| seen.text(function).starts_with("async"));
        let site = if idle {
            Site::new(
                lines,
                vec![lines],
                format!("the event loop that line {} runs is idle: all tasks wait", lines.0),
                "look at what the coroutines await and how many may run at a time (semaphores, pool sizes); \
                 the time itself is not spent on this line"
                    .to_owned(),
            )
            .without_ceiling()
        } else if known.is_some() && blocks_loop && !seen.text(statement).contains("await") {
            Site::new(
                lines,
                vec![lines],
                format!("line {} blocks the event loop in `{function}(…)`", lines.0),
                format!(
                    "on line {}, await the asynchronous counterpart (`asyncio.sleep`, an async client), or \
                     `await asyncio.to_thread({function}, …)`: no other task runs meanwhile",
                    lines.0
                ),
            )
        } else if known.is_some() {
            Site::new(
                lines,
                vec![lines],
                format!("line {} waits in `{function}(…)`", lines.0),
                format!(
                    "if what line {} waits for is outside the program, start it earlier, several at a time, or \
                     in a thread while other work goes on",
                    lines.0
                ),
            )
        } else if Figures::of(seen.file, &[lines]).allocated >= ALLOCATED_MIB.value {
            // Fresh memory costs page faults: the allocation is the point, other rules name it.
            continue;
        } else {
            Site::new(
                lines,
                vec![lines],
                format!("line {} is off the CPU for most of its time, around `{function}(…)`", lines.0),
                format!("find out what line {} does in the kernel (files, memory, other processes)", lines.0),
            )
            .note(
                "no call on the line is known to wait; large allocations (page faults) and a busy machine \
                 count as waiting too",
            )
        };
        sites.push(site);
    }
    sites
}

pub(super) const NATIVE: Rule = Rule {
    id: "native-time",
    title: "time in native code behind one line",
    kind: Kind::Cpu,
    detects: "a statement with a call that holds CATCH_ALL_SHARE or more, of which NATIVE_PART or more is native, \
              and that calls no function or class of the same file",
    counts: "the statement",
    advice: "Make fewer or larger calls, or give them less data; rewriting the Python around gains nothing.",
    limits: &[
        Limit { of: Quantity::Share, least: CATCH_ALL_SHARE },
        Limit { of: Quantity::NativePart, least: NATIVE_PART },
    ],
    thresholds: &[&CATCH_ALL_SHARE, &NATIVE_PART],
    source: "Scalene's split of interpreter and native time, which is trustworthy above 80 % only",
    at_most: Severity::Critical,
    knows: Knows::KindOfTime,
    look: Look::Code(native),
};

fn native(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for statement in measured(seen, CATCH_ALL_SHARE.value) {
        let calls = calls_of(seen, statement);
        let Some(call) = calls.first() else { continue };
        // Scalene 2.2 and later counts a sample at any call as native, so that the split says
        // nothing where the called is Python.
        if calls.iter().any(|call| seen.calls_python(*call)) {
            continue;
        }
        // Old versions count threads that sleep as running; 2.2 and later charge a loop without
        // calls to the call before it.
        if calls.iter().any(|call| waits(seen, *call)) || before_quiet_loop(seen, statement) {
            continue;
        }
        // The head of a loop calls once; the time there is that of the loop.
        if super::super::code::is_loop(seen.kind(statement)) {
            continue;
        }
        let (lines, text) = (head_lines(seen, statement), seen.quoted(*call));
        let often = match seen.looped(statement) {
            Some(looped) => format!(
                "fewer calls with more data each from the loop on line {}, or less data",
                seen.line(looped)
            ),
            None => "less data, a cheaper algorithm or an option of the library".to_owned(),
        };
        sites.push(
            Site::new(
                lines,
                vec![lines],
                format!("line {} spends its time in native code, `{text}`", lines.0),
                format!("on line {}: {often}; the Python code around it costs little", lines.0),
            )
            .note("operators on neighbouring lines may be charged to this line"),
        );
    }
    sites
}

/// Whether a loop that calls nothing comes next.
fn before_quiet_loop(seen: &Seen<'_>, statement: Id) -> bool {
    let is_quiet =
        |next: Id| super::super::code::is_loop(seen.kind(next)) && seen.is_call_free(next);
    !seen.file.exact && seen.sibling(statement).is_some_and(is_quiet)
}

pub(super) const HOT_LOOP: Rule = Rule {
    id: "hot-loop",
    title: "a hot loop without a known pattern",
    kind: Kind::Cpu,
    detects: "a loop that holds CATCH_ALL_SHARE or more, loops inside it left out, where no other rule explains \
              EXPLAINED_PART of it",
    counts: "the loop",
    advice: "Look at what the lines do and how often; no cause is claimed.",
    limits: LARGE,
    thresholds: &[&CATCH_ALL_SHARE, &EXPLAINED_PART],
    source: "the numbers alone",
    at_most: Severity::Critical,
    knows: Knows::Place,
    look: Look::Code(hot_loop),
};

fn hot_loop(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for looped in
        seen.all().filter(|id| matches!(seen.kind(*id), "for_statement" | "while_statement"))
    {
        let lines = seen.lines(looped);
        let inner: Vec<_> = seen
            .inner_loops(looped)
            .filter(|id| seen.kind(*id).ends_with("statement"))
            .map(|id| seen.lines(id))
            .collect();
        let inner = Figures::of(seen.file, &super::place::merged(inner)).total();
        let all = Figures::of(seen.file, &[lines]);
        if all.total() - inner < CATCH_ALL_SHARE.value {
            continue;
        }
        let head = seen.head(looped);
        let body = seen.child(looped, "body").unwrap_or(looped);
        let quiet = quiet_callee(seen, &seen.calls_in(body).collect::<Vec<_>>(), all.total());
        let counted = seen.by_loop(looped);
        let all = Figures::of(seen.file, &counted);
        let site = Site::new(
            lines,
            counted,
            format!(
                "the loop on line {} (`{head}`) holds {} % of sampled time, {}",
                lines.0,
                number(all.total()),
                nature(&all)
            ),
            look_at(seen, looped, &all),
        );
        sites.push(site.maybe(quiet));
    }
    sites
}

/// A function of this file that a hot place calls, and on whose own lines hardly anything was
/// sampled: Scalene may have charged its body to the line of the call.
fn quiet_callee(seen: &Seen<'_>, calls: &[Id], share: f64) -> Option<String> {
    if seen.file.exact {
        return None;
    }
    calls.iter().find_map(|call| {
        let function = seen.definition(*call)?;
        let lines = seen.lines(function);
        let own = Figures::of(seen.file, &[lines]).total();
        let text = seen.child(*call, "function").map(|callee| seen.quoted(callee))?;
        let plain = seen.kind(function) == "function_definition" && seen.function(*call) != Some(function);
        (plain && own < share * (100.0 - EXPLAINED_PART.value) / 100.0 / 5.0).then(|| {
            format!(
                "`{text}` (lines {}-{}) shows {} % of its own: Scalene may charge its body to this line, so look \
                 there too",
                lines.0,
                lines.1,
                number(own)
            )
        })
    })
}

pub(super) const HOT_LINE: Rule = Rule {
    id: "hot-line",
    title: "a hot line without a known pattern",
    kind: Kind::Cpu,
    detects: "a statement outside of loops that holds CATCH_ALL_SHARE or more, where no other rule explains \
              EXPLAINED_PART of it",
    counts: "the statement",
    advice: "Look at what the line does and how often; no cause is claimed.",
    limits: LARGE,
    thresholds: &[&CATCH_ALL_SHARE, &EXPLAINED_PART],
    source: "the numbers alone",
    at_most: Severity::Critical,
    knows: Knows::Place,
    look: Look::Code(hot_line),
};

fn hot_line(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for statement in measured(seen, CATCH_ALL_SHARE.value) {
        let lines = head_lines(seen, statement);
        let figures = Figures::of(seen.file, &[lines]);
        let looped = seen.looped(statement).is_some_and(|l| seen.kind(l).ends_with("statement"));
        let is_loop = matches!(seen.kind(statement), "for_statement" | "while_statement");
        if looped || is_loop {
            continue;
        }
        let text = seen.quoted(statement);
        let is_def = seen.kind(statement) == "function_definition";
        let place = if is_def { seen.lines(statement) } else { lines };
        let (what, advice) = if is_def {
            let name = seen.child(statement, "name").map_or("", |name| seen.text(name));
            let body = seen.lines(statement);
            (
                format!("the `def` line {} of `{name}()`", lines.0),
                if body.1 > body.0 {
                    format!(
                        "look at the body, lines {}-{}: which of them costs the time is not visible in this profile",
                        body.0 + 1,
                        body.1
                    )
                } else {
                    "look at what it calls: its body is on this line".to_owned()
                },
            )
        } else {
            (format!("line {} (`{text}`)", lines.0), look_at(seen, statement, &figures))
        };
        let site = Site::new(
            place,
            vec![lines],
            format!(
                "{what} holds {} % of sampled time, {}",
                number(figures.total()),
                nature(&figures)
            ),
            advice,
        );
        let calls = calls_of(seen, statement);
        let site =
            site.maybe(if is_def { None } else { quiet_callee(seen, &calls, figures.total()) });
        let doubt = if seen.file.exact {
            None
        } else if is_def {
            Some(
                "Scalene charges a `def` line with recursion, and with loops that Python cannot interrupt (3.11, loops \
                 that end in an `if`)",
            )
        } else if before_quiet_loop(seen, statement) {
            Some("Scalene 2.2 and later charges part of the loop behind this line to its call")
        } else if calls.iter().any(|call| seen.callee(*call).is_some_and(|path| blocks(&path))) {
            Some(
                "a call on this line waits; some versions of Scalene show waiting threads as computing",
            )
        } else {
            None
        };
        sites.push(site.maybe(doubt.map(ToOwned::to_owned)));
    }
    sites
}

/// What kind of time it is.
fn nature(figures: &Figures) -> String {
    let part = |value: f64| 100.0 * value / figures.total().max(f64::MIN_POSITIVE);
    if part(figures.system) >= WAITING_PART.value {
        "mostly waiting".to_owned()
    } else if part(figures.native) >= NATIVE_PART.value {
        "mostly in native code".to_owned()
    } else if part(figures.system) >= 100.0 - NATIVE_PART.value {
        format!(
            "{} % of it waiting or descheduled, the rest computing",
            number(part(figures.system))
        )
    } else {
        "computing in Python or in what it calls".to_owned()
    }
}

/// Whether a call makes what a loop runs over without running over anything itself.
fn is_cheap(seen: &Seen<'_>, call: Id) -> bool {
    let lazy = [
        "range",
        "enumerate",
        "zip",
        "map",
        "filter",
        "reversed",
        "iter",
        "keys",
        "values",
        "items",
        "len",
    ];
    let callee = seen.child(call, "function");
    let name = callee.map(|callee| seen.child(callee, "attribute").unwrap_or(callee));
    name.is_some_and(|name| lazy.contains(&seen.text(name)))
}

fn look_at(seen: &Seen<'_>, id: Id, figures: &Figures) -> String {
    let (line, _) = figures.hottest;
    let mut names: Vec<String> = Vec::new();
    let body = seen.child(id, "body");
    // What a `for` runs over is called once, which counts where stacks say that its line is the hottest.
    let in_head = |call: Id| seen.line(call) <= line && !is_cheap(seen, call);
    let head_first = seen.file.exact && body.is_some_and(|body| line < seen.line(body));
    let head: Vec<Id> = seen.calls_in(id).filter(|call| head_first && in_head(*call)).collect();
    let calls = if head.is_empty() { seen.calls_in(body.unwrap_or(id)).collect() } else { head };
    for call in calls {
        let name =
            seen.child(call, "function").map(|function| format!("`{}`", seen.quoted(function)));
        if let Some(name) = name.filter(|name| !names.contains(name)) {
            names.push(name);
        }
    }
    let calls = match names.as_slice() {
        [] => {
            "nothing in it is a call, so its time is in operators: fewer rounds, another algorithm, or operations \
             on whole arrays make it cheaper".to_owned()
        }
        names => {
            let shown: Vec<_> = names.iter().take(3).map(String::as_str).collect();
            format!("it calls {}", shown.join(", "))
        }
    };
    format!("start at line {line}: count how often it runs for one input; {calls}")
}
