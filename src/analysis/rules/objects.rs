//! Functions and methods that run more often than their text suggests.

use super::super::code::Id;
use super::super::thresholds::{COMPUTING_PART, HANDLED_SHARE, PLACE_SHARE, SURE_SHARE};
use super::figures::{Figures, number, numbers};
use super::invariants::is_cached;
use super::place::{Seen, Site};
use super::table::{PLACE, SURE};
use super::{Kind, Knows, Look, Rule, Severity};

pub(super) const RECURSION: Rule = Rule {
    id: "recursion-without-cache",
    title: "a recursion that computes the same again and again",
    kind: Kind::Cpu,
    detects: "a function without effects and without a cache that calls itself at two or more places, each with \
              a parameter plus or minus a number",
    counts: "the function; Scalene charges a recursion to its `def` line",
    advice: "Put `functools.cache` on it, or compute from small to large in a loop.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE],
    source: "overlapping subproblems: calls grow exponentially with the argument, distinct ones with its value",
    at_most: Severity::Critical,
    knows: Knows::Cause,
    look: Look::Code(recursion),
};

fn recursion(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for function in seen.each("function_definition") {
        let Some(name) = seen.child(function, "name").map(|name| seen.text(name)) else { continue };
        let calls: Vec<_> = seen
            .below(function)
            .filter(|id| seen.kind(*id) == "call" && seen.scope(*id) == function)
            .filter(|call| seen.child(*call, "function").is_some_and(|f| seen.text(f) == name))
            .collect();
        let shrinks = |call: &Id| {
            seen.args(*call).iter().any(|arg| {
                let right = seen.child(*arg, "right");
                seen.kind(*arg) == "binary_operator"
                    && right.is_some_and(|right| seen.kind(right) == "integer")
            })
        };
        if calls.len() < 2
            || !calls.iter().all(shrinks)
            || is_cached(seen, function)
            || !seen.is_effect_free(function)
        {
            continue;
        }
        let mut lines: Vec<_> = calls.iter().map(|call| seen.line(*call)).collect();
        lines.dedup();
        let line = seen.line(function);
        let site = Site::new(
            seen.lines(function),
            seen.by_function(function),
            format!(
                "{name}() on line {line} calls itself {} times a call (line {}), without a cache",
                calls.len(),
                numbers(&lines)
            ),
            format!(
                "put `@functools.cache` above line {line}, if its arguments are hashable, or turn {name}() \
                 into a loop from the smallest argument up"
            ),
        );
        sites.push(site.calls(line));
    }
    sites
}

pub(super) const SPECIAL: Rule = Rule {
    id: "costly-special-method",
    title: "a hot method that Python calls behind the scenes",
    kind: Kind::Cpu,
    detects: "a hot `__hash__`, `__eq__`, `__lt__` (and relatives), `__getattr__` or `@property`",
    counts: "the method",
    advice: "Make the method cheap or make fewer calls: keep the hash, sort with `key=`, cache the property.",
    limits: SURE,
    thresholds: &[&SURE_SHARE],
    source: "dicts and sets call `__hash__` and `__eq__` for every access, a sort calls `__lt__` n log n times \
             where a key is computed n times (Sorting HOWTO)",
    at_most: Severity::Critical,
    knows: Knows::Pattern,
    look: Look::Code(special),
};

