//! Files, queries, processes and locks: once per item where once would do.

use super::super::code::{Id, Ty};
use super::super::thresholds::{PLACE_SHARE, WAITING_PART};
use super::place::{Seen, Site};
use super::table::{PLACE, WAITS};
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const QUERY: Rule = Rule {
    id: "query-per-row",
    title: "one database statement per item",
    kind: Kind::Cpu,
    detects: "`x.execute(…)` with a literal statement, in a loop",
    counts: "the statement",
    advice: "Use `executemany`, one statement with many values, or one query with `IN` or a join.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "each call is a round trip and a parse, and without a transaction a commit (PEP 249, executemany)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(query),
};

fn query(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some((object, "execute")) = seen.method(call) else { continue };
        let Some(looped) = seen.looped(call) else { continue };
        let args = seen.args(call);
        let Some(statement) = args.first() else { continue };
        let text = seen.text(*statement).trim_start_matches(['f', 'r', '"', '\'', ' ', '\n']);
        let verb = text.split_whitespace().next().unwrap_or_default().to_ascii_uppercase();
        let writes = matches!(verb.as_str(), "INSERT" | "UPDATE" | "DELETE" | "REPLACE");
        if !(writes || verb == "SELECT") || seen.kind(looped) == "while_statement" {
            continue;
        }
        let (line, name, outer) = (seen.line(call), seen.quoted(object), seen.line(looped));
        let advice = if writes {
            format!(
                "collect the values in the loop on line {outer} and call `{name}.executemany(…)` once \
                 instead of line {line}, inside one transaction"
            )
        } else {
            format!(
                "fetch what the loop on line {outer} needs with one query before it (`WHERE … IN (…)` or a \
                 join) and look the rows up in a dict on line {line}"
            )
        };
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} runs one {verb} {}", seen.how_often(call)),
            advice,
        ));
    }
    sites
}

pub(super) const OPEN: Rule = Rule {
    id: "open-in-loop",
    title: "the same file opened again and again",
    kind: Kind::Cpu,
    detects: "`open(p, …)` in a loop that does not change `p`, or in a function with a literal `p` or a constant",
    counts: "the `with` statement, or the statement with the call",
    advice: "Open the file once and keep it open while it is used.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "opening and closing are system calls and build three Python objects (io documentation)",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(open),
};

fn open(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        if seen.callee(call).is_none_or(|path| path != "open") {
            continue;
        }
        let Some(path) = seen.args(call).first().copied() else { continue };
        let same = if let Some(looped) = seen.looped(call) {
            seen.is_invariant(path, looped)
        } else {
            let constant = seen.binding_scope(path) == Some(Id::ROOT)
                && seen.values(path).is_some_and(|values| values.len() == 1);
            seen.function(call).is_some() && (seen.kind(path) == "string" || constant)
        };
        if !same {
            continue;
        }
        let with = seen.ancestors(call).take(5).find(|above| seen.kind(*above) == "with_statement");
        let place = with.map_or_else(|| seen.at(call), |with| seen.lines(with));
        let (line, path) = (seen.line(call), seen.quoted(path));
        let mode = seen.args(call).get(1).copied().or_else(|| seen.keyword(call, "mode"));
        let writes = mode.is_some_and(|mode| seen.text(mode).contains(['w', 'a', 'x', '+']));
        let place_of = match seen.looped(call) {
            Some(looped) => format!("before the loop on line {}", seen.line(looped)),
            None => "outside the function".to_owned(),
        };
        let advice = if writes {
            format!(
                "open `{path}` once, {place_of}, and write to the open file; if other programs must see each \
                 line, call `flush()`"
            )
        } else {
            format!(
                "read `{path}` once, {place_of}, and keep what was read (in a variable, or a function with \
                 `functools.cache`), not the open file: a file read to its end gives nothing more"
            )
        };
        sites.push(Site::new(
            place,
            vec![place],
            format!("line {line} opens `{path}` {}", seen.how_often(call)),
            advice,
        ));
    }
    sites
}

pub(super) const SUBPROCESS: Rule = Rule {
    id: "subprocess-in-loop",
    title: "a process started in every round",
    kind: Kind::Waiting,
    detects: "`subprocess.run`, `call`, `check_call`, `check_output`, `Popen` or `os.system` in a loop",
    counts: "the statement; Scalene does not see the time that `os` functions wait, so the true share is larger",
    advice: "Start one process for all items, run several at a time, or do the work in Python.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "a process costs milliseconds to start (fork, exec, loading) and the loop waits for each",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(subprocess),
};

const STARTERS: &[&str] = &[
    "subprocess.run",
    "subprocess.call",
    "subprocess.check_call",
    "subprocess.check_output",
    "subprocess.Popen",
    "os.system",
    "os.popen",
];