fn special(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for function in seen.each("function_definition") {
        let class = seen.scope(function);
        if seen.kind(class) != "class_definition" {
            continue;
        }
        let Some(name) = seen.child(function, "name").map(|name| seen.text(name)) else { continue };
        let class = seen.child(class, "name").map_or("the class", |name| seen.text(name));
        let property = seen.parent(function).is_some_and(|above| {
            seen.children(above)
                .any(|part| seen.kind(part) == "decorator" && seen.text(part).trim() == "@property")
        });
        let line = seen.line(function);
        let (caller, advice) = match name {
            "__hash__" => (
                "a dict or set calls",
                format!(
                    "compute the hash once in `{class}.__init__` and return it on line {line}, if the \
                     fields it uses never change; or use a tuple or string as the key"
                ),
            ),
            "__eq__" => (
                "a dict, set or search calls",
                format!(
                    "in {name}() on line {line} compare the field that differs most often first and \
                     return at once; or use a tuple or string as the key"
                ),
            ),
            "__lt__" | "__gt__" | "__le__" | "__ge__" => (
                "a sort, heap or min/max calls",
                format!(
                    "sort with `key=` (a tuple or number per object) instead of {name}() on line {line}"
                ),
            ),
            "__getattr__" | "__getattribute__" => (
                "an attribute access calls",
                format!(
                    "set the attributes that are read most on the object, so that {name}() on line {line} is not asked"
                ),
            ),
            _ if property => (
                "an attribute access calls",
                format!(
                    "make `{name}` on line {line} a `functools.cached_property`, or read it once into a \
                     local name, if what it computes does not change in between"
                ),
            ),
            _ => continue,
        };
        sites.push(Site::new(
            seen.lines(function),
            seen.by_function(function),
            format!("{caller} {class}.{name} (line {line}) each time, and its body is hot"),
            advice,
        ));
    }
    sites
}

pub(super) const EXCEPTIONS: Rule = Rule {
    id: "exceptions-in-loop",
    title: "exceptions as the normal course of a loop",
    kind: Kind::Cpu,
    detects: "a `try` in a loop whose `except` part neither leaves the loop nor sleeps, and was itself sampled with \
              HANDLED_SHARE or more; COMPUTING_PART of it is on a CPU",
    counts: "the `try` statement",
    advice: "Test for the common case first, so that exceptions stay exceptional.",
    limits: PLACE,
    thresholds: &[&PLACE_SHARE, &HANDLED_SHARE, &COMPUTING_PART],
    source: "since CPython 3.11 entering `try` is free, raising and catching costs several calls (What's New 3.11)",
    at_most: Severity::Critical,
    knows: Knows::Pattern,
    look: Look::Code(exceptions),
};

fn exceptions(seen: &Seen<'_>) -> Vec<Site> {
    let mut sites = Vec::new();
    for attempt in seen.each("try_statement") {
        let Some(looped) = seen.looped(attempt) else { continue };
        let handlers: Vec<_> =
            seen.children(attempt).filter(|id| seen.kind(*id) == "except_clause").collect();
        let leaves = handlers.iter().any(|handler| {
            seen.below(*handler).any(|id| {
                matches!(seen.kind(id), "raise_statement" | "return_statement" | "break_statement")
            })
        });
        let lines: Vec<_> = handlers.iter().map(|handler| seen.lines(*handler)).collect();
        let handled = Figures::of(seen.file, &lines).total();
        let (Some(first), false) = (handlers.first(), leaves) else { continue };
        // A handler that waits before the next attempt is a retry, and its time is that wait.
        let all = Figures::of(seen.file, &[seen.lines(attempt)]);
        let retries = handlers.iter().any(|handler| {
            seen.calls_in(*handler)
                .any(|call| seen.callee(call).is_some_and(|path| path.ends_with("sleep")))
        });
        let computes = all.total() - all.system >= all.total() * COMPUTING_PART.value / 100.0;
        if handled < HANDLED_SHARE.value || retries || !computes {
            continue;
        }
        let caught = seen
            .children(*first)
            .find(|id| seen.kind(*id) != "block")
            .map_or("an exception".to_owned(), |id| format!("`{}`", seen.quoted(id)));
        let tried = seen.child(attempt, "body").map_or(String::new(), |body| seen.quoted(body));
        let line = seen.line(*first);
        sites.push(
            Site::new(
                seen.lines(attempt),
                vec![seen.lines(attempt)],
                format!(
                    "line {line} catches {caught} in the loop on line {}, often enough to be sampled",
                    seen.line(looped)
                ),
                format!(
                    "test before line {} whether `{tried}` can succeed (`in`, `dict.get`, \
                     `str.isdigit`, …) and keep the `try` for what remains",
                    seen.line(attempt)
                ),
            )
            .note(format!("{} % of sampled time in the `except` part", number(handled))),
        );
    }
    sites
}