fn subprocess(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        let Some(path) = seen.callee(call) else { continue };
        let Some(looped) = seen.looped(call) else { continue };
        if !STARTERS.contains(&path.as_str()) {
            continue;
        }
        let line = seen.line(call);
        let command =
            seen.args(call).first().map_or(String::new(), |command| seen.quoted(*command));
        sites.push(
            Site::new(
                seen.at(call),
                seen.by_statement(call),
                format!("line {line} starts a process `{command}` {}", seen.how_often(call)),
                format!(
                    "start one process for all items of the loop on line {}, if the command takes several; \
                     else run them side by side (`concurrent.futures.ThreadPoolExecutor`, at most one per core)",
                    seen.line(looped)
                ),
            )
            .note("Scalene does not see the time spent inside `os.waitpid` and `os.read`: the true share is larger"),
        );
    }
    sites
}

pub(super) const LOCK: Rule = Rule {
    id: "blocking-under-lock",
    title: "waiting while a lock is held",
    kind: Kind::Waiting,
    detects: "`time.sleep`, a request, a process or file access inside `with lock:`, on lines that mostly wait; a lock \
              is a name bound to one of `threading` or `multiprocessing`, or one that ends in `lock`",
    counts: "the statements that wait",
    advice: "Wait outside the lock and take it only to change shared data.",
    limits: WAITS,
    thresholds: &[&PLACE_SHARE, &WAITING_PART],
    source: "all other threads that want the lock wait as well",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(lock),
};

/// Calls that wait for something outside the program.
pub(super) fn blocks(path: &str) -> bool {
    matches!(path, "time.sleep" | "open" | "input" | "urllib.request.urlopen")
        || ["requests.", "httpx.", "subprocess.", "socket."]
            .iter()
            .any(|start| path.starts_with(start))
}

fn lock(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for with in seen.each("with_statement") {
        let items = seen.children(with).find(|child| seen.kind(*child) == "with_clause");
        let held = items.and_then(|items| {
            seen.below(items).find(|id| {
                let named = seen.text(*id).to_ascii_lowercase().ends_with("lock");
                matches!(seen.kind(*id), "identifier" | "attribute")
                    && (seen.ty(*id) == Ty::Lock || named)
                    && seen.role(*id) != "object"
            })
        });
        let (Some(held), Some(body)) = (held, seen.child(with, "body")) else { continue };
        let waits: Vec<_> = seen
            .calls_in(body)
            .filter(|call| seen.callee(*call).is_some_and(|path| blocks(&path)))
            .collect();
        let (Some(first), Some(last)) = (waits.first(), waits.last()) else { continue };
        let counted = waits.iter().map(|call| seen.at(*call)).collect();
        let (line, name) = (seen.line(with), seen.quoted(held));
        sites.push(Site::new(
            (seen.line(*first), seen.at(*last).1),
            counted,
            format!(
                "line {} runs `{}` while `{name}` is held since line {line}",
                seen.line(*first),
                seen.quoted(*first)
            ),
            format!(
                "move `{}` out of the `with {name}` block of line {line} and keep only the change of shared \
                 data inside",
                seen.quoted(*first)
            ),
        ));
    }
    sites
}

pub(super) const POLLING: Rule = Rule {
    id: "sleep-polling",
    title: "a loop that sleeps and looks again",
    kind: Kind::Waiting,
    detects: "`time.sleep(…)` in a `while` loop, on a line that mostly waits",
    counts: "the statement",
    advice: "Wait for the event itself: `Event.wait`, `Queue.get`, `Condition.wait_for`, `Popen.wait`, `select`.",
    limits: WAITS,
    thresholds: &[&PLACE_SHARE, &WAITING_PART],
    source: "on average half of a sleep is spent after the event has happened",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(polling),
};

fn polling(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for call in seen.each("call") {
        if seen.callee(call).is_none_or(|path| path != "time.sleep") {
            continue;
        }
        let Some(looped) = seen.looped(call) else { continue };
        if seen.kind(looped) != "while_statement" {
            continue;
        }
        let (line, pause) = (seen.line(call), seen.quoted(call));
        sites.push(Site::new(
            seen.at(call),
            seen.by_statement(call),
            format!("line {line} sleeps, `{pause}`, {} (`{}`)", seen.how_often(call), seen.head(looped)),
            format!(
                "if the loop on line {} waits for another thread, process or file, block on the event itself \
                 (`Event.wait(timeout)`, `Queue.get(timeout=…)`, `Popen.wait()`) instead of line {line}",
                seen.line(looped)
            ),
        ));
    }
    sites
}
